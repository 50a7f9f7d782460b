//! The node that measures: it sends stamps to its peer, reads those that come, and looks at its timers and its disk.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use squall_nodes::{CallId, Input, Node, NodeRng, Outbox, Span, Time, Timer};
use squall_sim::machine::Waking;

use super::LONGEST_WRITING;

/// Between two datagrams it is idle for a time within one of these, each as often as the others: from the few milliseconds between two
/// datagrams to the rounds of most protocols. The two nodes do not fall into step.
const PAUSES: [(Span, Span); 6] = {
    const fn ms(low: u64, high: u64) -> (Span, Span) {
        (Span::from_millis(low), Span::from_millis(high))
    }
    [
        ms(5, 10),
        ms(10, 20),
        ms(20, 40),
        ms(40, 80),
        ms(80, 160),
        ms(160, 300),
    ]
};
/// What it is idle for on average.
pub(super) const MEAN_PAUSE: Span = Span::from_millis(77);
/// How long a datagram is: about as long as most are.
const LENGTH: usize = 64;
/// How much is written: about as much as most nodes keep.
const WRITTEN: [u8; 256] = [0x5a; 256];

/// A node that measures.
#[derive(Clone)]
pub(super) struct Probe {
    config: Config,
    rng: NodeRng,
    /// Who wants to know.
    call: Option<CallId>,
    /// When the timer is to go off that is armed.
    due: Time,
    /// When it was handed something last.
    last: Time,
    sent: u32,
    /// When the writes began, and the last of them.
    writing: Option<(Time, Time)>,
    readings: Readings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) port: u16,
    pub(super) peer: SocketAddrV4,
    pub(super) datagrams: u32,
    pub(super) writes: u32,
}

/// Measure, and answer when it is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Measure;

/// What was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Readings {
    /// How long datagrams took that came in, each.
    pub(super) delays: Vec<Span>,
    /// How late timers went off.
    pub(super) lateness: Vec<Waking>,
    /// How long writes took.
    pub(super) writes: Vec<Span>,
}

/// The next datagram is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tick;

impl Timer for Tick {
    fn code(&self) -> u64 {
        0
    }
}

squall_nodes::facts! {
    /// It claims nothing: claims are lines, which take their time.
    pub(super) enum Nothing {
        /// Never claimed.
        "nothing" => Nothing,
    }
}

impl Node for Probe {
    type Role = ();
    type Config = Config;
    type Command = Measure;
    type Answer = Readings;
    type Timer = Tick;
    type Fact = Nothing;

    fn boot(_: &(), config: &Config, _: Option<&[u8]>, rng: NodeRng) -> Self {
        Probe {
            config: config.clone(),
            rng,
            call: None,
            due: Time::MAX,
            last: Time::ZERO,
            sent: 0,
            writing: None,
            readings: Readings::default(),
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let last = std::mem::replace(&mut self.last, now);
        match input {
            Input::Start => out.bind(self.config.port),
            Input::Command { call, .. } => {
                self.call = Some(call);
                self.rest(now, out);
            }
            Input::Timer(Tick) => {
                self.readings.lateness.push(Waking {
                    idle: self.due.since(last),
                    late: now.since(self.due),
                });
                self.send(now, out);
                self.sent += 1;
                if self.sent < self.config.datagrams {
                    self.rest(now, out);
                } else {
                    self.writing = Some((now, now));
                    out.persist(&WRITTEN);
                }
            }
            Input::Datagram { from, bytes, .. } => {
                if let Some(stamp) = bytes.first_chunk()
                    && from == self.config.peer
                    && self.readings.delays.len() < self.config.datagrams as usize
                {
                    let sent = Time::from_nanos(u64::from_le_bytes(*stamp));
                    self.readings.delays.push(now.since(sent));
                }
            }
            Input::Persisted(_) => self.written(now, out),
            // A disk that does not write is told by there being no reading.
            Input::PersistFailed(_) => self.answer(out),
            Input::Stream { .. } => {}
        }
    }
}

impl Probe {
    fn rest(&mut self, now: Time, out: &mut Outbox<Self>) {
        let (low, high) = PAUSES[self.rng.below(PAUSES.len() as u64) as usize];
        self.due = now + self.rng.span(low, high);
        out.arm(Tick, self.due);
    }

    fn send(&mut self, now: Time, out: &mut Outbox<Self>) {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&now.as_nanos().to_le_bytes());
        let payload = out.payload(&bytes);
        out.send(self.config.port, self.config.peer, payload);
    }

    fn written(&mut self, now: Time, out: &mut Outbox<Self>) {
        let Some((first, last)) = self.writing else { return };
        self.readings.writes.push(now.since(last));
        let is_enough = self.readings.writes.len() >= self.config.writes as usize;
        if is_enough || now.since(first) >= LONGEST_WRITING {
            self.answer(out);
        } else {
            self.writing = Some((first, now));
            out.persist(&WRITTEN);
        }
    }

    fn answer(&mut self, out: &mut Outbox<Self>) {
        if let Some(call) = self.call.take() {
            out.answer(call, std::mem::take(&mut self.readings));
        }
    }
}
