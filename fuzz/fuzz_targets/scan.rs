//! Any bytes on the forwarding path.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = bolt::Scanner::new(4096).next(&mut data.into());
});
