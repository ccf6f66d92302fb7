//! Protocol versions, and the handshake in which both sides agree on one. This module owns the first
//! bytes of a connection and nothing after them.
//!
//! A client opens with `60 60 B0 17` and four proposals; a server answers with one version, with
//! zeros (no version in common), or with a manifest from which the client then chooses.

use std::fmt;
use std::str::FromStr;

use bytes::{Buf, BufMut, BytesMut};
use thiserror::Error;

/// A Bolt version such as 5.8. Versions order as numbers do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
}

impl Version {
    pub const V4_4: Self = Self::new(4, 4);
    pub const V5_0: Self = Self::new(5, 0);
    pub const V5_1: Self = Self::new(5, 1);
    pub const V5_4: Self = Self::new(5, 4);
    pub const V5_7: Self = Self::new(5, 7);
    pub const V5_8: Self = Self::new(5, 8);
    pub const V6_0: Self = Self::new(6, 0);
    pub const V6_1: Self = Self::new(6, 1);

    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// From 5.0 nodes and relationships carry element ids and date-times count from UTC.
    pub fn has_element_ids(self) -> bool {
        self >= Self::V5_0
    }

    /// From 5.1 credentials arrive in LOGON instead of HELLO.
    pub fn has_logon(self) -> bool {
        self >= Self::V5_1
    }

    /// From 5.4 drivers may send TELEMETRY.
    pub fn has_telemetry(self) -> bool {
        self >= Self::V5_4
    }

    /// From 5.7 FAILURE carries GQL status fields and names its code `neo4j_code`.
    pub fn has_gql_failures(self) -> bool {
        self >= Self::V5_7
    }

    /// From 5.8 the server names the home database in answers to requests that named none.
    pub fn has_resolved_database(self) -> bool {
        self >= Self::V5_8
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Version {
    type Err = HandshakeError;

    fn from_str(text: &str) -> Result<Self, HandshakeError> {
        let (major, minor) = text.split_once('.').ok_or(HandshakeError::NotAVersion)?;
        let number = |part: &str| part.parse().map_err(|_| HandshakeError::NotAVersion);
        Ok(Self::new(number(major)?, number(minor)?))
    }
}

/// Versions `major.(minor - below)` to `major.minor`, as four bytes `[0, below, minor, major]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    pub newest: Version,
    pub below: u8,
}

impl VersionRange {
    pub const fn new(major: u8, minor: u8, below: u8) -> Self {
        Self { newest: Version::new(major, minor), below }
    }

    pub fn contains(self, version: Version) -> bool {
        let oldest = self.newest.minor.saturating_sub(self.below);
        version.major == self.newest.major && (oldest..=self.newest.minor).contains(&version.minor)
    }

    /// The newest version that both ranges hold.
    fn newest_common(self, other: Self) -> Option<Version> {
        let minor = self.newest.minor.min(other.newest.minor);
        let candidate = Version::new(self.newest.major, minor);
        (self.contains(candidate) && other.contains(candidate)).then_some(candidate)
    }

    fn to_wire(self) -> [u8; 4] {
        [0, self.below, self.newest.minor, self.newest.major]
    }

