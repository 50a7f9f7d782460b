//! A node: what it is made of, and who handles which input.
//!
//! The rules are with their subjects: [`super::mesh`] has the list of nodes, [`super::succession`] who leads, [`super::calls`] what is
//! calculated and [`super::chat`] what is said.

use std::net::SocketAddrV4;

use super::calls::Calls;
use super::chat::Chats;
use super::config::{Change, Changes, Config, Rules};
use super::disk::{Had, Saved};
use super::facts::LeaderFact;
use super::mesh::Mesh;
use super::post::{Errand, Letter, Post, What};
use super::succession::{Stance, Succession};
use super::wire::{Ack, LARGEST, Message, Term};
use super::{Answer, Command, LeaderNode, Role, Standing, Timer};
use crate::node::{CallId, ConnId, Input, StreamEvent, Token};
use crate::outbox::Outbox;
use crate::rng::NodeRng;
use crate::time::Time;

/// A peer or starter.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) config: Config,
    pub(super) changes: Changes,
    pub(super) role: Role,
    pub(super) me: SocketAddrV4,
    pub(super) post: Post,
    /// All nodes, once it knows them.
    pub(super) mesh: Option<Mesh>,
    pub(super) succession: Succession,
    pub(super) calls: Calls,
    pub(super) chats: Chats,
    /// What it has had of what others said.
    pub(super) had: Vec<Had>,
    /// How many lists came that do not have this node.
    pub(super) unlisted: u64,
    found: Found,
    /// What was written last, whether it is on the disk already or not.
    saved: Vec<u8>,
    disk: Disk,
    retries: Retries,
    /// The last write that was asked for and has not completed.
    writing: Option<Token>,
    /// What was answered and claimed since, each with the write that it waits behind: a write that fails takes it along.
    behind: Vec<(Token, Behind)>,
}

/// What must not be lost with a write.
#[derive(Clone)]
enum Behind {
    Answer(CallId, Answer),
    /// An answer that rests on nothing that is written down.
    AtOnce(CallId, Answer),
    Claim(LeaderFact),
}

/// What a node found on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing, or what it had written.
    InOrder,
    /// Something else.
    Rubbish,
}

/// How the node's disk is doing, as far as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// No write has failed since the last that completed.
    Sound,
    /// A write failed, and another one will be tried in a while.
    Failed,
    /// A write failed, and this one is being tried.
    Tried(Token),
}

/// Whether the timer for what may have to be sent again is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retries {
    Idle,
    Due,
}

/// How much may wait behind a write before the node refuses to say more.
const MOST_BEHIND: usize = 1_024;

impl Peer {
    pub(super) fn boot(
        role: Role,
        config: Config,
        me: SocketAddrV4,
        disk: Option<&[u8]>,
        mut rng: NodeRng,
    ) -> Self {
        let changes = config.changes();
        let disk = disk.filter(|_| changes.has(Change::WriteDown));
        let read = disk.map(Saved::decode);
        let found = if read == Some(None) {
            Found::Rubbish
        } else {
            Found::InOrder
        };
        let saved = read.flatten().unwrap_or_default();
        let nodes = match role {
            Role::Starter => config.others.iter().copied().chain([me]).collect(),
            Role::Peer => saved.nodes,
        };
        let mesh = Mesh::of(nodes, me);
        let mut had = saved.had;
        if let Some(mesh) = &mesh {
            // A starter's list may be another one by now.
            had.retain(|had| mesh.place_of(had.from).is_some());
        }
        Peer {
            changes,
            role,
            me,
            post: Post::new(&config),
            mesh,
            succession: Succession::new(saved.term),
            calls: Calls::default(),
            chats: Chats::new(rng.below(LARGEST)),
            had,
            unlisted: 0,
            found,
            saved: disk.map(<[u8]>::to_vec).unwrap_or_default(),
            disk: Disk::Sound,
            retries: Retries::Idle,
            writing: None,
            behind: Vec::new(),
            config,
        }
    }

