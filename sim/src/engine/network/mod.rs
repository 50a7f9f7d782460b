//! The virtual network: what becomes of a datagram between two hosts.
//!
//! - Here: the links that are used, each with its law and its ordinal.
//! - `laws`: which law each link has, with the [layers](crate::layers) that change it.
//!
//! What a law makes of a datagram is the same [live](squall_nodes::link::passage).

mod laws;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use squall_nodes::link::passage::{Flaw, Passage};
use squall_nodes::{HostId, HostKey, Time, Tolerance};

use crate::draws::Draws;
use crate::layers::Over;
use crate::outcome::FaultDone;
use crate::plan::Network;

use laws::Laws;

/// The links of one run.
pub(crate) struct Links<'p> {
    laws: Laws<'p>,
    /// For each host the links that it has sent on.
    rows: Vec<Row>,
}

/// A datagram that is about to go out.
#[derive(Clone, Copy)]
pub(crate) struct Departure {
    pub(crate) from: HostId,
    pub(crate) to: HostId,
    pub(crate) now: Time,
    /// How long its payload is, in bytes.
    pub(crate) len: usize,
}

#[derive(Default)]
struct Row {
    /// Sorted by receiver.
    links: Vec<Link>,
    /// When each of them is done with what it was given to carry. Empty until one of them has a bandwidth.
    free_at: Vec<Time>,
    /// Where the link used last stands: broadcasts go down the row in order, and the next begins where this one did.
    cursor: usize,
}

#[derive(Clone, Copy)]
struct Link {
    to: HostId,
    /// The law that it has now: layers that come and go put another one here.
    law: u32,
    key: u64,
    ordinal: u64,
}

impl<'p> Links<'p> {
    pub(crate) fn new(network: &'p Network, tolerated: Tolerance, hosts: usize) -> Self {
        Links {
            laws: Laws::new(network, tolerated),
            rows: (0..hosts).map(|_| Row::default()).collect(),
        }
    }

    /// Forgets what was sent, and every layer.
    pub(crate) fn clear(&mut self) {
        self.laws.clear();
        for row in &mut self.rows {
            row.links.clear();
            row.free_at.clear();
            row.cursor = 0;
        }
    }

    /// Sends the next datagram from one host to another. Counts it for the faults without which the link
    /// would have another law.
    #[inline(always)]
    pub(crate) fn send(
        &mut self,
        draws: &Draws,
        keys: &[HostKey],
        faults: &mut [FaultDone],
        datagram: Departure,
    ) -> Passage {
        let Links { laws, rows } = self;
        let row = &mut rows[datagram.from.index()];
        let place = row.find(draws, keys, laws, datagram.from, datagram.to);
        let link = &mut row.links[place];
        let words = draws.datagram(link.key, link.ordinal);
        link.ordinal += 1;
        laws.get(link.law).passage(
            words,
            datagram.now,
            datagram.len,
            || Some(row.free_at(place)),
            |step| faults[step as usize].affected += 1,
        )
    }

    /// The longest packet that a link carries now; `None` for no bound.
    pub(crate) fn mtu(&self, from: HostId, to: HostId) -> Option<u32> {
        let row = &self.rows[from.index()].links;
        let law = match row.binary_search_by_key(&to, |link| link.to) {
            Ok(place) => row[place].law,
            Err(_) => self.laws.of(from, to),
        };
        self.laws.get(law).mtu()
    }

    /// Lets a datagram be the next one from one host to another, though a cut drops it: so it shifts no draw of a later one.
    #[cold]
    pub(crate) fn skip(&mut self, draws: &Draws, keys: &[HostKey], from: HostId, to: HostId) {
        let Links { laws, rows } = self;
        let row = &mut rows[from.index()];
        let place = row.find(draws, keys, laws, from, to);
        row.links[place].ordinal += 1;
    }

    /// Lays a layer over the links that it names.
    pub(crate) fn lay(&mut self, over: &Arc<Over>) {
        let Links { laws, rows } = self;
        laws.lay(over, |(from, to), law| rows[from.index()].set(to, law));
    }

    /// Takes a layer away from the links that it names.
    pub(crate) fn heal(&mut self, over: &Arc<Over>) {
        let Links { laws, rows } = self;
        laws.heal(over, |(from, to), law| rows[from.index()].set(to, law));
    }

    /// The links that layers make worse than what is tolerated, sorted.
    pub(crate) fn beyond(&self) -> Vec<(HostId, HostId)> {
        self.laws.beyond()
    }

    /// Whether layers make a link worse than what is tolerated.
    pub(crate) fn is_beyond(&self, from: HostId, to: HostId) -> bool {
        self.laws.is_beyond((from, to))
    }

    /// How many steps it has taken to keep up with the layers, about, as [`World::effort`](squall_nodes::World::effort) counts
    /// them.
    pub(crate) fn effort(&self) -> u64 {
        self.laws.effort()
    }
}

impl Row {
    /// The place of the link to a receiver, which is made when it is used for the first time.
    #[inline(always)]
    fn find(&mut self, draws: &Draws, keys: &[HostKey], laws: &Laws<'_>, from: HostId, to: HostId) -> usize {
        let next = if self.cursor + 1 < self.links.len() {
            self.cursor + 1
        } else {
            0
        };
        let place = if self.links.get(next).is_some_and(|link| link.to == to) {
            next
        } else {
            match self.links.binary_search_by_key(&to, |link| link.to) {
                Ok(place) => place,
                Err(place) => {
                    let link = Link {
                        to,
                        law: laws.of(from, to),
                        key: draws.link(keys[from.index()], keys[to.index()]),
                        ordinal: 0,
                    };
                    self.insert(place, link);
                    place
                }
            }
        };
        self.cursor = place;
        place
    }

    #[cold]
    fn insert(&mut self, place: usize, link: Link) {
        self.links.insert(place, link);
        if !self.free_at.is_empty() {
            self.free_at.insert(place, Time::ZERO);
        }
    }

    /// When the link at a place is done with what it was given to carry.
    fn free_at(&mut self, place: usize) -> &mut Time {
        if self.free_at.is_empty() {
            self.free_at.resize(self.links.len(), Time::ZERO);
        }
        &mut self.free_at[place]
    }

    /// Gives the link to a receiver another law, if it was ever used.
    fn set(&mut self, to: HostId, law: u32) {
        if let Ok(place) = self.links.binary_search_by_key(&to, |link| link.to) {
            self.links[place].law = law;
        }
    }
}
