//! A replica: what it hears, what it writes down, and what it says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddrV4;

use super::caller::Caller;
use super::config::{Config, Rules};
use super::facts::CounterFact;
use super::leading::{Leading, Part, Round, Standing};
use super::state::{Batch, LAST_ROUND, Op, Saved, Stamp, Term};
use super::wire::Packet;
use super::{Answer, CounterNode, Doing, Timer};
use crate::node::{CallId, Token};
use crate::outbox::Outbox;
use crate::rng::NodeRng;
use crate::time::Time;

type Out = Outbox<CounterNode>;

/// How many rounds above the one that it follows in a replica believes in one packet. Nobody gets so far ahead by standing for leader: whoever
/// says so has made it up, and cannot use up the rounds that there are.
const MOST_AHEAD: u64 = 1 << 32;

/// A replica at work.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    config: Config,
    /// Its own number.
    me: usize,
    rng: NodeRng,
    saved: Saved,
    part: Part,
    caller: Caller,
    /// The last term of which it has heard from the leader, in this life.
    heard: Option<Term>,
    /// The writes that are under way.
    writing: VecDeque<Token>,
    /// The answers that wait behind a write, and are dropped with it when it fails.
    behind: VecDeque<(Token, CallId, Answer)>,
    disk: Disk,
    unreadable: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Sound,
    /// A write failed: the replica is deaf and dumb until the next one is begun, behind which everything waits.
    Failed,
}

impl Replica {
    /// With what was on its disk.
    pub(super) fn boot(config: Config, me: usize, mut saved: Saved, rng: NodeRng) -> Self {
        saved.life += 1;
        Replica {
            config,
            me,
            rng,
            caller: Caller::new(saved.life),
            saved,
            part: Part::Following,
            heard: None,
            writing: VecDeque::new(),
            behind: VecDeque::new(),
            disk: Disk::Sound,
            unreadable: 0,
        }
    }

    pub(super) fn start(&mut self, now: Time, out: &mut Out) {
        out.bind(self.config.port);
        // Nothing is said before the new life is on the disk: a batch is known by it.
        self.save(out);
        out.claim(CounterFact::Started {
            life: self.saved.life,
            term: self.saved.promised,
        });
        self.wait(now, out);
    }

    pub(super) fn call(&mut self, now: Time, call: CallId, op: Op, out: &mut Out) {
        if self.config.rules == Rules::Local && op == Op::Read {
            self.answer(call, Answer::Value(self.saved.ledger.value), out);
        } else if self.caller.call(call, op) {
            self.ask(now, out);
        } else {
            self.answer(call, Answer::Busy, out);
        }
    }

    pub(super) fn status(&mut self, call: CallId, out: &mut Out) {
        let doing = match (&self.part, self.disk) {
            (_, Disk::Failed) => Doing::Failing,
            (Part::Following, _) => Doing::Following,
            (Part::Standing(_), _) => Doing::Standing,
            (Part::Leading(_), _) => Doing::Leading,
        };
        let status = Answer::Status {
            doing,
            term: self.saved.promised,
            value: self.saved.ledger.value,
        };
        self.answer(call, status, out);
    }

    pub(super) fn timer(&mut self, now: Time, timer: Timer, out: &mut Out) {
        match (timer, self.disk) {
            (Timer::Disk, Disk::Failed) => self.recover(now, out),
            // What comes due in the meantime is begun anew then.
            (_, Disk::Failed) | (Timer::Disk, Disk::Sound) => {}
            (Timer::Silence, Disk::Sound) => self.stand(now, out),
            (Timer::Heartbeat, Disk::Sound) => self.beat(now, out),
            (Timer::Resend, Disk::Sound) => self.resend(now, out),
        }
    }

    /// What this and earlier writes had to say is on the disk.
    pub(super) fn written(&mut self, now: Time, token: Token, out: &mut Out) {
        self.writing.retain(|writing| *writing > token);
        self.behind.retain(|(behind, ..)| *behind > token);
        let own = (self.saved.accepted, self.saved.ledger.clone());
        match &mut self.part {
            Part::Standing(standing) if standing.written <= token => {
                standing.followed.insert(self.me, own);
                self.lead_if_followed(now, out);
            }
            Part::Leading(Leading {
                round: Some(round), ..
            }) if round.written <= token => {
                round.taken.insert(self.me);
                self.finish_if_taken(now, out);
            }
            Part::Standing(_) | Part::Leading(_) | Part::Following => {}
        }
    }

    pub(super) fn write_failed(&mut self, now: Time, token: Token, out: &mut Out) {
        self.writing.retain(|writing| *writing != token);
        self.disk = Disk::Failed;
        out.arm(Timer::Disk, now + self.config.resend);
    }

