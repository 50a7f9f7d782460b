//! The links between the hosts: which layers lie over them, and what that makes of each host's policy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use squall_live::{Peer, Policy, Way};
use squall_nodes::{Change, HostId, Span, Time, Tolerance};
use squall_sim::layers::{Effective, Flapped, Laid, Layer, Layers, Over, Turn};
use squall_sim::plan::{LinkLaw, Network};

use crate::ground::{Cutter, Plug};
use crate::netns::CutWays;

/// How many layers may lie over the links at once, as in the simulator.
const MOST_LAYERS: usize = 1_000;

/// The links of one run, with all that lies over them.
pub(crate) struct Wires<'p> {
    network: &'p Network,
    tolerated: Tolerance,
    ips: Vec<Ipv4Addr>,
    layers: Layers,
    /// Hosts without power, which nobody reaches and who reach nobody, whatever the layers are.
    unplugged: BTreeSet<usize>,
}

/// What comes of a layer that is laid, or of a flap that turns.
#[derive(Debug, Default)]
pub(crate) struct Laying {
    /// What those who watch are told.
    pub(crate) changes: Vec<Change>,
    /// Of a flap, which layer it is, and when it turns next.
    pub(crate) turns: Option<(u32, Span)>,
    /// The entry of the timeline that laid it, and who did what triggered that.
    pub(crate) step: usize,
    pub(crate) actor: Option<HostId>,
}

/// More layers lie over the links than may.
#[derive(Debug)]
pub(crate) struct TooMany;

impl<'p> Wires<'p> {
    /// Links without layers, of hosts at these addresses.
    pub(crate) fn new(network: &'p Network, tolerated: Tolerance, ips: Vec<Ipv4Addr>) -> Self {
        Wires {
            network,
            tolerated,
            ips,
            layers: Layers::default(),
            unplugged: BTreeSet::new(),
        }
    }

    /// How many hosts there are.
    pub(crate) fn hosts(&self) -> usize {
        self.ips.len()
    }

    /// The link from an address had no room for a datagram to a host; nothing when nobody is there.
    pub(crate) fn choked(&self, from: Ipv4Addr, to: HostId) -> Option<Change> {
        let from = self.host_at(from)?;
        Some(Change::Choked { from, to })
    }

    /// The link from an address has kept a datagram to a host for longer than is tolerated; nothing when nobody is there.
    pub(crate) fn straggled(&self, from: Ipv4Addr, to: HostId) -> Option<Change> {
        let from = self.host_at(from)?;
        Some(Change::Straggled { from, to })
    }

    /// Streams between a host and one at an address are stuck, or flow again; nothing when nobody is there.
    pub(crate) fn stuck_with(&self, with: Ipv4Addr) -> Option<HostId> {
        self.host_at(with)
    }

    fn host_at(&self, ip: Ipv4Addr) -> Option<HostId> {
        self.ips.iter().position(|known| *known == ip).map(id)
    }

    /// A host is among the others, or is not.
    pub(crate) fn plug(&mut self, host: HostId, plug: Plug) {
        match plug {
            Plug::In => self.unplugged.remove(&host.index()),
            Plug::Out => self.unplugged.insert(host.index()),
        };
    }

    /// Whether a host is not among the others.
    pub(crate) fn is_unplugged(&self, host: HostId) -> bool {
        self.unplugged.contains(&host.index())
    }

