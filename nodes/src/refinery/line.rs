//! The dialling side of a connection: to a master, or to an upstream.

use std::net::SocketAddrV4;

use super::config::{Change, Config};
use super::facts::Loss;
use super::proof::prove;
use super::wire::{Credential, Decoder, Establish, Grant, Packet, Report, Row};
use super::{Out, write};
use crate::node::{Closed, ConnId, StreamEvent};
use crate::time::Time;

/// A connection that this node has dialled.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Whom.
    pub(super) to: SocketAddrV4,
    /// Which.
    pub(super) conn: ConnId,
    said: Establish,
    step: Step,
    /// When a whole packet last came; when it was dialled, before the first.
    heard: Time,
    since: Time,
    decoder: Decoder,
    is_blocked: bool,
}

/// How far this node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Dialled,
    Established,
    Proving,
    /// It was granted something, and is to say that it has understood.
    Granted,
    In,
}

/// What comes over a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// This node is let in, or has another upstream. It is to say that it has [understood](Line::acknowledge).
    Granted(Grant),
    /// A node in the master's registry.
    Row(Row),
    /// A node that is there no more.
    Gone(String),
    /// The line is over.
    Over(Loss),
}

impl Line {
    /// Dials.
    pub(super) fn dial(to: SocketAddrV4, said: Establish, now: Time, config: &Config, out: &mut Out) -> Self {
        Line {
            to,
            conn: out.dial(to),
            said,
            step: Step::Dialled,
            heard: now,
            since: now,
            decoder: Decoder::new(config.packet_within()),
            is_blocked: false,
        }
    }

    /// Whether this node is let in there.
    pub(super) fn is_in(&self) -> bool {
        self.step == Step::In
    }

    /// Whether nothing has come over it yet.
    pub(super) fn is_new(&self) -> bool {
        self.step == Step::Dialled
    }

    /// Whether it was dialled so lately that the other may not have been let in, or told, before it said what it says now.
    pub(super) fn is_young(&self, now: Time, config: &Config) -> bool {
        now.since(self.since) <= config.handshake
    }

    /// Takes in anything but bytes.
    pub(super) fn event(&mut self, now: Time, event: StreamEvent<'_>, out: &mut Out) -> Option<Word> {
        match event {
            StreamEvent::Opened => {
                self.heard = now;
                self.step = Step::Established;
                write(self.conn, &Packet::Establish(self.said.clone()), out);
            }
            StreamEvent::Closed(Closed::Refused) => return Some(Word::Over(Loss::Refused)),
            StreamEvent::Closed(Closed::Reset) => return Some(Word::Over(Loss::Reset)),
            StreamEvent::Closed(Closed::TimedOut) => return Some(Word::Over(Loss::TimedOut)),
            StreamEvent::Closed(Closed::Orderly) => return Some(Word::Over(Loss::Ended)),
            StreamEvent::Blocked => self.is_blocked = true,
            StreamEvent::Writable => self.is_blocked = false,
            // Bytes have a way of their own, and nobody accepts what they have dialled.
            StreamEvent::Bytes(_) | StreamEvent::Accepted { .. } => {}
        }
        None
    }

    /// Takes in bytes up to the end of what is worth telling. To be called until there is nothing more, or the line is over.
    pub(super) fn next(
        &mut self,
        now: Time,
        bytes: &mut &[u8],
        config: &Config,
        out: &mut Out,
    ) -> Option<Word> {
        loop {
            let packet = match self.decoder.next(bytes) {
                Ok(packet) => packet?,
                Err(wrong) => return Some(self.end(Loss::Unreadable(wrong), out)),
            };
            self.heard = now;
            match (self.step, packet) {
                (Step::Established, Packet::StartAuth(nonce)) => {
                    let credential = match (nonce, config.changes().has(Change::Prove)) {
                        (Some(nonce), true) => {
                            Credential::Proof(prove(config.secret.expose(), &nonce, &self.said))
                        }
                        (None, false) => Credential::Cert(config.secret.expose().to_owned()),
                        // Whoever asks for the secret itself, or for what the rules do not know, is no master.
                        (None, true) | (Some(_), false) => return Some(self.end(Loss::Turn, out)),
                    };
                    self.step = Step::Proving;
                    write(self.conn, &Packet::AuthStart(credential), out);
                }
                (Step::Proving, Packet::Grant(grant)) => {
                    self.step = Step::Granted;
                    return Some(Word::Granted(grant));
                }
                (Step::In | Step::Granted, Packet::Grant(grant)) => return Some(Word::Granted(grant)),
                (Step::Proving, Packet::Dec) => return Some(self.end(Loss::Declined, out)),
                (Step::In | Step::Granted, Packet::Alive(_)) => {}
                (Step::In | Step::Granted, Packet::Row(row)) => return Some(Word::Row(row)),
                (Step::In | Step::Granted, Packet::Gone(id)) => return Some(Word::Gone(id)),
                (_, Packet::Close(why)) => {
                    out.close(self.conn);
                    return Some(Word::Over(Loss::Closed(why.into())));
                }
                _ => return Some(self.end(Loss::Turn, out)),
            }
        }
    }

    /// Says that what was granted is understood.
    pub(super) fn acknowledge(&mut self, out: &mut Out) {
        self.step = Step::In;
        write(self.conn, &Packet::Ack, out);
    }

    /// Says that this node is alive, or gives the line up where the other has been silent for too long.
    pub(super) fn beat(
        &mut self,
        now: Time,
        report: Option<Report>,
        config: &Config,
        out: &mut Out,
    ) -> Option<Loss> {
        let is_over = match self.step {
            Step::In | Step::Granted => now.since(self.heard) > config.silence,
            // It is not for who is slow to say for how long.
            Step::Dialled | Step::Established | Step::Proving => now.since(self.since) > config.handshake,
        };
        if is_over {
            self.close(out);
            return Some(Loss::Silent);
        }
        if self.is_in() && !self.is_blocked {
            self.report(report, out);
        }
        None
    }

    /// Says something of this node's upstream, or only that it is alive.
    pub(super) fn report(&self, report: Option<Report>, out: &mut Out) {
        write(self.conn, &Packet::Alive(report), out);
    }

    /// Closes the line in order.
    pub(super) fn close(&self, out: &mut Out) {
        if self.step != Step::Dialled {
            write(self.conn, &Packet::Close(None), out);
        }
        out.close(self.conn);
    }

    fn end(&self, why: Loss, out: &mut Out) -> Word {
        self.close(out);
        Word::Over(why)
    }
}
