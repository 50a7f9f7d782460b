//! The edge of a host: what its policy makes of the datagrams that it sends and receives.
//!
//! What comes in is under way until the law of its link lets it arrive: it goes through what the virtual network has, in the same
//! [order](squall_nodes::link::passage), but for corruption, and waits in a bounded heap. What goes out meets nothing but cuts.
//!
//! - Here: what is under way, and what has arrived.
//! - `force`: the policy that is in force, made ready for datagrams.
//! - `streams`: what it makes of streams.
//! - `upsets`: what is to be told of links.

mod force;
mod streams;
mod upsets;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use squall_nodes::link::passage::{Passage, Purpose, Words};
use squall_nodes::{HostKey, Span, Time};

use crate::line::Counts;
use crate::policy::{Policy, Way};
use force::{Direction, InForce};
pub(crate) use streams::Cuts;
use upsets::Upsets;
pub(crate) use upsets::{Upset, What};

/// What a datagram that is under way takes besides its payload: its place in the heap, and its allocation.
const UNDER_WAY: usize = size_of::<Reverse<UnderWay>>() + 32;
/// How many policies are remembered that something may go by.
const MOST_POLICIES: usize = 1 + Policy::MOST_MISSED;
/// Of how many senders it is known when their queues are empty again. Those whose queues are, are forgotten at this number.
const MOST_QUEUES: usize = 4096;

/// The edge of a host.
pub(crate) struct Edge {
    /// The host's own address: no cut is in the way from it.
    own: Ipv4Addr,
    /// The policy that is in force, behind those before it that something may still go by.
    policies: VecDeque<InForce>,
    rng: ChaCha8Rng,
    /// When the queue of the link from each sender is empty, where there is a bandwidth.
    free_at: BTreeMap<Ipv4Addr, Time>,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    /// What the node gets next, and when it has arrived. No cut stops it any more.
    arrived: VecDeque<(Time, Letter)>,
    /// How many were under way.
    ordinal: u64,
    /// How many bytes are under way or have arrived, and how many may.
    bytes: usize,
    most_bytes: usize,
    upsets: Upsets,
    /// How many streams with a host are stuck.
    stuck: BTreeMap<Ipv4Addr, u32>,
}

/// A datagram with its payload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Letter {
    /// The port that it was sent to.
    pub(crate) port: u16,
    pub(crate) from: SocketAddrV4,
    pub(crate) bytes: Vec<u8>,
}

/// A datagram on its way.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    at: Time,
    /// Of two with the same time, the one that came in first arrives first.
    ordinal: u64,
    pace: Pace,
    letter: Letter,
}

/// Whether those who watch for quiet have to know when a datagram arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    InTime,
    Straggles,
}

/// How long a datagram is under way, and its copy if it has one.
struct Fate {
    latency: Span,
    copy: Option<Span>,
    /// What is on its way for longer straggles.
    tolerated: Span,
}