    /// Lays a layer.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub(crate) fn lay(&mut self, step: usize, actor: Option<HostId>, laid: Laid) -> Result<Laying, TooMany> {
        if self.layers.len() >= MOST_LAYERS {
            return Err(TooMany);
        }
        let layer = self.layers.lay(step, actor, laid.clone());
        let changes = match laid {
            Laid::Cut(cut) => vec![Change::Cut { layer, cut }],
            Laid::Flap(_) => return Ok(self.turn(layer).unwrap_or_default()),
            Laid::Links(_) => vec![self.beyond()],
        };
        Ok(Laying {
            changes,
            turns: None,
            step,
            actor,
        })
    }

    /// Turns a flap over; `None` when it was healed.
    pub(crate) fn turn(&mut self, layer: u32) -> Option<Laying> {
        let Flapped {
            step,
            actor,
            change,
            next,
        } = self.layers.flap(layer)?;
        let change = match change {
            Turn::Cuts(layer, cut) => Change::Cut { layer, cut },
            Turn::Opens(layer) => Change::Healed { layer },
        };
        Some(Laying {
            changes: vec![change],
            turns: Some((layer, next)),
            step,
            actor,
        })
    }

    /// Takes away the latest layer that is equal; `None` when there is none.
    pub(crate) fn heal(&mut self, laid: &Laid) -> Option<Vec<Change>> {
        let layer = self.layers.heal(laid)?;
        Some(self.healed(layer))
    }

    /// Takes away all layers, the oldest first. Says how many, and what those who watch are told.
    pub(crate) fn heal_all(&mut self) -> (u64, Vec<Change>) {
        let (mut layers, mut changes) = (0, Vec::new());
        while let Some(layer) = self.layers.heal_oldest() {
            layers += 1;
            changes.extend(self.healed(layer));
        }
        (layers, changes)
    }

    fn healed(&self, layer: Layer) -> Vec<Change> {
        let change = match layer.what {
            Laid::Cut(_) => Some(Change::Healed { layer: layer.number }),
            // While it is open nobody sees that it will not cut again.
            Laid::Flap(flap) => flap.cutting.map(|layer| Change::Healed { layer }),
            Laid::Links(_) => Some(self.beyond()),
        };
        change.into_iter().collect()
    }

    /// Each way that is cut, by the entries of the timeline that cut it.
    pub(crate) fn cuts(&self) -> Vec<CutWays> {
        let mut cuts: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        if self.layers.cut_any() {
            for from in 0..self.hosts() {
                for to in 0..self.hosts() {
                    for by in self.cut_by(from, to) {
                        cuts.entry(by).or_default().push((from, to));
                    }
                }
            }
        }
        cuts.into_iter().map(|(by, ways)| CutWays { by, ways }).collect()
    }

    /// The policy of each host, without its number.
    pub(crate) fn policies(&self, cutter: Cutter) -> Vec<Policy> {
        let mut laws = Laws::new(self.network, &self.layers);
        (0..self.hosts())
            .map(|host| self.policy(host, cutter, &mut laws))
            .collect()
    }

    fn policy(&self, host: usize, cutter: Cutter, laws: &mut Laws<'_>) -> Policy {
        let default = &*self.network.default;
        let is_unplugged = |host: usize| self.unplugged.contains(&host);
        let way = |from, to| match cutter {
            Cutter::Ground => Way::Open,
            Cutter::Edges => {
                let by = match self.layers.cut_any() {
                    true => self.cut_by(from, to),
                    false => Vec::new(),
                };
                if !by.is_empty() {
                    Way::Cut { by }
                } else if from != to && (is_unplugged(from) || is_unplugged(to)) {
                    Way::Dead
                } else {
                    Way::Open
                }
            }
        };
        let mut peers = BTreeMap::new();
        for other in 0..self.hosts() {
            let (out, back) = (way(host, other), way(other, host));
            // What it receives goes by the law of the way back.
            let effective = laws.of(id(other), id(host));
            let is_plain = effective.law == *default && effective.steps.is_empty();
            if is_plain && out == Way::Open && back == Way::Open {
                continue;
            }
            let peer = Peer {
                out,
                back,
                law: Some(effective.law.clone()),
                by: effective.steps.iter().map(|step| *step as u32).collect(),
            };
            peers.insert(self.ips[other], peer);
        }
        Policy {
            number: 0,
            since: Time::ZERO,
            missed: Vec::new(),
            law: Some(default.clone()),
            by: Vec::new(),
            peers,
            tolerated: Some(self.tolerated.latency),
            min_rto: Some(self.network.streams.min_rto),
        }
    }

    /// The entries of the timeline that keep one host from reaching another, each once.
    fn cut_by(&self, from: usize, to: usize) -> Vec<u32> {
        let steps = self.layers.between(id(from), id(to)).map(|step| step as u32);
        let steps: BTreeSet<u32> = steps.collect();
        steps.into_iter().collect()
    }

    /// The links that are beyond what is tolerated, as far as layers lie over them.
    fn beyond(&self) -> Change {
        let mut laws = Laws::new(self.network, &self.layers);
        let pairs: BTreeSet<(HostId, HostId)> =
            self.layers.over_laws().flat_map(|over| over.pairs()).collect();
        let is_beyond = |(from, to): &(HostId, HostId)| !laws.of(*from, *to).law.is_within(&self.tolerated);
        Change::Links {
            beyond: pairs.into_iter().filter(is_beyond).collect(),
        }
    }
}

