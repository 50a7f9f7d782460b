//! What both worlds go by in streams: the bounds and timeouts of a connection, and what they leave of it while links are as bad as is
//! tolerated.

use crate::protocol::Tolerance;
use crate::time::Span;

/// What the kernels of hosts go by in streams: TCP (RFC 9293), with the timeouts of RFC 6298 as Linux has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLaw {
    /// What the variation of round trips adds to a retransmission timeout, at least: `TCP_RTO_MIN` of Linux.
    pub min_rto: Span,
    /// For how long nothing may be acknowledged of what is to be until a connection is given up (RFC 5482); as with Linux, what the
    /// receiver has no room for is to be acknowledged, too.
    pub user_timeout: Span,
    /// How long a connection may take to be opened.
    pub connect_timeout: Span,
    /// How many bytes that were written a kernel holds for a connection until they are acknowledged.
    pub send_buffer: u64,
    /// How many bytes that came in it holds until they are read.
    pub receive_buffer: u64,
    /// How many bytes more than fit its send buffer a node may have written to a connection; beyond that it is reset.
    pub backlog: u64,
    /// The same, of all connections of a host together.
    pub backlogs: u64,
    /// How many connections a host has at once that others have opened, those that are being closed included; while there are as many,
    /// whoever dials is refused. As many again its node may open itself.
    pub connections: u32,
    /// Of those that others have opened, how many one peer may have; what it opens beyond is reset.
    pub of_peer: u32,
    /// How many connections to a port may be open that its node has not been told of, as a kernel is told by `listen`: Linux opens one
    /// more. What is dialled beyond is not heard, and dialled again.
    pub listen_backlog: u32,
}

impl Default for StreamLaw {
    fn default() -> Self {
        StreamLaw::DEFAULT
    }
}

impl StreamLaw {
    /// What kernels go by where nothing else is said.
    pub const DEFAULT: Self = StreamLaw {
        min_rto: Span::from_millis(200),
        user_timeout: Span::from_secs(20),
        connect_timeout: Span::from_secs(10),
        send_buffer: 64 << 10,
        receive_buffer: 128 << 10,
        backlog: 16 << 20,
        backlogs: 64 << 20,
        connections: 1024,
        of_peer: 256,
        listen_backlog: 128,
    };
    /// The first timeout of an opening: RFC 6298, 2.1.
    pub const FIRST_TIMEOUT: Span = Span::from_secs(1);
    /// What a timeout backs off to at most: `TCP_RTO_MAX` of Linux.
    pub const LONGEST_TIMEOUT: Span = Span::from_secs(120);
}

impl Tolerance {
    /// How long after it was written a byte has come in, with a probability of at least 1 − 10⁻⁹, on a connection on which nothing is
    /// under way, while its group is quiet and its reader reads: until all of so many tries have been lost that this is less likely, each
    /// twice as long after the one before as that was, and a latency more.
    ///
    /// It is long where much loss is tolerated: with `min_rto` at 200 ms and links of a few milliseconds some 13 s at 5 %, 3 s at 1 %,
    /// 0.6 s at 0.1 %. A connection may be given up before, when that is longer than its user timeout.
    pub fn stream_delay(&self, min_rto: Span) -> Span {
        waits(self.retries(), self.longest_timeout(min_rto)) + self.latency
    }

    /// The same where a few packets are under way that were written before: nothing new goes out between a timeout and the
    /// acknowledgement of what was under way, and an acknowledgement is lost as anything is.
    pub fn busy_stream_delay(&self, min_rto: Span) -> Span {
        let acknowledged = waits(self.there_and_back().retries(), self.longest_timeout(min_rto));
        acknowledged + self.latency * 2 + self.stream_delay(min_rto)
    }

    /// How many times in a row it takes to dial, while the group of both is quiet, until all of them have timed out with a probability of
    /// at most 10⁻⁹.
    pub fn dials(&self, connect_timeout: Span) -> u32 {
        let (mut tries, mut at) = (0, Span::ZERO);
        // What goes out at the very end, or so that an answer would come after it, is of no use.
        while at + self.latency * 2 < connect_timeout {
            tries += 1;
            at = waits(tries + 1, StreamLaw::FIRST_TIMEOUT);
        }
        match tries {
            0 => u32::MAX,
            _ => self.there_and_back().retries().div_ceil(tries),
        }
    }

    /// The longest that a retransmission timeout is before it backs off, where no round trip takes longer than two latencies: whatever the
    /// order in which they come, a smoothed trip and four variations come to no more than 3.52 times the longest.
    pub(crate) fn longest_timeout(&self, min_rto: Span) -> Span {
        let trip = self.latency * 2;
        trip + (trip * 8 / 3).max(min_rto)
    }

    /// As bad for what has to go there and back.
    fn there_and_back(&self) -> Tolerance {
        let arrives = 1.0 - self.loss;
        Tolerance {
            loss: 1.0 - arrives * arrives,
            latency: self.latency,
        }
    }
}

/// How long after the first of so many tries the last goes out, where the first timeout is `first`, and each is twice as long as the one
/// before.
pub(crate) fn waits(tries: u32, first: Span) -> Span {
    let timeout = |nth: u32| {
        let factor = 1_u64.checked_shl(nth).unwrap_or(u64::MAX);
        Span::from_nanos(first.as_nanos().saturating_mul(factor)).min(StreamLaw::LONGEST_TIMEOUT)
    };
    (0..tries.saturating_sub(1)).fold(Span::ZERO, |sum, nth| sum + timeout(nth))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN_RTO: Span = Span::from_millis(200);

    fn tolerance(loss: f64) -> Tolerance {
        Tolerance {
            loss,
            latency: Span::from_millis(10),
        }
    }

    #[test]
    fn the_delay_of_a_stream_is_what_its_tries_come_to() {
        // A timeout is 220 ms at most, and so many tries are enough: 0.05^7, 0.01^5, 0.001^3 and none.
        for (loss, tries) in [(0.05, 7), (0.01, 5), (0.001, 3), (0.0, 1)] {
            let expected = Span::from_millis(220 * ((1 << (tries - 1)) - 1) + 10);
            assert_eq!(tolerance(loss).stream_delay(MIN_RTO), expected, "{loss}");
        }
        // There and back, 0.1 % is 0.2 %: four tries.
        let busy = Span::from_millis(220 * 7 + 20 + 220 * 3 + 10);
        assert_eq!(tolerance(0.001).busy_stream_delay(MIN_RTO), busy);
    }

    #[test]
    fn a_timeout_does_not_back_off_for_good() {
        let delay = tolerance(0.5).stream_delay(MIN_RTO);
        // 30 tries: ten timeouts from 220 ms to 112.64 s, and 19 of two minutes.
        assert_eq!(delay, Span::from_millis(220 * 1023 + 19 * 120_000 + 10));
    }

    #[test]
    fn as_many_dials_are_tried_as_it_takes() {
        // In ten seconds an opening goes out at 0, 1, 3 and 7 s; at 5 %, 0.0975^9 is less than 10⁻⁹.
        assert_eq!(tolerance(0.05).dials(Span::from_secs(10)), 3);
        assert_eq!(tolerance(0.05).dials(Span::from_secs(1)), 9);
        assert_eq!(tolerance(0.0).dials(Span::from_secs(1)), 1);
        assert_eq!(tolerance(0.0).dials(Span::from_millis(20)), u32::MAX);
    }
}