impl Edge {
    /// The edge of a host in one of its lives. `most_bytes` is how much may be under way.
    pub(crate) fn new(own: Ipv4Addr, seed: u64, host: HostKey, incarnation: u32, most_bytes: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&host.0.to_le_bytes());
        key[16..20].copy_from_slice(&incarnation.to_le_bytes());
        key[24..].copy_from_slice(b"live edg");
        Edge {
            own,
            policies: VecDeque::new(),
            rng: ChaCha8Rng::from_seed(key),
            free_at: BTreeMap::new(),
            under_way: BinaryHeap::new(),
            arrived: VecDeque::new(),
            ordinal: 0,
            bytes: 0,
            most_bytes,
            upsets: Upsets::default(),
            stuck: BTreeMap::new(),
        }
    }

    /// Puts a policy in force, unless a later one is. What came in, or arrives, before it counts goes by the one before, whenever it is
    /// [taken in](Self::take_in); the first counts for all that came before, too.
    pub(crate) fn apply(&mut self, mut policy: Policy) {
        let missed = std::mem::take(&mut policy.missed);
        for mut policy in missed.into_iter().chain([policy]) {
            if self.number().is_some_and(|number| number >= policy.number) {
                continue;
            }
            let before = self.policies.back().map_or(Time::ZERO, |before| before.since);
            policy.since = policy.since.max(before);
            self.policies.push_back(InForce::new(policy));
            if self.policies.len() > MOST_POLICIES {
                self.policies.pop_front();
            }
        }
    }

    /// Forgets the policies that nothing goes by any more, if all is taken in that came in by a time.
    pub(crate) fn forget_before(&mut self, read: Time) {
        let needed = read.min(self.next());
        while self.policies.get(1).is_some_and(|next| next.since <= needed) {
            self.policies.pop_front();
        }
    }

    /// Whether any policy is.
    #[inline]
    pub(crate) fn is_in_force(&self) -> bool {
        !self.policies.is_empty()
    }

    /// The number of the policy that is in force.
    pub(crate) fn number(&self) -> Option<u64> {
        self.policies.back().map(|policy| policy.number)
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a datagram to an address goes out.
    #[inline]
    pub(crate) fn lets_out(&self, to: Ipv4Addr, counts: &mut Counts) -> bool {
        !self.is_cut(Direction::Out, to, Time::MAX, counts)
    }

    /// Takes in a datagram that the kernel had at `received`: it arrives later, or never.
    pub(crate) fn take_in(
        &mut self,
        received: Time,
        (port, from): (u16, SocketAddrV4),
        bytes: &[u8],
        counts: &mut Counts,
    ) {
        let Some(fate) = self.pass(*from.ip(), received, bytes.len(), counts) else {
            return;
        };
        for (latency, is_copy) in [(Some(fate.latency), false), (fate.copy, true)] {
            let Some(latency) = latency else {
                continue;
            };
            counts.duplicated += u64::from(is_copy);
            let taken = bytes.len() + UNDER_WAY;
            if self.bytes + taken > self.most_bytes {
                counts.congested += 1;
                self.upsets.note(What::Choked, *from.ip(), received);
                continue;
            }
            self.bytes += taken;
            let pace = match latency > fate.tolerated {
                true => Pace::Straggles,
                false => Pace::InTime,
            };
            self.under_way.push(Reverse(UnderWay {
                at: received + latency,
                ordinal: self.ordinal,
                pace,
                letter: Letter {
                    port,
                    from,
                    bytes: bytes.to_vec(),
                },
            }));
            self.ordinal += 1;
        }
    }

    /// Sends so many bytes into the link from an address; `None` when they are dropped there.
    fn pass(&mut self, from: Ipv4Addr, at: Time, len: usize, counts: &mut Counts) -> Option<Fate> {
        const AT_ONCE: Fate = Fate {
            latency: Span::ZERO,
            copy: None,
            tolerated: Span::LONGEST,
        };
        if self.is_cut(Direction::Back, from, at, counts) {
            return None;
        }
        let Some(link) = counting_at(&self.policies, at).map(|policy| policy.link_from(from)) else {
            return Some(AT_ONCE);
        };
        let Some(law) = &link.law else {
            return Some(AT_ONCE);
        };
        let words = Drawn::by(&mut self.rng);
        let queues = &mut self.free_at;
        let passage = law.passage(
            &words,
            at,
            len,
            || free_at(queues, from, at),
            |entry| touch(&[entry], counts),
        );
        let (latency, copy) = match passage {
            Passage::Once(latency) => (latency, None),
            Passage::Twice(latency, copy) => (latency, Some(copy)),
            // A law in force corrupts nothing.
            Passage::Flawed { latency, copy, .. } => (latency, copy),
            Passage::Lost => {
                counts.lost += 1;
                return None;
            }
            Passage::Congested => {
                counts.congested += 1;
                self.upsets.note(What::Choked, from, at);
                return None;
            }
            Passage::TooLong => {
                counts.too_long += 1;
                self.upsets.note(What::Choked, from, at);
                return None;
            }
        };
        Some(Fate {
            latency,
            copy,
            tolerated: link.tolerated,
        })
    }

    /// When the next datagram arrives; [`Time::MAX`] when none is under way.
    #[inline]
    pub(crate) fn next(&self) -> Time {
        self.under_way.peek().map_or(Time::MAX, |Reverse(first)| first.at)
    }

    /// Lets arrive what is to by now, unless a cut is in its way.
    pub(crate) fn arrive(&mut self, now: Time, counts: &mut Counts) {
        while self.next() <= now
            && let Some(Reverse(first)) = self.under_way.pop()
        {
            let from = *first.letter.from.ip();
            // What has left a host that has no power since is not taken back.
            let is_cut = matches!(self.way(Direction::Back, from, first.at), Some(Way::Cut { .. }));
            if is_cut && self.is_cut(Direction::Back, from, first.at, counts) {
                self.bytes -= first.letter.bytes.len() + UNDER_WAY;
                continue;
            }
            if first.pace == Pace::Straggles {
                self.upsets.note(What::Straggled, from, now);
            }
            self.arrived.push_back((first.at, first.letter));
        }
    }

    /// The next datagram of those that have arrived.
    #[inline]
    pub(crate) fn next_arrived(&mut self) -> Option<Letter> {
        let (_, letter) = self.arrived.pop_front()?;
        self.bytes -= letter.bytes.len() + UNDER_WAY;
        Some(letter)
    }

    /// When the next datagram of those has arrived; nothing when there is none.
    #[inline]
    pub(crate) fn first_arrived(&self) -> Option<Time> {
        self.arrived.front().map(|(at, _)| *at)
    }

    /// How many datagrams it holds.
    pub(crate) fn held(&self) -> u64 {
        (self.under_way.len() + self.arrived.len()) as u64
    }

    /// Whether there is something to tell before the node is told anything else.
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

    /// The way to or from a peer at a time. What a host sends to itself crosses nothing that could be cut.
    #[inline]
    fn way(&self, direction: Direction, peer: Ipv4Addr, at: Time) -> Option<&Way> {
        counting_at(&self.policies, at)
            .map(|policy| policy.way(direction, peer))
            .filter(|_| peer != self.own)
    }

    /// Whether nothing passes a way at a time; counts the datagram then.
    #[inline]
    fn is_cut(&self, direction: Direction, peer: Ipv4Addr, at: Time, counts: &mut Counts) -> bool {
        match self.way(direction, peer, at) {
            None | Some(Way::Open) => return false,
            Some(Way::Dead) => counts.unsent += 1,
            Some(Way::Cut { by }) => {
                counts.cut += 1;
                touch(by, counts);
            }
        }
        true
    }
}