    pub(super) fn take(&mut self, now: Time, input: Input<'_, LeaderNode>, out: &mut Outbox<LeaderNode>) {
        match input {
            Input::Start => {
                out.listen(self.me.port());
                if self.found == Found::Rubbish {
                    out.claim(LeaderFact::DiskUnreadable);
                }
                self.start(now, out);
            }
            Input::Stream { conn, event } if self.is_silent() => {
                // Whatever it is, it is not taken.
                if !matches!(event, StreamEvent::Closed(_)) {
                    out.close(conn);
                }
            }
            Input::Stream { conn, event } => {
                if let Some(letter) = self.post.take(now, conn, event, out) {
                    self.on_letter(now, letter, out);
                }
            }
            Input::Timer(Timer::Disk) => self.try_disk(out),
            Input::Timer(_) if self.is_silent() => {}
            Input::Timer(timer) => self.on_timer(now, timer, out),
            Input::Command { call, command } => self.on_command(now, call, command, out),
            Input::Persisted(token) => self.on_persisted(now, token, out),
            Input::PersistFailed(token) => self.on_persist_failed(now, token, out),
            // It has opened no port for datagrams.
            Input::Datagram { .. } => {}
        }
    }

    pub(super) fn is_hardened(&self) -> bool {
        self.config.rules == Rules::Hardened
    }

    /// Whether a write has failed and none has completed since.
    pub(super) fn is_silent(&self) -> bool {
        self.disk != Disk::Sound
    }

    /// Begins a life, or begins anew within one.
    fn start(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        out.claim(LeaderFact::Started {
            term: self.succession.seen,
        });
        if self.mesh.is_some() {
            // The list of its own arguments, and on the disk before anyone is told.
            self.save(out);
            self.claim_connected(out);
        }
        self.start_succession(now, out);
        self.tell_nodes(now, out);
        self.see_to_retries(now, out);
    }

    pub(super) fn on_letter(&mut self, now: Time, letter: Letter, out: &mut Outbox<LeaderNode>) {
        match letter {
            Letter::Came(conn, message) => self.on_message(now, conn, message, out),
            Letter::Answered(errand, answer) => {
                let is_of_list = self.is_of_list(errand);
                let ack = match &answer {
                    Message::Ack(ack) => Some(ack),
                    _ => None,
                };
                if is_of_list {
                    self.learn_whether_told(errand, ack, out);
                }
                if let Some(term) = ack.filter(|ack| !self.strays(ack)).and_then(|ack| ack.term) {
                    self.hear_of(now, term, out);
                }
                match (errand.what, answer) {
                    (What::Calc { request }, Message::Result(result)) if result.request == request => {
                        self.on_result(now, result, out);
                    }
                    (What::Calc { request }, _) => self.on_no_leader(request, out),
                    _ if !is_of_list => {}
                    (What::Choose, Message::Ack(ack)) => self.is_there(errand.to, &ack),
                    (What::Chat { last, session }, Message::Ack(ack)) => {
                        self.on_chat_answer(now, errand.to, last, session, &ack, out);
                    }
                    (What::Nodes | What::Heartbeat | What::Choose | What::Chat { .. }, _) => {}
                }
            }
            Letter::Lost(errand) => match errand.what {
                What::Calc { request } => self.on_calc_lost(request, out),
                _ if !self.is_of_list(errand) => {}
                What::Nodes => self.on_untold(errand.to, out),
                What::Chat { last, .. } => self.on_chat_lost(now, errand.to, last, out),
                // The next heartbeat will tell, or the choice goes on without an answer.
                What::Heartbeat | What::Choose => {}
            },
        }
    }

    /// Whether the place that something went to is one of the present list. In another list it is another node.
    fn is_of_list(&self, errand: Errand) -> bool {
        self.mesh.as_ref().is_some_and(|mesh| mesh.list == errand.list)
    }

    fn on_message(&mut self, now: Time, conn: ConnId, message: Message, out: &mut Outbox<LeaderNode>) {
        let answer = match message {
            Message::Nodes(nodes) => {
                self.on_nodes(now, nodes, out);
                self.ack()
            }
            Message::Heartbeat(heartbeat) => {
                self.on_heartbeat(now, heartbeat.from, heartbeat.term, out);
                self.ack()
            }
            Message::Choose(choose) => {
                if let Some(term) = choose.term {
                    self.hear_of(now, term, out);
                }
                self.ack()
            }
            Message::Chat(chat) => self.on_chat(chat, out),
            Message::Calc(calc) => self.on_calc(now, calc, out),
            // The post has refused them: they answer nothing.
            Message::Result(_) | Message::Ack(_) => return,
        };
        self.post.answer(conn, &answer, out);
    }

