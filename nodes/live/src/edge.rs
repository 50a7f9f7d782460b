//! The edge of a host: what its policy makes of the datagrams that it sends and receives.
//!
//! It does to them what the virtual network does, in the order that [`LinkLaw`] documents, but for corruption. What it delays waits in a
//! bounded heap, and is looked at once more when it is due. What is to be told of it is among its [`upsets`](Edge::upsets).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddrV4};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use squall_nodes::link::{HEADERS, LinkLaw, transmission};
use squall_nodes::rng::between;
use squall_nodes::{HostKey, Span, Time};

use crate::line::Counts;
use crate::policy::{Policy, Way};
use upsets::Upsets;
pub(crate) use upsets::{Upset, What};

mod upsets;

/// What a datagram that waits takes besides its payload: its place in the heap, and its allocation.
const DELAYED: usize = size_of::<Reverse<Delayed>>() + 32;
/// Of how many receivers it is known when their queues are empty again. Those whose queues are, are forgotten at this number.
const MOST_QUEUES: usize = 4096;

/// The edge of a host.
pub(crate) struct Edge {
    /// The host's own address: no cut is in the way to it.
    own: Ipv4Addr,
    policy: Option<Policy>,
    rng: ChaCha8Rng,
    /// When the queue to each receiver is empty, where there is a bandwidth.
    free_at: BTreeMap<Ipv4Addr, Time>,
    delayed: BinaryHeap<Reverse<Delayed>>,
    /// How many were delayed.
    ordinal: u64,
    /// How many bytes wait, and how many may.
    bytes: usize,
    most_bytes: usize,
    /// How late the host may be.
    stall: Span,
    upsets: Upsets,
}

/// A datagram that waits for its time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Delayed {
    at: Time,
    /// Of two with the same time, the one that was sent first goes first.
    ordinal: u64,
    /// It is a straggler if it goes out after this.
    overdue: Time,
    pub(crate) port: u16,
    pub(crate) to: SocketAddrV4,
    pub(crate) bytes: Vec<u8>,
}

/// What one word each is drawn for: the same number of words for each datagram, so that none shifts the draws of another.
struct Words {
    loss: u64,
    latency: u64,
    reorder: u64,
    reorder_by: u64,
    duplicate: u64,
    latency_of_copy: u64,
}

