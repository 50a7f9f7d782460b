//! How often those who have not been let in are told of: a crowd of them is no crowd of facts.
//!
//! What is told of one address is claimed each of the first [`EACH`] times since somebody from there was let in, and then at the 8th, 16th,
//! 32nd, …, each thing for itself. The addresses beyond [`MOST_ADDRESSES`] are counted as one. And how often those are told of who do not let
//! this node in.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::facts::{Loss, Refusal};
use super::wire::Epoch;

/// How many times are claimed one by one: whoever tries something new a few times is seen to.
const EACH: u64 = 4;

/// How many addresses are counted apart.
const MOST_ADDRESSES: usize = 1_024;

/// What was told of whom, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers {
    told: BTreeMap<Option<Ipv4Addr>, BTreeMap<Told, u64>>,
}

/// What there is to tell of somebody who has not been let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Asked,
    Declined,
    Closed(Refusal),
}

impl Strangers {
    /// Counts something that is to be told of an address. What it returns is the count when it is to be claimed.
    pub(super) fn count(&mut self, from: Ipv4Addr, told: Told) -> Option<u64> {
        let told = match told {
            // Which epoch it was makes no other thing of it.
            Told::Closed(Refusal::NotReigning(_)) => Told::Closed(Refusal::NotReigning(Epoch(0))),
            other => other,
        };
        let is_apart = self.told.contains_key(&Some(from)) || self.told.len() < MOST_ADDRESSES;
        let of_this = self.told.entry(is_apart.then_some(from)).or_default();
        let count = of_this.entry(told).or_default();
        *count += 1;
        (*count <= EACH || count.is_power_of_two()).then_some(*count)
    }

    /// Somebody from an address was let in: what is told of it is told anew.
    pub(super) fn forget(&mut self, from: Ipv4Addr) {
        self.told.remove(&Some(from));
    }
}

/// Who has not let this node in, and how often each has said the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(BTreeMap<SocketAddrV4, (Loss, u64)>);

impl Refusals {
    /// Counts one. Whether it is to be claimed: the 1st, 2nd, 4th, 8th, … time that somebody says the same.
    pub(super) fn count(&mut self, by: SocketAddrV4, why: Loss) -> bool {
        let (before, count) = self.0.entry(by).or_insert((why, 0));
        if *before != why {
            (*before, *count) = (why, 0);
        }
        *count += 1;
        count.is_power_of_two()
    }

    /// Somebody has let this node in: what is said from now on is told anew.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_the_same_again_and_again_is_claimed_ever_less_often() {
        let mut refusals = Refusals::default();
        let [one, other] = [1, 2].map(|host| SocketAddrV4::new([10, 0, 0, host].into(), 7500));
        let said = (1..=100).filter(|_| refusals.count(one, Loss::Declined)).count();
        assert_eq!(said, 7);
        assert!(refusals.count(other, Loss::Declined));
        assert!(refusals.count(one, Loss::Reset));
        assert!(
            refusals.count(one, Loss::Declined),
            "it is another thing than before"
        );
        refusals.forget();
        assert!(refusals.count(one, Loss::Declined));
    }

    const X: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn what_is_told_of_an_address_is_claimed_at_powers_of_two_until_it_is_let_in() {
        let mut strangers = Strangers::default();
        let claimed = |strangers: &mut Strangers, times: u64| {
            let counts = (0..times).filter_map(|_| strangers.count(X, Told::Asked));
            counts.collect::<Vec<u64>>()
        };
        assert_eq!(claimed(&mut strangers, 40), [1, 2, 3, 4, 8, 16, 32]);
        assert_eq!(claimed(&mut strangers, 9_960).len(), 8);
        assert_eq!(strangers.count(X, Told::Declined), Some(1));
        let refused = |epoch| Told::Closed(Refusal::NotReigning(Epoch(epoch)));
        let closed = (0..100).filter_map(|epoch| strangers.count(X, refused(epoch)));
        assert_eq!(closed.collect::<Vec<u64>>(), [1, 2, 3, 4, 8, 16, 32, 64]);
        strangers.forget(X);
        assert_eq!(claimed(&mut strangers, 2), [1, 2]);
    }

    #[test]
    fn however_many_addresses_there_are_no_more_of_them_are_kept() {
        let mut strangers = Strangers::default();
        let all = (0..100_000).map(|address| Ipv4Addr::from(0x0b00_0000 + address));
        let claimed = all.filter_map(|from| strangers.count(from, Told::Asked));
        // One each, and of the 98 976 others together the first four, and 8 to 65 536.
        assert_eq!(claimed.count(), MOST_ADDRESSES + 4 + 14);
        assert_eq!(strangers.told.len(), MOST_ADDRESSES + 1);
    }
}