    fn from_wire(bytes: [u8; 4]) -> Self {
        Self::new(bytes[3], bytes[2], bytes[1])
    }
}

/// What Neo4j serves, newest last: the ranges of its manifest as measured on 5.26 and 2026.09.
/// 5.5 is never offered.
pub const NEO4J_RANGES: [VersionRange; 4] = [
    VersionRange::new(4, 4, 0),
    VersionRange::new(5, 4, 4),
    VersionRange::new(5, 8, 2),
    VersionRange::new(6, 1, 1),
];

/// The part of `ranges` that is no newer than `limit`.
pub fn narrow(ranges: &[VersionRange], limit: Version) -> Vec<VersionRange> {
    let mut narrowed = Vec::with_capacity(ranges.len());
    for range in ranges {
        let oldest = range.newest.minor.saturating_sub(range.below);
        if range.newest <= limit {
            narrowed.push(*range);
        } else if range.newest.major == limit.major && oldest <= limit.minor {
            narrowed.push(VersionRange::new(limit.major, limit.minor, limit.minor - oldest));
        }
    }
    narrowed
}

/// The versions that are in both lists, newest last.
pub fn common(ours: &[VersionRange], theirs: &[VersionRange]) -> Vec<VersionRange> {
    let both = |version: &Version| theirs.iter().any(|range| range.contains(*version));
    let mut found: Vec<VersionRange> = Vec::new();
    for range in ours {
        let oldest = range.newest.minor.saturating_sub(range.below);
        let versions =
            (oldest..=range.newest.minor).map(|minor| Version::new(range.newest.major, minor));
        let mut run: Option<VersionRange> = None;
        for version in versions.filter(both) {
            run = Some(match run {
                Some(before) if before.newest.minor + 1 == version.minor => {
                    VersionRange { newest: version, below: before.below + 1 }
                }
                before => {
                    found.extend(before);
                    VersionRange { newest: version, below: 0 }
                }
            });
        }
        found.extend(run);
    }
    found
}

/// What a server does after it has read a client's opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Answer with these four bytes and go on with HELLO.
    Agreed(Version),
    /// Send [`manifest`] in one write, then wait for [`read_choice`].
    Manifest,
    /// Answer with four zero bytes and close.
    NothingInCommon,
}

/// Whether `input` begins with a client's whole opening.
///
/// # Errors
/// [`HandshakeError::NotBolt`] at the first byte that can't belong to one.
pub fn has_opening(input: &[u8]) -> Result<bool, HandshakeError> {
    let magic = &input[..input.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(HandshakeError::NotBolt);
    }
    Ok(input.len() >= OPENING_LENGTH)
}

/// What a client's whole opening proposes, for people: "manifest, 5.4-5.0, 4.4". Anything else is empty.
pub fn describe_opening(input: &[u8]) -> String {
    let proposals = input.get(MAGIC.len()..OPENING_LENGTH).unwrap_or_default().chunks_exact(4);
    let described = proposals.filter_map(|wire| match *wire {
        [0, 0, 0, 0] => None,
        _ if wire == MANIFEST_V1 => Some("manifest".to_owned()),
        [_, 0, minor, major] => Some(Version::new(major, minor).to_string()),
        [_, below, minor, major] => {
            let oldest = Version::new(major, minor.saturating_sub(below));
            Some(format!("{}-{oldest}", Version::new(major, minor)))
        }
        _ => None,
    });
    described.collect::<Vec<_>>().join(", ")
}

/// Reads a client's 20-byte opening. It picks the first proposal that `served` can meet, and in it the
/// highest minor version. Returns `None` until `input` holds the whole opening. Input that can't be an
/// opening is refused at its first wrong byte.
pub fn read_opening(
    input: &mut BytesMut,
    served: &[VersionRange],
) -> Result<Option<Opening>, HandshakeError> {
    if !has_opening(input)? {
        return Ok(None);
    }
    input.advance(MAGIC.len());
    let mut opening = Opening::NothingInCommon;
    for _ in 0..PROPOSALS {
        let mut proposal = [0; 4];
        input.copy_to_slice(&mut proposal);
        if opening == Opening::NothingInCommon {
            opening = answer_to(proposal, served);
        }
    }
    Ok(Some(opening))
}

fn answer_to(proposal: [u8; 4], served: &[VersionRange]) -> Opening {
    if proposal == MANIFEST_V1 {
        return Opening::Manifest;
    }
    let proposal = VersionRange::from_wire(proposal);
    let newest = served.iter().filter_map(|range| range.newest_common(proposal)).max();
    newest.map_or(Opening::NothingInCommon, Opening::Agreed)
}

/// The four bytes with which a server agrees on `version`.
pub fn agreement(version: Version) -> [u8; 4] {
    [0, 0, version.minor, version.major]
}

