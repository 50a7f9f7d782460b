//! A policy that is in force: its laws made ready for datagrams, once and not for each of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use squall_nodes::Span;
use squall_nodes::link::LinkLaw;
use squall_nodes::link::passage::Law;

use crate::policy::{Policy, Way};

pub(super) struct InForce {
    pub(super) number: u64,
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
            min_rto: policy.min_rto,
            others: Link::new(policy.law, policy.by, tolerated),
            peers: peers.collect(),
        }
    }

    pub(super) fn link_from(&self, ip: Ipv4Addr) -> &Link {
        self.peers.get(&ip).map_or(&self.others, |peer| &peer.link)
    }

    /// The entries of the timeline that cut a way; `None` when it is open.
    pub(super) fn cut(&self, direction: Direction, ip: Ipv4Addr) -> Option<&[u32]> {
        let peer = self.peers.get(&ip)?;
        let way = match direction {
            Direction::Out => &peer.out,
            Direction::Back => &peer.back,
        };
        match way {
            Way::Open => None,
            Way::Cut { by } => Some(by),
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
