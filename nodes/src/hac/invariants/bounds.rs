//! How long each promise may take to come true once a group is left alone, derived from the settings.
//!
//! The letters: `T` the client's timeout, `R` the round, `A` the longest interval of AC or AP, `W` the promotion wait, `L`
//! the tolerated latency, which a write to a disk takes at most as well (a slower disk is beyond what is tolerated), `N` the number of hosts, `k(n)` the number of tries until one of `n` datagrams that must all
//! arrive has failed every time with a probability of at most 10⁻⁹.
//!
//! **`one_server`** takes, one after the other,
//!
//! 1. `2L + 2T` until every client without a server has given it up: what was under way at the last disturbance may still
//!    calm it, then it waits one timeout and, asking again, the other. A restarted node waits as long or less: the
//!    server of the settings looks for another for one timeout, and serves when it has written that down.
//! 2. `(N − 1)(W + T) + L` until it has tried everyone that its table holds for alive, when it promotes itself at the latest,
//!    which it writes down first.
//! 3. `k(2)·max(R, A) + 4L` until servers have met: each tells everyone it knows of itself in every round, and is answered;
//!    a wiped server is spoken to by its clients with AC. Where neither knows the other, a client that knows both introduces
//!    them, beside 1 and 2. The one may have to write down a higher epoch before it answers, and the other that it gave way.
//! 4. `2T + 3L` until a client of a server that gave way has missed it and asked again, and the new server has written down
//!    the id, and the client that it joined.
//!
//! In 2, nobody tries the server that it has lost, or itself: of the `N − 1` tries one is to spare. It is for a node whose last write had
//! failed, which tries another within a `T` and starts over when that is on the disk, and for clocks that are slow by a
//! thousandth, as is tolerated; in clusters of up to eight hundred it is enough for both.
//!
//! **`status_true`** then takes `misses + 1` rounds and `2L`: whoever is gone was heard a last time, and whoever joined is
//! counted when the round ends, and told of when what came before is written down.
//!
//! **`tables_agree`** then takes `k(p)·R + 3L`, `p` being the packets of a table of all hosts; no table is older than that. The
//! server writes down whom it names before it sends, and the client before it goes by it.
//!
//! **`peers_agree`** takes `max(window, k(1)·A) + A + L`: the last AP of who is gone and the first one of who is back may be
//! lost or late. A peer writes nothing down.

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
        let persist = latency;
        let given_up = latency + self.timeout * 2 + persist;
        let elected = (self.wait + self.timeout) * self.hosts.saturating_sub(1) + persist;
        let met = self.round.max(self.interval) * self.tries(2) + latency * 2 + persist * 2;
        let missed = self.timeout * 2 + latency + persist * 2;
        given_up + elected + met + missed
    }

    /// Until the server's table is right.
    pub(super) fn status_true(&self) -> Span {
        self.one_server() + self.round * (self.misses + 1) + self.tolerated.latency * 2
    }

    /// Until everyone holds a table of the present server.
    pub(super) fn tables_agree(&self) -> Span {
        self.one_server() + self.table_age()
    }

    /// How old the table of a node that has joined may be.
    pub(super) fn table_age(&self) -> Span {
        self.round * self.tries(self.packets) + self.tolerated.latency * 3
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
            streams: crate::stream::StreamLaw::default(),
        })
    }

    #[test]
    fn the_bounds_are_what_the_formulas_say() {
        let terms = terms(5, 0.05);
        assert_eq!((terms.tries(1), terms.tries(2)), (7, 9));
        // 200 + 620, 4 · 410 + 100, 9 · 300 + 400, 620 + 300
        assert_eq!(terms.one_server(), Span::from_millis(820 + 1740 + 3100 + 920));
        assert_eq!(
            terms.status_true(),
            terms.one_server() + Span::from_millis(8 * 300 + 200)
        );
        assert_eq!(terms.table_age(), Span::from_millis(7 * 300 + 300));
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
