//! Load generator, echo floor and benchmarks.
