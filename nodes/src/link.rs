//! What a link does to datagrams, in both worlds: the virtual network does it in virtual time, a live host at its own edge.
//!
//! - Here: the law of a link as a scenario states it, and what is put in place of parts of it.
//! - [`passage`]: a law at work, and what becomes of a datagram under it.

use serde::{Deserialize, Serialize};

use crate::latency::Latency;
use crate::protocol::Tolerance;
use crate::time::Span;

pub mod passage;

/// What one direction between two hosts does to datagrams. Ratios are from 0 to 1.
///
/// In this order: what a cut is in the way of is dropped; what is longer than the MTU is dropped; what the queue of the bandwidth
/// has no room for is dropped; the rest takes its turn in the queue, and then may be lost, corrupted, delayed, held back and
/// doubled. So what is lost has used the bandwidth, and a copy has not. What a host sends to itself crosses no link that could be
/// cut or changed, but is treated by the law of its zone or the default like everything else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkLaw {
    /// How long a datagram is on its way, once it has left the queue.
    pub latency: Latency,
    /// The share that is lost.
    pub loss: f64,
    /// The share that arrives twice; the copy draws a latency of its own.
    pub duplicate: f64,
    /// The share that is held back, so that later ones overtake it.
    pub reorder: f64,
    /// How long what is held back is held back at most; the time is drawn uniformly.
    pub reorder_by: Span,
    /// The share in which one byte, drawn, is turned into another one. What the network's own checksums catch is lost; this
    /// is what they let through. A copy is not corrupted with it, and a datagram without a payload has no byte to corrupt.
    pub corrupt: f64,
    /// How many bits it carries in a second; without a bound when `None`. A datagram counts with [`HEADERS`], and goes out, first
    /// come, first served, in the time of [`transmission`]. When the bandwidth changes, what waits goes out when it would have.
    pub bandwidth: Option<u64>,
    /// How many bytes may wait for their turn, where there is a bandwidth: those of the datagram under way that have not gone out
    /// count, and those of the datagram that would come in. What finds no room is dropped. The bytes that wait are what the
    /// bandwidth carries until the link is free, rounded down.
    pub queue: u64,
    /// The longest packet, in bytes, [`HEADERS`] included; what is longer is dropped, and nobody is told. `None` for no bound
    /// but that of UDP.
    pub mtu: Option<u32>,
}

/// What a datagram has besides its payload on the wire, in bytes: an IPv4 header without options, and a UDP header.
pub const HEADERS: u64 = 28;

/// What is put in place of single parts of a link's law; the others stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkChange {
    /// In place of [`LinkLaw::latency`].
    pub latency: Option<Latency>,
    /// In place of [`LinkLaw::loss`].
    pub loss: Option<f64>,
    /// In place of [`LinkLaw::duplicate`].
    pub duplicate: Option<f64>,
    /// In place of [`LinkLaw::reorder`].
    pub reorder: Option<f64>,
    /// In place of [`LinkLaw::reorder_by`].
    pub reorder_by: Option<Span>,
    /// In place of [`LinkLaw::corrupt`].
    pub corrupt: Option<f64>,
    /// In place of [`LinkLaw::bandwidth`].
    pub bandwidth: Option<u64>,
    /// In place of [`LinkLaw::queue`].
    pub queue: Option<u64>,
    /// In place of [`LinkLaw::mtu`].
    pub mtu: Option<u32>,
}

impl LinkChange {
    /// The law with what this puts in its place.
    pub fn over(&self, law: &LinkLaw) -> LinkLaw {
        LinkLaw {
            latency: self.latency.clone().unwrap_or_else(|| law.latency.clone()),
            loss: self.loss.unwrap_or(law.loss),
            duplicate: self.duplicate.unwrap_or(law.duplicate),
            reorder: self.reorder.unwrap_or(law.reorder),
            reorder_by: self.reorder_by.unwrap_or(law.reorder_by),
            corrupt: self.corrupt.unwrap_or(law.corrupt),
            bandwidth: self.bandwidth.or(law.bandwidth),
            queue: self.queue.unwrap_or(law.queue),
            mtu: self.mtu.or(law.mtu),
        }
    }
}

impl LinkLaw {
    /// The queue of a link of which nobody says otherwise: 256 KiB.
    pub const QUEUE: u64 = 256 * 1024;

    /// A link that does nothing to datagrams but delay them.
    pub fn delaying(latency: Latency) -> Self {
        LinkLaw {
            latency,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Span::ZERO,
            corrupt: 0.0,
            bandwidth: None,
            queue: Self::QUEUE,
            mtu: None,
        }
    }

    /// Whether loss and latency keep within what is tolerated, with what reordering and a full queue add to the latency. What
    /// is corrupted is at best lost, and counts as such.
    pub fn is_within(&self, tolerated: &Tolerance) -> bool {
        // Written so that it is exact where nothing is corrupted.
        let lost = self.loss + self.corrupt - self.loss * self.corrupt;
        lost <= tolerated.loss && self.percentile_999() <= tolerated.latency
    }

    /// The time on the way that 999 of 1000 datagrams do not exceed, or a little more: when more than one of 1000 is held back,
    /// as long as one can be held back is added; and where there is a bandwidth, the time that a full queue takes.
    pub fn percentile_999(&self) -> Span {
        let held_back = if self.reorder > 0.001 {
            self.reorder_by
        } else {
            Span::ZERO
        };
        self.latency.percentile_999() + held_back + self.full_queue()
    }

    /// The time that a full queue takes; nothing where there is no bandwidth.
    pub fn full_queue(&self) -> Span {
        self.bandwidth
            .map_or(Span::ZERO, |bandwidth| transmission(self.queue, bandwidth))
    }
}

/// What a byte takes at a bit a second, in nanoseconds.
const BIT_NANOS: u64 = 8 * 1_000_000_000;

/// How long `bytes` take at a bandwidth, in bits a second; rounded up to a whole nanosecond.
pub fn transmission(bytes: u64, bandwidth: u64) -> Span {
    let bandwidth = bandwidth.max(1);
    let nanos = match bytes.checked_mul(BIT_NANOS) {
        // As good as always: the division of wider numbers is a slow one.
        Some(product) => product.div_ceil(bandwidth),
        None => {
            let nanos = (u128::from(bytes) * u128::from(BIT_NANOS)).div_ceil(u128::from(bandwidth));
            u64::try_from(nanos).unwrap_or(u64::MAX)
        }
    };
    Span::from_nanos(nanos).min(Span::LONGEST)
}

/// How many bytes a bandwidth, in bits a second, carries in a time; rounded down.
fn carried(span: Span, bandwidth: u64) -> u64 {
    match span.as_nanos().checked_mul(bandwidth) {
        Some(product) => product / BIT_NANOS,
        None => {
            let bytes = u128::from(span.as_nanos()) * u128::from(bandwidth) / u128::from(BIT_NANOS);
            u64::try_from(bytes).unwrap_or(u64::MAX)
        }
    }
}
