//! What is calculated: requests on their way to the leader, and the leader's answers.

use super::calc::{self, CalcError, evaluate};
use super::config::{Change, Config};
use super::facts::LeaderFact;
use super::peer::Peer;
use super::post::{Post, What};
use super::succession::Stance;
use super::wire::{Calc, CalcResult, Message, Term};
use super::{Answer, LeaderNode};
use crate::node::CallId;
use crate::outbox::Outbox;
use crate::time::Time;

/// How many requests of its own a node has open at most; one more is refused.
pub const MOST_OPEN: usize = 32;

/// The open requests of one node.
#[derive(Clone, Default)]
pub(super) struct Calls {
    /// How many there have been.
    count: u64,
    /// In the order in which they were made.
    open: Vec<Request>,
}

#[derive(Clone)]
struct Request {
    number: u64,
    call: CallId,
    expression: String,
    /// When it was last sent to a leader.
    sent: Option<Time>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Kept without [`Change::Once`] only, where an answer on another connection is passed on as well.
    Answered,
}

impl Calls {
    /// How many are open.
    pub(super) fn count(&self) -> usize {
        let is_open = |request: &&Request| request.state == State::Open;
        self.open.iter().filter(is_open).count()
    }

    pub(super) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Goes on knowing a request that was answered.
    fn mark_answered(&mut self, number: u64) -> Option<Request> {
        let request = self.open.iter_mut().find(|request| request.number == number)?;
        request.state = State::Answered;
        Some(request.clone())
    }

    /// Takes a request out, to answer it.
    fn close(&mut self, number: u64) -> Option<Request> {
        let place = self.open.iter().position(|request| request.number == number)?;
        Some(self.open.remove(place))
    }
}

impl Peer {
    /// A person wants something calculated.
    pub(super) fn on_calc_command(
        &mut self,
        now: Time,
        call: CallId,
        expression: &str,
        out: &mut Outbox<LeaderNode>,
    ) {
        if expression.len() > calc::LONGEST {
            let answer = Answer::Calculated {
                outcome: Err(CalcError::TooLong),
                term: None,
            };
            return self.answer(call, answer, out);
        }
        if self.calls.count() >= MOST_OPEN {
            return self.answer(call, Answer::Busy, out);
        }
        if !self.is_hardened() {
            self.check_leader(now, out);
        }
        self.calls.count += 1;
        let number = self.calls.count;
        self.calls.open.push(Request {
            number,
            call,
            expression: expression.to_owned(),
            sent: None,
            state: State::Open,
        });
        let has_leader = self.leader().is_some();
        if has_leader && !self.is_silent() {
            self.try_request(now, number, out);
        } else if !self.changes.has(Change::Retry) {
            self.on_no_leader(number, out);
        }
    }

    /// Makes those requests again that were not answered for a while, or were never made.
    pub(super) fn retry_calls(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        if !self.changes.has(Change::Retry) || self.is_silent() {
            return;
        }
        let Config { deadline, retry, .. } = self.config;
        let is_over = |request: &Request| request.sent.is_none_or(|sent| now.since(sent) >= deadline);
        self.calls
            .open
            .retain(|request| request.state == State::Open || !is_over(request));
        let is_due = |request: &&Request| {
            request.state == State::Open && request.sent.is_none_or(|sent| now.since(sent) >= retry)
        };
        let due: Vec<u64> = self
            .calls
            .open
            .iter()
            .filter(is_due)
            .map(|request| request.number)
            .collect();
        for number in due {
            self.try_request(now, number, out);
        }
    }

    /// Calculates, as the leader; or asks the leader, if one is known.
    fn try_request(&mut self, now: Time, number: u64, out: &mut Outbox<LeaderNode>) {
        let (leader, term) = (self.leader(), self.term_to_send(self.succession.seen));
        let Some(request) = self
            .calls
            .open
            .iter_mut()
            .find(|request| request.number == number)
        else {
            return;
        };
        let calc = Calc {
            from: self.me,
            request: number,
            expression: request.expression.clone(),
            term,
        };
        if matches!(self.succession.stance, Stance::Leading { .. }) {
            // One that is about to lead anew makes the request again when it does.
            if let Some(term) = self.leads_in() {
                let result = self.calculate(&calc, term, out);
                self.on_result(now, result, out);
            }
        } else if let Some(leader) = leader {
            request.sent = Some(now);
            let bytes = Post::encode(&Message::Calc(calc));
            self.send(now, leader, What::Calc { request: number }, &bytes, out);
        }
    }

    /// Somebody wants something calculated. Who does not lead says that the message has come, and no more.
    pub(super) fn on_calc(&mut self, now: Time, calc: Calc, out: &mut Outbox<LeaderNode>) -> Message {
        if let Some(term) = calc.term {
            self.hear_of(now, term, out);
        }
        if !self.is_hardened() {
            self.check_leader(now, out);
        }
        match self.leads_in() {
            Some(term) => Message::Result(self.calculate(&calc, term, out)),
            None => self.ack(),
        }
    }

    fn calculate(&self, calc: &Calc, term: Term, out: &mut Outbox<LeaderNode>) -> CalcResult {
        out.claim(LeaderFact::Calculated {
            asker: calc.from,
            request: calc.request,
            term,
        });
        let outcome = evaluate(&calc.expression);
        CalcResult {
            request: calc.request,
            error: outcome.as_ref().err().copied(),
            value: outcome.ok(),
            term: self.term_to_send(term),
        }
    }

    /// The leader has answered.
    pub(super) fn on_result(&mut self, now: Time, result: CalcResult, out: &mut Outbox<LeaderNode>) {
        let CalcResult {
            request: number,
            value,
            error,
            term,
        } = result;
        let is_open = self.calls.open.iter().any(|request| request.number == number);
        let outcome = match (value, error) {
            (Some(value), None) => Ok(value),
            (None, Some(error)) => Err(error),
            // The wire lets neither through.
            _ => return,
        };
        if !is_open {
            // It was answered on another connection.
            return;
        }
        let term = term.unwrap_or_default();
        let seen = self.succession.seen;
        let is_low = self.changes.has(Change::Ratchet) && term < seen;
        if is_low || (self.is_hardened() && term > seen && self.believed(term) != Some(term)) {
            self.hear_of(now, term, out);
            out.claim(LeaderFact::AnswerRefused {
                request: number,
                term,
            });
            return;
        }
        self.hear_of(now, term, out);
        // Hearing of it may have made this node lead, and answer.
        // What is made once is answered once.
        let is_answered_once = self.changes.has(Change::Once) || !self.changes.has(Change::Retry);
        let asked = match is_answered_once {
            true => self.calls.close(number),
            false => self.calls.mark_answered(number),
        };
        if let Some(request) = asked {
            out.claim(LeaderFact::AnswerTaken {
                request: number,
                term,
            });
            let term = self.is_hardened().then_some(term);
            self.answer(request.call, Answer::Calculated { outcome, term }, out);
        }
    }

    /// Who was asked does not lead, or there was nobody to ask.
    pub(super) fn on_no_leader(&mut self, number: u64, out: &mut Outbox<LeaderNode>) {
        if !self.changes.has(Change::Retry)
            && let Some(request) = self.calls.close(number)
        {
            self.answer(request.call, Answer::NoLeader, out);
        }
    }

    /// A request was lost with its connection. By the rules of the source that is the end of it, and nobody is told.
    pub(super) fn on_calc_lost(&mut self, number: u64, out: &mut Outbox<LeaderNode>) {
        if !self.changes.has(Change::Retry) && self.calls.close(number).is_some() {
            out.claim(LeaderFact::RequestLost { request: number });
        }
    }
}
