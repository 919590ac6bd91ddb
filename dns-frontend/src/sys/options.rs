//! Socket options without a safe wrapper.

use std::{io, os::fd::AsFd};
#[cfg(target_os = "linux")]
use std::{mem, os::fd::AsRawFd};

#[cfg(target_os = "linux")]
use libc::c_int;

/// Asks the kernel to tell with each datagram which of our addresses it was sent to.
pub(crate) fn set_destination_wanted(socket: &impl AsFd, ipv6: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    let (level, name) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        (libc::IPPROTO_IP, libc::IP_PKTINFO)
    };
    #[cfg(target_os = "linux")]
    return set(socket, level, name, 1);
    #[cfg(not(target_os = "linux"))]
    {
        // Only the batched engine, which is for Linux, reads it.
        let _ = (socket, ipv6);
        Ok(())
    }
}

/// Has UDP replies sent without path MTU discovery.
///
/// Forged ICMP messages about a small path MTU then cannot make the kernel cut our replies into fragments that a
/// third party could replace ([RFC 9715, section 3.1](https://www.rfc-editor.org/rfc/rfc9715#section-3.1) and its
/// appendix on Linux). That replies are smaller than the MTU in the first place is up to the responder's limit.
pub(crate) fn set_fragmentation_avoided(socket: &impl AsFd, ipv6: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    let (level, name, value) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
    } else {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    };
    #[cfg(target_os = "linux")]
    return set(socket, level, name, value);
    #[cfg(not(target_os = "linux"))]
    {
        // The system's defaults: little is known of what the options of others do.
        let _ = (socket, ipv6);
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn set(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open while borrowed, and the option value is an int of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            mem::size_of::<c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn linux_knows_the_options_for_both_families() {
        for (address, ipv6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
            let socket = UdpSocket::bind(address).unwrap();
            set_destination_wanted(&socket, ipv6).unwrap();
            set_fragmentation_avoided(&socket, ipv6).unwrap();
            // Of the other family: the error is passed on.
            if !ipv6 {
                set_fragmentation_avoided(&socket, true).unwrap_err();
            }
        }
    }
}
