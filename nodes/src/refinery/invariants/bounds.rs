//! How long each promise may take to come true once a group is left alone, derived from the settings.
//!
//! The letters: `A` the interval of conn:alive, `S` the silence by which a line is given up, `P` the patience of the one who accepted,
//! `H` the time for a handshake, `B` the longest back-off, `T` the takeover, `L` the tolerated latency, which a write to a disk takes at most
//! as well.
//!
//! Silences and handshakes are looked at once in an `A`. So a line is given up `S + A` after it was last heard of, however long the
//! transport goes on ([`Tolerance::stream_delay`]): nothing is waited for on a line for longer than that. An **attempt**, which is a dial, a
//! handshake that comes to nothing, and the wait for the next, takes `C = H + A + B + 2L`.
//!
//! An attempt fails for no reason but loss with a probability of `q` at most. It is the opening and four packets, each of which is tried
//! again until it is acknowledged; a try comes to nothing with `r = 1 − (1 − p)²` for a loss of `p`, there or back. Of the opening `f` tries
//! fail with `r^f·(1 − r)`, and of the packets `g` with `C(g + 3, 3)·r^g·(1 − r)⁴`. They cost no more time than `f` of the opening in a row
//! and `g` of one packet: each twice as long as the one before, from a second, and from the longest retransmission timeout that is not backed
//! off. `1 − q` is the probability of all `f` and `g` that leave time for the eight latencies that a handshake takes: three of the opening,
//! four packets, and a write. So an attempt fails no less often here than by [`Tolerance::dials`], which is of the opening alone.
//!
//! `k(n)` is `n` and as many failures as there are among attempts of which `n` are to succeed, but for a probability of at most 10⁻⁹.
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
use crate::protocol::{Setup, Tolerance};
use crate::stream::{StreamLaw, waits};
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
    /// How often an attempt fails: `q`.
    fails: f64,
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
            fails: fails(shortest_handshake(setup), setup.tolerated, setup.streams.min_rto),
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
        let fails = self.fails;
        // The probability that this many have failed when the last succeeds, but for the successes' own share.
        let (mut failures, mut probability) = (0, fails * successes as f64);
        while probability > 1e-9 && failures < 10_000 {
            failures += 1;
            probability *= fails * (successes + failures) as f64 / (failures + 1) as f64;
        }
        successes + failures
    }
}

fn shortest_handshake(setup: &Setup<'_, RefineryNode>) -> Span {
    let handshakes = setup.hosts.iter().map(|host| host.config.handshake);
    handshakes.min().unwrap_or_default()
}

/// How often a handshake that is let in anyhow takes longer than it may, for no reason but loss.
fn fails(handshake: Span, tolerated: Tolerance, min_rto: Span) -> f64 {
    let on_the_way = tolerated.latency * 8;
    let Some(left) = handshake.as_nanos().checked_sub(on_the_way.as_nanos()) else {
        // There is no time for it at all.
        return MOST;
    };
    let arrives = (1.0 - tolerated.loss) * (1.0 - tolerated.loss);
    let fails = 1.0 - arrives;
    let timeout = tolerated.longest_timeout(min_rto);
    let mut in_time = 0.0;
    let mut opening = arrives;
    for openings in 0.. {
        let opened = waits(openings + 1, StreamLaw::FIRST_TIMEOUT).as_nanos();
        if opened > left || opening < TINY {
            break;
        }
        let mut packets = arrives * arrives * arrives * arrives;
        for tries in 0.. {
            if opened + waits(tries + 1, timeout).as_nanos() > left || packets < TINY {
                break;
            }
            in_time += opening * packets;
            packets *= fails * f64::from(tries + 4) / f64::from(tries + 1);
        }
        opening *= fails;
    }
    (1.0 - in_time).clamp(0.0, MOST)
}

/// What is counted as no chance at all.
const TINY: f64 = 1e-15;
/// As often as an attempt is taken to fail at most: bounds beyond that are of no use to anyone, and no file is as long.
const MOST: f64 = 0.9;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::{Role, Rules};
    use super::*;
    use crate::protocol::{Placed, Tolerance};

    const LATENCY: Span = Span::from_millis(10);
    const RTO: Span = Span::from_millis(200);

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
                latency: LATENCY,
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
        // 1.3 % fail; of the sixth failure the probability is 4·10⁻¹¹, and of the fifth 2·10⁻⁹.
        let lossy = terms(0.05);
        assert_eq!(lossy.attempts(2), 2 + 5);
        assert!(lossy.attempts(6) > lossy.attempts(2) + 3);
    }

    #[test]
    fn an_attempt_fails_when_its_tries_leave_no_time() {
        let tolerated = |loss| Tolerance {
            loss,
            latency: LATENCY,
        };
        let after = |handshake, loss| fails(Span::from_millis(handshake), tolerated(loss), RTO);
        assert_eq!(
            (after(2_000, 0.0), after(80, 0.0), after(79, 0.0)),
            (0.0, 0.0, MOST)
        );
        // No try may fail: the opening's and four more.
        let all_at_once: f64 = [0.9 * 0.9; 5].iter().product();
        assert!((after(280, 0.1) - (1.0 - all_at_once)).abs() < 1e-12);
        // One may, of the four: a timeout is 220 ms.
        let one_again = all_at_once * (1.0 + 4.0 * (1.0 - 0.9 * 0.9));
        assert!((after(300, 0.1) - (1.0 - one_again)).abs() < 1e-12);
        for loss in [0.001, 0.01, 0.05, 0.2] {
            let shorter = [2_000, 5_000, 20_000, 60_000].map(|handshake| after(handshake, loss));
            assert!(
                shorter.is_sorted_by(|longer, shorter| longer > shorter),
                "{shorter:?}"
            );
        }
    }

    #[test]
    fn no_fewer_attempts_are_made_than_dials_that_only_have_to_be_opened() {
        for loss in [0.0, 0.001, 0.01, 0.05, 0.1] {
            let terms = terms(loss);
            let dials = Tolerance {
                loss,
                latency: LATENCY,
            }
            .dials(terms.handshake);
            assert!(terms.attempts(1) >= u64::from(dials), "{loss}: {dials}");
        }
    }
}
