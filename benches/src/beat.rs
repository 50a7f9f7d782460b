//! The beating node: a heartbeat to every peer, and a named timer for each. What is promised of it is in
//! `promises`.

mod promises;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use squall_nodes::{
    ConfigOf, Describe, Input, InvariantKind, Misfit, Node, NodeRng, Outbox, Placed, Protocol, Span, Time,
    facts,
};

const PORT: u16 = 7000;
const PAYLOAD: usize = 32;
const PORT_BITS: u32 = 16;

/// The protocol of the benchmarks: `beat`.
pub struct Beat;

/// What every host is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Role {
    /// It beats.
    Beater,
}

/// The settings of a beating node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeatConfig {
    /// From one beat to the next.
    pub interval: Span,
    /// After how much silence a peer is suspected.
    pub timeout: Span,
    /// To how many peers each node beats, the ones after it in the list; 0 is all.
    pub fan: u32,
    /// How it keeps the deadlines of its peers.
    pub deadlines: Deadlines,
    /// Whom this node beats to.
    pub to: Arc<[SocketAddrV4]>,
    /// Whom this node hears, in ascending order.
    pub from: Arc<[Address]>,
}

/// How a node keeps the deadlines of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deadlines {
    /// A named timer for each.
    Timers,
    /// A table of its own, which it looks through at each beat.
    Table,
}

/// The address of a peer as one number, which is quicker to find in a list: its IP address above its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address(u64);

impl From<SocketAddrV4> for Address {
    fn from(address: SocketAddrV4) -> Self {
        Address(u64::from(address.ip().to_bits()) << PORT_BITS | u64::from(address.port()))
    }
}

impl Address {
    /// The peer's IP address.
    pub fn ip(self) -> Ipv4Addr {
        Ipv4Addr::from_bits((self.0 >> PORT_BITS) as u32)
    }
}

facts! {
    /// What a beating node claims.
    pub enum BeatFact {
        /// Since it started, it has heard every peer. Claimed once, at a beat.
        "complete" => Complete,
        /// It has not heard a peer for the timeout.
        "silent" => Silent {
            /// The peer's place in the list of those that it hears.
            peer: u32,
            /// For how long.
            since: Span,
        },
    }
}

/// A named alarm of a beating node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BeatTimer {
    /// The next beat is due.
    Beat,
    /// The peer at this place has been silent for the timeout.
    Silent(u32),
}

impl squall_nodes::Timer for BeatTimer {
    fn code(&self) -> u64 {
        match self {
            BeatTimer::Beat => 0,
            BeatTimer::Silent(peer) => 1 + u64::from(*peer),
        }
    }
}

/// A beating node.
#[derive(Clone)]
pub struct BeatNode {
    config: BeatConfig,
    first: Span,
    beats: u64,
    started: Time,
    heard: Vec<Time>,
    /// When each peer is taken for silent; empty where timers keep that.
    table: Vec<Time>,
    hears: Hears,
}

/// Whom a node has heard since it started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hears {
    NotAll,
    All,
}

impl Node for BeatNode {
    type Role = Role;
    type Config = BeatConfig;
    type Command = ();
    type Answer = ();
    type Timer = BeatTimer;
    type Fact = BeatFact;

    fn boot(_role: &Role, config: &BeatConfig, _disk: Option<&[u8]>, mut rng: NodeRng) -> Self {
        let first = rng.span(Span::ZERO, config.interval);
        BeatNode {
            first,
            beats: 0,
            started: Time::ZERO,
            heard: vec![Time::ZERO; config.from.len()],
            table: match config.deadlines {
                Deadlines::Timers => Vec::new(),
                Deadlines::Table => vec![Time::MAX; config.from.len()],
            },
            hears: Hears::NotAll,
            config: config.clone(),
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => {
                out.bind(PORT);
                self.started = now;
                out.arm(BeatTimer::Beat, now + self.first);
                for peer in 0..self.heard.len() as u32 {
                    self.heard[peer as usize] = now;
                    self.expect(peer, now, out);
                }
            }
            Input::Timer(BeatTimer::Beat) => {
                self.beats += 1;
                let mut bytes = [0; PAYLOAD];
                bytes[..8].copy_from_slice(&self.beats.to_be_bytes());
                let payload = out.payload(&bytes);
                for to in self.config.to.iter() {
                    out.send(PORT, *to, payload);
                }
                out.arm(BeatTimer::Beat, now + self.config.interval);
                // Looked at once a beat and not at each datagram, which are what the benchmarks count.
                if self.hears == Hears::NotAll && self.heard.iter().all(|heard| *heard > self.started) {
                    self.hears = Hears::All;
                    out.claim(BeatFact::Complete);
                }
                for peer in 0..self.table.len() as u32 {
                    if self.table[peer as usize] <= now {
                        self.miss(peer, now, out);
                    }
                }
            }
            Input::Timer(BeatTimer::Silent(peer)) => self.miss(peer, now, out),
            Input::Datagram { from, .. } => {
                if let Some(peer) = self.place(from) {
                    self.heard[peer as usize] = now;
                    self.expect(peer, now, out);
                }
            }
            // It persists nothing, speaks no streams and takes no commands.
            Input::Command { .. } | Input::Stream { .. } | Input::Persisted(_) | Input::PersistFailed(_) => {}
        }
    }
}