    /// The plain answer to a message.
    pub(super) fn ack(&self) -> Message {
        Message::Ack(self.plain_ack())
    }

    pub(super) fn plain_ack(&self) -> Ack {
        Ack {
            waits: self.mesh.is_none(),
            term: self.term_to_send(self.succession.seen),
            list: self.mesh.as_ref().filter(|_| self.is_hardened()).map(Mesh::mark),
            ..Ack::default()
        }
    }

    /// A term as messages have it: only `Hardened` has terms.
    pub(super) fn term_to_send(&self, term: Term) -> Option<Term> {
        self.is_hardened().then_some(term)
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<LeaderNode>) {
        match timer {
            Timer::Heartbeat => self.on_heartbeat_due(now, out),
            Timer::Overdue => self.on_overdue(now, out),
            Timer::Choosing => self.on_chosen(now, out),
            Timer::Retry => {
                self.retries = Retries::Idle;
                self.tell_nodes(now, out);
                self.retry_calls(now, out);
                self.retry_chats(now, out);
                self.see_to_retries(now, out);
            }
            Timer::Deadline(slot) => {
                if let Some(letter) = self.post.on_deadline(slot, out) {
                    self.on_letter(now, letter, out);
                }
            }
            // Taken before.
            Timer::Disk => {}
        }
    }

    /// Comes back to what may have to be sent again, if there is anything.
    fn see_to_retries(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        let has_work = self.calls.any_open() || self.has_chats_to_send() || self.has_nodes_to_tell();
        if has_work && self.retries == Retries::Idle && !self.is_silent() {
            self.retries = Retries::Due;
            out.arm(Timer::Retry, now + self.config.retry);
        }
    }

    fn on_command(&mut self, now: Time, call: CallId, command: &Command, out: &mut Outbox<LeaderNode>) {
        match command {
            Command::Status => {
                let status = self.status();
                self.answer_at_once(call, status, out);
            }
            Command::Chat(_) | Command::Calc(_) if self.behind.len() >= MOST_BEHIND => {
                // What would remember the answer is full.
                self.answer_at_once(call, Answer::Busy, out);
            }
            Command::Chat(text) => self.on_chat_command(now, call, text, out),
            Command::Calc(expression) => self.on_calc_command(now, call, expression, out),
            Command::Accept => {
                let is_offered = self.succession.stance == Stance::Offered && !self.is_silent();
                if is_offered {
                    self.take_the_lead(now, out);
                }
                let answer = match self.succession.stance {
                    Stance::Leading { .. } if is_offered => Answer::Accepted,
                    _ => Answer::NothingToAccept,
                };
                self.answer(call, answer, out);
            }
        }
        self.see_to_retries(now, out);
    }

    fn status(&self) -> Answer {
        let standing = match self.succession.stance {
            _ if self.is_silent() => Standing::Failing,
            Stance::Waiting => Standing::Waiting,
            Stance::Expecting | Stance::Choosing { .. } => Standing::Choosing,
            Stance::Following { .. } => Standing::Following,
            Stance::Offered => Standing::Offered,
            Stance::Leading { .. } => Standing::Leading,
        };
        let mesh = self.mesh.as_ref();
        Answer::Status {
            standing,
            number: mesh.map(Mesh::number),
            leader: self.leader().map(|place| place as u32 + 1),
            term: self.succession.seen,
            nodes: mesh.map(|mesh| mesh.nodes.to_vec()).unwrap_or_default(),
            open: self.calls.count() as u32,
        }
    }

    /// Answers a call, and does so again if a write takes the answer along.
    pub(super) fn answer(&mut self, call: CallId, answer: Answer, out: &mut Outbox<LeaderNode>) {
        if let Some(token) = self.writing {
            self.behind.push((token, Behind::Answer(call, answer.clone())));
        }
        // What is said before the disk is tried again is said then.
        if self.disk != Disk::Failed {
            out.answer(call, answer);
        }
    }

