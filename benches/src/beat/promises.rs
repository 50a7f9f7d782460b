//! What is promised of beating nodes. Each promise is judged in every run of the benchmarks, as those of a user's protocol
//! are in a user's.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use squall_nodes::{
    Always, Breach, Change, Group, HostId, InQuiet, InvariantKind, Judged, Placed, Seen, Setup, Span, Time,
    World,
};

use super::{BeatFact, BeatNode};

/// The invariants of `beat`.
pub(super) fn all() -> Vec<InvariantKind<BeatNode>> {
    vec![
        InvariantKind::always(
            "true_claims",
            "A node takes a peer for silent only after the timeout, and has heard all of them only when each was up.",
            TrueClaims::new,
        ),
        InvariantKind::in_quiet(
            "heard",
            "Every node hears those of its peers that it can reach.",
            // Who has heard all says so at its next beat.
            |setup| longest_gap(setup) + interval(setup),
            Heard::new,
        ),
    ]
}

/// What a node says of its peers is true.
#[derive(Clone)]
struct TrueClaims {
    timeout: Span,
    peers: Vec<Vec<HostId>>,
    /// Which hosts came up or went down; of the others, those that are up were so from the beginning.
    appeared: Vec<bool>,
}

impl TrueClaims {
    fn new(setup: &Setup<'_, BeatNode>) -> Self {
        TrueClaims {
            timeout: shortest_timeout(setup),
            peers: peers(setup),
            appeared: vec![false; setup.hosts.len()],
        }
    }
}

impl Always<BeatNode> for TrueClaims {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, BeatNode>, world: &World) -> Result<Judged, Breach> {
        match seen {
            Seen::World(Change::Up { host, .. } | Change::Down { host, .. }) => {
                self.appeared[host.index()] = true;
            }
            Seen::Fact { host, fact, .. } => return self.claimed(*host, fact, world).map(|()| Judged::Yes),
            // Calls and answers there are none, and nothing else of the world matters.
            _ => {}
        }
        Ok(Judged::NotConcerned)
    }
}

impl TrueClaims {
    fn claimed(&self, host: HostId, fact: &BeatFact, world: &World) -> Result<(), Breach> {
        let name = world.name(host);
        match fact {
            BeatFact::Silent { since, .. } if *since < self.timeout => {
                let detail = format!("{name} takes a peer for silent after only {since}");
                Err(Breach::new(detail, [host]))
            }
            BeatFact::Silent { .. } => Ok(()),
            BeatFact::Complete => {
                let was_up = |peer: &&HostId| self.appeared[peer.index()] || world.is_up(**peer);
                match self.peers[host.index()].iter().find(|peer| !was_up(peer)) {
                    Some(peer) => {
                        let detail = format!("{name} heard {}, which never was up", world.name(*peer));
                        Err(Breach::new(detail, [host, *peer]))
                    }
                    None => Ok(()),
                }
            }
        }
    }
}

/// Every node hears those of its peers that it can reach.
#[derive(Clone)]
struct Heard {
    longest_gap: Span,
    peers: Vec<Vec<HostId>>,
    /// Which hosts have heard all their peers in this life.
    complete: Vec<bool>,
    /// What each last said of a peer that it took for silent.
    silences: BTreeMap<(HostId, HostId), Silence>,
}

/// What a node said of a peer: it was not heard in between.
#[derive(Clone, Copy)]
struct Silence {
    from: Time,
    to: Time,
}

impl Heard {
    fn new(setup: &Setup<'_, BeatNode>) -> Self {
        Heard {
            longest_gap: longest_gap(setup),
            peers: peers(setup),
            complete: vec![false; setup.hosts.len()],
            silences: BTreeMap::new(),
        }
    }
}

impl InQuiet<BeatNode> for Heard {
    fn observe(&mut self, at: Time, seen: &Seen<'_, BeatNode>, _world: &World) -> Judged {
        match seen {
            Seen::World(Change::Up { host, .. }) => self.complete[host.index()] = false,
            Seen::Fact {
                host,
                fact: BeatFact::Complete,
                ..
            } => self.complete[host.index()] = true,
            Seen::Fact {
                host,
                fact: BeatFact::Silent { peer, since },
                ..
            } => {
                let silence = Silence {
                    from: at - *since,
                    to: at,
                };
                let peer = self.peers[host.index()][*peer as usize];
                self.silences.insert((*host, peer), silence);
                return Judged::Yes;
            }
            // Calls and answers there are none, and nothing else of the world matters.
            _ => {}
        }
        // Nothing else can break the promise; that a host has still not heard all is found by looking again.
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, _at: Time, world: &World) -> Result<Judged, Breach> {
        let mut judged = Judged::NotConcerned;
        let everyone_is_in_it = group.hosts.len() == self.peers.len();
        for &host in &group.hosts {
            let peers = &self.peers[host.index()];
            let all_are_in_it = everyone_is_in_it || peers.iter().all(|peer| group.contains(*peer));
            if peers.is_empty() || !all_are_in_it {
                continue;
            }
            if !self.complete[host.index()] {
                let detail = format!("{} has not heard all its peers", world.name(host));
                return Err(Breach::new(detail, [host]));
            }
            judged = Judged::Yes;
        }
        for ((host, peer), silence) in &self.silences {
            if !group.contains(*host) || !group.contains(*peer) {
                continue;
            }
            // What was not heard while it could not be is no matter.
            let unheard = silence.to.since(silence.from.max(group.quiet_since));
            if unheard > self.longest_gap {
                let (host_name, peer_name) = (world.name(*host), world.name(*peer));
                let detail = format!("{host_name} can reach {peer_name} and did not hear it for {unheard}");
                return Err(Breach::new(detail, [*host, *peer]));
            }
            judged = Judged::Yes;
        }
        Ok(judged)
    }
}

/// How long a peer that can be reached may not be heard: until so many beats in a row would have to be lost that they never
/// are. That is a beat more than would do for a sweep, since benchmarks run for longer.
fn longest_gap(setup: &Setup<'_, BeatNode>) -> Span {
    interval(setup) * (u64::from(setup.tolerated.retries()) + 1) + setup.tolerated.latency
}

fn interval(setup: &Setup<'_, BeatNode>) -> Span {
    let intervals = setup.hosts.iter().map(|host| host.config.interval);
    intervals.max().unwrap_or_default()
}

fn shortest_timeout(setup: &Setup<'_, BeatNode>) -> Span {
    let timeouts = setup.hosts.iter().map(|host| host.config.timeout);
    timeouts.min().unwrap_or_default()
}

/// Whom each host hears, in the order in which its claims count them.
fn peers(setup: &Setup<'_, BeatNode>) -> Vec<Vec<HostId>> {
    let by_ip: BTreeMap<Ipv4Addr, HostId> = (0..)
        .map(HostId)
        .zip(setup.hosts)
        .map(|(id, host)| (host.ip, id))
        .collect();
    let heard_by = |host: &Placed<BeatNode>| host.config.from.iter().map(|from| by_ip[&from.ip()]).collect();
    setup.hosts.iter().map(heard_by).collect()
}

#[cfg(test)]
mod tests;
