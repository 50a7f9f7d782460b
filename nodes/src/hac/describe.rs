//! A packet in words, for traces.

use std::fmt::Write as _;
use std::net::SocketAddrV4;

use super::config::Rules;
use super::wire::{Checksum, Code, Packet, Part};
use crate::protocol::Describe;

/// Tells people what hac's packets say. It keeps nothing from packet to packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Describer;

/// More entries than these are counted, not told.
const TOLD: usize = 4;

impl Describe for Describer {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        let rules = match bytes.first() {
            Some(&version) if version == Rules::Hardened.version() => Rules::Hardened,
            _ => Rules::Original,
        };
        match Packet::decode(rules, Checksum::Verified, bytes) {
            Ok(packet) => tell(rules, &packet),
            Err(error) => format!("{} bytes that are no packet: {error}", bytes.len()),
        }
    }
}

/// `AS v2 epoch 3.1 round 7: 4 entries, the last of a split list of 66: 63@10.0.0.63:7400 alive heard 7; …`
fn tell(rules: Rules, packet: &Packet<'_>) -> String {
    let mut line = format!("{} v{}", packet.code, rules.version());
    if rules == Rules::Hardened && packet.code != Code::Ap {
        let _ = write!(line, " epoch {}", packet.epoch);
    }
    let first = packet.entries.first();
    let _ = match (packet.code, first.id()) {
        (Code::Hc, None) => write!(line, ": {} asks for an id", first.addr),
        (Code::Hc, Some(id)) => write!(line, ": {} asks for its id {id}", first.addr),
        (Code::Hs, Some(id)) => write!(line, ": {} has the id {id}", first.addr),
        (Code::Hs | Code::Ac | Code::Ap, _) => {
            let _ = write!(line, " round {}: {first}", first.round);
            tell_introduced(&mut line, packet)
        }
        (Code::As, _) => tell_list(&mut line, packet),
    };
    line
}

/// `; introduces 10.0.0.4:7400, 10.0.0.5:7400`
fn tell_introduced(line: &mut String, packet: &Packet<'_>) -> std::fmt::Result {
    let others = packet.entries.len() - 1;
    for (i, entry) in packet.entries.iter().skip(1).take(TOLD).enumerate() {
        let before = if i == 0 { "; introduces" } else { "," };
        write!(line, "{before} {}", entry.addr)?;
    }
    if others > TOLD {
        write!(line, " and {} more", others - TOLD)?;
    }
    Ok(())
}

fn tell_list(line: &mut String, packet: &Packet<'_>) -> std::fmt::Result {
    let len = packet.entries.len();
    let noun = if len == 1 { "entry" } else { "entries" };
    write!(line, " round {}: {len} {noun}", packet.entries.first().round)?;
    match packet.part {
        Part::Whole => {}
        Part::More => write!(line, ", part of a split list of {}", packet.total)?,
        Part::Last => write!(line, ", the last of a split list of {}", packet.total)?,
    }
    for (i, entry) in packet.entries.iter().take(TOLD).enumerate() {
        write!(line, "{} {entry}", if i == 0 { ":" } else { ";" })?;
    }
    if len > TOLD {
        write!(line, "; and {} more", len - TOLD)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::wire::{Entry, Epoch, Head, Mode, NO_ID, Status};
    use super::*;

    fn entry(id: u32) -> Entry {
        let addr = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 3), 7400);
        Entry {
            id,
            addr,
            status: Status::Alive,
            heard: 7,
            round: 9,
        }
    }

    fn told(rules: Rules, code: Code, part: Part, total: u16, entries: &[Entry]) -> String {
        let head = Head {
            rules,
            mode: Mode::ClientServer,
            code,
            epoch: Epoch {
                counter: 3,
                server: 1,
                nonce: 6,
            },
        };
        let mut bytes = Vec::new();
        head.encode(part, total, entries, &mut bytes);
        let nobody = entries[0].addr;
        Describer.datagram(nobody, nobody, &bytes)
    }

    #[test]
    fn packets_are_told_in_a_line() {
        assert_eq!(
            told(Rules::Hardened, Code::Hc, Part::Whole, 1, &[entry(NO_ID)]),
            "HC v2 epoch 3.1: 10.0.0.3:7400 asks for an id"
        );
        assert_eq!(
            told(Rules::Original, Code::Hs, Part::Whole, 1, &[entry(2)]),
            "HS v1: 10.0.0.3:7400 has the id 2"
        );
        assert_eq!(
            told(Rules::Hardened, Code::Ac, Part::Whole, 3, &[entry(2); 3]),
            "AC v2 epoch 3.1 round 9: 2@10.0.0.3:7400 alive heard 7; introduces 10.0.0.3:7400, 10.0.0.3:7400"
        );
        assert_eq!(
            told(Rules::Hardened, Code::As, Part::Last, 66, &[entry(65), entry(66)]),
            "AS v2 epoch 3.1 round 9: 2 entries, the last of a split list of 66: \
             65@10.0.0.3:7400 alive heard 7; 66@10.0.0.3:7400 alive heard 7"
        );
    }

    #[test]
    fn a_long_list_is_cut_short() {
        let told = told(Rules::Original, Code::As, Part::Whole, 9, &[entry(5); 9]);
        assert!(
            told.starts_with("AS v1 round 9: 9 entries: 5@") && told.ends_with("; and 5 more"),
            "{told}"
        );
    }

    #[test]
    fn rubbish_is_told_as_rubbish() {
        let nobody = entry(1).addr;
        assert_eq!(
            Describer.datagram(nobody, nobody, &[7, 0, 0, 0]),
            "4 bytes that are no packet: another version"
        );
        assert_eq!(
            Describer.datagram(nobody, nobody, &[]),
            "0 bytes that are no packet: too short"
        );
    }
}
