#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| topwork_fuzz::weights(b"\x89HDF\r\n\x1a\n", data));
