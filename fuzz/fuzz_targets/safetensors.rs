#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| topwork_fuzz::weights(b"", data));