impl Edge {
    /// The edge of a host in one of its lives. `most_bytes` is how much it may delay.
    pub(crate) fn new(own: Ipv4Addr, seed: u64, host: HostKey, incarnation: u32, most_bytes: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&host.0.to_le_bytes());
        key[16..20].copy_from_slice(&incarnation.to_le_bytes());
        key[24..].copy_from_slice(b"live edg");
        Edge {
            own,
            policy: None,
            rng: ChaCha8Rng::from_seed(key),
            free_at: BTreeMap::new(),
            delayed: BinaryHeap::new(),
            ordinal: 0,
            bytes: 0,
            most_bytes,
            stall: Span::ZERO,
            upsets: Upsets::default(),
        }
    }

    /// Has it late with a datagram by up to `stall` before that makes it a straggler.
    pub(crate) fn tolerating(self, stall: Span) -> Self {
        Edge { stall, ..self }
    }

    /// Puts a policy in force, unless a later one is.
    pub(crate) fn apply(&mut self, policy: Policy) {
        if self.number().is_none_or(|number| number < policy.number) {
            self.policy = Some(policy);
        }
    }

    /// The number of the policy that is in force.
    pub(crate) fn number(&self) -> Option<u64> {
        self.policy.as_ref().map(|policy| policy.number)
    }

    /// How many bytes it delays.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a datagram on its way out, and says how many times it goes out at once; what it delays comes up as
    /// [`due`](Self::due). `now` reads the clock.
    #[inline]
    pub(crate) fn send(
        &mut self,
        now: impl FnOnce() -> Time,
        port: u16,
        to: SocketAddrV4,
        bytes: &[u8],
        counts: &mut Counts,
    ) -> u32 {
        match self.policy.take() {
            None => 1,
            Some(policy) => {
                let times = self.send_by(&policy, now, (port, to), bytes, counts);
                self.policy = Some(policy);
                times
            }
        }
    }

    fn send_by(
        &mut self,
        policy: &Policy,
        now: impl FnOnce() -> Time,
        (port, to): (u16, SocketAddrV4),
        bytes: &[u8],
        counts: &mut Counts,
    ) -> u32 {
        if policy.is_cut(Direction::Out, *to.ip(), self.own, counts) {
            return 0;
        }
        let (law, by) = policy.law(*to.ip());
        let Some(law) = law else {
            return 1;
        };
        touch(by, counts);
        let words = Words::draw(&mut self.rng);
        let packet = bytes.len() as u64 + HEADERS;
        let now = now();
        if law.mtu.is_some_and(|mtu| packet > u64::from(mtu)) {
            counts.too_long += 1;
            self.upsets.note(What::Choked, *to.ip(), now);
            return 0;
        }
        let Some(queued) = self.queue(law, *to.ip(), now, packet) else {
            counts.congested += 1;
            self.upsets.note(What::Choked, *to.ip(), now);
            return 0;
        };
        if hits(law.loss, words.loss) {
            counts.lost += 1;
            return 0;
        }
        let mut latency = queued + law.latency.draw(words.latency);
        if hits(law.reorder, words.reorder) {
            latency = latency + between(words.reorder_by, Span::ZERO, law.reorder_by);
        }
        let copy =
            hits(law.duplicate, words.duplicate).then(|| queued + law.latency.draw(words.latency_of_copy));
        let mut at_once = 0;
        for (latency, is_copy) in [(Some(latency), false), (copy, true)] {
            let Some(latency) = latency else {
                continue;
            };
            if !latency.is_zero() {
                if self.bytes + bytes.len() + DELAYED > self.most_bytes {
                    counts.congested += 1;
                    self.upsets.note(What::Choked, *to.ip(), now);
                    continue;
                }
                let overdue = policy.overdue((law, by), now, latency, self.stall);
                self.delay((now + latency, overdue), (port, to), bytes);
            } else {
                at_once += 1;
            }
            counts.duplicated += u64::from(is_copy);
        }
        at_once
    }

    /// How long a datagram waits for its turn; `None` when the queue has no room for it.
    fn queue(&mut self, law: &LinkLaw, to: Ipv4Addr, now: Time, packet: u64) -> Option<Span> {
        let Some(bandwidth) = law.bandwidth else {
            return Some(Span::ZERO);
        };
        let free_at = self.free_at.get(&to).copied().unwrap_or(Time::ZERO);
        if carried(free_at.since(now), bandwidth).saturating_add(packet) > law.queue {
            return None;
        }
        if self.free_at.len() >= MOST_QUEUES && !self.free_at.contains_key(&to) {
            self.free_at.retain(|_, free_at| *free_at > now);
            if self.free_at.len() >= MOST_QUEUES {
                return None;
            }
        }
        let free_at = now.max(free_at) + transmission(packet, bandwidth);
        self.free_at.insert(to, free_at);
        Some(free_at.since(now))
    }

    fn delay(&mut self, (at, overdue): (Time, Time), (port, to): (u16, SocketAddrV4), bytes: &[u8]) {
        self.bytes += bytes.len() + DELAYED;
        self.delayed.push(Reverse(Delayed {
            at,
            ordinal: self.ordinal,
            overdue,
            port,
            to,
            bytes: bytes.to_vec(),
        }));
        self.ordinal += 1;
    }

    /// When the next datagram is due that it delays; [`Time::MAX`] when there is none.
    pub(crate) fn next(&self) -> Time {
        self.delayed.peek().map_or(Time::MAX, |Reverse(first)| first.at)
    }

    /// Takes out the datagram whose time has come first. `Some(None)`: a cut dropped it.
    pub(crate) fn due(&mut self, now: Time, counts: &mut Counts) -> Option<Option<Delayed>> {
        if self.next() > now {
            return None;
        }
        let Reverse(first) = self.delayed.pop()?;
        self.bytes -= first.bytes.len() + DELAYED;
        let policy = self.policy.as_ref();
        let cut =
            policy.is_some_and(|policy| policy.is_cut(Direction::Out, *first.to.ip(), self.own, counts));
        if !cut && now > first.overdue {
            self.upsets.note(What::Straggled, *first.to.ip(), now);
        }
        Some((!cut).then_some(first))
    }

    /// Whether there is something to tell before anything else goes out.
    #[inline]
    pub(crate) fn is_upset(&self) -> bool {
        self.upsets.any()
    }

    /// The next that is to be told of a link.
    pub(crate) fn next_upset(&mut self) -> Option<Upset> {
        self.upsets.next()
    }

    /// Has that told which came too soon after its like.
    pub(crate) fn recall_upsets(&mut self, now: Time) {
        self.upsets.recall(now);
    }

    /// Whether a datagram that came in is dropped.
    #[inline]
    pub(crate) fn drops(&self, from: Ipv4Addr, counts: &mut Counts) -> bool {
        let policy = self.policy.as_ref();
        policy.is_some_and(|policy| policy.is_cut(Direction::Back, from, self.own, counts))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Out,
    Back,
}

