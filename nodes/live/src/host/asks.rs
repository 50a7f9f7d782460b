//! What the node's side of the door is asked: calls, policies, how the node is.

use std::collections::VecDeque;
use std::path::Path;

use squall_nodes::{CallId, Node, Time};
use tokio::sync::mpsc;

use super::Host;
use crate::door::{Answers, Ask};
use crate::line::Line;
use crate::policy::Policy;
use crate::request::Reply;
use crate::status::{Armed, Calls, Claimed, Status, Writes};

/// How many calls may be open. One more, and those are looked through whose callers are gone.
const MOST_CALLS: usize = 1024;
/// How many requests are kept that the node cannot be told of yet. Of more, those of outside are refused.
const MOST_KEPT: usize = 1024;
/// How many bytes of room calls of outside may take that are kept until it is looked whether their callers are still there.
const MUCH_ROOM: usize = 8 << 20;
/// How many are kept besides of whoever attends the node, whose requests are done in the order in which they were written.
const MOST_OF_ATTENDANT: usize = 1 << 16;
/// Where the numbers begin that calls get from the host, so that they are nobody else's. Programs that keep numbers as floating-point
/// ones keep these, too.
const OWN_CALLS: u64 = 1 << 52;

/// A call that somebody waits for.
pub(super) struct Open<N: Node> {
    /// The number that whoever called has for it.
    pub(super) call: u64,
    pub(super) replies: mpsc::Sender<Reply<N>>,
}

impl<N: Node> Host<N> {
    /// Does what is asked next, or says which call it is.
    pub(super) fn next_ask(&mut self) -> Option<CallId> {
        let ask = match self.asks.pop_front() {
            Some(ask) => ask,
            None => self.asked.try_recv().ok()?,
        };
        self.serve(ask)
    }

    /// Does what is asked, or says which call it is.
    fn serve(&mut self, ask: Ask<N>) -> Option<CallId> {
        match ask {
            Ask::Go { at } => {
                // The first word counts, and once it runs it goes.
                self.go_at.get_or_insert(at);
                None
            }
            Ask::Policy { policy, applied } => {
                let number = policy.number;
                self.put_in_force(*policy);
                if let Some(applied) = applied {
                    // Who asked need not wait for it.
                    let _ = applied.send(self.now);
                }
                tracing::debug!(policy = number, "a policy is in force");
                None
            }
            Ask::Status(status) => {
                self.count_kernel_drops();
                let _ = status.send(self.status());
                None
            }
            Ask::Call {
                call,
                command,
                answers,
                room,
            } => {
                // The node is told of it now.
                drop(room);
                self.call(call, command, answers)
            }
        }
    }

    /// Does what is asked of the host. What is for the node waits, in order.
    pub(super) fn serve_what_is_no_call(&mut self) {
        let asks = std::mem::take(&mut self.asks);
        for ask in asks {
            match ask {
                Ask::Call { .. } => self.asks.push_back(ask),
                other => {
                    self.serve(other);
                }
            }
        }
    }

    /// Whether what is asked is taken at all. Nobody but whoever attends the node can have it taken no more.
    pub(super) fn is_heard(&self) -> bool {
        is_heard(&self.asks)
    }

    fn put_in_force(&mut self, mut policy: Policy) {
        let number = policy.number;
        self.tick();
        if self.edge.is_in_force() {
            self.streams.take_in(self.now, &mut self.edge, &mut self.counts);
        }
        if policy.since == Time::ZERO {
            policy.since = self.now;
        }
        self.edge.apply(policy);
        // Before it boots, nothing comes through to it.
        if self.booted.is_some() {
            // What has come in by now goes by the policy that counted when it did.
            self.sockets.waited();
            self.take_in();
        }
        self.streams
            .fall_under_policy(self.now, &mut self.edge, &mut self.counts);
        self.tell_upsets();
        self.tell(|at| Line::Applied { at, policy: number });
        self.flush();
    }

    fn call(&mut self, call: u64, command: N::Command, answers: Answers<N>) -> Option<CallId> {
        let number = match answers {
            Answers::Lines => call,
            Answers::Replies(replies) => {
                if self.calls.len() >= MOST_CALLS {
                    self.calls.retain(|_, open| !open.replies.is_closed());
                }
                if self.calls.len() >= MOST_CALLS {
                    let why = format!("{MOST_CALLS} calls are open already");
                    let _ = replies.try_send(Reply::Refused { why });
                    return None;
                }
                let number = OWN_CALLS + self.numbered;
                self.numbered += 1;
                self.calls.insert(number, Open { call, replies });
                number
            }
        };
        self.tally.calls += 1;
        if self.teller.is_heard() {
            let command = command.clone();
            self.tell(|at| Line::Call {
                at,
                call: number,
                command,
            });
            self.flush();
        }
        self.command = Some(command);
        Some(CallId(number))
    }

