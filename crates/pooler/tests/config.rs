//! Configuration files: the example says what is the default, and what is wrong is named in a line.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use pooler::{Config, File};

fn check(text: &str) -> Result<Config, String> {
    let file = File::parse(text)?;
    file.check(|_| None).map_err(|error| error.to_string())
}

fn problem(text: &str) -> String {
    let problem = check(text).unwrap_err();
    assert!(!problem.contains('\n'), "{problem}");
    problem
}

const EXAMPLE: &str = include_str!("../../../boltbouncer.example.toml");

#[test]
fn the_example_shows_the_defaults() {
    let example = check(EXAMPLE).unwrap();
    let default = Config::new("bolt://localhost:7687".parse().unwrap());
    assert_eq!(format!("{:?}", example.limits), format!("{:?}", default.limits));
    assert_eq!(example.listen, default.listen);
    assert_eq!(example.upstream, default.upstream);
}

#[test]
fn the_example_names_every_setting() {
    let all = format!("{:?}", Config::new("bolt://h".parse().unwrap()).limits);
    let names =
        all.split(['{', ',']).filter_map(|entry| entry.split_once(": ")).map(|(name, _)| name);
    let mut count = 0;
    for name in names.map(str::trim) {
        // What depends on another setting unless it is given is commented out.
        let is_named = ["", "# "].iter().any(|off| EXAMPLE.contains(&format!("\n{off}{name} = ")));
        assert!(is_named, "{name}");
        count += 1;
    }
    assert!(count > 15);
}

#[test]
fn what_is_commented_out_is_right_as_well() {
    let keys = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pooler.crt"), keys.cert.pem()).unwrap();
    fs::write(folder.path().join("pooler.key"), keys.signing_key.serialize_pem()).unwrap();
    fs::write(folder.path().join("ca.crt"), keys.cert.pem()).unwrap();
    let is_setting = |line: &&str| line.starts_with("# [") || line.contains(" = ");
    let text: String = EXAMPLE
        .lines()
        .map(|line| {
            let is_off = line.starts_with("# ") && is_setting(&line);
            let line = if is_off { &line[2..] } else { line };
            line.replace("bolt://localhost", "bolt+s://localhost") + "\n"
        })
        .collect();
    let path = folder.path().join("all.toml");
    fs::write(&path, text).unwrap();
    let config = Config::read(&path, |_| None).unwrap();
    assert!(config.tls.unwrap().required);
    assert_eq!(config.upstream_roots.len(), 1);
    assert_eq!(config.advertised_address.as_deref(), Some("pooler.example:7688"));
    assert_eq!(config.admin.unwrap().listen.port(), 7689);
    assert_eq!(config.proxy_protocol_from.len(), 2);
}

#[test]
fn a_wrong_line_is_named_with_its_number() {
    for wrong in ["\"five\"", "-5", "1.5"] {
        let words = problem(&format!(
            "upstream = \"bolt://h\"\n[limits]\nmax_connection_pool_size = {wrong}\n"
        ));
        assert!(
            words.starts_with("line 3: ") && words.contains("expected a whole number"),
            "{words}"
        );
        assert!(!words.contains("usize") && !words.contains("invalid"), "{words}");
    }
    let unknown = problem("upstream = \"bolt://h\"\n[limits]\nmax_pool = 3\n");
    assert!(unknown.starts_with("line 3: unknown field `max_pool`"), "{unknown}");
    let kind = problem("upstream = \"bolt://h\"\n[limits]\nmax_connection_pool_size = \"many\"\n");
    assert!(kind.starts_with("line 3: ") && kind.contains("string"), "{kind}");
    let negative = problem("upstream = \"bolt://h\"\n[limits]\nauth_cache_ttl = -1\n");
    assert!(negative.starts_with("line 3: ") && negative.contains("seconds"), "{negative}");
}

#[test]
fn where_to_listen_is_written_as_on_the_command_line() {
    let text = "upstream = \"bolt://h\"\nlisten = \"localhost:1\"\n[admin]\nlisten = \":2\"\n";
    let config = check(text).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:1");
    assert_eq!(config.admin.unwrap().listen.to_string(), "127.0.0.1:2");
    let words = problem("upstream = \"bolt://h\"\nlisten = \"elsewhere:1\"\n");
    assert!(words.starts_with("line 2: ") && words.contains("localhost:7688 or 7688"), "{words}");
}

#[test]
fn what_makes_no_sense_is_named_with_its_key() {
    for (text, key) in [
        ("", "upstream"),
        ("upstream = \"http://h\"", "upstream"),
        ("upstream = \"bolt://u:secret@h\"", "upstream"),
        ("upstream = \"bolt://h\"\nlisten = \"0.0.0.0:7688\"", "listen"),
        ("upstream = \"bolt://127.0.0.1:7688\"", "upstream"),
        ("upstream = \"bolt://h\"\nproxy_protocol_from = [\"10.0.0.0/33\"]", "proxy_protocol_from"),
        ("upstream = \"bolt://h\"\nproxy_protocol_from = [\"balancer\"]", "proxy_protocol_from"),
        ("upstream = \"bolt://h\"\nadvertised_address = \"here\"", "advertised_address"),
        ("upstream = \"bolt://h\"\n[admin]\nlisten = \"0.0.0.0:1\"", "admin.listen"),
        ("upstream = \"bolt://h\"\n[upstream_tls]\nca = \"x\"", "upstream_tls.ca"),
        ("upstream = \"bolt+s://h\"\n[upstream_tls]\nca = \"/no/such/file\"", "upstream_tls.ca"),
        (
            "upstream = \"bolt://h\"\n[limits]\nmax_connection_pool_size = 0",
            "limits.max_connection_pool_size",
        ),
        (
            "upstream = \"bolt://h\"\n[limits]\nkeep_alive_interval = 0",
            "limits.keep_alive_interval",
        ),
        (
            "upstream = \"bolt://h\"\n[limits]\nmin_connection_pool_size = 21",
            "limits.min_connection_pool_size",
        ),
    ] {
        let problem = problem(text);
        assert!(problem.starts_with(&format!("{key}: ")), "{text}: {problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}

#[test]
fn a_key_that_does_not_go_with_its_certificate_is_refused() {
    let one = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.crt"), one.cert.pem()).unwrap();
    fs::write(folder.path().join("b.key"), other.signing_key.serialize_pem()).unwrap();
    let path = folder.path().join("c.toml");
    let text = "upstream = \"bolt://h\"\n[tls]\ncertificate = \"a.crt\"\nkey = \"b.key\"\n";
    fs::write(&path, text).unwrap();
    let problem = Config::read(&path, |_| None).unwrap_err().to_string();
    assert!(problem.starts_with("tls.key: ") && problem.contains("does not go with"), "{problem}");
    let missing = Config::read(Path::new("/no/such/file.toml"), |_| None).unwrap_err().to_string();
    assert!(missing.contains("/no/such/file.toml"), "{missing}");
}
