//! The binary as it serves: a process with real sockets, signals and files.

mod hostile;
mod privileges;
mod probes;
mod refusals;
mod reload;
mod service;
mod start;
mod stop;
mod support;
