//! The first bytes of a connection, from both sides.

use bolt::Version;
use bolt::version::{self, NEO4J_RANGES, Opening, Proposal, VersionRange};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a client says that speaks this version and no other. From 6.0 it asks for the server's
/// manifest.
pub fn opening(version: Version) -> [u8; 20] {
    let proposal = match version >= Version::V6_0 {
        true => Proposal::Manifest,
        false => Proposal::Range(VersionRange { newest: version, below: 0 }),
    };
    version::opening(&[proposal])
}

/// Agrees with a client on a version, as a server that speaks all of Neo4j's. `None` if they have
/// none in common, or the client says something else or leaves. What came after the handshake is
/// left in `input`.
pub async fn accept_version(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized),
    input: &mut BytesMut,
) -> Option<Version> {
    loop {
        match version::read_opening(input, &NEO4J_RANGES).ok()? {
            None => read(stream, input).await?,
            Some(Opening::Agreed(version)) => {
                stream.write_all(&version::agreement(version)).await.ok()?;
                return Some(version);
            }
            Some(Opening::Manifest) => break,
            Some(Opening::NothingInCommon) => return None,
        }
    }
    stream.write_all(&version::manifest(&NEO4J_RANGES)).await.ok()?;
    loop {
        match version::read_choice(input, &NEO4J_RANGES).ok()? {
            Some(version) => return Some(version),
            None => read(stream, input).await?,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin + ?Sized), input: &mut BytesMut) -> Option<()> {
    matches!(stream.read_buf(input).await, Ok(1..)).then_some(())
}
