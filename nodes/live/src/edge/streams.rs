//! What the policy in force makes of streams: how long their bytes are under way, and which ways are cut.
//!
//! The packets are the kernels' own business, which know of no policy: what has come in is held back by the receiver as if the packets had
//! been delayed, lost and cut that it came in.

use std::net::Ipv4Addr;

use squall_nodes::link::passage::stream::next_try;
use squall_nodes::stream::StreamLaw;
use squall_nodes::{Span, Time};

use super::{Direction, Drawn, Edge, What, free_at, touch};
use crate::line::Counts;
use crate::policy::Way;

/// Whether the ways between this host and another one are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cuts {
    pub(crate) out: bool,
    pub(crate) back: bool,
}

/// How long bytes are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) by: Span,
    /// Whether those who watch for quiet have to know when they arrive.
    pub(crate) straggles: bool,
}

impl Cuts {
    pub(crate) fn any(self) -> bool {
        self.out || self.back
    }
}

impl Edge {
    /// Which ways to and from a peer are cut.
    pub(crate) fn cuts(&self, peer: Ipv4Addr) -> Cuts {
        let cut = |direction| {
            let policy = self.policies.back().filter(|_| peer != self.own);
            policy.is_some_and(|policy| *policy.way(direction, peer) != Way::Open)
        };
        Cuts {
            out: cut(Direction::Out),
            back: cut(Direction::Back),
        }
    }

    /// Counts something that a cut keeps from a peer, or back from it.
    pub(crate) fn note_cut(&self, peer: Ipv4Addr, counts: &mut Counts) {
        if !self.is_cut(Direction::Out, peer, Time::MAX, counts) {
            self.is_cut(Direction::Back, peer, Time::MAX, counts);
        }
    }

    /// How long bytes are under way that have come in at `now`; `None` when they are not.
    pub(crate) fn delay(
        &mut self,
        from: Ipv4Addr,
        now: Time,
        len: usize,
        counts: &mut Counts,
    ) -> Option<Delay> {
        let link = self.policies.back()?.link_from(from);
        let law = link.law.as_ref()?;
        let min_rto = self.min_rto();
        let words = Drawn::by(&mut self.rng);
        let queues = &mut self.free_at;
        let by = law.stream_passage(
            &words,
            now,
            len,
            min_rto,
            || free_at(queues, from, now),
            |entry| touch(&[entry], counts),
        );
        Some(Delay {
            by,
            straggles: by > link.tolerated,
        })
    }

    /// How long an opening takes from here, of which so many packets are to come and go.
    pub(crate) fn opening(&mut self, with: Ipv4Addr, packets: u32) -> Span {
        let policy = self.policies.back();
        let Some(law) = policy.and_then(|policy| policy.link_from(with).law.as_ref()) else {
            return Span::ZERO;
        };
        law.stream_opening(&Drawn::by(&mut self.rng), packets)
    }

    /// How long a packet is under way that nobody sends again; `None` when it is lost.
    pub(crate) fn lone_packet(&mut self, from: Ipv4Addr) -> Option<Span> {
        let policy = self.policies.back();
        match policy.and_then(|policy| policy.link_from(from).law.as_ref()) {
            None => Some(Span::ZERO),
            Some(law) => law.stream_packet(&Drawn::by(&mut self.rng)),
        }
    }

    /// When that arrives which a peer has sent in vain since a time, and sends again now and then, now that the way is open.
    pub(crate) fn sent_again(&mut self, from: Ipv4Addr, since: Time, now: Time) -> Time {
        let trip = self.lone_packet(from).unwrap_or_default();
        next_try(since, trip * 2 + self.min_rto(), now) + trip
    }

    /// A stream with a host waits from now on for what was swallowed.
    pub(crate) fn sticks(&mut self, with: Ipv4Addr) {
        let stuck = self.stuck.entry(with).or_default();
        *stuck += 1;
        if *stuck == 1 {
            self.upsets.note_always(What::Stuck, with);
        }
    }

    /// It does not any more.
    pub(crate) fn flows(&mut self, with: Ipv4Addr) {
        let Some(stuck) = self.stuck.get_mut(&with) else {
            return;
        };
        *stuck -= 1;
        if *stuck == 0 {
            self.stuck.remove(&with);
            self.upsets.note_always(What::Flows, with);
        }
    }

    /// Something arrives that a cut or a law has kept for longer than is tolerated.
    pub(crate) fn straggles(&mut self, from: Ipv4Addr, now: Time) {
        self.upsets.note(What::Straggled, from, now);
    }

    fn min_rto(&self) -> Span {
        let policy = self.policies.back();
        policy
            .and_then(|policy| policy.min_rto)
            .unwrap_or(StreamLaw::default().min_rto)
    }
}