/// A server's answer when no proposal can be met.
pub const NOTHING_IN_COMMON: [u8; 4] = [0; 4];

/// A server's manifest. It must be sent in one write, because the JavaScript driver parses it from the
/// buffer that held its first four bytes.
pub fn manifest(served: &[VersionRange]) -> Vec<u8> {
    let mut output = Vec::with_capacity(6 + 4 * served.len());
    output.put_slice(&MANIFEST_V1);
    put_varint(&mut output, served.len() as u64);
    for range in served {
        output.put_slice(&range.to_wire());
    }
    put_varint(&mut output, NO_CAPABILITIES);
    output
}

/// Reads the version that a client chose from the manifest, and its capabilities, a set of bits.
pub fn read_choice(
    input: &mut BytesMut,
    served: &[VersionRange],
) -> Result<Option<Version>, HandshakeError> {
    let Some((choice, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    let Some((_capabilities, used)) = varint(rest)? else { return Ok(None) };
    let choice = VersionRange::from_wire(*choice);
    let offered = served.iter().any(|range| range.contains(choice.newest));
    if choice.below != 0 || !offered {
        return Err(HandshakeError::NotOffered);
    }
    input.advance(4 + used);
    Ok(Some(choice.newest))
}

/// The 20 bytes that open a connection with `proposals`; unused slots are zero.
pub fn opening(proposals: &[Proposal]) -> [u8; OPENING_LENGTH] {
    let mut output = [0; OPENING_LENGTH];
    output[..4].copy_from_slice(&MAGIC);
    for (slot, proposal) in output[4..].chunks_exact_mut(4).zip(proposals) {
        slot.copy_from_slice(&match proposal {
            Proposal::Manifest => MANIFEST_V1,
            Proposal::Range(range) => range.to_wire(),
        });
    }
    output
}

/// What a client proposes if it speaks every version of [`NEO4J_RANGES`]: the manifest, and version
/// ranges for servers that don't know the manifest.
pub const NEO4J_PROPOSALS: [Proposal; 3] = [
    Proposal::Manifest,
    Proposal::Range(VersionRange::new(5, 8, 8)),
    Proposal::Range(VersionRange::new(4, 4, 0)),
];

/// One of the four slots of a client's opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    Manifest,
    Range(VersionRange),
}

/// A server's answer, as the client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Agreed(Version),
    /// Answer with [`choice`].
    Manifest(Vec<VersionRange>),
}

/// Reads a server's answer to [`opening`]; `None` until it is whole.
///
/// # Errors
/// [`HandshakeError::NothingInCommon`] for four zeros, [`HandshakeError::Http`] when a web server
/// answers, [`HandshakeError::Manifest`] for a manifest with more than 64 ranges.
pub fn read_answer(input: &mut BytesMut) -> Result<Option<Answer>, HandshakeError> {
    let Some((head, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    match *head {
        NOTHING_IN_COMMON => return Err(HandshakeError::NothingInCommon),
        HTTP => return Err(HandshakeError::Http),
        MANIFEST_V1 => {}
        version => {
            let agreed = VersionRange::from_wire(version).newest;
            input.advance(4);
            return Ok(Some(Answer::Agreed(agreed)));
        }
    }
    let Some((count, used)) = varint(rest)? else { return Ok(None) };
    if count > MANIFEST_RANGES_MAX {
        return Err(HandshakeError::Manifest);
    }
    let ranges_end = used + 4 * count as usize;
    let Some(ranges) = rest.get(used..ranges_end) else { return Ok(None) };
    let ranges = ranges
        .chunks_exact(4)
        .map(|wire| VersionRange::from_wire([wire[0], wire[1], wire[2], wire[3]]))
        .collect();
    let Some((_capabilities, capabilities_length)) = varint(&rest[ranges_end..])? else {
        return Ok(None);
    };
    input.advance(4 + ranges_end + capabilities_length);
    Ok(Some(Answer::Manifest(ranges)))
}

/// A client's reply to a manifest: the version and no capabilities.
pub fn choice(version: Version) -> [u8; 5] {
    [0, 0, version.minor, version.major, 0]
}

/// The newest version that both sides know, for a client that reads a manifest.
pub fn newest_common(ours: &[VersionRange], theirs: &[VersionRange]) -> Option<Version> {
    ours.iter().flat_map(|a| theirs.iter().filter_map(|b| a.newest_common(*b))).max()
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    #[error("these are not Bolt's first bytes")]
    NotBolt,
    #[error("the server speaks HTTP on this port, not Bolt")]
    Http,
    #[error("no protocol version in common")]
    NothingInCommon,
    #[error("the client chose a version that was not offered")]
    NotOffered,
    #[error("the server's version manifest is malformed")]
    Manifest,
    #[error("a Bolt version is written as MAJOR.MINOR, for example 5.8")]
    NotAVersion,
}

fn put_varint(output: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        output.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    output.put_u8(number as u8);
}

/// Reads a base-128 number, least significant group first. Returns it with the number of bytes it took.
fn varint(input: &[u8]) -> Result<Option<(u64, usize)>, HandshakeError> {
    let mut number = 0;
    for (index, byte) in input.iter().enumerate() {
        if index == VARINT_BYTES_MAX {
            return Err(HandshakeError::Manifest);
        }
        number |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((number, index + 1)));
        }
    }
    Ok(None)
}

