//! Any bytes as a response.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Response::decode(data);
});
