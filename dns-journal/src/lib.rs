//! Keeps the changes of a store in one folder on disk.
#![allow(missing_docs)]

mod backup;
pub mod codec;
mod disk;
mod engine;
mod error;
mod folder;
mod lag;
mod limits;
mod log;
mod memory;
mod tables;
#[cfg(test)]
mod tests;
mod worker;

pub use self::{
    backup::restore_backup, error::FolderError, folder::Folder, limits::HistoryLimits, memory::Memory,
};
