//! Any bytes as a request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Request::decode(data, bolt::Version::V6_1);
});