    /// Answers a call with what rests on nothing that is written down: now, or as soon as a write that is under way has failed and taken the
    /// answer along. It is not remembered for longer than a write takes, behind which the transport lets no more wait than it has room for.
    fn answer_at_once(&mut self, call: CallId, answer: Answer, out: &mut Outbox<LeaderNode>) {
        if let Some(token) = self.writing.filter(|_| self.disk != Disk::Failed) {
            self.behind.push((token, Behind::AtOnce(call, answer.clone())));
        }
        out.answer(call, answer);
    }

    /// Claims what has to be known, and does so again if a write takes the claim along.
    pub(super) fn claim(&mut self, fact: LeaderFact, out: &mut Outbox<LeaderNode>) {
        if let Some(token) = self.writing {
            self.behind.push((token, Behind::Claim(fact.clone())));
        }
        if self.disk != Disk::Failed {
            out.claim(fact);
        }
    }

    /// Writes to the disk what has changed since it was last written, if anything has. What rests on it must come after.
    pub(super) fn save(&mut self, out: &mut Outbox<LeaderNode>) {
        if !self.changes.has(Change::WriteDown) {
            return;
        }
        let saved = Saved {
            nodes: self
                .mesh
                .as_ref()
                .map(|mesh| mesh.nodes.to_vec())
                .unwrap_or_default(),
            term: self.succession.seen,
            had: self.had.clone(),
        };
        let bytes = saved.encode();
        if bytes != self.saved {
            self.writing = Some(out.persist(&bytes));
            self.saved = bytes;
        }
    }

    fn on_persisted(&mut self, now: Time, token: Token, out: &mut Outbox<LeaderNode>) {
        self.behind.retain(|(behind, _)| *behind > token);
        if self.writing == Some(token) {
            self.writing = None;
        }
        if self.disk == Disk::Tried(token) {
            self.disk = Disk::Sound;
            self.chats.start_over();
            self.start(now, out);
            self.retry_calls(now, out);
            self.retry_chats(now, out);
        }
    }

    fn on_persist_failed(&mut self, now: Time, token: Token, out: &mut Outbox<LeaderNode>) {
        // The next write is to be made whatever is in it.
        self.saved.clear();
        if self.changes.has(Change::StartOver) {
            self.disk = Disk::Failed;
            // Until the last of the writes that failed with it is told of, what is said is dropped.
            if self.writing.is_none_or(|last| last <= token) {
                self.say_at_once(out);
            }
            // What is answered from now on waits for the next write as well.
            self.writing = self.writing.or(Some(token));
            self.post.close_all(out);
            self.step_back(out);
            self.retries = Retries::Idle;
            for timer in [Timer::Heartbeat, Timer::Overdue, Timer::Choosing, Timer::Retry] {
                out.disarm(timer);
            }
            out.arm(Timer::Disk, now + self.config.retry);
        } else {
            self.writing = None;
            self.say_again(out);
        }
    }

    /// Tries the disk again, and says behind that write what the failed one has taken along.
    fn try_disk(&mut self, out: &mut Outbox<LeaderNode>) {
        if self.disk != Disk::Failed {
            return;
        }
        self.saved.clear();
        self.save(out);
        if let Some(token) = self.writing {
            self.disk = Disk::Tried(token);
        }
        self.say_again(out);
    }

    /// Says what a write that has failed has taken along, and what need not wait for the next.
    fn say_at_once(&mut self, out: &mut Outbox<LeaderNode>) {
        self.behind.retain(|(_, behind)| match behind {
            Behind::AtOnce(call, answer) => {
                out.answer(*call, answer.clone());
                false
            }
            Behind::Answer(..) | Behind::Claim(_) => true,
        });
    }

    fn say_again(&mut self, out: &mut Outbox<LeaderNode>) {
        for (_, behind) in std::mem::take(&mut self.behind) {
            match behind {
                Behind::Answer(call, answer) => self.answer(call, answer, out),
                Behind::AtOnce(call, answer) => self.answer_at_once(call, answer, out),
                Behind::Claim(fact) => self.claim(fact, out),
            }
        }
    }
}
