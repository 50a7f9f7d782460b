//! A policy that is in force: its laws made ready for datagrams, once and not for each of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use squall_nodes::link::LinkLaw;
use squall_nodes::link::passage::Law;
use squall_nodes::{Span, Time};

use crate::policy::{Policy, Way};

pub(super) struct InForce {
    pub(super) number: u64,
    pub(super) since: Time,
    /// What the variation of round trips adds to a retransmission timeout at least, if the policy says.
    pub(super) min_rto: Option<Span>,
    /// The link from everybody who is not named.
    others: Link,
    peers: BTreeMap<Ipv4Addr, Peer>,
}

struct Peer {
    out: Way,
    back: Way,
    link: Link,
}

/// The link from somebody.
pub(super) struct Link {
    pub(super) law: Option<Law>,
    /// What takes longer straggles. What the scenario's own law lets through now and then does not.
    pub(super) tolerated: Span,
}

#[derive(Clone, Copy)]
pub(super) enum Direction {
    Out,
    Back,
}

impl InForce {
    pub(super) fn new(policy: Policy) -> Self {
        let tolerated = policy.tolerated.unwrap_or(Span::LONGEST);
        let peers = policy.peers.into_iter().map(|(ip, peer)| {
            let link = Link::new(peer.law, peer.by, tolerated);
            let (out, back) = (peer.out, peer.back);
            (ip, Peer { out, back, link })
        });
        InForce {
            number: policy.number,
            since: policy.since,
            min_rto: policy.min_rto,
            others: Link::new(policy.law, policy.by, tolerated),
            peers: peers.collect(),
        }
    }

    pub(super) fn link_from(&self, ip: Ipv4Addr) -> &Link {
        self.peers.get(&ip).map_or(&self.others, |peer| &peer.link)
    }

    /// A way to or from somebody.
    pub(super) fn way(&self, direction: Direction, ip: Ipv4Addr) -> &Way {
        match (self.peers.get(&ip), direction) {
            (None, _) => &Way::Open,
            (Some(peer), Direction::Out) => &peer.out,
            (Some(peer), Direction::Back) => &peer.back,
        }
    }
}

impl Link {
    fn new(law: Option<LinkLaw>, by: Vec<u32>, tolerated: Span) -> Self {
        let Some(mut law) = law else {
            return Link {
                law: None,
                tolerated: Span::LONGEST,
            };
        };
        // Live datagrams are only ever lost whole.
        law.corrupt = 0.0;
        let is_beyond = !by.is_empty() && law.percentile_999() > tolerated;
        Link {
            tolerated: if is_beyond { tolerated } else { Span::LONGEST },
            law: Some(Law::new(&law, by)),
        }
    }
}
