//! Any bytes as a PackStream value that is passed over.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Reader::new(data).skip();
});
