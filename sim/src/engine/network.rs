//! The virtual network: what becomes of a datagram between two hosts, and the layers of cuts over the links.

use squall_nodes::{Cut, HostId, HostKey, Span};

use crate::draws::{Draws, Purpose, Ratio, between};
use crate::plan::{Latency, LinkLaw, Network};

/// The links of one run.
pub(crate) struct Links {
    laws: Vec<Law>,
    /// Which pairs have a law of their own, sorted, with its place in `laws`; all others have the first.
    own: Vec<((HostId, HostId), u32)>,
    /// For each host the links that it has sent on, sorted by receiver.
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Law {
    latency: Latency,
    loss: Ratio,
    duplicate: Ratio,
    reorder: Ratio,
    reorder_by: Span,
}

#[derive(Default)]
struct Row {
    links: Vec<Link>,
    /// Where the link used last stands: broadcasts go down the row in order.
    cursor: usize,
}

#[derive(Clone, Copy)]
struct Link {
    to: HostId,
    law: u32,
    key: u64,
    ordinal: u64,
}

/// How long the copies of a datagram are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Lost,
    Once(Span),
    Twice(Span, Span),
}

impl Links {
    pub(crate) fn new(network: &Network, hosts: usize) -> Self {
        let mut laws = vec![Law::new(&network.default)];
        let own = network
            .links
            .iter()
            .map(|(pair, law)| {
                laws.push(Law::new(law));
                (*pair, laws.len() as u32 - 1)
            })
            .collect();
        Links {
            laws,
            own,
            rows: (0..hosts).map(|_| Row::default()).collect(),
        }
    }

    /// Forgets what was sent.
    pub(crate) fn clear(&mut self) {
        for row in &mut self.rows {
            row.links.clear();
            row.cursor = 0;
        }
    }

    /// Sends the next datagram from one host to another.
    #[inline(always)]
    pub(crate) fn send(&mut self, draws: &Draws, keys: &[HostKey], from: HostId, to: HostId) -> Passage {
        let Links { laws, own, rows } = self;
        let link = rows[from.index()].link(to, |to| Link {
            to,
            law: own
                .binary_search_by_key(&(from, to), |(pair, _)| *pair)
                .map_or(0, |place| own[place].1),
            key: draws.link(keys[from.index()], keys[to.index()]),
            ordinal: 0,
        });
        let words = draws.datagram(link.key, link.ordinal);
        link.ordinal += 1;
        let law = &laws[link.law as usize];
        // Each word has its own key, so the ones that the law has no use for need not be drawn.
        if !law.loss.is_zero() && law.loss.hits(words.word(Purpose::Loss)) {
            return Passage::Lost;
        }
        let mut latency = law.latency(words.word(Purpose::Latency));
        if !law.reorder.is_zero() && law.reorder.hits(words.word(Purpose::Reorder)) {
            latency = latency + between(words.word(Purpose::ReorderBy), Span::ZERO, law.reorder_by);
        }
        if !law.duplicate.is_zero() && law.duplicate.hits(words.word(Purpose::Duplicate)) {
            return Passage::Twice(latency, law.latency(words.word(Purpose::LatencyOfCopy)));
        }
        Passage::Once(latency)
    }
}

impl Row {
    /// The link to a receiver, made when it is used for the first time.
    #[inline(always)]
    fn link(&mut self, to: HostId, make: impl FnOnce(HostId) -> Link) -> &mut Link {
        let next = self.cursor + 1;
        let place = if self.links.get(next).is_some_and(|link| link.to == to) {
            next
        } else {
            self.links
                .binary_search_by_key(&to, |link| link.to)
                .unwrap_or_else(|place| {
                    self.links.insert(place, make(to));
                    place
                })
        };
        self.cursor = place;
        &mut self.links[place]
    }
}

impl Law {
    fn new(law: &LinkLaw) -> Self {
        Law {
            latency: law.latency.clone(),
            loss: Ratio::new(law.loss),
            duplicate: Ratio::new(law.duplicate),
            reorder: Ratio::new(law.reorder),
            reorder_by: law.reorder_by,
        }
    }

    #[inline]
    fn latency(&self, word: u64) -> Span {
        self.latency.draw(word)
    }
}

/// The layers of cuts that lie over the links now.
#[derive(Default)]
pub(crate) struct Cuts {
    layers: Vec<Layer>,
    laid: u32,
}

pub(crate) struct Layer {
    pub(crate) number: u32,
    /// The place in the timeline of what laid it.
    pub(crate) step: usize,
    pub(crate) cut: Cut,
}

impl Cuts {
    pub(crate) fn clear(&mut self) {
        self.layers.clear();
        self.laid = 0;
    }

