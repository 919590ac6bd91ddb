//! System calls that neither std nor socket2 offer, behind safe functions.

mod affinity;
#[cfg(target_os = "linux")]
mod array;
#[cfg(target_os = "linux")]
mod batch;
mod options;
mod poll;
#[cfg(target_os = "linux")]
mod source;

#[cfg(target_os = "linux")]
pub(crate) use self::batch::Batch;
pub(crate) use self::{
    affinity::pin_to,
    options::{set_destination_wanted, set_fragmentation_avoided},
    poll::{Poller, wait_writable},
};
