//! The packets: a letter and a time in nanoseconds, big-endian.

use std::net::SocketAddrV4;

use squall_nodes::{Outbox, Time};

use crate::lease::LeaseNode;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A worker wants the lease, and asks at this time on its clock.
    Ask { at: Time },
    /// The keeper lends it, in answer to the question of that time.
    Lend { asked: Time },
    /// A worker hands back what it asked for at this time.
    Return { at: Time },
}

impl Packet {
    /// Reads any bytes; `None` when they are no packet.
    pub fn read(bytes: &[u8]) -> Option<Packet> {
        let (letter, time) = bytes.split_first()?;
        let time = Time::from_nanos(u64::from_be_bytes(time.try_into().ok()?));
        match letter {
            b'A' => Some(Packet::Ask { at: time }),
            b'L' => Some(Packet::Lend { asked: time }),
            b'R' => Some(Packet::Return { at: time }),
            _ => None,
        }
    }

    /// Puts the packet on its way from `port`.
    pub fn send(self, port: u16, to: SocketAddrV4, out: &mut Outbox<LeaseNode>) {
        let payload = out.payload(&self.bytes());
        out.send(port, to, payload);
    }

    fn bytes(self) -> [u8; 9] {
        let (letter, time) = match self {
            Packet::Ask { at } => (b'A', at),
            Packet::Lend { asked } => (b'L', asked),
            Packet::Return { at } => (b'R', at),
        };
        let mut bytes = [letter; 9];
        bytes[1..].copy_from_slice(&time.as_nanos().to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_reads_as_it_was_written() {
        let at = Time::from_nanos(0x0102_0304_0506_0708);
        for packet in [
            Packet::Ask { at },
            Packet::Lend { asked: at },
            Packet::Return { at },
        ] {
            assert_eq!(Packet::read(&packet.bytes()), Some(packet));
        }
    }

    #[test]
    fn bytes_that_are_no_packet_are_not_read() {
        let ask = Packet::Ask { at: Time::ZERO }.bytes();
        for bytes in [&[][..], b"A", b"A1234567", b"A123456789", b"X12345678"] {
            assert_eq!(Packet::read(bytes), None, "{bytes:?}");
        }
        assert_eq!(Packet::read(&ask[..8]), None);
    }
}
