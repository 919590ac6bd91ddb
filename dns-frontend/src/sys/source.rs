//! The address that was asked, so that the reply leaves from it.

use std::{mem, net::Ipv6Addr};

use libc::{IPPROTO_IP, IPPROTO_IPV6, in_pktinfo, in6_pktinfo, msghdr};

/// Room for the control data of one datagram: a header and one `in6_pktinfo`, the larger of the two.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control(pub(super) [u8; 64]);

/// Makes the control data of a request that of its reply, in place, and tells its length.
///
/// None means that the kernel shall choose the source address, as for a request to a multicast address.
///
/// # Safety
/// `request` must be as `recvmmsg` filled it, its control data still in a buffer that may be written.
#[allow(clippy::unnecessary_cast, reason = "lengths have other types with other C libraries")]
#[expect(clippy::cast_ptr_alignment, reason = "read and written without assuming any")]
pub(super) unsafe fn reply_from(request: &msghdr) -> Option<usize> {
    // SAFETY: the caller vouches for the control pointer and length.
    let control = unsafe { libc::CMSG_FIRSTHDR(request) };
    if control.is_null() {
        return None;
    }
    // SAFETY: not null, so a whole header lies inside the buffer.
    let (level, kind, octets) = unsafe { ((*control).cmsg_level, (*control).cmsg_type, (*control).cmsg_len) };
    // SAFETY: the data begin behind the header; they are touched only where the length says there are enough.
    let data = unsafe { libc::CMSG_DATA(control) };
    if level == IPPROTO_IP && kind == libc::IP_PKTINFO && octets as usize >= length_of::<in_pktinfo>() {
        let info = data.cast::<in_pktinfo>();
        // SAFETY: the length was checked; nothing is assumed of the alignment.
        let mut asked = unsafe { info.read_unaligned() };
        // The route decides on the interface: the way back need not be the way the request came. The kernel has
        // put the local address into `ipi_spec_dst`, which is where it wants the source address, too.
        asked.ipi_ifindex = 0;
        // SAFETY: as for reading.
        unsafe { info.write_unaligned(asked) };
        return Some(space_of::<in_pktinfo>());
    }
    if level == IPPROTO_IPV6 && kind == libc::IPV6_PKTINFO && octets as usize >= length_of::<in6_pktinfo>() {
        let info = data.cast::<in6_pktinfo>();
        // SAFETY: the length was checked; nothing is assumed of the alignment.
        let mut asked = unsafe { info.read_unaligned() };
        let address = Ipv6Addr::from(asked.ipi6_addr.s6_addr);
        if address.is_multicast() {
            return None;
        }
        // A link-local address means nothing without its interface.
        if !address.is_unicast_link_local() {
            asked.ipi6_ifindex = 0;
        }
        // SAFETY: as for reading.
        unsafe { info.write_unaligned(asked) };
        return Some(space_of::<in6_pktinfo>());
    }
    None
}

fn length_of<T>() -> usize {
    // SAFETY: arithmetic only.
    unsafe { libc::CMSG_LEN(mem::size_of::<T>() as u32) as usize }
}

fn space_of<T>() -> usize {
    // SAFETY: arithmetic only.
    unsafe { libc::CMSG_SPACE(mem::size_of::<T>() as u32) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_data_have_room() {
        assert!(space_of::<in_pktinfo>() <= size_of::<Control>());
        assert!(space_of::<in6_pktinfo>() <= size_of::<Control>());
        assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());
    }
}
