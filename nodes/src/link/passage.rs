//! A law of links at work: what becomes of a datagram on its way, in the one order in which both worlds go by it.
//!
//! Where the random words come from is the world's: the virtual network keys them, a live edge draws them. So is where that is kept which
//! a link remembers: when it is done with what it was given to carry.

pub mod stream;

use super::{HEADERS, LinkLaw, carried, transmission};
use crate::latency::Latency;
use crate::rng::{Ratio, below, between};
use crate::time::{Span, Time};

/// What becomes of a datagram on its link, and how long its copies are under way, their time in the queue included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is lost.
    Lost,
    /// The queue of the link has no room for it.
    Congested,
    /// It is longer than the link's MTU.
    TooLong,
    /// It arrives.
    Once(Span),
    /// It arrives, and a copy of it does.
    Twice(Span, Span),
    /// It arrives with a flaw; its copy, if there is one, has none.
    Flawed {
        /// How long it is under way.
        latency: Span,
        /// What is wrong with it.
        flaw: Flaw,
        /// How long the copy is under way.
        copy: Option<Span>,
    },
}

/// A byte that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Which, counted from 0; always one of the payload's.
    pub place: usize,
    /// What is XORed to it; not 0.
    pub mask: u8,
}

/// What a word is drawn for. Each datagram has one word for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whether it is lost.
    Loss,
    /// Whether it is doubled.
    Duplicate,
    /// How long it is on its way.
    Latency,
    /// How long its copy is.
    LatencyOfCopy,
    /// Whether it is held back.
    Reorder,
    /// For how long.
    ReorderBy,
    /// Whether it is corrupted.
    Corrupt,
    /// Which byte is corrupted, and how.
    CorruptHow,
}

impl Purpose {
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// The random words of one datagram. Each is uniform over all 64 bits, and independent of the others.
pub trait Words: Copy {
    /// The word for a purpose: the same each time that it is asked for.
    fn word(self, purpose: Purpose) -> u64;
}

/// A law of links, made ready for datagrams.
#[derive(Clone, Debug)]
pub struct Law {
    latency: Latency,
    loss: Ratio,
    duplicate: Ratio,
    reorder: Ratio,
    reorder_by: Span,
    /// What most links do not have. It lies apart, so that they need one look for all of it.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug)]
struct Rare {
    corrupt: Ratio,
    bandwidth: Option<u64>,
    queue: u64,
    mtu: Option<u32>,
    entries: Vec<u32>,
}

/// What the way into a link makes of a datagram.
enum Admission {
    /// It leaves the queue after a time, and may get a flaw on its way.
    Goes(Span, Option<Flaw>),
    Congested,
    TooLong,
}

impl Law {
    /// The law at work. Each of its datagrams counts for these entries of a timeline: those without which it would be another law.
    pub fn new(law: &LinkLaw, entries: Vec<u32>) -> Self {
        let rare = Rare {
            corrupt: Ratio::new(law.corrupt),
            bandwidth: law.bandwidth,
            queue: law.queue,
            mtu: law.mtu,
            entries,
        };
        Law {
            latency: law.latency.clone(),
            loss: Ratio::new(law.loss),
            duplicate: Ratio::new(law.duplicate),
            reorder: Ratio::new(law.reorder),
            reorder_by: law.reorder_by,
            rare: (!rare.is_nothing()).then(|| Box::new(rare)),
        }
    }

    /// The longest packet that passes; `None` for no bound.
    pub fn mtu(&self) -> Option<u32> {
        self.rare.as_ref()?.mtu
    }

    /// Sends a datagram with a payload of `len` bytes into the link at `now`.
    ///
    /// `free_at` lends the time at which the link is done with what it was given to carry, which is kept up to date. It is asked only
    /// where there is a bandwidth; when there is nothing to lend, since no more can be remembered, the datagram finds no room. `count` is
    /// told each entry that the datagram counts for.
    #[inline(always)]
    pub fn passage<'l>(
        &self,
        words: impl Words,
        now: Time,
        len: usize,
        free_at: impl FnOnce() -> Option<&'l mut Time>,
        count: impl FnMut(u32),
    ) -> Passage {
        let (mut queued, mut flaw) = (Span::ZERO, None);
        if let Some(rare) = self.rare.as_deref() {
            match rare.admit(words, now, len, free_at, count) {
                Admission::Goes(after, how) => (queued, flaw) = (after, how),
                Admission::Congested => return Passage::Congested,
                Admission::TooLong => return Passage::TooLong,
            }
        }
        // Where each word has a key of its own, those that the law has no use for need not be drawn.
        if !self.loss.is_zero() && self.loss.hits(words.word(Purpose::Loss)) {
            return Passage::Lost;
        }
        let mut latency = queued + self.latency.draw(words.word(Purpose::Latency));
        if !self.reorder.is_zero() && self.reorder.hits(words.word(Purpose::Reorder)) {
            latency = latency + between(words.word(Purpose::ReorderBy), Span::ZERO, self.reorder_by);
        }
        let mut copy = None;
        if !self.duplicate.is_zero() && self.duplicate.hits(words.word(Purpose::Duplicate)) {
            copy = Some(queued + self.latency.draw(words.word(Purpose::LatencyOfCopy)));
        }
        match (flaw, copy) {
            (None, None) => Passage::Once(latency),
            (None, Some(copy)) => Passage::Twice(latency, copy),
            (Some(flaw), copy) => Passage::Flawed { latency, flaw, copy },
        }
    }
}

impl Rare {
    fn is_nothing(&self) -> bool {
        self.corrupt.is_zero() && self.bandwidth.is_none() && self.mtu.is_none() && self.entries.is_empty()
    }

    /// Lets a datagram take its turn, or drops it.
    #[inline(never)]
    fn admit<'l>(
        &self,
        words: impl Words,
        now: Time,
        len: usize,
        free_at: impl FnOnce() -> Option<&'l mut Time>,
        mut count: impl FnMut(u32),
    ) -> Admission {
        for entry in &self.entries {
            count(*entry);
        }
        let bytes = len as u64 + HEADERS;
        if self.mtu.is_some_and(|mtu| bytes > u64::from(mtu)) {
            return Admission::TooLong;
        }
        let mut queued = Span::ZERO;
        if let Some(bandwidth) = self.bandwidth {
            let Some(free_at) = free_at() else {
                return Admission::Congested;
            };
            if carried(free_at.since(now), bandwidth).saturating_add(bytes) > self.queue {
                return Admission::Congested;
            }
            *free_at = now.max(*free_at) + transmission(bytes, bandwidth);
            queued = free_at.since(now);
        }
        let corrupted = len > 0 && !self.corrupt.is_zero() && self.corrupt.hits(words.word(Purpose::Corrupt));
        let flaw = corrupted.then(|| Flaw::drawn(words.word(Purpose::CorruptHow), len));
        Admission::Goes(queued, flaw)
    }
}

impl Flaw {
    /// One of `len` bytes, and one of the 255 things that can happen to it, each as likely: by the two halves of the word.
    fn drawn(word: u64, len: usize) -> Self {
        let (high, low) = (word & !u64::from(u32::MAX), word << 32);
        Flaw {
            place: below(high, len as u64) as usize,
            mask: 1 + below(low, 255) as u8,
        }
    }
}

#[cfg(test)]
mod tests;
