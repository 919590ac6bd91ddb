//! Threads that stay on one CPU.

use std::io;

/// Keeps the calling thread on one of the CPUs that it may run on now, counted from 0 and round again.
#[cfg(target_os = "linux")]
pub(crate) fn pin_to(worker: usize) -> io::Result<()> {
    use std::mem;

    use libc::{CPU_SETSIZE, cpu_set_t};

    // SAFETY: a CPU set is an array of integers, for which all zero is the empty set.
    let mut allowed: cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is as large as it says; 0 is the calling thread.
    if unsafe { libc::sched_getaffinity(0, mem::size_of::<cpu_set_t>(), &raw mut allowed) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the index is below the size of the set.
    let cpus = || (0..CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &allowed) });
    // A running thread may run somewhere, so there is at least one; `max` only keeps the division honest.
    let Some(cpu) = cpus().nth(worker % cpus().count().max(1)) else {
        return Err(io::Error::other("no CPU is allowed"));
    };
    // SAFETY: as above.
    let mut chosen: cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `cpu` is below the size of the set.
    unsafe { libc::CPU_SET(cpu, &mut chosen) };
    // SAFETY: the set is as large as it says; 0 is the calling thread.
    if unsafe { libc::sched_setaffinity(0, mem::size_of::<cpu_set_t>(), &raw const chosen) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Not known how on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin_to(_worker: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_pinned_thread_sees_one_cpu() {
        let cpus = thread::spawn(|| {
            pin_to(7).unwrap();
            thread::available_parallelism().unwrap().get()
        });
        assert_eq!(cpus.join().unwrap(), 1);
    }
}