/// The words of a datagram: as many are drawn for each, so that none shifts the draws of another.
struct Drawn([u64; Purpose::COUNT]);

impl Drawn {
    fn by(rng: &mut ChaCha8Rng) -> Self {
        Drawn(std::array::from_fn(|_| rng.next_u64()))
    }
}

impl Words for &Drawn {
    #[inline]
    fn word(self, purpose: Purpose) -> u64 {
        self.0[purpose as usize]
    }
}

/// The policy of these that counts at a time: the first counts for all before, too.
#[inline]
fn counting_at(policies: &VecDeque<InForce>, time: Time) -> Option<&InForce> {
    let counts = policies.iter().rev().find(|policy| policy.since <= time);
    counts.or(policies.front())
}

/// When the queue of the link from an address is empty; `None` when there are more such queues than can be remembered.
fn free_at(queues: &mut BTreeMap<Ipv4Addr, Time>, from: Ipv4Addr, now: Time) -> Option<&mut Time> {
    if queues.len() >= MOST_QUEUES && !queues.contains_key(&from) {
        queues.retain(|_, free_at| *free_at > now);
        if queues.len() >= MOST_QUEUES {
            return None;
        }
    }
    Some(queues.entry(from).or_insert(Time::ZERO))
}

fn touch(by: &[u32], counts: &mut Counts) {
    for entry in by {
        *counts.touched.entry(*entry).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