    /// Anybody may send anything: what is no packet of a member, or comes from one that has no part in it, is dropped.
    pub(super) fn datagram(&mut self, now: Time, from: SocketAddrV4, bytes: &[u8], out: &mut Out) {
        if self.disk == Disk::Failed {
            return;
        }
        let member = self.config.members.iter().position(|member| *member == from);
        let member = member.filter(|member| *member != self.me);
        let Some((member, packet)) = member.zip(Packet::decode(bytes)) else {
            self.unreadable += 1;
            if self.unreadable.is_power_of_two() {
                let count = self.unreadable;
                out.claim(CounterFact::Unreadable { count });
            }
            return;
        };
        let most = self.saved.promised.round.saturating_add(MOST_AHEAD);
        if let Some(term) = packet.leads_into(member).filter(|term| term.round > most) {
            // When it is said again, more of it is believed: so nobody stays behind for good.
            return self.give_way(now, Term { round: most, ..term }, out);
        }
        match packet {
            Packet::Heartbeat { term } if leads(member, term) => {
                if self.follow(now, member, term, out) {
                    self.hear(now, term, out);
                }
            }
            Packet::Stand { term } if leads(member, term) => {
                if self.follow(now, member, term, out) {
                    let (accepted, ledger) = (self.saved.accepted, self.saved.ledger.clone());
                    let follow = Packet::Follow {
                        term,
                        accepted,
                        ledger,
                    };
                    self.send(member, &follow, out);
                }
            }
            Packet::Follow {
                term,
                accepted,
                ledger,
            } if term == self.saved.promised => {
                if let Part::Standing(standing) = &mut self.part {
                    standing.followed.insert(member, (accepted, ledger));
                    self.lead_if_followed(now, out);
                }
            }
            Packet::Take { stamp, ledger } if leads(member, stamp.term) => {
                if self.follow(now, member, stamp.term, out) {
                    self.hear(now, stamp.term, out);
                    if stamp > self.saved.accepted {
                        (self.saved.accepted, self.saved.ledger) = (stamp, ledger);
                        self.save(out);
                    }
                    self.send(member, &Packet::Taken { stamp }, out);
                }
            }
            Packet::Taken { stamp } => {
                if let Part::Leading(Leading {
                    round: Some(round), ..
                }) = &mut self.part
                    && round.stamp == stamp
                {
                    round.taken.insert(member);
                    self.finish_if_taken(now, out);
                }
            }
            Packet::TooLow { promised } if promised > self.saved.promised => {
                self.give_way(now, promised, out)
            }
            Packet::Please { batch, ops } => self.please(now, member, batch, ops, out),
            Packet::Done { batch, before } => self.done(now, batch, before, out),
            // Of a lower term, or of somebody who cannot lead in it.
            Packet::Heartbeat { .. }
            | Packet::Stand { .. }
            | Packet::Follow { .. }
            | Packet::Take { .. }
            | Packet::TooLow { .. } => {}
        }
    }

    /// Follows a member into a term, if it has promised none that is higher.
    fn follow(&mut self, now: Time, member: usize, term: Term, out: &mut Out) -> bool {
        let promised = self.saved.promised;
        if term < promised {
            self.send(member, &Packet::TooLow { promised }, out);
            return false;
        }
        if term > promised {
            self.give_way(now, term, out);
        }
        self.wait(now, out);
        true
    }

    /// Takes no part in its own term any more, and nothing of a term below this one.
    fn give_way(&mut self, now: Time, term: Term, out: &mut Out) {
        self.saved.promised = term;
        self.save(out);
        if let Part::Leading(_) = self.part {
            out.claim(CounterFact::SteppedDown { term });
            out.disarm(Timer::Heartbeat);
        }
        self.part = Part::Following;
        self.wait(now, out);
    }

    /// The leader of the term is there.
    fn hear(&mut self, now: Time, term: Term, out: &mut Out) {
        if self.heard != Some(term) {
            self.heard = Some(term);
            out.claim(CounterFact::Following { term });
            self.ask(now, out);
            self.ask_again(now, out);
        }
    }

    /// Nobody has been heard for too long: opens a term of its own.
    fn stand(&mut self, now: Time, out: &mut Out) {
        if let Part::Leading(_) = self.part {
            return;
        }
        if self.saved.promised.round >= LAST_ROUND {
            // There is no term above, and none that was there before is opened again.
            return self.wait(now, out);
        }
        let term = Term {
            round: self.saved.promised.round + 1,
            leader: self.me as u8,
        };
        self.saved.promised = term;
        let written = self.save(out);
        self.part = Part::Standing(Standing {
            written,
            followed: BTreeMap::new(),
        });
        out.claim(CounterFact::Standing { term });
        for member in self.others() {
            self.send(member, &Packet::Stand { term }, out);
        }
        // It stands again, in a higher term, when it is not followed; not at the same time as others who do the same.
        self.wait(now, out);
        out.arm(Timer::Resend, now + self.config.resend);
    }

