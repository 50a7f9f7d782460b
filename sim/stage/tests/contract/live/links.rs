//! What the hosts of a story are told of their links.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use squall_live::{Peer, Policy, Way};
use squall_nodes::link::LinkLaw;

pub(super) struct Links {
    ips: Vec<Ipv4Addr>,
    law: Option<LinkLaw>,
    /// From whom to whom nothing passes.
    cuts: BTreeSet<(usize, usize)>,
    policies: u64,
}

impl Links {
    /// Links between these addresses, which have this law, all of them.
    pub(super) fn new(ips: Vec<Ipv4Addr>, law: Option<LinkLaw>) -> Self {
        Links {
            ips,
            law,
            cuts: BTreeSet::new(),
            policies: 0,
        }
    }

    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }

    /// The policy of a host, with a number that none had before.
    pub(super) fn policy_of(&mut self, place: usize) -> Policy {
        self.policies += 1;
        let way = |from, to| match self.cuts.contains(&(from, to)) {
            true => Way::Cut { by: vec![0] },
            false => Way::Open,
        };
        let peer = |other| Peer {
            out: way(place, other),
            back: way(other, place),
            law: self.law.clone(),
            by: Vec::new(),
        };
        let peers = self.ips.iter().enumerate().map(|(other, ip)| (*ip, peer(other)));
        Policy {
            number: self.policies,
            law: self.law.clone(),
            by: Vec::new(),
            peers: peers.collect(),
            tolerated: None,
            min_rto: None,
        }
    }
}
