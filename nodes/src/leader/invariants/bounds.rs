//! How long each promise may take to come true once a group is left alone, derived from the settings.
//!
//! The letters: `H` from one heartbeat to the next, `T` the timeout, `D` the deadline of a connection, `R` from one retry to the next, `L`
//! the tolerated latency, which a write to a disk takes at most as well (a slower disk is beyond what is tolerated), `k` the number of
//! tries until a message that is sent anew each time has failed to be answered every time with a probability of at most 10⁻⁹. A message
//! takes a packet to open a connection, one to accept it, one for each 1 400 bytes of it, and one for the answer; that one of them is
//! lost counts as a failure, though it may be sent again before the deadline. So no step waits for a kernel to bring what was lost, nor
//! dials until a connect timeout: a connection that has not done it by `D` is closed, and another is tried. The longest message that a
//! promise waits for is the list.
//!
//! `A = k·H + D` is how long it takes until everyone has had something of the leader, which it says anew with each heartbeat. `S` is how
//! long after it was written a message may still come in, though its connection was closed at the deadline: what a node has closed, its
//! kernel goes on sending. That is [`Tolerance::stream_delay`], and no longer than the user timeout, at which the kernel gives up. What a
//! cut holds up for longer is no part of it: until then the stream is stuck, and the group not quiet.
//!
//! **`one_leader`** takes, one after the other,
//!
//! 1. `D + S + T` until everyone without a leader misses it: a heartbeat of a leader that is gone, dialled right before that and written when
//!    the connection was open, may still calm them. The starter, and who has the highest number by its disk, leads at once. What comes
//!    late from a leader that was replaced is of a term that is followed no more. Meanwhile who was silent is heard of again, if it is there:
//!    it is dialled anew every `2D`, and where a host goes on dialling for longer than `10D`, so that there may be no room for that, by the
//!    host, half of that later at most. From then on it is dialled as anyone is.
//! 2. `D + L` until one of them leads: those of higher numbers are asked, and have the deadline to answer; then the term is written down.
//! 3. `2A` until everyone knows the list: a heartbeat tells the leader that they wait, and the next brings the list.
//! 4. `T + D + L` until the highest of them, which may have been told only now, has missed a leader of a higher number and leads.
//! 5. `2A` until all others follow it. The first word of it may be of a term below what they have seen, and their answer makes it
//!    open a higher one with its next heartbeat, which is the first of the tries that count in the second `A`,
//! 6. for which it may have to ask those above it once more, `D + L`.
//!
//! **`calls_answered`** then takes `k·R + D`: a request is made again every `R`. **`chat_reaches_all`** takes the same: what was said is
//! sent again every `R` to who has not had it, once they know the list.

use super::super::config::{MOST_AT_ONCE, MOST_UNHEARD};
use super::super::{Config, LeaderNode};
use crate::protocol::{Setup, Tolerance};
use crate::stream::StreamLaw;
use crate::time::Span;

/// What the formulas are made of: the longest of each setting over all hosts.
pub(super) struct Terms {
    heartbeat: Span,
    timeout: Span,
    deadline: Span,
    retry: Span,
    latency: Span,
    late: Span,
    /// After how long a host gives up to dial.
    dialled: Span,
    tries: u64,
}

/// About how many bytes of a list one node takes, and how many of a message one packet.
const BYTES_OF_A_NODE: usize = 64;
const BYTES_OF_A_PACKET: usize = 1_400;

impl Terms {
    /// The terms of a cluster.
    pub(super) fn of(setup: &Setup<'_, LeaderNode>) -> Self {
        let longest = |span: fn(&Config) -> Span| {
            let spans = setup.hosts.iter().map(|host| span(&host.config));
            spans.max().unwrap_or_default()
        };
        let list = (setup.hosts.len() * BYTES_OF_A_NODE).div_ceil(BYTES_OF_A_PACKET);
        Terms {
            heartbeat: longest(|config| config.heartbeat),
            timeout: longest(|config| config.timeout),
            deadline: longest(|config| config.deadline),
            retry: longest(|config| config.retry),
            latency: setup.tolerated.latency,
            late: setup
                .tolerated
                .stream_delay(setup.streams.min_rto)
                .min(setup.streams.user_timeout),
            dialled: setup.streams.connect_timeout,
            tries: tries(setup.tolerated, 3 + list.max(1) as u64),
        }
    }