    /// Leads when a majority follows: from the newest state that any of them has, since what an earlier leader has answered is in that.
    fn lead_if_followed(&mut self, now: Time, out: &mut Out) {
        let Part::Standing(standing) = &self.part else {
            return;
        };
        if !self.is_majority(standing.followed.len()) {
            return;
        }
        let newest = standing
            .followed
            .values()
            .max_by_key(|(stamp, _)| *stamp)
            .cloned();
        if let Some((accepted, ledger)) = newest {
            (self.saved.accepted, self.saved.ledger) = (accepted, ledger);
        }
        let term = self.saved.promised;
        self.part = Part::Leading(Leading::default());
        self.heard = Some(term);
        out.disarm(Timer::Silence);
        out.claim(CounterFact::Leading { term });
        self.beat(now, out);
        // Until a majority has it in this term, another leader might begin without it.
        self.begin(now, out);
    }

    fn beat(&mut self, now: Time, out: &mut Out) {
        if let Part::Leading(_) = self.part {
            let term = self.saved.promised;
            for member in self.others() {
                self.send(member, &Packet::Heartbeat { term }, out);
            }
            out.arm(Timer::Heartbeat, now + self.config.heartbeat);
        }
    }

    /// A member asks for something.
    fn please(&mut self, now: Time, member: usize, batch: Batch, ops: Vec<Op>, out: &mut Out) {
        let Part::Leading(leading) = &mut self.part else {
            return;
        };
        let last = self.saved.ledger.last(member);
        if !leading.is_ready || batch < last.batch {
            return;
        }
        if batch == last.batch {
            let is_under_way = leading
                .round
                .iter()
                .flat_map(|round| &round.answers)
                .any(|answer| answer.1 == batch && answer.0 == member);
            if !is_under_way {
                self.tell(now, member, batch, last.before, out);
            }
            return;
        }
        match self.config.rules {
            Rules::Local | Rules::Quorum => {
                leading.queue.insert(member, (batch, ops));
                if leading.round.is_none() {
                    self.begin(now, out);
                }
            }
            Rules::Hasty => {
                leading.is_ahead = true;
                let begins = leading.round.is_none();
                let before = self.saved.ledger.apply(member, batch, &ops);
                self.tell(now, member, batch, before, out);
                if begins {
                    self.begin(now, out);
                }
            }
        }
    }

    /// Does all that is asked for, and hands it to the others.
    fn begin(&mut self, now: Time, out: &mut Out) {
        let Part::Leading(leading) = &mut self.part else {
            return;
        };
        let ledger = &mut self.saved.ledger;
        let answers = std::mem::take(&mut leading.queue)
            .into_iter()
            .map(|(member, (batch, ops))| (member, batch, ledger.apply(member, batch, &ops)))
            .collect();
        leading.step += 1;
        leading.is_ahead = false;
        let (term, step) = (self.saved.promised, leading.step);
        let stamp = Stamp { term, step };
        self.saved.accepted = stamp;
        let written = self.save(out);
        if let Part::Leading(leading) = &mut self.part {
            leading.round = Some(Round {
                stamp,
                ledger: self.saved.ledger.clone(),
                written,
                taken: BTreeSet::new(),
                answers,
            });
        }
        self.hand_out(out);
        out.arm(Timer::Resend, now + self.config.resend);
    }

    /// Sends the state of the round to those who have not said that they have it.
    fn hand_out(&mut self, out: &mut Out) {
        let Part::Leading(Leading {
            round: Some(round), ..
        }) = &self.part
        else {
            return;
        };
        let take = Packet::Take {
            stamp: round.stamp,
            ledger: round.ledger.clone(),
        };
        let payload = out.payload(&take.encode());
        for member in self.others().filter(|member| !round.taken.contains(member)) {
            out.send(self.config.port, self.config.members[member], payload);
        }
    }

    /// A majority has it on its disks, so that whoever leads next has it too: it may be told.
    fn finish_if_taken(&mut self, now: Time, out: &mut Out) {
        let majority = self.config.members.len() / 2 + 1;
        let Part::Leading(leading) = &mut self.part else {
            return;
        };
        let Some(round) = leading.round.take_if(|round| round.taken.len() >= majority) else {
            return;
        };
        let became_ready = !std::mem::replace(&mut leading.is_ready, true);
        for (member, batch, before) in round.answers {
            self.tell(now, member, batch, before, out);
        }
        if became_ready {
            self.ask(now, out);
            self.ask_again(now, out);
        }
        if let Part::Leading(leading) = &self.part
            && leading.round.is_none()
            && (leading.is_ahead || !leading.queue.is_empty())
        {
            self.begin(now, out);
        }
    }