    fn status(&mut self) -> Status {
        let counts = self.counted();
        let settings = &self.settings;
        let json = |value: serde_json::Result<serde_json::Value>| value.unwrap_or_default();
        let mut last: Vec<_> = self.tally.facts.iter().collect();
        last.sort_by_key(|(_, last)| std::cmp::Reverse(last.place));
        let facts = last.into_iter().map(|(name, last)| Claimed {
            at: last.at,
            ago: self.now.since(last.at),
            name: (*name).to_owned(),
            count: last.count,
            says: format!("{:?}", last.fact),
            fact: json(serde_json::to_value(&last.fact)),
        });
        let timers = self.timers.iter().map(|(timer, at)| Armed {
            timer: format!("{timer:?}"),
            at,
            within: at.since(self.now),
        });
        let claims = self.tally.facts.iter();
        Status {
            protocol: settings.protocol.clone(),
            rules: settings.rules.clone(),
            name: settings.placed.name.clone(),
            address: settings.placed.ip,
            role: json(serde_json::to_value(&settings.placed.role)),
            config: json(serde_json::to_value(&settings.placed.config)),
            pid: std::process::id(),
            incarnation: self.found.incarnation,
            seed: self.seed,
            disk: self.found.disk,
            now: self.now,
            booted: self.booted,
            up: self
                .booted
                .map_or(squall_nodes::Span::ZERO, |at| self.now.since(at)),
            inputs: self.tally.inputs,
            counts,
            ports: self.sockets.ports().collect(),
            streams: self.streams.status(),
            timers: timers.collect(),
            facts: facts.collect(),
            claims: claims
                .map(|(name, last)| ((*name).to_owned(), last.count))
                .collect(),
            calls: Calls {
                taken: self.tally.calls,
                answers: self.tally.answers,
                open: self
                    .calls
                    .values()
                    .filter(|open| !open.replies.is_closed())
                    .count(),
            },
            writes: Writes {
                completed: self.tally.writes,
                failed: self.tally.failed_writes,
                waiting: self.barrier.bytes(),
            },
            delayed: self.edge.bytes(),
            policy: self.edge.number(),
            stalls: self.tally.stalls,
            recording: self.gauge.read(),
            recording_file: self.gauge.file().map(Path::to_owned),
        }
    }
}

/// Whether there is room for another request that has to be kept.
pub(super) fn is_heard<N: Node>(asks: &VecDeque<Ask<N>>) -> bool {
    asks.len() < MOST_KEPT + MOST_OF_ATTENDANT
}

/// Keeps a request until it is its turn. Calls whose callers are gone make room; where there are too many still, one from outside is
/// refused. So whoever asks how the node is, or has a policy for it, is heard however many calls wait.
pub(super) fn keep<N: Node>(asks: &mut VecDeque<Ask<N>>, ask: Ask<N>) {
    // However few they are, they may take all the room that there is for those of outside.
    let taken: usize = asks.iter().map(Ask::room).sum();
    if asks.len() >= MOST_KEPT || taken >= MUCH_ROOM {
        asks.retain(|ask| !ask.is_of_nobody());
    }
    let Ask::Call {
        answers: Answers::Replies(replies),
        ..
    } = &ask
    else {
        asks.push_back(ask);
        return;
    };
    if asks.len() < MOST_KEPT {
        asks.push_back(ask);
    } else {
        let why = format!("{MOST_KEPT} requests wait for the node already");
        let _ = replies.try_send(Reply::Refused { why });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use squall_nodes::echo::EchoNode;
    use tokio::sync::Semaphore;

    use super::*;

    fn call(answers: Answers<EchoNode>) -> Ask<EchoNode> {
        Ask::Call {
            call: 7,
            command: (),
            answers,
            room: None,
        }
    }

    #[test]
    fn calls_that_wait_keep_nobody_from_being_heard_and_those_of_nobody_make_room() {
        let mut asks = VecDeque::new();
        let mut callers = Vec::new();
        for _ in 0..MOST_KEPT {
            let (replies, caller) = mpsc::channel(1);
            callers.push(caller);
            keep(&mut asks, call(Answers::Replies(replies)));
        }
        assert_eq!(asks.len(), MOST_KEPT);
        let (replies, mut refused) = mpsc::channel(1);
        keep(&mut asks, call(Answers::Replies(replies)));
        assert!(matches!(refused.try_recv(), Ok(Reply::Refused { .. })));
        // Others are kept nevertheless.
        let (status, _asked) = tokio::sync::oneshot::channel();
        keep(&mut asks, Ask::Status(status));
        keep(&mut asks, call(Answers::Lines));
        assert_eq!(asks.len(), MOST_KEPT + 2);
        assert!(is_heard(&asks));
        // Three callers go, and then there is room for one more beside the two.
        callers.truncate(MOST_KEPT - 3);
        let (replies, mut kept) = mpsc::channel(1);
        keep(&mut asks, call(Answers::Replies(replies)));
        assert!(kept.try_recv().is_err());
        assert_eq!(asks.len(), MOST_KEPT);
    }

    #[test]
    fn calls_of_nobody_that_take_much_room_are_taken_away_by_whoever_asks_next() {
        let all = Arc::new(Semaphore::new(2 * MUCH_ROOM));
        let call_with = |room: usize, callers: &mut Vec<_>| {
            let (replies, caller) = mpsc::channel(1);
            callers.push(caller);
            Ask::Call {
                call: 7,
                command: (),
                answers: Answers::Replies(replies),
                room: Arc::clone(&all).try_acquire_many_owned(room as u32).ok(),
            }
        };
        let status = || Ask::<EchoNode>::Status(tokio::sync::oneshot::channel().0);
        let (mut asks, mut callers) = (VecDeque::new(), Vec::new());
        keep(&mut asks, call_with(MUCH_ROOM - 1, &mut callers));
        callers.clear();
        // Who has gone may have wanted it done all the same, and it is in nobody's way.
        keep(&mut asks, status());
        assert_eq!(asks.len(), 2);
        keep(&mut asks, call_with(1, &mut callers));
        keep(&mut asks, status());
        assert_eq!((asks.len(), all.available_permits()), (3, 2 * MUCH_ROOM - 1));
    }
}
