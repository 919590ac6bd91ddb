//! Tests of the whole: what is acknowledged against what is found again.

mod faults;
mod model;
mod power;
mod random;
mod tidy;

pub(crate) use self::model::{Model, batches, entry, name, rrset, state_of};
