//! A packet in words, for traces.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::wire::{Decoder, Establish, Grant, Link, Packet, Report, Why};
use crate::protocol::Describe;

/// Tells people what refinery's packets say. Of each direction of a connection it keeps what is not a whole packet yet, and that no packets
/// come any more, until another connection between the same ends begins.
#[derive(Clone, Debug, Default)]
pub struct Describer {
    told: BTreeMap<(SocketAddrV4, SocketAddrV4), Told>,
}

/// Of how many directions something is kept. All is forgotten when there are more: most are of connections that are gone.
const MOST_KEPT: usize = 4_096;

impl Describe for Describer {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        format!(
            "{} bytes that nobody here listens for: refinery speaks over streams",
            bytes.len()
        )
    }

    fn stream(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> Vec<String> {
        let ends = (from, to);
        if self.told.len() >= MOST_KEPT && !self.told.contains_key(&ends) {
            self.told.clear();
        }
        let told = self.told.entry(ends).or_default();
        let lines = told.take(bytes);
        if told.is_whole() {
            self.told.remove(&ends);
        }
        lines
    }

    fn begins(&mut self, one: SocketAddrV4, other: SocketAddrV4) {
        self.told.remove(&(one, other));
        self.told.remove(&(other, one));
    }
}

/// A packet in a line. What a secret or a proof is, it does not tell.
pub fn tell(packet: &Packet) -> String {
    let code = packet.code();
    match packet {
        Packet::Establish(Establish {
            id,
            version,
            kind,
            epoch,
            link,
            ..
        }) => {
            let is = match link {
                Link::Node => "",
                Link::Child => ", to whom you are its upstream",
                Link::Follower => ", who does not reign",
                Link::Reigning => ", who reigns",
            };
            format!("{code}: {id}, a {kind} of version {version}, knows of epoch {epoch}{is}")
        }
        Packet::StartAuth(None) => format!("{code}: show the cert"),
        Packet::StartAuth(Some(_)) => format!("{code}: prove it over this nonce"),
        Packet::AuthStart(_) => format!("{code}: here it is"),
        Packet::Grant(Grant { upstream, epoch }) => {
            format!("{code}: your upstream is {upstream} in epoch {epoch}")
        }
        Packet::Ack => format!("{code}: understood"),
        Packet::Dec => format!("{code}: you do not belong here"),
        Packet::Close(None) => code.to_owned(),
        Packet::Close(Some(Why::Full)) => format!("{code}: there is no room"),
        Packet::Close(Some(Why::NoMaster)) => format!("{code}: I am no master"),
        Packet::Close(Some(Why::Version)) => format!("{code}: it has another version"),
        Packet::Close(Some(Why::Replaced)) => format!("{code}: somebody else goes by that id"),
        Packet::Close(Some(Why::Unexpected)) => format!("{code}: the other master is to be elsewhere"),
        Packet::Close(Some(Why::NotReigning(epoch))) => {
            format!("{code}: I do not reign, and know of epoch {epoch}")
        }
        Packet::Alive(None) => code.to_owned(),
        Packet::Alive(Some(Report::Has(upstream))) => format!("{code}: my upstream is {upstream}"),
        Packet::Alive(Some(Report::Lost(upstream))) => format!("{code}: I have lost {upstream}"),
        Packet::Row(row) => format!("{code}: {} at {} is below {}", row.id, row.address, row.upstream),
        Packet::Gone(id) => format!("{code}: {id} is there no more"),
    }
}

/// What the bytes of one direction of a connection say, as they come.
#[derive(Clone, Debug)]
pub struct Told {
    decoder: Decoder,
    is_lost: bool,
}

impl Default for Told {
    fn default() -> Self {
        Told {
            decoder: Decoder::new(1 << 20),
            is_lost: false,
        }
    }
}

impl Told {
    /// Whether the bytes so far have ended with a packet.
    fn is_whole(&self) -> bool {
        !self.is_lost && self.decoder.held() == 0
    }

    /// A line for each packet that these bytes bring to an end.
    pub fn take(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while !self.is_lost {
            match self.decoder.next(&mut bytes) {
                Ok(Some(packet)) => lines.push(tell(&packet)),
                Ok(None) => break,
                Err(wrong) => {
                    self.is_lost = true;
                    lines.push(format!("no packet: {wrong}"));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_when_they_end_and_rubbish_once() {
        let mut told = Told::default();
        assert!(told.take(b"auth:start;;{\"cert\":\"hush").is_empty());
        assert_eq!(
            told.take(b"\"}<EOF>conn:alive;;{}<EOF>rubbish<EOF>auth:ack;;{}<EOF>"),
            [
                "auth:start: here it is",
                "conn:alive",
                "no packet: no code that there is"
            ]
        );
        assert!(told.take(b"auth:ack;;{}<EOF>").is_empty());
    }

    #[test]
    fn a_connection_between_the_same_ends_has_nothing_of_the_one_before() {
        let at = |last: u8| SocketAddrV4::new([10, 0, 0, last].into(), 7500);
        let mut describer = Describer::default();
        let alive = b"conn:alive;;{}<EOF>";
        for before in [&b"auth:start;;{\"cert"[..], b"rubbish<EOF>"] {
            describer.begins(at(1), at(2));
            describer.stream(at(1), at(2), before);
            describer.stream(at(2), at(1), before);
            describer.begins(at(2), at(1));
            assert_eq!(describer.stream(at(1), at(2), alive), ["conn:alive"]);
            assert_eq!(describer.stream(at(2), at(1), alive), ["conn:alive"]);
            assert!(describer.told.is_empty());
        }
    }

    #[test]
    fn however_many_connections_there_are_no_more_is_kept_of_them() {
        let mut describer = Describer::default();
        for port in 0..20_000 {
            let [one, other] = [port, 7500].map(|port| SocketAddrV4::new([10, 0, 0, 1].into(), port));
            describer.stream(one, other, b"conn:al");
            assert!(describer.told.len() <= MOST_KEPT);
        }
    }

    #[test]
    fn who_dials_is_told_with_what_it_is() {
        let mut told = Told::default();
        let bytes =
            b"conn:establish;;{\"id\":\"n1\",\"version\":\"1\",\"type\":\"crusher\",\"epoch\":\"4\"}<EOF>\
                      auth:ack;;{\"upstream\":\"10.0.0.1:7500\",\"epoch\":\"4\"}<EOF>\
                      conn:establish;;{\"id\":\"n1\",\"version\":\"1\",\"type\":\"crusher\",\"down\":\"7500\"}<EOF>\
                      conn:close;;{\"why\":\"no master\"}<EOF>";
        assert_eq!(
            told.take(bytes),
            [
                "conn:establish: n1, a crusher of version 1, knows of epoch 4",
                "auth:ack: your upstream is 10.0.0.1:7500 in epoch 4",
                "conn:establish: n1, a crusher of version 1, knows of epoch 0, to whom you are its upstream",
                "conn:close: I am no master"
            ]
        );
    }
}
