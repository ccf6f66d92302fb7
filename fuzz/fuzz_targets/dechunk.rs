//! Any bytes as chunks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Dechunker::new(4096).next(&mut data.into());
});
