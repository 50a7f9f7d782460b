//! What a law of links makes of a stream, where its packets are the machine's own business: a live edge sees bytes that have come in, and
//! delays them as the packets would have been that they came in.
//!
//! A packet that is lost is sent again when its timeout has passed, and is twice as long in coming each time (RFC 6298); what comes after
//! it waits. So loss is delay, a queue that is full is one that is waited for, and nothing is ever doubled, flawed or out of order.

use super::{Law, Purpose, Words};
use crate::link::transmission;
use crate::rng::between;
use crate::stream::{StreamLaw, waits};
use crate::time::{Span, Time};

/// What a packet of a stream has besides its payload, in bytes: an IPv4 header and a TCP header, both without options.
pub const STREAM_HEADERS: u64 = 40;
/// The longest packet of a link that has no MTU of its own: Ethernet's.
const USUAL_MTU: u64 = 1500;
/// How often in a row a packet is lost at most: by then its connection is given up.
const MOST_LOST: u32 = 64;

impl Law {
    /// How long `len` bytes of a stream are under way that were sent into the link at `now`, as many packets at once, until the last of
    /// them has come through. `min_rto` is what the variation of round trips adds to a timeout at least.
    ///
    /// `free_at` and `count` are those of [`passage`](Law::passage); with no place to keep when the link is free, it is.
    pub fn stream_passage<'l>(
        &self,
        words: impl Words,
        now: Time,
        len: usize,
        min_rto: Span,
        free_at: impl FnOnce() -> Option<&'l mut Time>,
        mut count: impl FnMut(u32),
    ) -> Span {
        let mut queued = Span::ZERO;
        let mtu = self.mtu().map_or(USUAL_MTU, u64::from);
        let payload = mtu.saturating_sub(STREAM_HEADERS).max(1);
        let packets = (len as u64).div_ceil(payload).max(1);
        if let Some(rare) = self.rare.as_deref() {
            rare.entries.iter().for_each(|entry| count(*entry));
            if let (Some(bandwidth), Some(free_at)) = (rare.bandwidth, free_at()) {
                let bytes = len as u64 + packets * STREAM_HEADERS;
                *free_at = now.max(*free_at) + transmission(bytes, bandwidth);
                queued = free_at.since(now);
            }
        }
        let latency = self.latency.draw(words.word(Purpose::Latency));
        let lost = in_a_row(self.loss.share(), packets, words.word(Purpose::Loss));
        let again = waits(lost + 1, latency * 2 + min_rto);
        let held_back = self.reorder.share() > 0.0
            && in_a_row(self.reorder.share(), packets, words.word(Purpose::Reorder)) > 0;
        let held_back = match held_back {
            true => between(words.word(Purpose::ReorderBy), Span::ZERO, self.reorder_by),
            false => Span::ZERO,
        };
        queued + latency + again + held_back
    }

    /// How long an opening takes of which so many packets go one after the other, there and back by this law; one that is lost is asked for
    /// again by whoever dials.
    pub fn stream_opening(&self, words: impl Words, packets: u32) -> Span {
        let trips = (0..packets).fold(Span::ZERO, |sum, nth| {
            let word = words.word(Purpose::Latency).rotate_left(21 * nth);
            sum + self.latency.draw(word)
        });
        // Each of a question and its answer.
        let through = (1.0 - self.loss.share()) * (1.0 - self.loss.share());
        let lost = in_a_row(1.0 - through, 1, words.word(Purpose::Loss));
        trips + waits(lost + 1, StreamLaw::FIRST_TIMEOUT)
    }

    /// How long one packet that nobody sends again is under way; `None` when it is lost.
    pub fn stream_packet(&self, words: impl Words) -> Option<Span> {
        let is_lost = self.loss.hits(words.word(Purpose::Loss));
        (!is_lost).then(|| self.latency.draw(words.word(Purpose::Latency)))
    }
}

/// When a sender tries again that has sent something in vain at `since`: the first time at `now` or later. `first` is its first timeout.
pub fn next_try(since: Time, first: Span, now: Time) -> Time {
    let mut tries = (1..=MOST_LOST).map(|tries| since + waits(tries, first));
    tries.find(|at| *at >= now).unwrap_or(now)
}