    /// Until there is one leader, whom all follow.
    pub(super) fn one_leader(&self) -> Span {
        let missed = (self.deadline + self.late + self.timeout).max(self.heard_again());
        let asked = self.deadline + self.latency;
        let told = self.everyone() * 2;
        let taken = self.timeout + self.deadline + self.latency;
        let followed = self.everyone() * 2 + self.deadline + self.latency;
        missed + asked + told + taken + followed
    }

    /// Until a call is answered.
    pub(super) fn calls_answered(&self) -> Span {
        self.one_leader() + self.retry * self.tries + self.deadline
    }

    /// Until what was said has been shown to everyone.
    pub(super) fn chat_reaches_all(&self) -> Span {
        self.calls_answered()
    }

    /// Until somebody who was silent is dialled.
    fn heard_again(&self) -> Span {
        let anew = self.deadline * 2;
        let until_full = anew * (MOST_UNHEARD - MOST_AT_ONCE) as u64;
        match self.dialled <= until_full {
            true => anew,
            // A host waits twice as long after each try, up to a bound.
            false => anew + (self.dialled / 2).min(StreamLaw::LONGEST_TIMEOUT),
        }
    }

    /// Until everyone has had something of the leader.
    fn everyone(&self) -> Span {
        self.heartbeat * self.tries + self.deadline
    }
}

/// After how many tries, of which each needs `packets` to arrive, the probability that all of them failed is at most 10⁻⁹.
fn tries(tolerated: Tolerance, packets: u64) -> u64 {
    let arrives = 1.0 - tolerated.loss;
    let all_arrive = (0..packets).fold(1.0, |product, _| product * arrives);
    let tolerance = Tolerance {
        loss: 1.0 - all_arrive,
        ..tolerated
    };
    u64::from(tolerance.retries())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::{Config, Role, Rules};
    use super::*;
    use crate::protocol::Placed;

    fn terms(hosts: usize, loss: f64) -> Terms {
        let host = |i: usize| Placed {
            name: format!("h{i}"),
            ip: Ipv4Addr::from(0x0a00_0001 + i as u32),
            role: Role::Peer,
            config: Config::profile("brisk", Rules::Hardened),
        };
        let hosts: Vec<Placed<LeaderNode>> = (0..hosts).map(host).collect();
        let tolerated = Tolerance {
            loss,
            latency: Span::from_millis(100),
        };
        Terms::of(&Setup {
            hosts: &hosts,
            rules: "Hardened",
            streams: crate::stream::StreamLaw::default(),
            tolerated,
        })
    }

    #[test]
    fn the_bounds_are_what_the_formulas_say() {
        let terms = terms(5, 0.05);
        // Seven tries in a row are lost with a probability below 10⁻⁹, the last of them 46 s after the first: the user timeout is less.
        assert_eq!(terms.late, Span::from_secs(20));
        // 1 − 0.95⁴ is 0.185, and 0.185¹³ is below 10⁻⁹: 0.185¹² is not.
        assert_eq!(terms.tries, 13);
        let everyone = Span::from_millis(13 * 100 + 1_000);
        assert_eq!(terms.everyone(), everyone);
        let asked = Span::from_millis(1_000 + 100);
        let one_leader = Span::from_millis(22_500) + asked * 3 + Span::from_millis(1_500) + everyone * 4;
        assert_eq!(terms.one_leader(), one_leader);
        assert_eq!(
            terms.calls_answered(),
            one_leader + Span::from_millis(13 * 200 + 1_000)
        );
    }

    #[test]
    fn a_list_of_many_packets_takes_more_tries_and_without_loss_one_is_enough() {
        assert!(terms(100, 0.05).tries > terms(5, 0.05).tries);
        let lossless = terms(100, 0.0);
        assert_eq!((lossless.tries, lossless.late), (1, Span::from_millis(100)));
    }

    #[test]
    fn where_hosts_dial_for_longer_who_was_silent_is_found_later() {
        let usual = terms(5, 0.0);
        assert_eq!(usual.heard_again(), Span::from_secs(2));
        let patient = Terms {
            dialled: Span::from_secs(60),
            ..terms(5, 0.0)
        };
        assert_eq!(patient.heard_again(), Span::from_secs(32));
        let missed = Span::from_millis(1_000 + 100 + 1_500);
        let longer = patient.heard_again() - missed;
        assert_eq!(patient.one_leader(), usual.one_leader() + longer);
    }
}
