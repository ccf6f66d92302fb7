//! Any bytes as a client's handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::version::read_opening(&mut data.into(), &bolt::version::NEO4J_RANGES);
});