impl BeatNode {
    /// Gives a peer until the timeout to be heard.
    #[inline]
    fn expect(&mut self, peer: u32, now: Time, out: &mut Outbox<Self>) {
        let deadline = now + self.config.timeout;
        match self.table.get_mut(peer as usize) {
            Some(entry) => *entry = deadline,
            None => out.arm(BeatTimer::Silent(peer), deadline),
        }
    }

    /// A peer was not heard in time.
    fn miss(&mut self, peer: u32, now: Time, out: &mut Outbox<Self>) {
        let since = now.since(self.heard[peer as usize]);
        out.claim(BeatFact::Silent { peer, since });
        self.expect(peer, now, out);
    }

    /// Where a peer stands among those that are heard.
    fn place(&self, from: SocketAddrV4) -> Option<u32> {
        let (from, peers) = (Address::from(from), &self.config.from);
        // Those who hear all of a block of addresses but their own find them at the first look or the second.
        let guess = from.0.wrapping_sub(peers.first()?.0) >> PORT_BITS;
        let guesses = [guess, guess.wrapping_sub(1)];
        let hit = guesses
            .into_iter()
            .find(|guess| peers.get(*guess as usize) == Some(&from));
        let place = hit.map(|guess| guess as usize);
        place
            .or_else(|| peers.binary_search(&from).ok())
            .map(|place| place as u32)
    }
}

impl Protocol for Beat {
    const NAME: &'static str = "beat";
    const ABOUT: &'static str = "the benchmarks' heartbeat: a datagram to every peer, a deadline for each";
    type Node = BeatNode;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {
        BeatConfig {
            interval: Span::from_millis(100),
            timeout: Span::from_millis(400),
            fan: 0,
            deadlines: Deadlines::Timers,
            to: Arc::default(),
            from: Arc::default(),
        }
    }

    fn assemble(hosts: &mut [Placed<BeatNode>]) -> Result<(), Vec<Misfit>> {
        let addresses: Vec<SocketAddrV4> = hosts
            .iter()
            .map(|host| SocketAddrV4::new(host.ip, PORT))
            .collect();
        let count = hosts.len();
        for (me, host) in hosts.iter_mut().enumerate() {
            let fan = match host.config.fan {
                0 => count - 1,
                fan => (fan as usize).min(count - 1),
            };
            // A stride spreads a small fan over the whole list; with gcd(stride, count) = 1 all of them differ.
            let stride = if fan == count - 1 { 1 } else { stride(count) };
            let at = |step: usize| addresses[step % count];
            let mut to: Vec<_> = (1..=fan).map(|k| at(me + k * stride)).collect();
            let mut from: Vec<_> = (1..=fan)
                .map(|k| Address::from(at(me + count * stride - k * stride)))
                .collect();
            to.sort_unstable();
            from.sort_unstable();
            host.config.to = to.into();
            host.config.from = from.into();
        }
        Ok(())
    }

    fn invariants() -> Vec<InvariantKind<BeatNode>> {
        promises::all()
    }

    fn shortest_timeout(config: &BeatConfig) -> Span {
        config.timeout
    }

    fn describer() -> Box<dyn Describe> {
        struct Words;
        impl Describe for Words {
            fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
                match bytes.first_chunk() {
                    Some(beat) => format!("beat {}", u64::from_be_bytes(*beat)),
                    None => format!("{} bytes that are no beat", bytes.len()),
                }
            }
        }
        Box::new(Words)
    }
}

/// A step round a list of `count` that comes to every place before it comes to one again.
fn stride(count: usize) -> usize {
    let coprime = |a: usize| {
        let (mut a, mut b) = (a, count);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    (count / 3 + 1..).find(|step| coprime(*step)).unwrap_or(1)
}