    fn tell(&mut self, now: Time, member: usize, batch: Batch, before: i64, out: &mut Out) {
        if member == self.me {
            self.done(now, batch, before, out);
        } else {
            self.send(member, &Packet::Done { batch, before }, out);
        }
    }

    /// What this replica asked for was done.
    fn done(&mut self, now: Time, batch: Batch, before: i64, out: &mut Out) {
        for (call, value) in self.caller.done(batch, before) {
            self.answer(call, Answer::Value(value), out);
        }
        self.ask(now, out);
    }

    /// Asks the leader for what waits, when nothing else is asked of it.
    fn ask(&mut self, now: Time, out: &mut Out) {
        // Nothing is said of a life that may not be on the disk.
        if self.disk == Disk::Sound && self.caller.ask() {
            self.ask_again(now, out);
        }
    }

    /// Asks whoever may lead for what it was asked for before. Until it leads it does not answer.
    fn ask_again(&mut self, now: Time, out: &mut Out) {
        let Some((batch, ops)) = self.caller.asked() else {
            return;
        };
        let leader = usize::from(self.saved.promised.leader);
        if leader == self.me {
            self.please(now, leader, batch, ops, out);
        } else if self.saved.promised != Term::default() {
            self.send(leader, &Packet::Please { batch, ops }, out);
        }
        out.arm(Timer::Resend, now + self.config.resend);
    }

    /// Says again what has had no answer.
    fn resend(&mut self, now: Time, out: &mut Out) {
        match &self.part {
            Part::Standing(standing) => {
                let term = self.saved.promised;
                let missing = self
                    .others()
                    .filter(|member| !standing.followed.contains_key(member));
                let missing: Vec<usize> = missing.collect();
                for member in missing {
                    self.send(member, &Packet::Stand { term }, out);
                }
                out.arm(Timer::Resend, now + self.config.resend);
            }
            Part::Leading(Leading { round: Some(_), .. }) => {
                self.hand_out(out);
                out.arm(Timer::Resend, now + self.config.resend);
            }
            Part::Leading(_) | Part::Following => {}
        }
        self.ask_again(now, out);
    }

    /// Goes on when a write has failed: everything is written anew, and what was dropped is said again behind it.
    fn recover(&mut self, now: Time, out: &mut Out) {
        self.disk = Disk::Sound;
        let written = self.save(out);
        match &mut self.part {
            Part::Standing(standing) => standing.written = written,
            Part::Leading(Leading {
                round: Some(round), ..
            }) => round.written = written,
            Part::Leading(_) | Part::Following => {}
        }
        for (_, call, answer) in std::mem::take(&mut self.behind) {
            self.answer(call, answer, out);
        }
        match self.part {
            Part::Leading(_) => self.beat(now, out),
            Part::Standing(_) | Part::Following => self.wait(now, out),
        }
        self.ask(now, out);
        self.resend(now, out);
    }

    /// Answers a call, and remembers the answer for as long as it may be dropped.
    fn answer(&mut self, call: CallId, answer: Answer, out: &mut Out) {
        match (self.writing.back(), self.disk) {
            (Some(token), Disk::Sound) => self.behind.push_back((*token, call, answer.clone())),
            (None, Disk::Sound) => {}
            // It would be dropped where other writes are yet to fail.
            (_, Disk::Failed) => {
                self.behind.push_back((Token(0), call, answer));
                return;
            }
        }
        out.answer(call, answer);
    }

    /// Writes everything down. What is said from now on waits for it.
    fn save(&mut self, out: &mut Out) -> Token {
        let token = out.persist(&self.saved.encode());
        self.writing.push_back(token);
        token
    }

    /// Waits for a leader, those with lower numbers longer.
    fn wait(&mut self, now: Time, out: &mut Out) {
        let above = (self.config.members.len() - 1 - self.me) as u64;
        let jitter = self.rng.span(crate::time::Span::ZERO, self.config.stagger / 2);
        out.arm(
            Timer::Silence,
            now + self.config.timeout + self.config.stagger * above + jitter,
        );
    }

    fn send(&self, member: usize, packet: &Packet, out: &mut Out) {
        if let Some(to) = self.config.members.get(member) {
            let payload = out.payload(&packet.encode());
            out.send(self.config.port, *to, payload);
        }
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.config.members.len()).filter(move |member| *member != me)
    }

    fn is_majority(&self, members: usize) -> bool {
        members > self.config.members.len() / 2
    }
}

/// Whether a member is the one that may lead in a term.
fn leads(member: usize, term: Term) -> bool {
    usize::from(term.leader) == member
}
