//! UDP and TCP listeners for jw238dns.
