#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoupled_seg_fuzz::read("videos", bytes));
