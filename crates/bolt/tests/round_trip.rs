//! Properties of the codec over generated values.

use bolt::chunk::put_message;
use bolt::packstream::put_value;
use bolt::{
    Dechunker, Dictionary, Reader, Request, Response, Scanned, Scanner, Structure, Value, Version,
};
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        (-200_i64..200).prop_map(Value::Integer),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |f| !f.is_nan())
            .prop_map(Value::Float),
        vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bytes(Bytes::from(bytes))),
        ".{0,40}".prop_map(Value::String),
        any::<[u8; 16]>().prop_map(Value::Uuid),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::List),
            vec((".{0,8}", inner.clone()), 0..20)
                .prop_map(|entries| Value::Dictionary(Dictionary::from_iter(entries))),
            (any::<u8>(), vec(inner, 0..20))
                .prop_map(|(tag, fields)| Value::Structure(Structure { tag, fields })),
        ]
    })
}

fn encode(value: &Value) -> BytesMut {
    let mut output = BytesMut::new();
    put_value(&mut output, value);
    output
}

proptest! {
    #[test]
    fn values_come_back_as_they_were(value in value()) {
        let wire = encode(&value);
        let mut reader = Reader::new(&wire);
        prop_assert_eq!(reader.value(), Ok(value));
        prop_assert!(reader.finish().is_ok());
    }

    #[test]
    fn skipping_ends_where_decoding_ends(value in value(), tail in vec(any::<u8>(), 0..8)) {
        let wire = [&encode(&value)[..], &tail].concat();
        let (mut decoding, mut skipping) = (Reader::new(&wire), Reader::new(&wire));
        decoding.value().unwrap();
        skipping.skip().unwrap();
        prop_assert_eq!(decoding.rest(), skipping.rest());
        prop_assert_eq!(skipping.rest(), &tail[..]);
    }

    #[test]
    fn a_cut_value_is_an_error_at_every_length(value in value()) {
        let wire = encode(&value);
        for length in 0..wire.len() {
            prop_assert!(Reader::new(&wire[..length]).value().is_err());
            prop_assert!(Reader::new(&wire[..length]).skip().is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let decoded = Reader::new(&bytes).value();
        if let Ok(value) = decoded {
            let again = Reader::new(&encode(&value)).value();
            // NaN differs from itself, so compare what both print.
            prop_assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(value)));
        }
        let _ = (Request::decode(&bytes, Version::V6_1), Response::decode(&bytes));
    }

    #[test]
    fn chunks_may_be_cut_anywhere(
        payloads in vec(vec(any::<u8>(), 1..300), 1..6),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut wire = BytesMut::new();
        payloads.iter().for_each(|payload| put_message(&mut wire, |out| out.extend_from_slice(payload)));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();

        let (mut dechunker, mut scanner) = (Dechunker::new(1 << 20), Scanner::new(1 << 20));
        let (mut for_messages, mut for_scan) = (BytesMut::new(), BytesMut::new());
        let (mut messages, mut forwarded) = (Vec::new(), Vec::new());
        for cut in cuts.windows(2) {
            for_messages.extend_from_slice(&wire[cut[0]..cut[1]]);
            for_scan.extend_from_slice(&wire[cut[0]..cut[1]]);
            while let Some(message) = dechunker.next(&mut for_messages).unwrap() {
                messages.push(message);
            }
            while let Some(scanned) = scanner.next(&mut for_scan).unwrap() {
                match scanned {
                    Scanned::Records { wire, .. } | Scanned::Message { wire, .. } => forwarded.extend_from_slice(&wire),
                }
            }
        }
        prop_assert_eq!(messages, payloads);
        prop_assert_eq!(&forwarded[..], &wire[..]);
        prop_assert!(scanner.is_at_boundary());
    }
}
