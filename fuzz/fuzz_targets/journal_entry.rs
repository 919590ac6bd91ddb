#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jw238dns_fuzz_bodies::journal_entry::run(data));
