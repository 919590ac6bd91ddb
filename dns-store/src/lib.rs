//! Records by source, published as immutable catalogs.
