//! What the hosts of a story are told of their links.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use squall_live::clock::monotonic;
use squall_live::{Peer, Policy, Way};
use squall_nodes::latency::Latency;
use squall_nodes::link::LinkLaw;
use squall_nodes::{Span, Time};

pub(super) struct Links {
    ips: Vec<Ipv4Addr>,
    law: Option<LinkLaw>,
    /// From whom to whom nothing passes.
    cuts: BTreeSet<(usize, usize)>,
    /// From whom to whom everything is lost.
    losses: BTreeSet<(usize, usize)>,
    /// From whom to whom it takes how long.
    delays: BTreeMap<(usize, usize), Span>,
    /// Who has no power.
    dead: BTreeSet<usize>,
    /// Since when they are as they are.
    since: Time,
    policies: u64,
}

impl Links {
    /// Links between these addresses, which have this law, all of them.
    pub(super) fn new(ips: Vec<Ipv4Addr>, law: Option<LinkLaw>) -> Self {
        Links {
            ips,
            law,
            cuts: BTreeSet::new(),
            losses: BTreeSet::new(),
            delays: BTreeMap::new(),
            dead: BTreeSet::new(),
            since: Time::ZERO,
            policies: 0,
        }
    }

    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.since = monotonic();
        self.cuts.insert((from, to));
    }

    pub(super) fn lose(&mut self, from: usize, to: usize) {
        self.since = monotonic();
        self.losses.insert((from, to));
    }

    pub(super) fn delay(&mut self, from: usize, to: usize, by: Span) {
        self.since = monotonic();
        self.delays.insert((from, to), by);
    }

    pub(super) fn unplug(&mut self, place: usize) {
        self.since = monotonic();
        self.dead.insert(place);
    }

    /// Whether it was unplugged.
    pub(super) fn plug_in(&mut self, place: usize) -> bool {
        self.since = monotonic();
        self.dead.remove(&place)
    }

    pub(super) fn heal(&mut self) {
        self.since = monotonic();
        self.cuts.clear();
        self.losses.clear();
        self.delays.clear();
    }

    /// The policy of a host, with a number that none had before.
    pub(super) fn policy_of(&mut self, place: usize) -> Policy {
        self.policies += 1;
        let way = |from, to| {
            if self.cuts.contains(&(from, to)) {
                Way::Cut { by: vec![0] }
            } else if from != to && (self.dead.contains(&from) || self.dead.contains(&to)) {
                Way::Dead
            } else {
                Way::Open
            }
        };
        let law_from = |other| {
            let mut law = self.law.clone();
            if let Some(law) = &mut law {
                if self.losses.contains(&(other, place)) {
                    law.loss = 1.0;
                }
                if let Some(by) = self.delays.get(&(other, place)) {
                    law.latency = Latency::Constant(*by);
                }
            }
            law
        };
        let peer = |other| Peer {
            out: way(place, other),
            back: way(other, place),
            law: law_from(other),
            by: Vec::new(),
        };
        let peers = self.ips.iter().enumerate().map(|(other, ip)| (*ip, peer(other)));
        Policy {
            number: self.policies,
            since: self.since,
            missed: Vec::new(),
            law: self.law.clone(),
            by: Vec::new(),
            peers: peers.collect(),
            tolerated: None,
            min_rto: None,
        }
    }
}
