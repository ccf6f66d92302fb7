//! Where clients believe to be: routing tables name the pooler instead of the server. Choosing
//! between members of a cluster by access mode and database would begin here.

use bolt::chunk::payload;
use bolt::message::{Hello, put_success, tag};
use bolt::packstream::Reader;
use bolt::{Dictionary, Value};
use bytes::BytesMut;

/// What the client dialled, as official drivers say in their routing context.
pub(crate) fn dialled_address(hello: &Hello) -> Option<&str> {
    hello.routing.as_ref()?.str("address")
}

/// The address in a ROUTE request's own routing context.
pub(crate) fn address_in_route(wire: &[u8]) -> Option<String> {
    let payload = payload(wire);
    let mut reader = Reader::new(&payload);
    let (tag, _) = reader.structure().ok()?;
    let context = (tag == tag::ROUTE).then(|| reader.dictionary().ok()).flatten()?;
    context.str("address").map(str::to_owned)
}

/// A routing table in which every server is `address`; `None` if it isn't one.
pub(crate) fn rewritten(wire: &[u8], address: &str) -> Option<BytesMut> {
    let payload = payload(wire);
    let mut reader = Reader::new(&payload);
    reader.structure().ok()?;
    let metadata = reader.dictionary().ok()?;
    let Some(Value::Dictionary(table)) = metadata.get("rt") else { return None };
    let table: Dictionary = table
        .clone()
        .into_iter()
        .map(|(key, value)| match value {
            Value::List(servers) if key == "servers" => {
                (key, Value::List(servers.into_iter().map(|server| at(server, address)).collect()))
            }
            value => (key, value),
        })
        .collect();
    let metadata: Dictionary = metadata
        .into_iter()
        .map(|(key, value)| {
            let value = if key == "rt" { Value::from(table.clone()) } else { value };
            (key, value)
        })
        .collect();
    let mut output = BytesMut::new();
    put_success(&mut output, &metadata);
    Some(output)
}

/// A role's entry with one address, ours.
fn at(server: Value, address: &str) -> Value {
    let Value::Dictionary(entries) = server else { return server };
    let entries = entries.into_iter().map(|(key, value)| {
        let value = if key == "addresses" { Value::from(vec![address]) } else { value };
        (key, value)
    });
    Value::Dictionary(entries.collect())
}

/// A ROUTE request with this address in its routing context.
#[cfg(test)]
fn route(address: &str) -> BytesMut {
    let mut wire = BytesMut::new();
    let context = Dictionary::new().with("address", address);
    bolt::Request::Route(bolt::message::Route { routing: context, ..Default::default() })
        .put(&mut wire);
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use bolt::chunk::put_message;

    fn table() -> BytesMut {
        let server = |role: &str, addresses: Vec<&str>| {
            Value::from(Dictionary::new().with("addresses", addresses).with("role", role))
        };
        let servers = vec![
            server("WRITE", vec!["a:1"]),
            server("READ", vec!["b:1", "c:1"]),
            server("ROUTE", vec!["a:1", "b:1", "c:1"]),
        ];
        let table = Dictionary::new()
            .with("ttl", 300_i64)
            .with("db", "movies")
            .with("servers", Value::List(servers));
        let mut wire = BytesMut::new();
        put_success(&mut wire, &Dictionary::new().with("rt", table).with("other", 1_i64));
        wire
    }

    #[test]
    fn every_server_of_a_table_becomes_the_pooler() {
        let wire = rewritten(&table(), "pooler:7688").unwrap();
        let payload = payload(&wire);
        let Ok(bolt::Response::Success(metadata)) = bolt::Response::decode(&payload) else {
            panic!("not a success")
        };
        let table = metadata.get("rt").and_then(Value::as_dictionary).unwrap();
        assert_eq!((table.integer("ttl"), table.str("db")), (Some(300), Some("movies")));
        assert_eq!(metadata.integer("other"), Some(1));
        let Some(Value::List(servers)) = table.get("servers") else { panic!("no servers") };
        let roles: Vec<_> = servers
            .iter()
            .map(|server| {
                let server = server.as_dictionary().unwrap();
                assert_eq!(server.strings("addresses"), ["pooler:7688"]);
                server.str("role").unwrap()
            })
            .collect();
        assert_eq!(roles, ["WRITE", "READ", "ROUTE"]);
    }

    #[test]
    fn the_dialled_address_is_read_from_the_request() {
        assert_eq!(address_in_route(&route("h:1")).as_deref(), Some("h:1"));
        let mut begin = BytesMut::new();
        put_message(&mut begin, |output| output.extend_from_slice(&[0xB1, tag::BEGIN, 0xA0]));
        assert_eq!(address_in_route(&begin), None);
    }

    #[test]
    fn what_is_no_table_is_left_alone() {
        let mut wire = BytesMut::new();
        put_success(&mut wire, &Dictionary::new());
        assert_eq!(rewritten(&wire, "x:1"), None);
    }
}
