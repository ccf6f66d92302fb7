//! Any bytes as a request from a stranger.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Request::decode_unauthenticated(data, bolt::Version::V4_4);
});
