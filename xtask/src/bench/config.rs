//! How each server is told its zones, and to be quick: one worker, few logs, no limits, its own fast settings.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::entrant::{Kind, Limits, Setup};
use super::process;
use super::zones::{Zones, run_quietly};
use crate::shell;

/// A server that nobody stopped ends after so many seconds, where it can be told to.
const LIFE_SECONDS: u32 = 7200;

/// What a configuration is made from.
pub struct Site<'s> {
    pub kind: Kind,
    pub setup: Setup,
    pub address: SocketAddr,
    /// The programs that are built here.
    pub programs: &'s Path,
    /// The server's own, empty folder.
    pub folder: &'s Path,
    /// What it serves; `None` for the sample zone of ours.
    pub zones: Option<&'s Zones>,
}

impl Site<'_> {
    /// Writes the configuration; returns the command that starts the server.
    pub fn command(&self) -> Result<Command> {
        match self.kind {
            Kind::Echo => Ok(self.echo()),
            Kind::Ours => self.ours(),
            Kind::Changes => self.changes(),
            Kind::Gdnsd => self.gdnsd(),
            Kind::Yadifa => self.yadifa(),
            Kind::Nsd => self.nsd(),
            Kind::Knot => self.knot(),
            Kind::Bind => self.bind(),
            Kind::Pdns => self.pdns(),
        }
    }

    fn echo(&self) -> Command {
        let mut command = process::pinned(self.setup.cores, &self.programs.join("echo"));
        command.args(["--listen", &self.address.to_string(), "--seconds", &LIFE_SECONDS.to_string()]);
        command.args(["--workers", &self.setup.workers.to_string()]);
        command
    }

    fn changes(&self) -> Result<Command> {
        let mut command = process::pinned(self.setup.cores, &self.programs.join("changes"));
        let rate = self.setup.changes_per_second.to_string();
        command.args(["serve", "--listen", &self.address.to_string(), "--changes-per-second", &rate]);
        command.args(["--seconds", &LIFE_SECONDS.to_string(), "--names", &self.zones()?.names.to_string()]);
        command.arg("--zone").arg(&self.zones()?.file);
        Ok(command)
    }

    fn ours(&self) -> Result<Command> {
        let mut command = process::pinned(self.setup.cores, &self.programs.join("jw238dns"));
        command.args(["serve", "--listen", &self.address.to_string()]);
        if self.zones.is_some() {
            command.arg("--config").arg(self.write("config.yaml", &self.ours_config()?)?);
        }
        Ok(command)
    }

    /// Ours is served as it comes, but for the number of workers and what a scenario is about.
    fn ours_config(&self) -> Result<String> {
        let mut text = format!("workers: {}\nlog_level: warn\n", self.setup.workers);
        let zones = self.zones()?;
        let file = yaml(&zones.file)?;
        if let [apex] = &zones.apexes[..] {
            writeln!(text, "zones:\n  - {{name: {apex}., file: {file}}}")?;
        } else {
            let names = zones.apexes.join(".\n") + ".\n";
            let names = yaml(&self.write("names.txt", &names)?)?;
            writeln!(text, "zone_templates:\n  - {{zones_from: {names}, file: {file}}}")?;
        }
        if !self.setup.backend.is_empty() {
            writeln!(text, "backend: {{{}}}", self.setup.backend)?;
        }
        text.push_str(match self.setup.limits {
            Limits::Exempt => "",
            Limits::Unreached => {
                "rate_limit: {answers: 10000000, nxdomains: 10000000, referrals: 10000000, errors: 10000000, \
                 exempt: []}\n"
            }
            Limits::Default => "rate_limit: {exempt: []}\n",
        });
        Ok(text)
    }

    /// Its configuration is a folder, and the name of a zone file is that of its zone. Two threads read zone files. As it
    /// comes, it does not follow aliases; the others do.
    fn gdnsd(&self) -> Result<Command> {
        let zones = self.folder.join("zones");
        fs::create_dir_all(&zones).with_context(|| format!("cannot create {}", zones.display()))?;
        for apex in &self.zones()?.apexes {
            let (from, to) = (&self.zones()?.file, zones.join(apex));
            // A file has some ten thousand names at most on some file systems.
            fs::hard_link(from, &to)
                .or_else(|_| fs::copy(from, &to).map(drop))
                .with_context(|| format!("cannot copy the zone to {}", to.display()))?;
        }
        let config = format!(
            "options => {{
  listen => {{ {address} => {{ udp_threads = {workers}, tcp_threads = 1 }} }}
  run_dir = {folder}
  state_dir = {folder}
  zones_rfc1035_threads = 2
  experimental_no_chain = false
}}
",
            address = self.address,
            workers = self.setup.workers,
            folder = self.folder.display(),
        );
        self.write("config", &config)?;
        let mut command = self.installed("gdnsd")?;
        command.arg("-c").arg(self.folder).arg("start");
        Ok(command)
    }

    /// `multi` is its network model with `recvmmsg`. It pins its own threads, from the core `thread-affinity-base` on.
    fn yadifa(&self) -> Result<Command> {
        let mut text = format!(
            "<main>
    daemon off
    chroot off
    logpath \"{folder}\"
    pidfile \"{folder}/yadifad.pid\"
    datapath \"{folder}\"
    keyspath \"{folder}\"
    xfrpath \"{folder}\"
    listen {ip} port {port}
    edns0-max-size 1232
    max-tcp-queries 255
    network-model multi
    thread-count-by-address {workers}
    thread-affinity-base {first_core}
    zone-load-thread-count 2
    statistics off
    queries-log-type 0
    allow-query any
    allow-update {updates}
    allow-transfer none
    allow-notify none
    allow-control none
</main>
<rrl>
    enabled false
</rrl>
<channels>
    errors STDERR
</channels>
<loggers>
    database EMERG,ALERT,CRIT,ERR errors
    server EMERG,ALERT,CRIT,ERR errors
    system EMERG,ALERT,CRIT,ERR errors
    zone EMERG,ALERT,CRIT,ERR errors
</loggers>
",
            folder = self.folder.display(),
            ip = self.address.ip(),
            port = self.address.port(),
            workers = self.setup.workers,
            first_core = self.setup.cores.split(',').next().unwrap_or_default(),
            updates = if self.setup.updates { "127.0.0.1" } else { "none" },
        );
        // Where it writes a zone, it takes even an absolute path for one below `datapath`.
        let file = self.zone_file()?;
        let file = file.strip_prefix(self.folder).unwrap_or(&file).display();
        for apex in &self.zones()?.apexes {
            writeln!(text, "<zone>\n    type primary\n    domain {apex}\n    file \"{file}\"\n</zone>")?;
        }
        let file = self.write("yadifad.conf", &text)?;
        let mut command = self.installed("yadifad")?;
        command.arg("-c").arg(file);
        Ok(command)
    }

    fn nsd(&self) -> Result<Command> {
        let mut text = format!(
            "server:
    ip-address: {ip}@{port}
    username: \"\"
    chroot: \"\"
    zonesdir: \"{folder}\"
    database: \"\"
    pidfile: \"{folder}/nsd.pid\"
    xfrdfile: \"{folder}/xfrd.state\"
    zonelistfile: \"{folder}/zone.list\"
    xfrdir: \"{folder}\"
    server-count: {workers}
    tcp-count: 100
    tcp-query-count: 0
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    minimal-responses: yes
    refuse-any: no
    answer-cookie: no
    round-robin: no
    ipv4-edns-size: 1232
    statistics: 0
    verbosity: 0
remote-control:
    control-enable: no
",
            folder = self.folder.display(),
            ip = self.address.ip(),
            port = self.address.port(),
            workers = self.setup.workers,
        );
        for apex in &self.zones()?.apexes {
            writeln!(
                text,
                "zone:\n    name: \"{apex}\"\n    zonefile: \"{}\"",
                self.zones()?.file.display()
            )?;
        }
        let file = self.write("nsd.conf", &text)?;
        let mut command = self.installed("nsd")?;
        command.arg("-d").arg("-c").arg(file);
        Ok(command)
    }

    /// Without checks and, where it takes no updates, without a journal, which cost it time when it starts. It never
    /// writes zone files; by default it would write all of one after every update.
    fn knot(&self) -> Result<Command> {
        let mut text = format!(
            "server:
    rundir: \"{folder}\"
    listen: {ip}@{port}
    udp-workers: {workers}
    tcp-workers: 1
    background-workers: 2
    udp-max-payload: 1232
log:
  - target: stderr
    any: error
database:
    storage: \"{folder}\"
acl:
  - id: local
    address: 127.0.0.1
    action: update
template:
  - id: default
    storage: \"{folder}\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: {journal}
    semantic-checks: off
{updates}zone:
",
            folder = self.folder.display(),
            ip = self.address.ip(),
            port = self.address.port(),
            workers = self.setup.workers,
            journal = if self.setup.updates { "changes" } else { "none" },
            updates = if self.setup.updates { "    acl: local\n" } else { "" },
        );
        for apex in &self.zones()?.apexes {
            writeln!(text, "  - domain: \"{apex}\"\n    file: \"{}\"", self.zones()?.file.display())?;
        }
        let file = self.write("knot.conf", &text)?;
        let mut command = self.installed("knotd")?;
        command.arg("--config").arg(file);
        Ok(command)
    }

    /// Minimal responses and no cookies, as it would be set up for speed; no checks while it loads.
    fn bind(&self) -> Result<Command> {
        let mut text = format!(
            "options {{
    directory \"{folder}\"; pid-file \"named.pid\"; session-keyfile \"session.key\"; lock-file none;
    listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }};
    recursion no; allow-query {{ any; }}; allow-transfer {{ none; }}; notify no; dnssec-validation no;
    minimal-responses yes; minimal-any no; answer-cookie no; empty-zones-enable no; querylog no;
    check-names primary ignore; check-integrity no; check-sibling no; check-mx ignore; check-wildcard no;
    max-records-per-type 0; max-types-per-name 0; zone-statistics none;
    edns-udp-size 1232; max-udp-size 1232; tcp-clients 100; rrset-order {{ order none; }};
}};
controls {{ }};
logging {{ channel errors {{ stderr; severity error; }}; category default {{ errors; }}; }};
",
            folder = self.folder.display(),
            port = self.address.port(),
            ip = self.address.ip(),
        );
        let file = self.zone_file()?;
        let file = file.display();
        let updates = if self.setup.updates { "allow-update { 127.0.0.1; }; " } else { "" };
        for apex in &self.zones()?.apexes {
            writeln!(text, "zone \"{apex}\" {{ type primary; file \"{file}\"; {updates}}};")?;
        }
        let file = self.write("named.conf", &text)?;
        let mut command = self.installed("named")?;
        command.args(["-f", "-n", &self.setup.workers.to_string(), "-c"]).arg(file);
        Ok(command)
    }

    /// What makes it quick is its packet cache: every question comes again before the hour is over, so nearly all
    /// answers are cached ones, and the caches have room for all questions of a scenario. Signed zones
    /// are marked as such in a database of its own.
    fn pdns(&self) -> Result<Command> {
        let mut zones = String::new();
        for apex in &self.zones()?.apexes {
            writeln!(
                zones,
                "zone \"{apex}\" {{ type master; file \"{}\"; }};",
                self.zones()?.file.display()
            )?;
        }
        let zones = self.write("named.conf", &zones)?;
        let text = format!(
            "launch=bind
bind-config={zones}
local-address={ip}
local-port={port}
socket-dir={folder}
receiver-threads={workers}
distributor-threads=1
signing-threads=1
retrieval-threads=1
cache-ttl=3600
query-cache-ttl=3600
negquery-cache-ttl=3600
zone-metadata-cache-ttl=3600
zone-cache-refresh-interval=3600
max-packet-cache-entries=4000000
max-cache-entries=8000000
any-to-tcp=no
max-tcp-connections=100
daemon=no
guardian=no
write-pid=no
loglevel=2
disable-syslog=yes
security-poll-suffix=
webserver=no
bind-dnssec-db={folder}/dnssec.db
",
            zones = zones.display(),
            ip = self.address.ip(),
            port = self.address.port(),
            folder = self.folder.display(),
            workers = self.setup.workers,
        );
        self.write("pdns.conf", &text)?;
        let folder = format!("--config-dir={}", self.folder.display());
        let database = self.folder.join("dnssec.db");
        self.pdnsutil(&folder, &[OsStr::new("create-bind-db"), database.as_os_str()])?;
        if self.zones()?.signed {
            for apex in &self.zones()?.apexes {
                self.pdnsutil(&folder, &[OsStr::new("set-presigned"), OsStr::new(apex)])?;
            }
        }
        let mut command = self.installed("pdns_server")?;
        command.arg(folder);
        Ok(command)
    }

    fn pdnsutil(&self, folder: &str, words: &[&OsStr]) -> Result<()> {
        let mut command = self.installed("pdnsutil")?;
        run_quietly(command.arg(folder).args(words))
    }

    /// The zone file; a copy for a server that takes updates: it may write them there, and has its journal beside it.
    fn zone_file(&self) -> Result<PathBuf> {
        let file = &self.zones()?.file;
        if !self.setup.updates {
            return Ok(file.clone());
        }
        let own = self.folder.join("own.zone");
        fs::copy(file, &own).with_context(|| format!("cannot copy the zone to {}", own.display()))?;
        Ok(own)
    }

    fn zones(&self) -> Result<&Zones> {
        self.zones.context("only ours has a sample zone")
    }

    fn installed(&self, program: &str) -> Result<Command> {
        let path = shell::find_program(program).with_context(|| format!("{program} is not installed"))?;
        Ok(process::pinned(self.setup.cores, &path))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

/// The path as a YAML string: JSON's are.
fn yaml(path: &Path) -> Result<String> {
    serde_json::to_string(&path.display().to_string()).context("a path that is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the command, and every file that was written.
    fn written(kind: Kind, apexes: &[&str], setup: Setup) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let zone = folder.path().join("source.zone");
        fs::write(&zone, "records").unwrap();
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        let apexes = apexes.iter().map(|&apex| apex.to_owned()).collect();
        let zones = Zones { file: zone, apexes, names: 10, signed: false };
        let site = Site {
            kind,
            setup,
            address: "127.0.0.1:5399".parse().unwrap(),
            programs: Path::new("/programs"),
            folder: &own,
            zones: Some(&zones),
        };
        // What is not installed here has been written all the same.
        let words = site.command().map_or_else(|error| error.to_string(), |command| format!("{command:?}"));
        let mut text = String::new();
        for entry in fs::read_dir(&own).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                text += &String::from_utf8_lossy(&fs::read(path).unwrap());
            } else {
                let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
                text += &names.map(|name| name.into_string().unwrap()).collect::<Vec<_>>().join(" ");
            }
        }
        (words, text)
    }

    #[test]
    fn every_server_is_told_every_zone_and_its_address() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Echo) {
            let (words, text) = written(kind, &["a.test", "b.test"], Setup::ONE);
            for apex in ["a.test", "b.test"] {
                assert!(text.contains(apex), "{kind:?}: {text}");
            }
            assert!((words + &text).contains("5399"), "{kind:?}: {text}");
        }
    }

    #[test]
    fn limits_are_in_force_where_they_are_measured() {
        let config = |limits| written(Kind::Ours, &["a.test"], Setup { limits, ..Setup::ONE }).1;
        assert!(!config(Limits::Exempt).contains("rate_limit"));
        assert!(config(Limits::Unreached).contains("exempt: []"));
        assert!(config(Limits::Unreached).contains("answers: 10000000"));
        assert!(config(Limits::Default).contains("rate_limit: {exempt: []}"));
    }

    #[test]
    fn updates_are_taken_where_they_are_measured_and_spoil_no_zone_file_of_others() {
        for (kind, allowed) in [
            (Kind::Bind, "allow-update { 127.0.0.1; };"),
            (Kind::Knot, "    acl: local"),
            (Kind::Yadifa, "allow-update 127.0.0.1"),
        ] {
            let config = |updates| written(kind, &["a.test"], Setup { updates, ..Setup::ONE }).1;
            assert!(config(true).contains(allowed) && !config(false).contains(allowed), "{kind:?}");
            if kind != Kind::Knot {
                assert!(config(true).contains("own.zone"), "{}", config(true));
                assert!(config(false).contains("source.zone"), "{}", config(false));
            }
        }
        let journal = |updates| written(Kind::Knot, &["a.test"], Setup { updates, ..Setup::ONE }).1;
        assert!(journal(true).contains("journal-content: changes"));
        assert!(journal(false).contains("journal-content: none"));
    }

    #[test]
    fn programs_run_on_their_cores() {
        let (words, _) = written(Kind::Ours, &["a.test"], Setup::ONE);
        assert!(words.contains("\"--cpu-list\" \"0\""), "{words}");
    }
}
