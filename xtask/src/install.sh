# Installs Debian packages without starting their services.
# usage: sh -c "$(cat install.sh)" install-peers POLICY PACKAGE...
#
# POLICY is /usr/sbin/policy-rc.d, which maintainer scripts ask before they start a service; exit code 101 means
# "forbidden". The file that was there before comes back whatever happens, a Ctrl-C included; what a run left that
# was killed outright is cleaned up by the next one.
set -eu
policy=$1
shift
saved=$policy.before-jw238dns
mark='# written by cargo xtask test'

restore() {
    if [ -e "$saved" ] || [ -L "$saved" ]; then
        mv -f "$saved" "$policy"
    else
        rm -f "$policy"
    fi
}

if [ -e "$policy" ] && grep -qF "$mark" "$policy"; then
    restore
fi
if [ -e "$policy" ] || [ -L "$policy" ]; then
    mv "$policy" "$saved"
fi
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" > "$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
# The lists are fetched only where they are missing or too old to install from: that saves a minute on most machines
apt-get install --yes --no-install-recommends "$@" || {
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
}
