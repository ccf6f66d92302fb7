//! How both sides of a connection agree on a version of Bolt, in its first bytes. What they say is
//! in [`bolt::version`]; here it is sent and awaited. Nobody's patience is limited here: who calls
//! sets the time-out.

use std::io;

use bolt::Version;
use bolt::version::{
    self, Answer, HandshakeError, NEO4J_PROPOSALS, NEO4J_RANGES, Opening, Proposal, VersionRange,
};
use thiserror::Error;

use crate::wire::Wire;

/// Why two sides don't agree on a version.
#[derive(Debug, Error)]
pub enum Disagreement {
    /// The connection ended before they could.
    #[error("the connection broke: {0}")]
    Lost(#[from] io::Error),
    #[error(transparent)]
    Refused(#[from] HandshakeError),
}

/// Sends a client's opening and reads the server's answer. If that is a manifest, the server then
/// waits for [`choose`].
pub async fn propose(wire: &mut Wire, proposals: &[Proposal]) -> Result<Answer, Disagreement> {
    wire.output.extend_from_slice(&version::opening(proposals));
    wire.flush().await?;
    loop {
        match version::read_answer(&mut wire.input)? {
            Some(answer) => return Ok(answer),
            None => wire.fill().await?,
        }
    }
}

/// Says which version the client takes from a manifest. The bytes leave with what is said next.
pub fn choose(wire: &mut Wire, version: Version) {
    wire.output.extend_from_slice(&version::choice(version));
}

/// Agrees with a server on the newest version that it and [`NEO4J_RANGES`] have in common.
pub async fn agree(wire: &mut Wire) -> Result<Version, Disagreement> {
    match propose(wire, &NEO4J_PROPOSALS).await? {
        Answer::Agreed(version) if NEO4J_RANGES.iter().any(|range| range.contains(version)) => {
            Ok(version)
        }
        Answer::Agreed(_) => Err(HandshakeError::NotOffered.into()),
        Answer::Manifest(ranges) => {
            let newest = version::newest_common(&NEO4J_RANGES, &ranges);
            let newest = newest.ok_or(HandshakeError::NothingInCommon)?;
            choose(wire, newest);
            wire.flush().await?;
            Ok(newest)
        }
    }
}

/// What a server has agreed on with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    pub version: Version,
    /// The client chose from a manifest. HELLO's answer has to say so.
    pub by_manifest: bool,
}

/// Waits for a client's whole opening and leaves it where it is, for [`accept`].
///
/// # Errors
/// [`HandshakeError::NotBolt`] at the first byte that can't belong to an opening.
pub async fn await_opening(wire: &mut Wire) -> Result<(), Disagreement> {
    while !version::has_opening(&wire.input)? {
        wire.fill().await?;
    }
    Ok(())
}

/// Agrees with a client on one of the versions in `served`.
///
/// # Errors
/// After [`HandshakeError::NothingInCommon`] the client has been told, as the protocol wants it.
pub async fn accept(wire: &mut Wire, served: &[VersionRange]) -> Result<Negotiated, Disagreement> {
    let opening = loop {
        match version::read_opening(&mut wire.input, served)? {
            Some(opening) => break opening,
            None => wire.fill().await?,
        }
    };
    match opening {
        Opening::Agreed(version) => {
            wire.output.extend_from_slice(&version::agreement(version));
            wire.flush().await?;
            Ok(Negotiated { version, by_manifest: false })
        }
        Opening::Manifest => offer(wire, served).await,
        Opening::NothingInCommon => {
            wire.output.extend_from_slice(&version::NOTHING_IN_COMMON);
            wire.finish().await;
            Err(HandshakeError::NothingInCommon.into())
        }
    }
}

async fn offer(wire: &mut Wire, served: &[VersionRange]) -> Result<Negotiated, Disagreement> {
    wire.output.extend_from_slice(&version::manifest(served));
    wire.flush().await?;
    // Some drivers send their choice by itself, and HELLO only when that is acknowledged.
    wire.acknowledge_quickly();
    loop {
        match version::read_choice(&mut wire.input, served)? {
            Some(version) => return Ok(Negotiated { version, by_manifest: true }),
            None => wire.fill().await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::socket::Socket;

    /// So small that everything arrives in parts.
    const PIPE_BYTES: usize = 3;

    fn pair() -> (Wire, Wire) {
        let wire = |stream: DuplexStream| Wire::new(Socket::Other(Box::new(stream)));
        let (client, server) = duplex(PIPE_BYTES);
        (wire(client), wire(server))
    }

    #[tokio::test]
    async fn both_sides_agree_on_the_newest_version_that_the_server_knows() {
        for newest in [Version::V4_4, Version::V5_4, Version::V5_8, Version::V6_1] {
            let (mut client, mut server) = pair();
            let served = version::narrow(&NEO4J_RANGES, newest);
            let (agreed, negotiated) =
                tokio::join!(agree(&mut client), accept(&mut server, &served));
            assert_eq!(agreed.unwrap(), newest);
            let expected = Negotiated { version: newest, by_manifest: true };
            assert_eq!(negotiated.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_client_without_manifest_is_answered_with_a_version() {
        let (mut client, mut server) = pair();
        let proposals = [Proposal::Range(VersionRange::new(5, 8, 8))];
        let (answer, negotiated) =
            tokio::join!(propose(&mut client, &proposals), accept(&mut server, &NEO4J_RANGES));
        assert_eq!(answer.unwrap(), Answer::Agreed(Version::V5_8));
        let expected = Negotiated { version: Version::V5_8, by_manifest: false };
        assert_eq!(negotiated.unwrap(), expected);
    }

    #[tokio::test]
    async fn both_sides_learn_that_they_have_nothing_in_common() {
        let (mut client, mut server) = pair();
        let proposals = [Proposal::Range(VersionRange::new(3, 5, 0))];
        let client_side = async {
            let answer = propose(&mut client, &proposals).await;
            drop(client);
            answer
        };
        let (answer, negotiated) = tokio::join!(client_side, accept(&mut server, &NEO4J_RANGES));
        let nothing = |outcome: Disagreement| {
            matches!(outcome, Disagreement::Refused(HandshakeError::NothingInCommon))
        };
        assert!(nothing(answer.unwrap_err()));
        assert!(nothing(negotiated.unwrap_err()));
    }

    #[tokio::test]
    async fn an_opening_that_is_awaited_is_still_there_to_be_read() {
        let (mut client, server) = duplex(64);
        let mut server = Wire::new(Socket::Other(Box::new(server)));
        client.write_all(&version::opening(&NEO4J_PROPOSALS)).await.unwrap();
        await_opening(&mut server).await.unwrap();
        client.write_all(&version::choice(Version::V5_8)).await.unwrap();
        let negotiated = accept(&mut server, &NEO4J_RANGES).await.unwrap();
        assert_eq!(negotiated.version, Version::V5_8);
        let mut manifest = vec![0; version::manifest(&NEO4J_RANGES).len()];
        client.read_exact(&mut manifest).await.unwrap();
        assert_eq!(manifest, version::manifest(&NEO4J_RANGES));
    }

    #[tokio::test]
    async fn what_is_not_bolt_is_refused_at_its_first_byte() {
        let (mut client, server) = duplex(64);
        let mut server = Wire::new(Socket::Other(Box::new(server)));
        client.write_all(b"G").await.unwrap();
        let refused = await_opening(&mut server).await.unwrap_err();
        assert!(matches!(refused, Disagreement::Refused(HandshakeError::NotBolt)));
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_lost_and_not_refused() {
        let (client, server) = duplex(64);
        let mut server = Wire::new(Socket::Other(Box::new(server)));
        drop(client);
        let lost = accept(&mut server, &NEO4J_RANGES).await.unwrap_err();
        assert!(
            matches!(lost, Disagreement::Lost(error) if error.kind() == io::ErrorKind::UnexpectedEof)
        );
    }
}
