//! The body of an HTTP request, of known length or in chunks (RFC 9112, sections 6 and 7).
//!
//! Bytes go in as they come; nothing is read beyond the body's end, and what is kept is bounded. Not its concern: sockets and
//! time.

/// How a body says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// After so many bytes.
    Known(usize),
    /// In itself.
    Chunked,
}

/// Longest line of a chunk's size with its extensions, and of a trailer, in bytes.
const MAX_LINE: usize = 1024;

/// What a body may hold beside its content, in bytes: sizes of chunks and trailers. A client that sends chunks of some hundred
/// bytes stays far below.
const MAX_FRAMING: usize = 256 * 1024;

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Its chunks are malformed.
    Malformed,
    /// It is longer than is taken.
    TooLong,
}

/// A body that comes in pieces.
#[derive(Debug)]
pub(crate) struct Body {
    content: Vec<u8>,
    limit: usize,
    state: State,
    framing: usize,
}

#[derive(Debug)]
enum State {
    /// So many bytes are left, and then the body ends.
    Known(usize),
    /// The line with the size of a chunk.
    Size(Vec<u8>),
    /// So many bytes of a chunk are left.
    Chunk(usize),
    /// The line end after a chunk; so much of it has come.
    ChunkEnd(usize),
    /// Trailers; the bytes of the line so far.
    Trailer(usize),
    Done,
}

impl Body {
    /// Starts a body with at most `limit` bytes of content.
    pub(crate) fn new(length: Length, limit: usize) -> Self {
        let state = match length {
            Length::Known(0) => State::Done,
            Length::Known(length) => State::Known(length),
            Length::Chunked => State::Size(Vec::new()),
        };
        Self { content: Vec::new(), limit, state, framing: 0 }
    }

    /// Takes the next bytes; returns how many belong to the body.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        let mut rest = bytes;
        while !self.is_complete() && !rest.is_empty() {
            let taken = self.step(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }

    /// Tells whether the whole body has come.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Returns what has come of the content.
    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        if let State::Known(left) | State::Chunk(left) = self.state {
            let take = left.min(bytes.len());
            if self.content.len() + take > self.limit {
                return Err(BodyError::TooLong);
            }
            self.content.extend_from_slice(&bytes[..take]);
            self.state = match (left - take, &self.state) {
                (0, State::Chunk(_)) => State::ChunkEnd(0),
                (0, _) => State::Done,
                (left, State::Chunk(_)) => State::Chunk(left),
                (left, _) => State::Known(left),
            };
            return Ok(take);
        }
        let byte = bytes[0];
        self.framing += 1;
        if self.framing > MAX_FRAMING {
            return Err(BodyError::TooLong);
        }
        match &mut self.state {
            State::Size(line) => {
                line.push(byte);
                if byte == b'\n' {
                    self.state = self.chunk_of_size()?;
                } else if line.len() >= MAX_LINE {
                    return Err(BodyError::TooLong);
                }
            }
            State::ChunkEnd(come) => match (*come, byte) {
                (0, b'\r') => *come = 1,
                (1, b'\n') => self.state = State::Size(Vec::new()),
                _ => return Err(BodyError::Malformed),
            },
            // What trailers say is not looked at.
            State::Trailer(length) => match (*length, byte) {
                (0, b'\r') => *length = usize::MAX,
                (usize::MAX, b'\n') => self.state = State::Done,
                (usize::MAX, _) => return Err(BodyError::Malformed),
                (_, b'\n') => *length = 0,
                (length, _) if length >= MAX_LINE => return Err(BodyError::TooLong),
                _ => *length += 1,
            },
            State::Known(_) | State::Chunk(_) | State::Done => {}
        }
        Ok(1)
    }

    fn chunk_of_size(&self) -> Result<State, BodyError> {
        let State::Size(line) = &self.state else { return Err(BodyError::Malformed) };
        // httparse reads a line without any digit as 0, which would end a body that was cut.
        if !line.first().is_some_and(u8::is_ascii_hexdigit) {
            return Err(BodyError::Malformed);
        }
        match httparse::parse_chunk_size(line) {
            Ok(httparse::Status::Complete((_, 0))) => Ok(State::Trailer(0)),
            Ok(httparse::Status::Complete((_, size))) => match usize::try_from(size) {
                Ok(size) if size <= self.limit - self.content.len() => Ok(State::Chunk(size)),
                _ => Err(BodyError::TooLong),
            },
            _ => Err(BodyError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"5\r\nhello\r\n0006;name=\"value\"\r\n world\r\n0\r\nTrailer: x\r\nY: z\r\n\r\n";

    fn read(length: Length, bytes: &[u8], piece: usize) -> Result<(Body, usize), BodyError> {
        let mut body = Body::new(length, 20);
        let mut taken = 0;
        for piece in bytes.chunks(piece) {
            taken += body.push(piece)?;
        }
        Ok((body, taken))
    }

    #[test]
    fn a_body_ends_where_it_says_however_it_is_cut() {
        for piece in 1..CHUNKED.len() + 5 {
            let bytes = [CHUNKED, b"more"].concat();
            let (body, taken) = read(Length::Chunked, &bytes, piece).unwrap();
            assert!(body.is_complete());
            assert_eq!((body.content(), taken), (&b"hello world"[..], CHUNKED.len()));
            let (body, taken) = read(Length::Known(5), b"hello more", piece).unwrap();
            assert!(body.is_complete());
            assert_eq!((body.content(), taken), (&b"hello"[..], 5));
        }
        assert!(Body::new(Length::Known(0), 1).is_complete());
    }

    #[test]
    fn no_truncation_is_complete() {
        for end in 0..CHUNKED.len() {
            assert!(!read(Length::Chunked, &CHUNKED[..end], 7).unwrap().0.is_complete(), "{end}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused_and_so_is_too_much() {
        for bad in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            ";a\r\n",
            "1\n",
            "1\r\nab",
            "1\r\na\n",
            "11111111111111111\r\n",
            "0\r\n\ra",
        ] {
            assert_eq!(read(Length::Chunked, bad.as_bytes(), 3).err(), Some(BodyError::Malformed), "{bad:?}");
        }
        for long in ["15\r\n", "ffffffffffffffff\r\n", "14\r\naaaaaaaaaaaaaaaaaaaa\r\n1\r\n"] {
            assert_eq!(read(Length::Chunked, long.as_bytes(), 9).err(), Some(BodyError::TooLong), "{long:?}");
        }
        assert_eq!(read(Length::Known(21), &[b'a'; 21], 30).err(), Some(BodyError::TooLong));
    }

    #[test]
    fn framing_is_bounded_in_a_line_and_in_all() {
        let line = format!("1;{}", "x".repeat(MAX_LINE));
        assert_eq!(read(Length::Chunked, line.as_bytes(), 100).err(), Some(BodyError::TooLong));
        let trailer = format!("0\r\n{}", "x".repeat(MAX_LINE + 1));
        assert_eq!(read(Length::Chunked, trailer.as_bytes(), 100).err(), Some(BodyError::TooLong));
        let trailers = format!("0\r\n{}", "a: b\r\n".repeat(MAX_FRAMING / 6 + 1));
        assert_eq!(read(Length::Chunked, trailers.as_bytes(), 1000).err(), Some(BodyError::TooLong));
    }
}
