#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| topwork_fuzz::photo(b"\x89PNG\r\n\x1a\n", data));