/// The laws of links under their layers. Those that are alike are found once.
struct Laws<'l> {
    network: &'l Network,
    overs: Vec<Arc<Over>>,
    /// By the law of the network and the places of the layers over it.
    found: BTreeMap<(*const LinkLaw, Vec<usize>), Effective>,
}

impl<'l> Laws<'l> {
    fn new(network: &'l Network, layers: &Layers) -> Self {
        Laws {
            network,
            overs: layers.over_laws().cloned().collect(),
            found: BTreeMap::new(),
        }
    }

    fn of(&mut self, from: HostId, to: HostId) -> &Effective {
        let plain = self.network.law(from, to);
        let lie_over = self.overs.iter().enumerate();
        let places: Vec<usize> = lie_over
            .filter(|(_, over)| over.is_over(from, to))
            .map(|(place, _)| place)
            .collect();
        let overs = &self.overs;
        self.found
            .entry((Arc::as_ptr(plain), places))
            .or_insert_with_key(|(_, places)| {
                let overs: Vec<Arc<Over>> = places.iter().map(|place| overs[*place].clone()).collect();
                Effective::under(plain, &overs)
            })
    }
}

fn id(place: usize) -> HostId {
    HostId(place as u32)
}

#[cfg(test)]
mod tests {
    use squall_nodes::Cut;
    use squall_sim::plan::{Latency, LinkChange};

    use super::*;

