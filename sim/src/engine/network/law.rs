//! A law of links at work: what of it every datagram needs, and apart from that what few links have.

use squall_nodes::{Span, Time};

use super::Departure;
use crate::draws::{Datagram as Words, Purpose, Ratio, below};
use crate::outcome::FaultDone;
use crate::plan::{HEADERS, Latency, LinkLaw, transmission};

/// What becomes of a datagram on its link, and how long its copies are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Lost,
    Congested,
    TooLong,
    Once(Span),
    Twice(Span, Span),
    /// It arrives with a flaw; its copy, if there is one, has none.
    Flawed {
        latency: Span,
        flaw: Flaw,
        copy: Option<Span>,
    },
}

/// A byte that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Which.
    pub(crate) place: usize,
    /// What is XORed to it; not 0.
    pub(crate) mask: u8,
}

pub(super) struct Law {
    pub(super) latency: Latency,
    pub(super) loss: Ratio,
    pub(super) duplicate: Ratio,
    pub(super) reorder: Ratio,
    pub(super) reorder_by: Span,
    /// What most links do not have. It lies apart, so that they need one look for all of it.
    rare: Option<Box<Rare>>,
}

pub(super) struct Rare {
    corrupt: Ratio,
    bandwidth: Option<u64>,
    queue: u64,
    mtu: Option<u32>,
    /// The places in the timeline of what laid the layers without which the law would be another one, each once.
    steps: Vec<usize>,
}

/// What the way out of a host makes of a datagram.
pub(super) enum Admission {
    /// It leaves the queue after a time, and may get a flaw on its way.
    Goes(Span, Option<Flaw>),
    Congested,
    TooLong,
}

impl Law {
    /// The law of links, whose datagrams count for these steps.
    pub(super) fn new(law: &LinkLaw, steps: Vec<usize>) -> Self {
        let rare = Rare {
            corrupt: Ratio::new(law.corrupt),
            bandwidth: law.bandwidth,
            queue: law.queue,
            mtu: law.mtu,
            steps,
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

    #[inline]
    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }
}

impl Rare {
    fn is_nothing(&self) -> bool {
        self.corrupt.is_zero() && self.bandwidth.is_none() && self.mtu.is_none() && self.steps.is_empty()
    }

    pub(super) fn mtu(&self) -> Option<u32> {
        self.mtu
    }

    /// Lets a datagram take its turn, or drops it.
    #[inline(never)]
    pub(super) fn admit<'l>(
        &self,
        datagram: &Departure,
        words: Words<'_>,
        faults: &mut [FaultDone],
        free_at: impl FnOnce() -> &'l mut Time,
    ) -> Admission {
        for step in &self.steps {
            faults[*step].affected += 1;
        }
        let bytes = datagram.len as u64 + HEADERS;
        if self.mtu.is_some_and(|mtu| bytes > u64::from(mtu)) {
            return Admission::TooLong;
        }
        let mut queued = Span::ZERO;
        if let Some(bandwidth) = self.bandwidth {
            let free_at = free_at();
            if carried(free_at.since(datagram.now), bandwidth).saturating_add(bytes) > self.queue {
                return Admission::Congested;
            }
            *free_at = datagram.now.max(*free_at) + transmission(bytes, bandwidth);
            queued = free_at.since(datagram.now);
        }
        let corrupted =
            datagram.len > 0 && !self.corrupt.is_zero() && self.corrupt.hits(words.word(Purpose::Corrupt));
        let flaw = corrupted.then(|| Flaw::drawn(words.word(Purpose::CorruptHow), datagram.len));
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

/// How many bytes a bandwidth, in bits a second, carries in a time; rounded down.
fn carried(span: Span, bandwidth: u64) -> u64 {
    const BIT_NANOS: u64 = 8 * 1_000_000_000;
    match span.as_nanos().checked_mul(bandwidth) {
        Some(product) => product / BIT_NANOS,
        None => {
            let bytes = u128::from(span.as_nanos()) * u128::from(bandwidth) / u128::from(BIT_NANOS);
            u64::try_from(bytes).unwrap_or(u64::MAX)
        }
    }
}
