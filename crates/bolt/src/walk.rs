//! Finds the end of a message that arrives bit by bit, and looks at none of its chunks twice: with
//! chunks of one byte, to begin anew with each arrival would cost a second for a megabyte.

use crate::chunk::{ChunkError, HEADER};

/// How far a message was looked through that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Where the next chunk's header begins.
    at: usize,
    /// Headers that were ever looked at.
    #[cfg(test)]
    pub steps: usize,
}

impl Walk {
    /// The bytes on the wire of the message at the start of `input`, once it is whole. Until then
    /// `input` may only grow.
    ///
    /// # Errors
    /// The header of a chunk says that the message passes the limit. The next call says so again, or
    /// goes on if its limit is another one.
    pub fn end(&mut self, input: &[u8], limit: usize) -> Result<Option<usize>, ChunkError> {
        loop {
            let header = input.get(self.at..).and_then(|rest| rest.first_chunk::<HEADER>());
            let Some(header) = header else { return Ok(None) };
            #[cfg(test)]
            {
                self.steps += 1;
            }
            let length = usize::from(u16::from_be_bytes(*header));
            let end = self.at + HEADER + length;
            if end > limit {
                return Err(ChunkError::TooLarge { size: end, limit });
            }
            if length == 0 {
                self.at = 0;
                return Ok(Some(end));
            }
            self.at = end;
        }
    }

    /// The start of the input is another one.
    pub fn begin_anew(&mut self) {
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_looked_through_once_however_it_arrives() {
        let chunks = 10_000;
        let wire = [[0, 1, 0xB1].repeat(chunks), vec![0, 0]].concat();
        let mut walk = Walk::default();
        for arrived in 0..wire.len() {
            assert_eq!(walk.end(&wire[..arrived], usize::MAX), Ok(None));
        }
        assert_eq!(walk.end(&wire, usize::MAX), Ok(Some(wire.len())));
        assert_eq!(walk.steps, chunks + 1);
    }

    #[test]
    fn a_limit_is_passed_again_and_another_one_may_not_be() {
        let wire = [&[0, 200][..], &[0xB1; 200], &[0, 0]].concat();
        let mut walk = Walk::default();
        for _ in 0..2 {
            let refused = walk.end(&wire, 100);
            assert_eq!(refused, Err(ChunkError::TooLarge { size: 202, limit: 100 }));
        }
        assert_eq!(walk.end(&wire, 1_000), Ok(Some(204)));
    }
}
