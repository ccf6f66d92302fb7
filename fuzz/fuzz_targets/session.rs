//! Any bytes from a client, logged in or not, in a pooler with an upstream in memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::session::serve(data);
});