const MAGIC: [u8; 4] = [0x60, 0x60, 0xB0, 0x17];
const PROPOSALS: usize = 4;
const OPENING_LENGTH: usize = 4 + 4 * PROPOSALS;
const MANIFEST_V1: [u8; 4] = [0, 0, 1, 0xFF];
const HTTP: [u8; 4] = *b"HTTP";
/// Bit 1 is for Neo4j's internal use; a server on its public port offers none.
const NO_CAPABILITIES: u64 = 0;
/// Neo4j 2026.09 lists four ranges. If there are far more, this isn't a manifest.
const MANIFEST_RANGES_MAX: u64 = 64;
/// Nine groups of seven bits fit in a u64 without overflow.
const VARINT_BYTES_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_can_be_told_to_people() {
        assert_eq!(describe_opening(&opening(&NEO4J_PROPOSALS)), "manifest, 5.8-5.0, 4.4");
        assert_eq!(describe_opening(b"GET / HTTP"), "");
    }

    fn bytes(parts: &[&[u8]]) -> BytesMut {
        BytesMut::from(parts.concat().as_slice())
    }

    /// What the 5.28 and 6.x drivers of all languages send.
    fn modern_opening() -> BytesMut {
        bytes(&[&opening(&[
            Proposal::Manifest,
            Proposal::Range(VersionRange::new(5, 8, 8)),
            Proposal::Range(VersionRange::new(4, 4, 2)),
            Proposal::Range(VersionRange::new(3, 0, 0)),
        ])])
    }

    #[test]
    fn the_manifest_of_neo4j_5_26_is_reproduced_byte_by_byte() {
        let served = narrow(&NEO4J_RANGES, Version::V5_8);
        let expected = [0, 0, 1, 0xFF, 3, 0, 0, 4, 4, 0, 4, 4, 5, 0, 2, 8, 5, 0];
        assert_eq!(manifest(&served), expected);
    }

    #[test]
    fn a_manifest_travels_both_ways_at_every_split_point() {
        let wire = manifest(&NEO4J_RANGES);
        for split in 0..wire.len() {
            let mut input = bytes(&[&wire[..split]]);
            assert_eq!(read_answer(&mut input), Ok(None), "split at {split}");
            input.put_slice(&wire[split..]);
            let answer = read_answer(&mut input).unwrap();
            assert_eq!(answer, Some(Answer::Manifest(NEO4J_RANGES.to_vec())));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn an_opening_is_read_only_when_whole_and_leaves_what_follows() {
        let whole = modern_opening();
        for split in 0..whole.len() {
            let mut input = bytes(&[&whole[..split]]);
            assert_eq!(read_opening(&mut input, &NEO4J_RANGES), Ok(None));
        }
        let mut input = bytes(&[&whole, b"next"]);
        assert_eq!(read_opening(&mut input, &NEO4J_RANGES), Ok(Some(Opening::Manifest)));
        assert_eq!(&input[..], b"next");
    }

    #[test]
    fn the_first_satisfiable_proposal_wins_at_its_highest_minor() {
        let proposals = [
            Proposal::Range(VersionRange::new(3, 0, 0)),
            Proposal::Range(VersionRange::new(5, 7, 7)),
            Proposal::Range(VersionRange::new(4, 4, 2)),
        ];
        let pick = |served: &[VersionRange]| {
            read_opening(&mut bytes(&[&opening(&proposals)]), served).unwrap().unwrap()
        };
        assert_eq!(pick(&NEO4J_RANGES), Opening::Agreed(Version::V5_7));
        assert_eq!(
            pick(&narrow(&NEO4J_RANGES, Version::new(5, 2))),
            Opening::Agreed(Version::new(5, 2))
        );
        assert_eq!(pick(&narrow(&NEO4J_RANGES, Version::V4_4)), Opening::Agreed(Version::V4_4));
    }

    #[test]
    fn version_5_5_is_never_agreed_on() {
        let only = [Proposal::Range(VersionRange::new(5, 5, 0))];
        let opening = read_opening(&mut bytes(&[&opening(&only)]), &NEO4J_RANGES);
        assert_eq!(opening, Ok(Some(Opening::NothingInCommon)));
        assert_eq!(narrow(&NEO4J_RANGES, Version::new(5, 5)), NEO4J_RANGES[..2]);
    }

    #[test]
    fn what_two_lists_have_in_common_is_a_list_of_ranges() {
        let theirs = [VersionRange::new(5, 8, 8), VersionRange::new(7, 0, 0)];
        let found = common(&NEO4J_RANGES, &theirs);
        assert_eq!(found, [VersionRange::new(5, 4, 4), VersionRange::new(5, 8, 2)]);
        let gap = [VersionRange::new(5, 1, 1), VersionRange::new(5, 4, 1)];
        assert_eq!(common(&NEO4J_RANGES, &gap), gap);
        assert!(common(&NEO4J_RANGES, &[]).is_empty());
    }

    #[test]
    fn bytes_that_are_not_bolt_are_refused_at_the_first() {
        let refused = |input: &[u8]| read_opening(&mut bytes(&[input]), &NEO4J_RANGES);
        assert_eq!(refused(b"GET / HTTP/1.1"), Err(HandshakeError::NotBolt));
        assert_eq!(refused(&[0x60, 0x61]), Err(HandshakeError::NotBolt));
        assert_eq!(read_answer(&mut bytes(&[b"HTTP/1.1 400"])), Err(HandshakeError::Http));
    }

    #[test]
    fn a_choice_must_be_one_exact_offered_version() {
        let choose = |wire: &[u8]| read_choice(&mut bytes(&[wire]), &NEO4J_RANGES);
        assert_eq!(choose(&choice(Version::V6_0)), Ok(Some(Version::V6_0)));
        assert_eq!(choose(&choice(Version::V6_0)[..4]), Ok(None));
        assert_eq!(choose(&choice(Version::new(5, 5))), Err(HandshakeError::NotOffered));
        assert_eq!(choose(&[0, 1, 8, 5, 0]), Err(HandshakeError::NotOffered));
        let endless = [&[0, 0, 8, 5][..], &[0x80; 12]].concat();
        assert_eq!(choose(&endless), Err(HandshakeError::Manifest));
    }

    #[test]
    fn a_hostile_manifest_count_is_refused_before_anything_is_reserved() {
        let mut input = bytes(&[&MANIFEST_V1, &[0xFF, 0xFF, 0xFF, 0x7F]]);
        assert_eq!(read_answer(&mut input), Err(HandshakeError::Manifest));
    }
}