/// How often the unluckiest of so many packets is lost in a row, each time with a probability of `loss`: the least number for which all of
/// them have come through with the probability of the word.
fn in_a_row(loss: f64, packets: u64, word: u64) -> u32 {
    if loss <= 0.0 {
        return 0;
    }
    let part = (word >> 11) as f64 / (1u64 << 53) as f64;
    let mut all_lost = loss;
    for times in 0..MOST_LOST {
        let all_came = libm::exp(packets as f64 * libm::log1p(-all_lost.min(1.0)));
        if part < all_came {
            return times;
        }
        all_lost *= loss;
    }
    MOST_LOST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latency;
    use crate::link::LinkLaw;

    #[derive(Clone, Copy)]
    struct Same(u64);
    impl Words for Same {
        fn word(self, _: Purpose) -> u64 {
            self.0
        }
    }

    const MIN_RTO: Span = Span::from_millis(200);

    fn ms(millis: u64) -> Span {
        Span::from_millis(millis)
    }

    fn law(change: impl FnOnce(&mut LinkLaw)) -> Law {
        let mut law = LinkLaw::delaying(Latency::Constant(ms(10)));
        change(&mut law);
        Law::new(&law, vec![3])
    }

    fn passage(law: &Law, word: u64, len: usize) -> Span {
        law.stream_passage(Same(word), Time::ZERO, len, MIN_RTO, || None, |_| {})
    }

    #[test]
    fn each_loss_is_a_timeout_that_is_twice_as_long_as_the_one_before() {
        let law = law(|law| law.loss = 0.5);
        // The share that comes through at the first try, at the second, and so on.
        for (share, delay) in [(0.0, 10), (0.49, 10), (0.51, 230), (0.76, 670), (0.88, 1550)] {
            let word = ((share * (1u64 << 53) as f64) as u64) << 11;
            assert_eq!(passage(&law, word, 1), ms(delay), "{share}");
        }
        assert!(passage(&law, u64::MAX, 1) > Span::from_secs(120));
    }

    #[test]
    fn many_packets_are_as_late_as_the_unluckiest_of_them() {
        let law = law(|law| law.loss = 0.1);
        // Of ten, all come through at once in a share of 0.9^10, and with one loss each at most in one of 0.99^10.
        let (at_once, soon) = (0.348_678, 0.904_382);
        for (share, delay) in [
            (at_once - 0.001, 10),
            (at_once + 0.001, 230),
            (soon - 0.001, 230),
            (soon + 0.001, 670),
        ] {
            let word = ((share * (1u64 << 53) as f64) as u64) << 11;
            assert_eq!(passage(&law, word, 14_600), ms(delay), "{share}");
        }
    }

    #[test]
    fn a_link_without_loss_delays_and_one_with_a_bandwidth_lets_wait() {
        assert_eq!(passage(&law(|_| {}), u64::MAX, 1 << 20), ms(10));
        let law = law(|law| law.bandwidth = Some(8_000_000));
        let mut free_at = Time::ZERO;
        let mut counted = Vec::new();
        let mut send = |free_at: &mut Time| {
            law.stream_passage(
                Same(0),
                Time::ZERO,
                1_460,
                MIN_RTO,
                || Some(free_at),
                |entry| counted.push(entry),
            )
        };
        // 1 500 bytes at a million a second.
        assert_eq!(send(&mut free_at), ms(10) + Span::from_micros(1_500));
        assert_eq!(send(&mut free_at), ms(10) + Span::from_micros(3_000));
        assert_eq!(counted, [3, 3]);
    }

    #[test]
    fn what_was_sent_in_vain_is_tried_again_later_and_later() {
        let at = |millis| Time::ZERO + ms(millis);
        for (now, next) in [(0, 0), (1, 220), (220, 220), (221, 660), (700, 1540)] {
            assert_eq!(next_try(at(0), ms(220), at(now)), at(next), "{now}");
        }
        let late = next_try(at(0), ms(220), Time::ZERO + Span::from_secs(1_000));
        assert!(late <= Time::ZERO + Span::from_secs(1_120));
    }

    #[test]
    fn an_opening_takes_its_trips_and_a_second_for_what_is_lost() {
        assert_eq!(law(|_| {}).stream_opening(Same(0), 2), ms(20));
        let law = law(|law| law.loss = 0.5);
        // A quarter comes through both ways.
        assert_eq!(law.stream_opening(Same(0), 2), ms(20));
        assert_eq!(law.stream_opening(Same((1 << 63) - 1), 2), ms(3_020));
        assert_eq!(law.stream_packet(Same(0)), None);
        assert_eq!(law.stream_packet(Same(u64::MAX)), Some(ms(10)));
    }
}
