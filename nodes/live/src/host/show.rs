//! What others see of a node: its datagrams, its claims and answers, and the lines that tell of them.

use std::net::SocketAddrV4;

use squall_nodes::{CallId, Fact, Node, Time};

use super::asks::Open;
use super::{Host, Last, Writing};
use crate::barrier::{Next, Waiting};
use crate::disk::Written;
use crate::door::Stop;
use crate::edge::What;
use crate::line::Line;
use crate::request::Reply;
use crate::trouble::Tell;

impl<N: Node> Host<N> {
    pub(super) fn bind(&mut self, port: u16) {
        let bound = {
            let _inside = self.runtime.enter();
            self.sockets.bind(port)
        };
        if let Err(why) = bound {
            self.fail(why);
        }
    }

    /// Sends a datagram, unless a cut is in its way. What its link does to it is done where it comes in.
    #[inline]
    pub(super) fn send(&mut self, port: u16, to: SocketAddrV4, bytes: &[u8]) {
        self.counts.sent += 1;
        if self.sockets.admits(port, to, bytes.len(), &mut self.counts)
            && self.edge.lets_out(*to.ip(), &mut self.counts)
        {
            self.flush();
            self.sockets.send(port, to, bytes, &mut self.counts);
        }
    }

    /// Tells what the edge has to say of its links: the node is told nothing that comes after it before.
    #[inline]
    pub(super) fn tell_upsets(&mut self) {
        if !self.edge.is_upset() {
            return;
        }
        while let Some((what, from)) = self.edge.next_upset() {
            self.tell(|at| match what {
                What::Choked => Line::Choked { at, from },
                What::Straggled => Line::Straggled { at, from },
                What::Stuck => Line::Stuck { at, with: from },
                What::Flows => Line::Flows { at, with: from },
            });
        }
        self.flush();
    }

    pub(super) fn claim(&mut self, fact: N::Fact) {
        let at = self.tick();
        let name = fact.name();
        match N::Fact::ROUTINE.contains(&name) {
            false => tracing::info!(fact = name, says = ?fact, "claims"),
            // It may be large, and come often.
            true => tracing::debug!(fact = name, says = ?fact, "claims"),
        }
        if self.teller.is_heard() {
            self.teller.tell::<N>(&Line::Fact {
                at,
                name: name.to_owned(),
                fact: fact.clone(),
            });
        }
        self.tally.claimed += 1;
        let before = self.tally.facts.get(name).map_or(0, |last| last.count);
        let last = Last {
            fact,
            at,
            place: self.tally.claimed,
            count: before + 1,
        };
        self.tally.facts.insert(name, last);
    }

    pub(super) fn answer(&mut self, call: CallId, answer: N::Answer) {
        let at = self.tick();
        self.tally.answers += 1;
        if self.teller.is_heard() {
            self.teller.tell::<N>(&Line::Answer {
                at,
                call: call.0,
                answer: answer.clone(),
            });
        }
        let Some(Open {
            call: theirs,
            replies,
        }) = self.calls.get(&call.0)
        else {
            return;
        };
        let reply = Reply::Answer {
            call: *theirs,
            answer,
        };
        let replies = replies.clone();
        self.flush();
        if replies.try_send(reply).is_err() {
            // Who called is gone, or does not read what comes: more would not be read either.
            self.calls.remove(&call.0);
        }
    }

    /// Begins a write. The one before is done.
    pub(super) fn begin_write(&mut self, bytes: Vec<u8>) {
        self.marks.write = Writing {
            since: self.tick(),
            told: None,
        };
        self.disk.write(bytes);
    }

    /// Takes in what became of the write that was under way: what waited behind it goes on, up to the next write.
    pub(super) fn take_written(&mut self, written: Written) {
        self.tick();
        if self.now > self.marks.write.since + self.marks.stall {
            self.held_up_by_write();
            // If it was the node that came too late for the write, that is told with it.
            self.marks.told_until = self.now;
        }
        match written {
            Ok(()) => {
                self.tally.writes += 1;
                if let Some(Tell::Over(failed)) = self.unwritten.over() {
                    tracing::info!(failed, "what the node persists is written again");
                }
                self.barrier.written();
            }
            Err(why) => {
                self.tally.failed_writes += 1;
                // It tries again as often as it likes.
                match self.unwritten.came(self.now) {
                    Some(Tell::First) => {
                        tracing::error!(%why, "what the node persists could not be written; the node is told");
                    }
                    Some(Tell::Still(failed)) => {
                        tracing::error!(%why, failed, "what the node persists cannot be written still");
                    }
                    Some(Tell::Over(_)) | None => {}
                }
                self.barrier.failed();
                self.streams.nothing_waits();
            }
        }
        while let Some(next) = self.barrier.next() {
            match next {
                Next::Show(Waiting::Send { port, to, bytes }) => self.send(port, to, &bytes),
                Next::Show(Waiting::Listen { port }) => self.listen_now(port),
                Next::Show(Waiting::Dial { conn, to }) => self.dial_now(conn, to),
                Next::Show(Waiting::Write { conn, bytes }) => self.write_now(conn, &bytes),
                Next::Show(Waiting::Close { conn }) => self.close_now(conn),
                Next::Show(Waiting::Claim(fact)) => self.claim(fact),
                Next::Show(Waiting::Answer { call, answer }) => self.answer(call, answer),
                // A write is to be begun, and not shown.
                Next::Show(Waiting::Persist { .. }) => {}
                Next::Write(bytes) => self.begin_write(bytes),
            }
        }
        self.flush();
    }

    pub(super) fn tell(&mut self, line: impl FnOnce(Time) -> Line<N>) {
        if self.teller.is_heard() {
            let at = self.tick();
            self.teller.tell(&line(at));
        }
    }

    /// Writes out what was told. When nobody reads it any more, the node stops.
    #[inline]
    pub(super) fn flush(&mut self) {
        if let Err(unheard) = self.teller.flush() {
            tracing::error!(why = %unheard.0, "nobody reads the lines of this node any more; it stops");
            self.end_by(Stop::AtOnce);
        }
    }
}
