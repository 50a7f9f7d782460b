//! Classes of hosts that all cuts treat alike, which class reaches which, and which classes may form groups together.
//!
//! It is kept between changes: a host that goes up or down changes no class. Where all cuts are partitions, no class reaches
//! another, so each is a group by itself; only cuts of other shapes make it a question for the matrix of reachable classes.

use std::collections::BTreeMap;

use petgraph::unionfind::UnionFind;

use crate::node::HostId;
use crate::seen::Cut;

/// The classes of the hosts of a world.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    /// For each host a sum of words, one for each layer and the host's side of it: equal for hosts that are alike. That two
    /// others have equal sums is as likely as that a 128-bit hash collides.
    signatures: Vec<u128>,
    /// The class of each host, counted from 0 in the order of their first hosts.
    of: Vec<u32>,
    /// The first host of each class.
    first: Vec<HostId>,
    /// Which classes each class cannot reach; `None` when it is all the others, and never itself.
    blocked: Option<Matrix>,
}

/// Where the running hosts of a class belong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Belong {
    /// In a group, with those of all classes that have this number.
    Together(u32),
    /// Each in a group of its own: one-way cuts keep them from each other both ways.
    Alone,
    /// In none.
    Nowhere,
}

impl Classes {
    /// One class: nothing is cut.
    pub(super) fn new(hosts: usize) -> Self {
        Classes {
            signatures: vec![0; hosts],
            of: vec![0; hosts],
            first: (0..hosts.min(1)).map(|_| HostId(0)).collect(),
            blocked: None,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.first.len()
    }

    /// The class of a host.
    #[inline]
    pub(super) fn of(&self, host: HostId) -> usize {
        self.of[host.index()] as usize
    }

    /// Takes in a layer that was laid. Returns how many steps it took.
    pub(super) fn lay(&mut self, layer: u32, cut: &Cut, cuts: &[(u32, Cut)]) -> u64 {
        for (host, signature) in self.signatures.iter_mut().enumerate() {
            *signature = signature.wrapping_add(word(layer, cut.side(HostId(host as u32))));
        }
        self.find(cuts)
    }

    /// Takes in that a layer was taken away. Returns how many steps it took.
    pub(super) fn heal(&mut self, layer: u32, cut: &Cut, cuts: &[(u32, Cut)]) -> u64 {
        for (host, signature) in self.signatures.iter_mut().enumerate() {
            *signature = signature.wrapping_sub(word(layer, cut.side(HostId(host as u32))));
        }
        self.find(cuts)
    }

    /// Where the hosts of each class belong, when it has so many of them running. Returns how many steps it took, too.
    pub(super) fn belong(&self, running: &[u32]) -> (Vec<Belong>, u64) {
        let classes = self.len();
        let Some(blocked) = &self.blocked else {
            return ((0..classes as u32).map(Belong::Together).collect(), 0);
        };
        let mut alive = vec![0; blocked.words];
        for class in (0..classes).filter(|class| running[*class] > 0) {
            set(&mut alive, class);
        }
        // Whom a class reaches, and itself. In a group, all classes have the same such set, and it is the group.
        let mut reached: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
        for class in (0..classes).filter(|class| running[*class] > 0) {
            let mut row: Vec<u64> = blocked
                .row(class)
                .iter()
                .zip(&alive)
                .map(|(no, yes)| yes & !no)
                .collect();
            set(&mut row, class);
            reached.entry(row).or_default().push(class);
        }
        let is_whole = |(row, members): &(&Vec<u64>, &Vec<usize>)| {
            row.iter().map(|word| word.count_ones() as usize).sum::<usize>() == members.len()
                && members.iter().all(|class| has(row, *class))
        };
        // Whoever is reached from outside is in no group: a group is all of a component.
        let mut components = UnionFind::<usize>::new(classes);
        for (row, members) in &reached {
            for class in members.iter().copied().chain(places(row)) {
                components.union(members[0], class);
            }
        }
        let component_of = components.into_labeling();
        let mut size_of = vec![0; classes];
        for members in reached.values() {
            size_of[component_of[members[0]]] += members.len();
        }
        let mut belong = vec![Belong::Nowhere; classes];
        for (_, members) in reached.iter().filter(is_whole) {
            // A class of one has no pair inside it.
            let splits = |class: &usize| running[*class] > 1 && has(blocked.row(*class), *class);
            let is_touched = size_of[component_of[members[0]]] > members.len();
            let together = match members.as_slice() {
                _ if is_touched => Belong::Nowhere,
                [one] if splits(one) => Belong::Alone,
                _ if members.iter().any(splits) => Belong::Nowhere,
                _ => Belong::Together(members[0] as u32),
            };
            for class in members {
                belong[*class] = together;
            }
        }
        let unions = reached.len() * classes;
        (belong, (4 * classes * blocked.words + unions) as u64)
    }

    /// Finds the classes anew from the signatures, and what is blocked between them.
    fn find(&mut self, cuts: &[(u32, Cut)]) -> u64 {
        let mut classes: BTreeMap<u128, u32> = BTreeMap::new();
        self.first.clear();
        for (host, signature) in self.signatures.iter().enumerate() {
            let class = *classes.entry(*signature).or_insert_with(|| {
                self.first.push(HostId(host as u32));
                self.first.len() as u32 - 1
            });
            self.of[host] = class;
        }
        let others = || cuts.iter().filter(|(_, cut)| !matches!(cut, Cut::Groups(_)));
        let mut steps = 4 * self.signatures.len() as u64;
        self.blocked = (others().next().is_some()).then(|| {
            let mut blocked = Matrix::new(self.len());
            steps += (self.len() * blocked.words) as u64;
            for (_, cut) in others() {
                steps += match cut {
                    Cut::OneWay { from, to } => block_one_way(&mut blocked, &self.first, from, to),
                    _ => block_pairs(&mut blocked, &self.first, cut),
                };
            }
            steps += self.block_sides(&mut blocked, cuts);
            blocked
        });
        steps
    }

    /// Blocks whatever lies on different sides of partitions: classes with other sides of all of them together.
    fn block_sides(&self, blocked: &mut Matrix, cuts: &[(u32, Cut)]) -> u64 {
        let partitions: Vec<_> = cuts
            .iter()
            .filter(|(_, cut)| matches!(cut, Cut::Groups(_)))
            .collect();
        if partitions.is_empty() {
            return 0;
        }
        let mut sides: BTreeMap<u128, Vec<u64>> = BTreeMap::new();
        let mut side_of = Vec::with_capacity(self.len());
        for (class, host) in self.first.iter().enumerate() {
            let side = partitions
                .iter()
                .map(|(layer, cut)| word(*layer, cut.side(*host)))
                .fold(0, u128::wrapping_add);
            set(sides.entry(side).or_insert_with(|| vec![0; blocked.words]), class);
            side_of.push(side);
        }
        for (class, side) in side_of.iter().enumerate() {
            for (no, same) in blocked.row_mut(class).iter_mut().zip(&sides[side]) {
                *no |= !same;
            }
        }
        (self.len() * (partitions.len() + 2 * blocked.words)) as u64
    }
}

/// Blocks the way from the senders' classes to the receivers'.
fn block_one_way(blocked: &mut Matrix, first: &[HostId], from: &[bool], to: &[bool]) -> u64 {
    let mut receivers = vec![0; blocked.words];
    let mut senders = 0;
    for (class, host) in first.iter().enumerate() {
        if to[host.index()] {
            set(&mut receivers, class);
        }
    }
    for (class, _) in first.iter().enumerate().filter(|(_, host)| from[host.index()]) {
        senders += 1;
        for (no, receiver) in blocked.row_mut(class).iter_mut().zip(&receivers) {
            *no |= receiver;
        }
    }
    (2 * first.len() + senders * blocked.words) as u64
}

/// Blocks what a cut does, pair by pair. It blocks nothing inside a class.
fn block_pairs(blocked: &mut Matrix, first: &[HostId], cut: &Cut) -> u64 {
    for (class, from) in first.iter().enumerate() {
        let row = blocked.row_mut(class);
        for (other, _) in first.iter().enumerate().filter(|(_, to)| cut.blocks(*from, **to)) {
            set(row, other);
        }
    }
    (first.len() * first.len()) as u64
}

/// A square of bits.
#[derive(Clone, Debug)]
struct Matrix {
    bits: Vec<u64>,
    /// How many words a row has.
    words: usize,
}

impl Matrix {
    fn new(size: usize) -> Self {
        let words = size.div_ceil(64);
        Matrix {
            bits: vec![0; size * words],
            words,
        }
    }

