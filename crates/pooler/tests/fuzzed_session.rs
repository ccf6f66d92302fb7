//! The fuzzer's way into a pooler, run without the fuzzer: every seed of its corpus, and clients
//! that say what they may.

#![allow(clippy::unwrap_used)]

#[path = "../../../fuzz/src/session.rs"]
mod session;

use std::fs;
use std::path::Path;

use bolt::message::Stream;
use bolt::{Dictionary, Request};
use bytes::BytesMut;
use session::{VERSIONS, serve};

#[test]
fn a_client_that_has_logged_in_is_answered() {
    let mut query = BytesMut::new();
    let (parameters, extra) = (Dictionary::new(), Default::default());
    Request::Run { query: "RETURN 1".into(), parameters, extra }.put(&mut query);
    Request::Pull(Stream::ALL).put(&mut query);
    for version in 0..VERSIONS.len() as u8 {
        let login = [version << 1 | 1, 0];
        let logged_in = serve(&login);
        let answered = serve(&[&login[..], &query].concat());
        assert!(answered > logged_in, "version {version}: {answered}, {logged_in}");
    }
}

#[test]
fn a_stranger_is_not() {
    assert_eq!(serve(&[0, 0, 1, 2, 3]), 0);
    assert_eq!(serve(&[]), 0);
}

#[test]
fn every_seed_of_the_corpus_is_served() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/session");
    let mut count = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        let seed = seed.unwrap().path();
        let bytes = fs::read(&seed).unwrap();
        let heard = serve(&bytes);
        // Whoever has logged in was answered at least that.
        assert!(heard > 0 || bytes[0] & 1 == 0, "{}", seed.display());
        count += 1;
    }
    assert!(count >= 18, "only {count} seeds were found");
}
