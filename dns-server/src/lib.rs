//! The whole of jw238dns as a library: configuration, assembly, running.
