//! Sets of configurations in which only the best are kept.

use std::collections::BTreeMap;

/// How many calls of each class of lost calls have had effect. Classes that are left out at the end have had none.
pub(super) type Used = Vec<u32>;

/// For each key those lists of [`Used`] that are no worse than another: what is possible once some lost calls have had effect is
/// possible too if, in the same state, fewer of them have.
#[derive(Clone, Debug)]
pub(super) struct Least<K> {
    lists: BTreeMap<K, Vec<Used>>,
    len: usize,
}

impl<K: Ord> Least<K> {
    pub(super) fn new() -> Self {
        Least {
            lists: BTreeMap::new(),
            len: 0,
        }
    }

    /// Puts one in, and takes those out that are worse. Whether it is in: it is not when it was there, or one that is no worse.
    pub(super) fn insert(&mut self, key: K, mut used: Used) -> bool {
        while used.last() == Some(&0) {
            used.pop();
        }
        let list = self.lists.entry(key).or_default();
        if list.iter().any(|known| is_no_worse(known, &used)) {
            return false;
        }
        let before = list.len();
        list.retain(|known| !is_no_worse(&used, known));
        self.len -= before - list.len();
        list.push(used);
        self.len += 1;
        true
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Used)> {
        self.lists
            .iter()
            .flat_map(|(key, list)| list.iter().map(move |used| (key, used)))
    }
}

/// Whether no class of `a` has had more effect than in `b`. Both are without noughts at their ends.
fn is_no_worse(a: &Used, b: &Used) -> bool {
    a.len() <= b.len() && a.iter().zip(b).all(|(a, b)| a <= b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worse_than_another_is_not_kept() {
        let mut least = Least::new();
        assert!(least.insert("s", vec![1, 1, 0]));
        assert!(!least.insert("s", vec![1, 1]));
        assert!(!least.insert("s", vec![2, 1]));
        assert!(least.insert("s", vec![0, 2]));
        assert_eq!(least.len(), 2);
        assert!(least.insert("t", vec![2, 1]));
        assert!(least.insert("s", vec![]));
        let left: Vec<_> = least.iter().map(|(key, used)| (*key, used.clone())).collect();
        assert_eq!(left, [("s", vec![]), ("t", vec![2, 1])]);
        assert_eq!(least.len(), 2);
    }
}
