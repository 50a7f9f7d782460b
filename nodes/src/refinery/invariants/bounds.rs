//! How long each promise may take to come true once a group is left alone, derived from the settings.
//!
//! The letters: `A` the interval of conn:alive, `S` the silence by which a line is given up, `P` the patience of the one who accepted,
//! `H` the time for a handshake, `B` the longest back-off, `T` the takeover, `L` the tolerated latency, which a write to a disk takes at most
//! as well.
//!
//! Silences and handshakes are looked at once in an `A`. So a line is given up `S + A` after it was last heard of; and an **attempt**,
//! which is a dial, a handshake that comes to nothing, and the wait for the next, takes `C = H + A + B + 2L`. An attempt fails for no
//! reason but loss with a probability of at most `q`: it takes ten packets both ways, an `H` leaves time to send each of them twice, and so
//! `q = 10·p²` for a loss of `p`. `k(n)` is `n` and as many failures as there are among attempts of which `n` are to succeed, but for a
//! probability of at most 10⁻⁹.
//!
//! **`one_master`** takes, one after the other,
//!
//! 1. `S + A + 2L` until one who follows gives up a master that is gone, and what was under way has come;
//! 2. `T + C + L` until one who finds nobody reigns, when the attempt that is under way then is over too, and has written that down;
//! 3. `k(2)·C` until one who reigns has dialled the other, an attempt of before being over first, and the lower epoch has given way;
//!    and as long as that until who gave way has reached the other, or is asked to.
//!
//! **`live_upstream`** and **`tree`** then take `k(6)·C + S + A + L`: the master's line of a node may just have been given up, and it dials the
//! one master and the other; what it is given may be an upstream that is remembered and gone, that is full, or that is silent and
//! not known to be gone for an `S`, and each time it asks for another.
//!
//! **`registry_true`** then takes `max(P, T + S) + A + L` until who does not come back is struck off.

use super::super::{Config, RefineryNode};
use crate::protocol::Setup;
use crate::time::Span;

/// What the formulas are made of: the longest of each setting over all hosts.
pub(super) struct Terms {
    alive: Span,
    silence: Span,
    patience: Span,
    handshake: Span,
    backoff: Span,
    takeover: Span,
    latency: Span,
    loss: f64,
}

impl Terms {
    /// The terms of a cluster.
    pub(super) fn of(setup: &Setup<'_, RefineryNode>) -> Self {
        let longest = |span: fn(&Config) -> Span| {
            let spans = setup.hosts.iter().map(|host| span(&host.config));
            spans.max().unwrap_or_default()
        };
        Terms {
            alive: longest(|config| config.alive),
            silence: longest(|config| config.silence),
            patience: longest(|config| config.patience),
            handshake: longest(|config| config.handshake),
            backoff: longest(|config| config.backoff_most),
            takeover: longest(|config| config.takeover),
            latency: setup.tolerated.latency,
            loss: setup.tolerated.loss,
        }
    }

    /// Until one reigns.
    pub(super) fn one_master(&self) -> Span {
        let given_up = self.given_up() + self.latency * 2;
        let taken_over = self.takeover + self.attempt() + self.latency;
        let met = self.attempt() * self.attempts(2);
        given_up + taken_over + met * 2
    }

    /// Until every node has its place.
    pub(super) fn live_upstream(&self) -> Span {
        self.one_master() + self.attempt() * self.attempts(6) + self.given_up() + self.latency
    }

    /// Until the one who reigns knows who is there.
    pub(super) fn registry_true(&self) -> Span {
        let struck_off = self.patience.max(self.takeover + self.silence);
        self.live_upstream() + struck_off + self.alive + self.latency
    }

    fn given_up(&self) -> Span {
        self.silence + self.alive
    }

    /// How long an attempt takes that comes to nothing, and the wait for the next.
    fn attempt(&self) -> Span {
        self.handshake + self.alive + self.backoff + self.latency * 2
    }

    /// How many attempts it takes at the most until so many have succeeded.
    fn attempts(&self, successes: u64) -> u64 {
        let fails = (10.0 * self.loss * self.loss).min(0.9);
        // The probability that this many have failed when the last succeeds, but for the successes' own share.
        let (mut failures, mut probability) = (0, fails * successes as f64);
        while probability > 1e-9 && failures < 10_000 {
            failures += 1;
            probability *= fails * (successes + failures) as f64 / (failures + 1) as f64;
        }
        successes + failures
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::{Role, Rules};
    use super::*;
    use crate::protocol::{Placed, Tolerance};

    fn terms(loss: f64) -> Terms {
        let hosts = [Placed {
            name: "m".to_owned(),
            ip: Ipv4Addr::new(10, 0, 0, 1),
            role: Role::Master,
            config: Config::profile("brisk", Rules::Hardened),
        }];
        Terms::of(&Setup {
            hosts: &hosts,
            rules: "Hardened",
            tolerated: Tolerance {
                loss,
                latency: Span::from_millis(10),
            },
            streams: crate::stream::StreamLaw::default(),
        })
    }

    #[test]
    fn the_bounds_are_what_the_formulas_say() {
        let calm = terms(0.0);
        assert_eq!((calm.attempts(2), calm.attempts(6)), (2, 6));
        assert_eq!(calm.attempt(), Span::from_millis(2_000 + 200 + 800 + 20));
        // 1 200 + 20, 1 000 + 3 020 + 10, 2 · 2 · 3 020
        assert_eq!(calm.one_master(), Span::from_millis(1_220 + 4_030 + 12_080));
        // 6 · 3 020, 1 200, 10
        assert_eq!(
            calm.live_upstream(),
            calm.one_master() + Span::from_millis(18_120 + 1_210)
        );
        assert_eq!(
            calm.registry_true(),
            calm.live_upstream() + Span::from_millis(3_000 + 210)
        );
    }

    #[test]
    fn with_loss_some_attempts_fail() {
        // 2.5 % fail; of the seventh failure the probability is 3·10⁻¹⁰, and of six 7·10⁻⁹.
        let lossy = terms(0.05);
        assert_eq!(lossy.attempts(2), 2 + 6);
        assert!(lossy.attempts(6) > lossy.attempts(2) + 3);
    }
}
