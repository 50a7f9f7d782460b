//! How long each promise may take to come true once a group is left alone, derived from the settings.
//!
//! The letters: `T` the client's timeout, `R` the round, `A` the longest interval of AC or AP, `W` the promotion wait, `L`
//! the tolerated latency, `N` the number of hosts, `k(n)` the number of tries until one of `n` datagrams that must all
//! arrive has failed every time with a probability of at most 10⁻⁹.
//!
//! **`one_server`** takes, one after the other,
//!
//! 1. `L + 2T` until every client without a server has given it up: what was under way at the last disturbance may still
//!    calm it, then it waits one timeout and, asking again, the other. A restarted node waits as long or less: the
//!    server of the settings looks for another for one timeout, then it serves.
//! 2. `(N − 1)(W + T)` until it has tried everyone that its table holds for alive, when it promotes itself at the latest.
//! 3. `k(2)·max(R, A) + 2L` until servers have met: each tells everyone it knows of itself in every round, and is answered;
//!    a wiped server is spoken to by its clients with AC. Where neither knows the other, a client that knows both introduces
//!    them, beside 1 and 2.
//! 4. `2T + L` until a client of a server that gave way has missed it and asked again.
//!
//! **`status_true`** then takes `misses + 1` rounds and `L`: whoever is gone was heard a last time, and whoever joined is
//! counted when the round ends.
//!
//! **`tables_agree`** then takes `k(p)·R + L`, `p` being the packets of a table of all hosts; no table is older than that.
//!
//! **`peers_agree`** takes `max(window, k(1)·A) + A + L`: the last AP of who is gone and the first one of who is back may be
//! lost or late.

use super::super::wire::entries_in;
use super::super::{Config, HacNode};
use crate::protocol::{Setup, Tolerance};
use crate::time::Span;

/// What the formulas are made of: the longest of each setting over all hosts.
pub(super) struct Terms {
    round: Span,
    interval: Span,
    timeout: Span,
    wait: Span,
    window: Span,
    misses: u64,
    hosts: u64,
    packets: u64,
    tolerated: Tolerance,
}

impl Terms {
    /// The terms of a cluster.
    pub(super) fn of(setup: &Setup<'_, HacNode>) -> Self {
        let longest = |span: fn(&Config) -> Span| {
            setup
                .hosts
                .iter()
                .map(|host| span(&host.config))
                .max()
                .unwrap_or_default()
        };
        let hosts = setup.hosts.len();
        let each = setup
            .hosts
            .iter()
            .map(|host| entries_in(host.config.rules, host.config.mtu))
            .min();
        Terms {
            round: longest(|config| config.round),
            interval: longest(|config| config.availability_interval),
            timeout: longest(|config| config.client_timeout),
            wait: longest(|config| config.promotion_wait),
            window: longest(Config::window),
            misses: setup
                .hosts
                .iter()
                .map(|host| u64::from(host.config.misses()))
                .max()
                .unwrap_or(1),
            hosts: hosts as u64,
            packets: hosts.div_ceil(each.unwrap_or(1).max(1)) as u64,
            tolerated: setup.tolerated,
        }
    }

    /// Until there is one server.
    pub(super) fn one_server(&self) -> Span {
        let latency = self.tolerated.latency;
        let given_up = latency + self.timeout * 2;
        let elected = (self.wait + self.timeout) * self.hosts.saturating_sub(1);
        let met = self.round.max(self.interval) * self.tries(2) + latency * 2;
        let missed = self.timeout * 2 + latency;
        given_up + elected + met + missed
    }

    /// Until the server's table is right.
    pub(super) fn status_true(&self) -> Span {
        self.one_server() + self.round * (self.misses + 1) + self.tolerated.latency
    }

    /// Until everyone holds a table of the present server.
    pub(super) fn tables_agree(&self) -> Span {
        self.one_server() + self.table_age()
    }

    /// How old the table of a node that has joined may be.
    pub(super) fn table_age(&self) -> Span {
        self.round * self.tries(self.packets) + self.tolerated.latency
    }

    /// Until peers agree.
    pub(super) fn peers_agree(&self) -> Span {
        self.window.max(self.interval * self.tries(1)) + self.interval + self.tolerated.latency
    }

    /// After how many tries, of which each needs `datagrams` to arrive, the probability that all of them failed is at most
    /// 10⁻⁹.
    fn tries(&self, datagrams: u64) -> u64 {
        let arrives = 1.0 - self.tolerated.loss;
        let all_arrive = (0..datagrams).fold(1.0, |product, _| product * arrives);
        let tolerance = Tolerance {
            loss: 1.0 - all_arrive,
            latency: self.tolerated.latency,
        };
        u64::from(tolerance.retries())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::{Config, Role, Rules};
    use super::*;
    use crate::protocol::Placed;

    fn terms(hosts: usize, loss: f64) -> Terms {
        let hosts: Vec<Placed<HacNode>> = (0..hosts)
            .map(|i| Placed {
                name: format!("h{i}"),
                ip: Ipv4Addr::new(10, 0, 0, i as u8),
                role: Role::Client,
                config: Config::profile("brisk", Rules::Hardened),
            })
            .collect();
        let tolerated = Tolerance {
            loss,
            latency: Span::from_millis(100),
        };
        Terms::of(&Setup {
            hosts: &hosts,
            rules: "Hardened",
            tolerated,
        })
    }

    #[test]
    fn the_bounds_are_what_the_formulas_say() {
        let terms = terms(5, 0.05);
        assert_eq!((terms.tries(1), terms.tries(2)), (7, 9));
        // 100 + 620, 4 · 410, 9 · 300 + 200, 620 + 100
        assert_eq!(terms.one_server(), Span::from_millis(720 + 1640 + 2900 + 720));
        assert_eq!(
            terms.status_true(),
            terms.one_server() + Span::from_millis(8 * 300 + 100)
        );
        assert_eq!(terms.table_age(), Span::from_millis(7 * 300 + 100));
        assert_eq!(terms.peers_agree(), Span::from_millis(7 * 300 + 300 + 100));
    }

    #[test]
    fn a_table_of_many_packets_takes_longer_to_arrive_whole() {
        let terms = terms(200, 0.05);
        assert_eq!((terms.packets, terms.tries(4)), (4, 13));
    }

    #[test]
    fn without_loss_one_try_is_enough() {
        assert_eq!(terms(5, 0.0).tries(4), 1);
    }
}
