//! How fast records pass the forwarding scan: a million RECORDs of 132 bytes in memory, in reads
//! of 64 KiB. For comparison, the same records are also decoded and written again.

use bolt::message::{put_record_header, tag};
use bolt::packstream::{Put, put_structure_header};
use bolt::{Dechunker, Response, Scanned, Scanner, Version, chunk};
use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: usize = 100_000;
const RECORD_BYTES: usize = 132;
const READ_BYTES: usize = 64 * 1024;

fn stream() -> Bytes {
    let mut wire = BytesMut::new();
    // Two chunk headers, two structure bytes, a list header and a string header surround the text.
    let text = "x".repeat(RECORD_BYTES - 2 - 2 - 3 - 2);
    for _ in 0..RECORDS {
        chunk::put_message(&mut wire, |output| {
            put_record_header(output, 1);
            text.as_str().put(output);
        });
    }
    assert_eq!(wire.len(), RECORDS * RECORD_BYTES);
    chunk::put_message(&mut wire, |output| {
        put_structure_header(output, tag::SUCCESS, 1);
        bolt::Dictionary::new().put(output);
    });
    wire.freeze()
}

fn scan(wire: &Bytes) -> usize {
    let (mut scanner, mut input, mut records) = (Scanner::new(1 << 16), BytesMut::new(), 0);
    for read in wire.chunks(READ_BYTES) {
        input.extend_from_slice(read);
        while let Ok(Some(scanned)) = scanner.next(&mut input) {
            if let Scanned::Records { ended, .. } = scanned {
                records += ended;
            }
        }
    }
    records
}

fn decode_and_encode(wire: &Bytes) -> usize {
    let (mut dechunker, mut input) = (Dechunker::new(1 << 16), BytesMut::new());
    let (mut output, mut records) = (BytesMut::new(), 0);
    for read in wire.chunks(READ_BYTES) {
        input.extend_from_slice(read);
        output.clear();
        while let Ok(Some(message)) = dechunker.next(&mut input) {
            let response = Response::decode(&message).expect("the stream is well formed");
            records += usize::from(matches!(response, Response::Record(_)));
            response.put(&mut output, Version::V5_8);
        }
    }
    records
}

fn forwarding(criterion: &mut Criterion) {
    let wire = stream();
    assert_eq!(scan(&wire), RECORDS);
    assert_eq!(decode_and_encode(&wire), RECORDS);
    let mut group = criterion.benchmark_group("records");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("scan", |bencher| bencher.iter(|| scan(&wire)));
    group.bench_function("decode and encode", |bencher| bencher.iter(|| decode_and_encode(&wire)));
    group.finish();
}

criterion_group!(benches, forwarding);
criterion_main!(benches);
