//! Any bytes as one PackStream value.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Reader::new(data).value();
});