impl Policy {
    /// Whether a cut is in the way; counts the datagram then. What a host sends to itself crosses nothing that could be cut.
    fn is_cut(&self, direction: Direction, peer: Ipv4Addr, own: Ipv4Addr, counts: &mut Counts) -> bool {
        if peer == own {
            return false;
        }
        let Some(peer) = self.peers.get(&peer) else {
            return false;
        };
        let way = match direction {
            Direction::Out => &peer.out,
            Direction::Back => &peer.back,
        };
        let Way::Cut { by } = way else {
            return false;
        };
        counts.cut += 1;
        touch(by, counts);
        true
    }

    /// After when a datagram that is on its way for `latency` is a straggler. What the scenario's own law lets through now and then is
    /// none, nor is what the host is late with by no more than `stall`, as hosts may be.
    fn overdue(&self, (law, by): (&LinkLaw, &[u32]), now: Time, latency: Span, stall: Span) -> Time {
        let Some(tolerated) = self.tolerated else {
            return Time::MAX;
        };
        if latency > tolerated && !by.is_empty() && law.percentile_999() > tolerated {
            return now + tolerated;
        }
        (now + tolerated).max(now + latency + stall)
    }

    /// The law of what goes to an address, and by which entries of the timeline it is another one than the scenario's own.
    fn law(&self, to: Ipv4Addr) -> (Option<&LinkLaw>, &[u32]) {
        match self.peers.get(&to) {
            Some(peer) => (peer.law.as_ref(), &peer.by),
            None => (self.law.as_ref(), &self.by),
        }
    }
}

impl Words {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Words {
            loss: rng.next_u64(),
            latency: rng.next_u64(),
            reorder: rng.next_u64(),
            reorder_by: rng.next_u64(),
            duplicate: rng.next_u64(),
            latency_of_copy: rng.next_u64(),
        }
    }
}

fn touch(by: &[u32], counts: &mut Counts) {
    for entry in by {
        *counts.touched.entry(*entry).or_default() += 1;
    }
}

/// Whether a word hits a ratio: of all words, the ratio's share do.
fn hits(ratio: f64, word: u64) -> bool {
    word >> 11 < (ratio * (1u64 << 53) as f64) as u64
}

/// How many bytes a bandwidth, in bits a second, carries in a time; rounded down.
fn carried(span: Span, bandwidth: u64) -> u64 {
    let bytes = u128::from(span.as_nanos()) * u128::from(bandwidth) / 8_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
