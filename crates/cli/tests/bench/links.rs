//! `boltbouncer link`.

use std::path::Path;

use crate::numbers::{assert_at_least, json};
use crate::support::{Server, Untouched, bench, boltbouncer, refusal, terminate};

#[test]
fn a_link_is_as_good_as_its_server_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::sandbox();
    let mut link = Server::start(&["link", "--to", &server.uri, "--delay-ms", "1"]);
    assert!(link.uri.starts_with("bolt://127.0.0.1:") && link.uri != server.uri, "{}", link.uri);
    let mut command = bench(folder.path(), &[("near", &server.uri), ("far", &link.uri)]);
    command.args(["--check", "query.errors far <= 0", "--json", "a.json"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_at_least(&json(&folder.path().join("a.json")), 1, 1000.0);
    terminate(&link.child);
    assert_eq!(link.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_link_may_be_ended_as_soon_as_it_has_said_where_it_is() {
    let mut link = Server::start(&["link", "--to", "bolt://127.0.0.1:1", "--delay-ms", "0"]);
    terminate(&link.child);
    assert_eq!(link.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_wrong_with_a_link_is_named_in_one_line() {
    let taken = Untouched::new();
    let address = taken.uri.trim_start_matches("bolt://");
    for (arguments, wanted) in [
        (["--delay-ms", "100000", "--listen", "127.0.0.1:0"], "--delay-ms 100000 makes no sense"),
        (["--delay-ms", "nan", "--listen", "127.0.0.1:0"], "--delay-ms NaN makes no sense"),
        (["--delay-ms", "1", "--listen", address], "choose another address with --listen"),
    ] {
        let mut command = boltbouncer(Path::new("."));
        command.args(["link", "--to", &taken.uri]).args(arguments);
        let stderr = refusal(command.output().unwrap(), 1);
        assert!(stderr.contains(wanted), "{stderr}");
    }
    taken.assert_untouched("a link dials for its clients alone");
}