    /// Whether any link is cut.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        !self.layers.is_empty()
    }

    /// How many layers lie over the links.
    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    /// Lays a layer. Returns its number.
    pub(crate) fn lay(&mut self, step: usize, cut: Cut) -> u32 {
        self.laid += 1;
        self.layers.push(Layer {
            number: self.laid,
            step,
            cut,
        });
        self.laid
    }

    /// Takes away the latest layer with an equal cut.
    pub(crate) fn heal(&mut self, cut: &Cut) -> Option<Layer> {
        let place = self.layers.iter().rposition(|layer| layer.cut == *cut)?;
        Some(self.layers.remove(place))
    }

    /// Takes away the oldest layer.
    pub(crate) fn heal_oldest(&mut self) -> Option<Layer> {
        (!self.layers.is_empty()).then(|| self.layers.remove(0))
    }

    /// The places in the timeline of what keeps `from` from reaching `to`.
    pub(crate) fn between(&self, from: HostId, to: HostId) -> impl Iterator<Item = usize> + '_ {
        self.layers
            .iter()
            .filter(move |layer| layer.cut.blocks(from, to))
            .map(|layer| layer.step)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const HOSTS: [&str; 3] = ["a", "b", "c"];

    fn network(loss: f64, duplicate: f64) -> Network {
        let latency = Latency::Uniform(Span::from_millis(1), Span::from_millis(10));
        let law = LinkLaw {
            latency,
            loss,
            duplicate,
            reorder: 0.0,
            reorder_by: Span::ZERO,
            corrupt: 0.0,
            bandwidth: None,
            queue: LinkLaw::QUEUE,
            mtu: None,
        };
        Network {
            default: Arc::new(law),
            zones: crate::plan::Zones::default(),
            links: Vec::new(),
        }
    }

    fn keys(names: &[&str]) -> Vec<HostKey> {
        names.iter().map(|name| HostKey::of(name)).collect()
    }

    /// What becomes of `count` datagrams from `from` to `to`.
    fn passages(network: &Network, names: &[&str], from: &str, to: &str, count: usize) -> Vec<Passage> {
        let place = |name| HostId(names.iter().position(|n| *n == name).unwrap() as u32);
        let (draws, keys) = (Draws::new(5), keys(names));
        let mut links = Links::new(network, names.len());
        (0..count)
            .map(|_| links.send(&draws, &keys, place(from), place(to)))
            .collect()
    }

    #[test]
    fn turning_loss_off_changes_no_other_draw() {
        let with = passages(&network(0.3, 0.0), &HOSTS, "a", "b", 1000);
        let without = passages(&network(0.0, 0.0), &HOSTS, "a", "b", 1000);
        let lost = with.iter().filter(|passage| **passage == Passage::Lost).count();
        assert!((200..400).contains(&lost), "{lost}");
        for (with, without) in with.iter().zip(&without) {
            assert!(*with == Passage::Lost || with == without);
        }
    }

    #[test]
    fn a_silent_host_anywhere_in_the_list_changes_no_draw() {
        let network = network(0.1, 0.1);
        let before = passages(&network, &HOSTS, "a", "c", 100);
        assert_eq!(
            passages(&network, &["silent", "a", "b", "c"], "a", "c", 100),
            before
        );
        assert_eq!(
            passages(&network, &["a", "b", "silent", "c"], "a", "c", 100),
            before
        );
    }

    #[test]
    fn one_more_message_on_a_link_changes_no_draw_on_another() {
        let network = network(0.1, 0.1);
        let (draws, keys) = (Draws::new(5), keys(&HOSTS));
        let run = |extra: bool| {
            let mut links = Links::new(&network, 3);
            let mut seen = Vec::new();
            for round in 0..100 {
                links.send(&draws, &keys, HostId(0), HostId(1));
                if extra && round == 50 {
                    links.send(&draws, &keys, HostId(0), HostId(1));
                }
                seen.push(links.send(&draws, &keys, HostId(0), HostId(2)));
                seen.push(links.send(&draws, &keys, HostId(1), HostId(0)));
            }
            seen
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn equal_cuts_are_healed_latest_first_and_others_are_left() {
        let mut cuts = Cuts::default();
        let (first, second) = (Cut::Groups(vec![0, 1, 1]), Cut::Groups(vec![0, 0, 1]));
        cuts.lay(0, first.clone());
        cuts.lay(1, second.clone());
        cuts.lay(2, first.clone());
        assert_eq!(cuts.between(HostId(0), HostId(1)).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(cuts.heal(&first).unwrap().step, 2);
        assert_eq!(
            cuts.heal(&Cut::Groups(vec![0, 1, 2])).map(|layer| layer.step),
            None
        );
        assert_eq!(cuts.between(HostId(0), HostId(2)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(cuts.heal_oldest().unwrap().step, 0);
        assert!(cuts.any());
    }
}
