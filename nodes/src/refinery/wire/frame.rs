//! Where a packet ends: `${code};;${payload}<EOF>`, found whatever the cuts between the bytes that come in.

use super::{Packet, WireError};

/// What ends a packet.
pub const END: &[u8; 5] = b"<EOF>";

/// What stands between a packet's code and its payload.
pub const SEPARATOR: &[u8; 2] = b";;";

/// Puts packets together from the bytes of one connection. It holds no more than its limit and what it hands out, in a buffer that is no
/// larger.
#[derive(Clone, Debug)]
pub struct Decoder {
    held: Vec<u8>,
    /// How much of [`END`] the last bytes are.
    matched: usize,
    limit: usize,
}

impl Decoder {
    /// A decoder for packets of at most `limit` bytes, `<EOF>` included.
    pub fn new(limit: usize) -> Self {
        Decoder {
            held: Vec::new(),
            matched: 0,
            limit,
        }
    }

    /// Goes by another limit from the next byte on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes bytes from the front of `bytes` until a packet is whole; `None` when they are all taken and none is.
    ///
    /// # Errors
    ///
    /// What is wrong with the packet. The connection is worth nothing after that: where the next packet begins is anyone's guess.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Packet>, WireError> {
        let Some(end) = self.find_end(bytes)? else {
            self.hold(bytes);
            *bytes = &[];
            return Ok(None);
        };
        let (taken, rest) = bytes.split_at(end);
        *bytes = rest;
        self.matched = 0;
        // Most packets come in one piece.
        if self.held.is_empty() {
            return decode(taken).map(Some);
        }
        self.hold(taken);
        let packet = decode(&self.held);
        self.held.clear();
        // A long packet is no reason to hold as much for ever.
        self.held.shrink_to(KEPT);
        packet.map(Some)
    }

    /// How many bytes of a packet that is not whole are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many bytes its buffer has room for.
    pub fn capacity(&self) -> usize {
        self.held.capacity()
    }

    /// Holds more, in a buffer that grows by doubling and never beyond the limit.
    fn hold(&mut self, bytes: &[u8]) {
        let needed = self.held.len() + bytes.len();
        if needed > self.held.capacity() {
            let room = (2 * needed).min(self.limit).max(needed);
            self.held.reserve_exact(room - self.held.len());
        }
        self.held.extend_from_slice(bytes);
    }

    /// How many of the bytes belong to the packet, if they have its end.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        let room = self.limit.saturating_sub(self.held.len());
        for (place, byte) in bytes.iter().enumerate() {
            if place == room {
                return Err(WireError::TooLong);
            }
            // `<` is in `<EOF>` once, so that a mismatch is at the most a beginning.
            self.matched = match *byte {
                byte if byte == END[self.matched] => self.matched + 1,
                byte if byte == END[0] => 1,
                _ => 0,
            };
            if self.matched == END.len() {
                return Ok(Some(place + 1));
            }
        }
        Ok(None)
    }
}

/// How much room a decoder keeps from packet to packet.
const KEPT: usize = 512;

/// Reads one packet, `<EOF>` included.
fn decode(framed: &[u8]) -> Result<Packet, WireError> {
    let body = framed.strip_suffix(END).ok_or(WireError::Code)?;
    let separator = body
        .windows(SEPARATOR.len())
        .position(|window| window == SEPARATOR)
        .ok_or(WireError::Code)?;
    let (code, payload) = body.split_at(separator);
    Packet::decode(code, &payload[SEPARATOR.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder, mut bytes: &[u8]) -> Result<Vec<Packet>, WireError> {
        let mut packets = Vec::new();
        while let Some(packet) = decoder.next(&mut bytes)? {
            packets.push(packet);
        }
        Ok(packets)
    }

    #[test]
    fn a_packet_comes_out_whatever_the_cuts() {
        let bytes = b"auth:dec;;{}<EOF>conn:alive;;{}<EOF>";
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let mut decoder = Decoder::new(64);
                let mut packets = Vec::new();
                for part in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    packets.extend(all(&mut decoder, part).expect("they are packets"));
                }
                assert_eq!(
                    packets,
                    [Packet::Dec, Packet::Alive(None)],
                    "cut at {first} and {second}"
                );
                assert_eq!(decoder.held(), 0);
            }
        }
    }

    #[test]
    fn beginnings_of_an_end_are_no_end() {
        let mut decoder = Decoder::new(64);
        let packets = all(&mut decoder, b"conn:alive;;{\"note\":\"<E<<EO<EOF\"}<<EOF>");
        // The `<` before the end is what is wrong.
        assert_eq!(packets, Err(WireError::Payload));
        let packets = all(
            &mut Decoder::new(64),
            b"conn:alive;;{\"note\":\"<E<<EO<EOF\"}<EOF>",
        );
        assert_eq!(packets, Ok(vec![Packet::Alive(None)]));
    }

    #[test]
    fn a_packet_beyond_the_limit_is_refused_before_it_is_held() {
        let exact = b"conn:alive;;{}<EOF>";
        assert!(all(&mut Decoder::new(exact.len()), exact).is_ok());
        assert_eq!(
            all(&mut Decoder::new(exact.len() - 1), exact),
            Err(WireError::TooLong)
        );
        let mut decoder = Decoder::new(1_000);
        let mut refused = None;
        for _ in 0..100 {
            refused = all(&mut decoder, &[b'x'; 64]).err();
            assert!(decoder.held() <= 1_000);
            if refused.is_some() {
                break;
            }
        }
        assert_eq!(refused, Some(WireError::TooLong));
    }

    #[test]
    fn its_buffer_is_no_larger_than_the_limit_whatever_the_pieces() {
        for piece in [1, 7, 64, 600, 1_000, 2_049, 4_095] {
            let mut decoder = Decoder::new(4_096);
            let mut whole = vec![b'x'; 4_095];
            for part in whole.chunks(piece) {
                assert_eq!(all(&mut decoder, part), Ok(Vec::new()));
                assert!(decoder.capacity() <= 4_096, "{piece}: {}", decoder.capacity());
            }
            assert_eq!(decoder.held(), 4_095);
            // As long as a packet may be, its end included, and what is left of it is little.
            whole = format!("conn:alive;;{{\"a\":\"{}\"}}<EOF>", "x".repeat(4_096 - 26)).into_bytes();
            let mut decoder = Decoder::new(whole.len());
            for part in whole.chunks(piece) {
                assert!(all(&mut decoder, part).is_ok());
                assert!(
                    decoder.capacity() <= whole.len(),
                    "{piece}: {}",
                    decoder.capacity()
                );
            }
            assert!(decoder.held() == 0 && decoder.capacity() <= KEPT);
        }
    }

    #[test]
    fn what_has_no_separator_or_no_known_code_is_refused() {
        for bytes in [
            &b"<EOF>"[..],
            b"conn:alive{}<EOF>",
            b"conn:party;;{}<EOF>",
            b";;{}<EOF>",
        ] {
            assert_eq!(
                all(&mut Decoder::new(64), bytes),
                Err(WireError::Code),
                "{bytes:?}"
            );
        }
    }
}