    fn ip(host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 1, 0, host)
    }

    fn network() -> Network {
        Network::of(LinkLaw::delaying(Latency::Constant(Span::from_millis(1))))
    }

    fn wires(network: &Network) -> Wires<'_> {
        let tolerated = Tolerance {
            loss: 0.05,
            latency: Span::from_millis(100),
        };
        Wires::new(network, tolerated, (1..=3).map(ip).collect())
    }

    fn loses(step: usize, loss: f64) -> Laid {
        Laid::Links(Arc::new(Over {
            step,
            from: vec![HostId(0)],
            to: vec![HostId(0), HostId(1)],
            change: LinkChange {
                loss: Some(loss),
                ..LinkChange::default()
            },
        }))
    }

    #[test]
    fn without_layers_every_policy_is_the_law_of_the_network() {
        let network = network();
        for policy in wires(&network).policies(Cutter::Edges) {
            assert_eq!(policy.law.as_ref(), Some(&*network.default));
            assert!(policy.peers.is_empty());
            assert_eq!(policy.tolerated, Some(Span::from_millis(100)));
        }
    }

    #[test]
    fn what_an_edge_tells_of_an_address_is_told_of_the_host_that_has_it() {
        let network = network();
        let wires = wires(&network);
        let (from, to) = (HostId(2), HostId(0));
        assert_eq!(wires.choked(ip(3), to), Some(Change::Choked { from, to }));
        assert_eq!(wires.straggled(ip(3), to), Some(Change::Straggled { from, to }));
        assert_eq!(
            (wires.choked(ip(9), to), wires.straggled(ip(9), to)),
            (None, None)
        );
    }

    #[test]
    fn a_one_way_cut_is_made_at_both_ends_and_counts_for_whoever_laid_it() {
        let network = network();
        let mut wires = wires(&network);
        let cut = || {
            Laid::Cut(Cut::OneWay {
                from: vec![true, false, false],
                to: vec![false, true, false],
            })
        };
        wires.lay(4, None, cut()).unwrap();
        wires.lay(2, None, cut()).unwrap();
        let policies = wires.policies(Cutter::Edges);
        let both = Way::Cut { by: vec![2, 4] };
        let [sender, receiver] = [&policies[0].peers[&ip(2)], &policies[1].peers[&ip(1)]];
        assert_eq!((&sender.out, &sender.back), (&both, &Way::Open));
        assert_eq!((&receiver.out, &receiver.back), (&Way::Open, &both));
        assert_eq!(sender.law.as_ref(), Some(&*network.default));
        assert!(policies[2].peers.is_empty());
        // The ground would be told the same, and then the edges are not.
        let ways = wires.cuts();
        let told: Vec<_> = ways.iter().map(|cut| (cut.by, cut.ways.as_slice())).collect();
        assert_eq!(told, [(2, &[(0, 1)][..]), (4, &[(0, 1)])]);
        assert!(wires.policies(Cutter::Ground)[0].peers.is_empty());
        wires.heal(&cut()).unwrap();
        assert_eq!(
            wires.policies(Cutter::Edges)[0].peers[&ip(2)].out,
            Way::Cut { by: vec![4] }
        );
        assert_eq!(wires.heal_all().0, 1);
        assert!(wires.policies(Cutter::Edges)[0].peers.is_empty());
        assert!(wires.heal(&cut()).is_none());
    }

    #[test]
    fn of_several_laws_over_a_link_the_last_has_the_word_and_is_counted_for() {
        let network = network();
        let mut wires = wires(&network);
        let told = wires.lay(3, None, loses(3, 0.5)).unwrap();
        let beyond = vec![(HostId(0), HostId(1))];
        assert_eq!(told.changes, [Change::Links { beyond }]);
        let told = wires.lay(5, None, loses(5, 0.01)).unwrap();
        assert_eq!(told.changes, [Change::Links { beyond: vec![] }]);
        let policies = wires.policies(Cutter::Edges);
        // It is the receiver's to deal with; and not from a host to itself.
        assert_eq!(policies[1].peers.keys().collect::<Vec<_>>(), [&ip(1)]);
        let peer = &policies[1].peers[&ip(1)];
        assert_eq!(
            (peer.law.as_ref().map(|law| law.loss), &peer.by),
            (Some(0.01), &vec![5])
        );
        assert!(policies[0].peers.is_empty());
    }

    #[test]
    fn a_flap_cuts_first_and_is_gone_when_it_is_healed() {
        let network = network();
        let mut wires = wires(&network);
        let flap = || {
            Laid::Flap(squall_sim::layers::Flap {
                cut: Cut::Groups(vec![0, 1, 1]),
                down: Span::from_millis(3),
                up: Span::from_millis(5),
                cutting: None,
            })
        };
        let laying = wires.lay(1, None, flap()).unwrap();
        let (layer, down) = laying.turns.unwrap();
        assert_eq!(down, Span::from_millis(3));
        assert!(matches!(laying.changes[..], [Change::Cut { .. }]));
        let laying = wires.turn(layer).unwrap();
        assert!(matches!(laying.changes[..], [Change::Healed { .. }]));
        assert_eq!(laying.turns, Some((layer, Span::from_millis(5))));
        // It is open: nobody sees that it will not come back.
        assert_eq!(wires.heal(&flap()), Some(vec![]));
        assert!(wires.turn(layer).is_none());
    }
}