    fn row(&self, row: usize) -> &[u64] {
        &self.bits[row * self.words..(row + 1) * self.words]
    }

    fn row_mut(&mut self, row: usize) -> &mut [u64] {
        &mut self.bits[row * self.words..(row + 1) * self.words]
    }
}

fn set(bits: &mut [u64], place: usize) {
    bits[place / 64] |= 1 << (place % 64);
}

/// The places that are set, ascending.
fn places(bits: &[u64]) -> impl Iterator<Item = usize> {
    let of_word = |(index, word): (usize, &u64)| {
        let word = *word;
        (0..64)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| index * 64 + bit)
    };
    bits.iter().enumerate().flat_map(of_word)
}

fn has(bits: &[u64], place: usize) -> bool {
    bits[place / 64] >> (place % 64) & 1 == 1
}

/// A word for a side of a layer: two finalizers of splitmix64 over both.
fn word(layer: u32, side: u32) -> u128 {
    let mix = |word: u64| {
        let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    let both = u64::from(layer) << 32 | u64::from(side);
    let (low, high) = (
        mix(both.wrapping_add(0x9e37_79b9_7f4a_7c15)),
        mix(both.wrapping_add(0x3c6e_f372_fe94_f82b)),
    );
    u128::from(mix(high ^ 0xd1b5_4a32_d192_ed03)) << 64 | u128::from(low)
}
