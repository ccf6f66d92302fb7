//! What servers send.

use bytes::BytesMut;

use super::{MessageError, tag};
use crate::chunk::put_message;
use crate::failure::Failure;
use crate::packstream::{Dictionary, Put, Reader, Value, put_list_header, put_structure_header};
use crate::version::Version;

/// A response; a RECORD belongs to the request that the next summary answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    Success(Dictionary),
    Record(Vec<Value>),
    Ignored,
    Failure(Failure),
}

impl Response {
    /// Decodes the payload of one message.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new(payload);
        let (tag, fields) = reader.structure()?;
        let response = match (tag, fields) {
            (tag::SUCCESS, 1) => Self::Success(reader.dictionary()?),
            (tag::RECORD, 1) => match reader.value()? {
                Value::List(values) => Self::Record(values),
                _ => return Err(MessageError::Field("RECORD must hold a list")),
            },
            (tag::FAILURE, 1) => Self::Failure(Failure::from_metadata(&reader.dictionary()?)),
            // Some servers send metadata with IGNORED; nobody reads it.
            (tag::IGNORED, 0 | 1) => return Ok(Self::Ignored),
            (tag::SUCCESS | tag::RECORD | tag::FAILURE | tag::IGNORED, _) => {
                return Err(MessageError::Field("the message has the wrong number of fields"));
            }
            (unknown, _) => return Err(MessageError::UnknownTag(unknown)),
        };
        reader.finish()?;
        Ok(response)
    }

    /// Appends the message with its chunk headers, in the shape that `version` wants.
    pub fn put(&self, output: &mut BytesMut, version: Version) {
        match self {
            Self::Success(metadata) => put_success(output, metadata),
            Self::Failure(failure) => put_failure(output, failure, version),
            Self::Ignored => put_message(output, |out| put_structure_header(out, tag::IGNORED, 0)),
            Self::Record(values) => put_message(output, |output| {
                put_record_header(output, values.len());
                values.iter().for_each(|value| value.put(output));
            }),
        }
    }
}

/// Appends SUCCESS.
pub fn put_success(output: &mut BytesMut, metadata: &Dictionary) {
    put_message(output, |output| {
        put_structure_header(output, tag::SUCCESS, 1);
        metadata.put(output);
    });
}

/// Appends FAILURE in the shape that `version` wants.
pub fn put_failure(output: &mut BytesMut, failure: &Failure, version: Version) {
    put_message(output, |output| {
        put_structure_header(output, tag::FAILURE, 1);
        failure.to_metadata(version).put(output);
    });
}

/// Begins the payload of a RECORD; `values` values must follow.
pub fn put_record_header(output: &mut BytesMut, values: usize) {
    put_structure_header(output, tag::RECORD, 1);
    put_list_header(output, values);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dechunker;
    use crate::failure::code;

    #[test]
    fn every_response_survives_a_round_trip() {
        let responses = [
            Response::Success(Dictionary::new().with("fields", vec!["n"]).with("qid", 0_i64)),
            Response::Record(vec![Value::Null, Value::Float(1.5), "x".into()]),
            Response::Ignored,
            Response::Failure(Failure::new(code::SYNTAX, "no")),
        ];
        let mut wire = BytesMut::new();
        responses.iter().for_each(|response| response.put(&mut wire, Version::V5_8));
        let mut dechunker = Dechunker::new(1 << 20);
        for response in responses {
            let payload = dechunker.next(&mut wire).unwrap().unwrap();
            assert_eq!(Response::decode(&payload), Ok(response));
        }
    }

    #[test]
    fn ignored_may_carry_metadata() {
        assert_eq!(Response::decode(&[0xB1, tag::IGNORED, 0xA0]), Ok(Response::Ignored));
    }
}
