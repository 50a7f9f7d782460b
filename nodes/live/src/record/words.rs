//! Inputs and effects in words. Times are counted from the boot.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddrV4};

use squall_nodes::recording::{Content, Mark, Outline, Told};
use squall_nodes::{Closed, Describe, Fact, Node, StreamEvent, Time};

/// What it takes to put things into words.
pub(super) struct Words {
    pub(super) describer: Box<dyn Describe>,
    /// The node's own address.
    pub(super) ip: Ipv4Addr,
    pub(super) booted: Time,
    /// Timers by their codes, as far as they are known.
    pub(super) timers: BTreeMap<u64, String>,
}

impl Words {
    /// `datagram from 10.0.0.2:7400: AC v2 …`
    pub(super) fn told<N: Node>(&mut self, told: &Told<'_, N>) -> String {
        match told {
            Told::Start => "start".to_owned(),
            Told::Datagram { on, from, bytes } => {
                let says = self.describer.datagram(*from, *on, bytes);
                format!("datagram from {from} on {on}: {says}")
            }
            Told::Stream { conn, event } => format!("connection {} {}", conn.0, happened(event)),
            Told::Timer { code } => format!("timer {}", self.timer(*code)),
            Told::Command { call, command } => format!("call {}: {command:?}", call.0),
            Told::Persisted(token) => format!("write {} is on the disk", token.0),
            Told::PersistFailed(token) => format!("write {} failed", token.0),
        }
    }

    /// `send 48 bytes to 10.0.0.2:7400 from port 7400: AS v2 …`
    pub(super) fn effect<N: Node>(&mut self, outline: &Outline, content: &Content<'_, N>) -> String {
        let outlined = self.outline::<N>(outline);
        match (content, outline) {
            (Content::Nothing | Content::Timer(_), _) => outlined,
            (Content::Bytes(bytes), Outline::Send { port, to, .. }) => {
                let says = self.says(*port, *to, bytes);
                format!("{outlined}: {says}")
            }
            (Content::Bytes(bytes), Outline::Multicast { port, group, .. }) => {
                let says = self.says(*port, *group, bytes);
                format!("{outlined}: {says}")
            }
            // What goes into streams and onto disks has no words of its own.
            (Content::Bytes(_), _) => outlined,
            (Content::Fact(fact), _) => format!("{outlined}: {fact:?}"),
            (Content::Answer(answer), _) => format!("{outlined}: {answer:?}"),
        }
    }

    /// What was recorded of an effect in whose place there was another one: all of it, but for its contents.
    pub(super) fn mark<N: Node>(&self, mark: &Mark, instead: Option<&Mark>) -> String {
        let outlined = self.outline::<N>(&mark.outline);
        match instead {
            Some(instead) if instead.outline == mark.outline => format!("{outlined}, with other contents"),
            _ => outlined,
        }
    }

    fn outline<N: Node>(&self, outline: &Outline) -> String {
        match outline {
            Outline::Bind { port } => format!("bind port {port}"),
            Outline::Listen { port } => format!("listen on port {port}"),
            Outline::Send { port, to, len } => format!("send {len} bytes to {to} from port {port}"),
            Outline::Multicast { port, group, len } => {
                format!("send {len} bytes to the group {group} from port {port}")
            }
            Outline::Join { group } => format!("join the group {group}"),
            Outline::Leave { group } => format!("leave the group {group}"),
            Outline::Dial { conn, to } => format!("dial {to} as connection {}", conn.0),
            Outline::Write { conn, len } => format!("write {len} bytes to connection {}", conn.0),
            Outline::PauseReading { conn } => format!("read no more from connection {}", conn.0),
            Outline::ResumeReading { conn } => format!("read from connection {} again", conn.0),
            Outline::Close { conn } => format!("close connection {}", conn.0),
            Outline::Arm { timer, at } if *at == Time::MAX => format!("arm {} for never", self.timer(*timer)),
            Outline::Arm { timer, at } => format!("arm {} for {}", self.timer(*timer), self.when(*at)),
            Outline::Disarm { timer } => format!("disarm {}", self.timer(*timer)),
            Outline::Persist { token, len } => format!("write {}: {len} bytes to the disk", token.0),
            Outline::Claim { fact } => match N::Fact::NAMES.get(*fact as usize) {
                Some(name) => format!("claim {name}"),
                None => format!("claim the fact with the number {fact}"),
            },
            Outline::Answer { call } => format!("answer call {}", call.0),
        }
    }

    /// `+2310.000001 ms`, exact: two times that differ have different words.
    fn when(&self, at: Time) -> String {
        let (sign, span) = if at < self.booted {
            ('-', self.booted.since(at))
        } else {
            ('+', at.since(self.booted))
        };
        let ns = span.as_nanos();
        format!("{sign}{}.{:06} ms", ns / 1_000_000, ns % 1_000_000)
    }

    fn says(&mut self, port: u16, to: SocketAddrV4, bytes: &[u8]) -> String {
        self.describer
            .datagram(SocketAddrV4::new(self.ip, port), to, bytes)
    }

    fn timer(&self, code: u64) -> String {
        match self.timers.get(&code) {
            Some(name) => name.clone(),
            None => format!("the timer with the code {code}"),
        }
    }

    pub(super) fn learn(&mut self, code: u64, timer: impl Debug) {
        self.timers.entry(code).or_insert_with(|| format!("{timer:?}"));
    }
}

fn happened(event: &StreamEvent<'_>) -> String {
    match event {
        StreamEvent::Opened => "is open".to_owned(),
        StreamEvent::Accepted { port, from } => format!("comes from {from} on port {port}"),
        StreamEvent::Bytes(bytes) => format!("brings {} bytes", bytes.len()),
        StreamEvent::Blocked => "takes no more for now".to_owned(),
        StreamEvent::Writable => "takes more again".to_owned(),
        StreamEvent::Closed(Closed::Refused) => "is refused".to_owned(),
        StreamEvent::Closed(Closed::Reset) => "was reset".to_owned(),
        StreamEvent::Closed(Closed::TimedOut) => "timed out".to_owned(),
        StreamEvent::Closed(Closed::Orderly) => "was closed by its peer".to_owned(),
    }
}
