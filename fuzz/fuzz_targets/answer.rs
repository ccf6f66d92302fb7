//! Any bytes as a server's handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::version::read_answer(&mut data.into());
});
