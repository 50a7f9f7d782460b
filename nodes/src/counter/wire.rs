//! The packets: a format byte, [postcard](https://postcard.jamesmunns.com/), a CRC-32C. The disk is sealed in the same way.

use std::net::SocketAddrV4;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::MOST_MEMBERS;
use super::state::{Batch, LAST_ROUND, Ledger, Op, Stamp, Term};
use crate::protocol::Describe;

/// What replicas tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Packet {
    /// The leader of a term is there.
    Heartbeat { term: Term },
    /// Who may lead in a term asks to be followed.
    Stand { term: Term },
    /// It is followed, and this is the newest state here.
    Follow {
        term: Term,
        accepted: Stamp,
        ledger: Ledger,
    },
    /// The leader's newest state.
    Take { stamp: Stamp, ledger: Ledger },
    /// It is on the disk, or a newer one of that term.
    Taken { stamp: Stamp },
    /// Too late: a higher term is followed here.
    TooLow { promised: Term },
    /// To be done by the leader.
    Please { batch: Batch, ops: Vec<Op> },
    /// It was done; the counter stood at this before.
    Done { batch: Batch, before: i64 },
}

/// How many calls there are in a batch at most.
pub(super) const BATCH: usize = 64;

impl Packet {
    pub(super) fn encode(&self) -> Vec<u8> {
        seal(self)
    }

    /// Reads a datagram; `None` for what no replica sends.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let packet: Packet = open(bytes)?;
        let is_term = |term: &Term| term.round <= LAST_ROUND && usize::from(term.leader) < MOST_MEMBERS;
        let is_ledger = |ledger: &Ledger| ledger.done.len() <= MOST_MEMBERS;
        let fits = match &packet {
            Packet::Follow {
                term,
                accepted,
                ledger,
            } => is_term(term) && is_term(&accepted.term) && is_ledger(ledger),
            Packet::Take { stamp, ledger } => is_term(&stamp.term) && is_ledger(ledger),
            Packet::Taken { stamp } => is_term(&stamp.term),
            Packet::Heartbeat { term } | Packet::Stand { term } | Packet::TooLow { promised: term } => {
                is_term(term)
            }
            Packet::Please { ops, .. } => ops.len() <= BATCH,
            Packet::Done { .. } => true,
        };
        fits.then_some(packet)
    }

    /// The term into which it takes who has it from this member, if that is to lead there or follows it.
    pub(super) fn leads_into(&self, member: usize) -> Option<Term> {
        match self {
            Packet::Heartbeat { term }
            | Packet::Stand { term }
            | Packet::Take {
                stamp: Stamp { term, .. },
                ..
            } => Some(*term).filter(|term| usize::from(term.leader) == member),
            Packet::TooLow { promised } => Some(*promised),
            Packet::Follow { .. } | Packet::Taken { .. } | Packet::Please { .. } | Packet::Done { .. } => {
                None
            }
        }
    }
}

const FORMAT: u8 = 1;

/// The bytes of something, so that it is known when they are not whole.
pub(super) fn seal<T: Serialize>(data: &T) -> Vec<u8> {
    // Plain data into a growing buffer: postcard has no way to fail.
    let mut bytes = postcard::to_extend(data, vec![FORMAT]).unwrap_or_else(|_| vec![FORMAT]);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// What was sealed; `None` for any other bytes.
pub(super) fn open<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (sealed, crc) = bytes.split_last_chunk()?;
    if crc32c::crc32c(sealed) != u32::from_le_bytes(*crc) {
        return None;
    }
    match postcard::take_from_bytes(sealed.strip_prefix(&[FORMAT])?) {
        Ok((data, [])) => Some(data),
        _ => None,
    }
}

/// Tells people what packets say.
pub(super) struct Describer;

impl Describe for Describer {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        let term = |term: Term| format!("term {}.{}", term.round, term.leader);
        let stamp = |stamp: Stamp| format!("step {} of {}", stamp.step, term(stamp.term));
        match Packet::decode(bytes) {
            Some(Packet::Heartbeat { term: of }) => format!("leading in {}", term(of)),
            Some(Packet::Stand { term: of }) => format!("standing for leader of {}", term(of)),
            Some(Packet::Follow {
                term: of,
                accepted,
                ledger,
            }) => format!(
                "follows into {}, has {} from {}",
                term(of),
                ledger.value,
                stamp(accepted)
            ),
            Some(Packet::Take { stamp: of, ledger }) => format!("{} is {}", stamp(of), ledger.value),
            Some(Packet::Taken { stamp: of }) => format!("has {}", stamp(of)),
            Some(Packet::TooLow { promised }) => format!("follows in {}", term(promised)),
            Some(Packet::Please { batch, ops }) => {
                format!("batch {}.{}: {ops:?}", batch.life, batch.number)
            }
            Some(Packet::Done { batch, before }) => {
                format!("batch {}.{} was done at {before}", batch.life, batch.number)
            }
            None => format!("{} bytes that are no packet", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_read_back_and_too_large_ones_do_not() {
        let batch = Batch { life: 1, number: 2 };
        let please = |len| Packet::Please {
            batch,
            ops: vec![Op::Add(1); len],
        };
        for packet in [
            please(BATCH),
            Packet::TooLow {
                promised: Term {
                    round: 300,
                    leader: 2,
                },
            },
        ] {
            assert_eq!(Packet::decode(&packet.encode()), Some(packet));
        }
        assert_eq!(Packet::decode(&please(BATCH + 1).encode()), None);
        for (round, leader) in [(LAST_ROUND + 1, 2), (u64::MAX, 2), (1, MOST_MEMBERS as u8)] {
            let term = Term { round, leader };
            let stamp = Stamp { term, step: 1 };
            let ledger = Ledger::default;
            for packet in [
                Packet::Heartbeat { term },
                Packet::Stand { term },
                Packet::TooLow { promised: term },
                Packet::Taken { stamp },
                Packet::Take {
                    stamp,
                    ledger: ledger(),
                },
                Packet::Follow {
                    term: Term::default(),
                    accepted: stamp,
                    ledger: ledger(),
                },
            ] {
                assert_eq!(Packet::decode(&packet.encode()), None, "{packet:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(packet) = Packet::decode(&bytes) {
                prop_assert_eq!(Packet::decode(&packet.encode()), Some(packet));
            }
            // The same, past the checksum.
            let mut sealed = vec![FORMAT];
            sealed.extend_from_slice(&bytes);
            let crc = crc32c::crc32c(&sealed);
            sealed.extend_from_slice(&crc.to_le_bytes());
            if let Some(packet) = Packet::decode(&sealed) {
                prop_assert_eq!(Packet::decode(&packet.encode()), Some(packet));
            }
        }
    }
}
