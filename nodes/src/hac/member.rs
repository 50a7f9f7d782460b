//! A node of a client-server cluster: what it is made of whatever it does at the moment, and who handles which input.
//!
//! What it does is its [`Phase`]. The rules are with the phases: [`super::client`] follows a server, [`super::server`]
//! serves, [`super::failover`] goes from one to the other.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::book::Book;
use super::config::{Change, Changes, Config, Rules};
use super::disk::{Identity, Last, Reign, Saved};
use super::facts::{HacFact, Row};
use super::server::Serving;
use super::table::Table;
use super::wire::{Checksum, Code, Entry, Epoch, Head, Mode, NO_ID, Packet, Status, Unreadable, WireError};
use super::{Answer, AnswerRow, Command, HacNode, Role, Standing, Timer};
use crate::node::{CallId, Input, Token};
use crate::outbox::Outbox;
use crate::rng::NodeRng;
use crate::time::Time;

/// A server or client; which of the two it is at the moment, its phase says.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) config: Config,
    pub(super) changes: Changes,
    pub(super) role: Role,
    pub(super) rng: NodeRng,
    pub(super) me: SocketAddrV4,
    pub(super) identity: Option<Identity>,
    /// The greatest reign that it accepted, its own included; under `Original`, that of the server it followed last.
    pub(super) accepted: Option<Reign>,
    /// The last table that it held whole. A server's own, as it was last sent.
    pub(super) known: Known,
    /// What came of the present server's table so far.
    pub(super) gathering: Table,
    /// Whom it would find after a restart.
    pub(super) book: Book,
    pub(super) phase: Phase,
    pub(super) handshake: Handshake,
    pub(super) joined: Joined,
    boots_from: BootsFrom,
    /// What was written last, whether it is on the disk already or not.
    saved: Vec<u8>,
    disk: Disk,
    unreadable: Unreadable,
}

/// What a node does.
#[derive(Clone)]
pub(super) enum Phase {
    /// It looks for a server.
    Seeking {
        why: Why,
        /// How many HC it has sent to each of those whom it asks.
        asked: u32,
    },
    /// It has a server, to which it may still have to introduce itself.
    Following { server: SocketAddrV4, doubt: Doubt },
    /// Its server is gone and it waits for the one that it expects to be promoted.
    Electing {
        lost: SocketAddrV4,
        /// Who is out of the question: the lost server, and those that were silent since.
        struck: BTreeSet<SocketAddrV4>,
        choice: SocketAddrV4,
        stage: Stage,
    },
    /// It is the server.
    Serving(Serving),
}

/// Why a node looks for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// To join it.
    Join,
    /// It served before it went down; only if there is none now will it serve again.
    Return,
}

/// What a client thinks of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It was heard within the timeout.
    Calm,
    /// It was not, and is asked again.
    Suspected,
}

/// How far a client is with the one that it expects to be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It gives it time.
    Waiting,
    /// It asks it.
    Asking,
}

/// Whether HC are being repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    Idle,
    Running,
}

/// What the node has claimed of its joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// Nothing since it was started.
    Never,
    /// It was in the cluster and has lost its place.
    Before,
    /// It joined this reign under this id.
    As(u32, Reign),
}

/// A whole table.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Whose; `None` when it is only remembered from before a restart.
    pub(super) reign: Option<Reign>,
    pub(super) round: u32,
    /// By id.
    pub(super) entries: Vec<Entry>,
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

/// What a node found when it booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BootsFrom {
    Nothing,
    Rubbish,
    Disk(Last),
}

impl Member {
    pub(super) fn boot(
        role: Role,
        config: Config,
        me: SocketAddrV4,
        disk: Option<&[u8]>,
        rng: NodeRng,
    ) -> Self {
        let found = disk.map(Saved::decode);
        let boots_from = match &found {
            None => BootsFrom::Nothing,
            Some(None) => BootsFrom::Rubbish,
            Some(Some(saved)) => BootsFrom::Disk(saved.last),
        };
        let (identity, accepted, book) = found.flatten().map_or((None, None, Vec::new()), |saved| {
            (saved.identity, saved.accepted, saved.book)
        });
        let changes = config.changes();
        let mut known = Known::default();
        if changes.has(Change::Remember) {
            // After a restart everyone is held for alive until they have had the time to be heard.
            known.entries = book.iter().map(|&(id, addr)| restored(id, addr)).collect();
        }
        Member {
            changes,
            config,
            role,
            rng,
            me,
            identity,
            gathering: Table::new(accepted.map_or(Epoch::NONE, |reign| reign.epoch)),
            accepted,
            known,
            book: Book::new(book),
            phase: Phase::Seeking {
                why: Why::Join,
                asked: 0,
            },
            handshake: Handshake::Idle,
            joined: Joined::Never,
            boots_from,
            saved: disk.map(<[u8]>::to_vec).unwrap_or_default(),
            disk: Disk::Sound,
            unreadable: Unreadable::default(),
        }
    }

    pub(super) fn take(&mut self, now: Time, input: Input<'_, HacNode>, out: &mut Outbox<HacNode>) {
        if self.disk != Disk::Sound {
            return self.wait_for_disk(now, input, out);
        }
        match input {
            Input::Start => {
                out.bind(self.me.port());
                self.start(now, out);
            }
            Input::Datagram { from, bytes, .. } => self.on_datagram(now, from, bytes, out),
            Input::Timer(timer) => self.on_timer(now, timer, out),
            Input::Command {
                call,
                command: Command::Status,
            } => self.on_status(call, out),
            // What was to wait for it was put behind it.
            Input::Persisted(_) => {}
            Input::PersistFailed(_) if self.changes.has(Change::StartOver) => self.fall_silent(now, out),
            Input::PersistFailed(_) => out.arm(Timer::Disk, now + self.config.round),
            // It has no streams.
            Input::Stream { .. } => {}
        }
    }

    fn start(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        if self.boots_from == BootsFrom::Rubbish {
            out.claim(HacFact::DiskUnreadable);
        }
        let epoch = self.accepted.map_or(Epoch::NONE, |reign| reign.epoch);
        out.claim(HacFact::Started {
            id: self.identity.map(|identity| identity.id),
            epoch,
        });
        match (self.role, self.boots_from) {
            (Role::Server, BootsFrom::Nothing | BootsFrom::Rubbish) => self.open_first(now, out),
            (Role::Server, BootsFrom::Disk(_)) | (_, BootsFrom::Disk(Last::Served)) => {
                self.seek(Why::Return, now, out)
            }
            _ => self.seek(Why::Join, now, out),
        }
    }

    /// A write failed, and what waited behind it was dropped: nothing that the node has taken in since may be relied on. It
    /// says and hears nothing until it has all of it on the disk.
    fn fall_silent(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        self.disk = Disk::Failed;
        self.handshake = Handshake::Idle;
        for timer in [
            Timer::Round,
            Timer::Availability,
            Timer::Silence,
            Timer::Handshake,
            Timer::Wait,
        ] {
            out.disarm(timer);
        }
        // Not at once: the disk may fail as quickly as it is written to.
        out.arm(Timer::Disk, now + self.config.retry_after());
    }

    /// Takes an input while the last write is one that failed.
    fn wait_for_disk(&mut self, now: Time, input: Input<'_, HacNode>, out: &mut Outbox<HacNode>) {
        match (input, self.disk) {
            (Input::Timer(Timer::Disk), Disk::Failed) => {
                self.saved.clear();
                if let Some(token) = self.save(out) {
                    self.disk = Disk::Tried(token);
                }
            }
            (Input::Persisted(token), Disk::Tried(tried)) if token == tried => {
                self.disk = Disk::Sound;
                self.start_over(now, out);
            }
            (Input::PersistFailed(token), Disk::Tried(tried)) if token == tried => {
                self.fall_silent(now, out);
            }
            (
                Input::Command {
                    call,
                    command: Command::Status,
                },
                _,
            ) => {
                // It stands where it stands on the disk, which it does not know.
                let (standing, rows) = (Standing::Failing, Vec::new());
                out.answer(
                    call,
                    Answer::Status {
                        standing,
                        id: None,
                        server: None,
                        epoch: Epoch::NONE,
                        rows,
                    },
                );
            }
            // What it does not hear, others will say again. A write that was dropped behind the one that failed is made up
            // for by the next.
            _ => {}
        }
    }

    /// Goes on as if it had just been restarted, now that what it holds is on the disk. What it has said is all there, and what it
    /// may have meant to say, it says anew. It keeps the table: what it has claimed of that must not be taken back by an older AS.
    fn start_over(&mut self, now: Time, out: &mut Outbox<HacNode>) {
        self.boots_from = BootsFrom::Disk(self.last());
        self.joined = Joined::Never;
        self.start(now, out);
    }

    fn on_datagram(&mut self, now: Time, from: SocketAddrV4, bytes: &[u8], out: &mut Outbox<HacNode>) {
        let checksum = if self.changes.has(Change::Crc) {
            Checksum::Verified
        } else {
            Checksum::Ignored
        };
        let packet = match Packet::decode(self.config.rules, checksum, bytes) {
            Ok(packet) if packet.mode == Mode::ClientServer => packet,
            other => {
                let kind = other.err().unwrap_or(WireError::OtherMode);
                if let Some(count) = self.unreadable.count(kind) {
                    out.claim(HacFact::Unreadable { kind, count });
                }
                return;
            }
        };
        match (packet.code, matches!(self.phase, Phase::Serving(_))) {
            (Code::Hc, true) => self.grant_to(now, from, &packet, out),
            (Code::Hc, false) => self.forward(from, &packet, bytes, out),
            (Code::Ac, true) => self.hear(now, from, &packet, out),
            (Code::As, true) => self.hear_other_server(now, from, &packet, out),
            (Code::As, false) => self.hear_server(now, from, &packet, out),
            (Code::Hs, false) => self.welcomed(now, from, &packet, out),
            // An AC to one that serves no more: its sender will miss the AS. An HS to one that serves by now: its sender
            // will be heard of by AS.
            (Code::Ac, false) | (Code::Hs, true) => {}
            // Refused by `decode`: it has the other mode.
            (Code::Ap, _) => {}
        }
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<HacNode>) {
        match timer {
            Timer::Round => self.on_round(now, out),
            Timer::Availability => self.on_availability(now, out),
            Timer::Silence => self.on_silence(now, out),
            Timer::Handshake => self.on_handshake(now, out),
            Timer::Wait => self.on_wait(now, out),
            Timer::Disk => {
                self.saved.clear();
                self.save(out);
                self.claim_standing(out);
            }
            // A peer's alarm.
            Timer::Silent(_) => {}
        }
    }

    fn on_status(&mut self, call: CallId, out: &mut Outbox<HacNode>) {
        let (standing, server) = match &self.phase {
            Phase::Seeking { .. } => (Standing::Seeking, None),
            Phase::Following { server, .. } => (Standing::Following, Some(*server)),
            Phase::Electing { .. } => (Standing::Electing, None),
            Phase::Serving(_) => (Standing::Serving, Some(self.me)),
        };
        let row = |entry: &Entry| AnswerRow {
            id: entry.id,
            addr: entry.addr,
            status: Some(entry.status),
            heard: entry.heard,
            availability: None,
        };
        out.answer(
            call,
            Answer::Status {
                standing,
                id: self.identity.map(|identity| identity.id),
                server,
                epoch: self.claimed_epoch(),
                rows: self.known.entries.iter().map(row).collect(),
            },
        );
    }

    /// The epoch as facts name it.
    pub(super) fn claimed_epoch(&self) -> Epoch {
        let Some(accepted) = self.accepted else {
            return Epoch::NONE;
        };
        match self.config.rules {
            Rules::Hardened => accepted.epoch,
            Rules::Original if accepted.at == self.me => {
                self.epoch_of_source(self.identity.map(|own| own.id))
            }
            Rules::Original => {
                let server = self.known.entries.iter().find(|entry| entry.addr == accepted.at);
                self.epoch_of_source(server.map(|entry| entry.id))
            }
        }
    }

    fn epoch_of_source(&self, server: Option<u32>) -> Epoch {
        Epoch {
            counter: 0,
            server: server.unwrap_or(0),
            nonce: 0,
        }
    }

    /// What goes ahead of a packet of this node. Every packet of `Hardened` names the highest epoch that its sender
    /// accepted.
    pub(super) fn head(&self, code: Code) -> Head {
        let epoch = self.accepted.map_or(Epoch::NONE, |reign| reign.epoch);
        Head {
            rules: self.config.rules,
            mode: Mode::ClientServer,
            code,
            epoch,
        }
    }

    /// The entry that the node sends of itself.
    pub(super) fn own_entry(&self) -> Entry {
        let id = self.identity.map_or(NO_ID, |identity| identity.id);
        Entry {
            id,
            addr: self.me,
            status: Status::Alive,
            heard: 0,
            round: self.known.round,
        }
    }

    /// Claims the table that is known now.
    pub(super) fn claim_table(&self, out: &mut Outbox<HacNode>) {
        let Some(reign) = self.known.reign else { return };
        let row = |entry: &Entry| Row {
            id: entry.id,
            addr: entry.addr,
            status: entry.status,
            heard: entry.heard,
        };
        out.claim(HacFact::Table {
            epoch: self.claimed_epoch(),
            round: self.known.round,
            server: reign.at,
            rows: self.known.entries.iter().map(row).collect(),
        });
    }

    /// Writes to the disk what has changed since it was last written, if anything has. What relies on it must come after.
    pub(super) fn save(&mut self, out: &mut Outbox<HacNode>) -> Option<Token> {
        if let Phase::Serving(serving) = &self.phase {
            self.book.become_table(serving.names());
        }
        // Under `Original` it is no epoch, and tells whom to ask after a restart.
        let keeps_reign = self.config.rules == Rules::Original || self.changes.has(Change::WriteDown);
        let saved = Saved {
            identity: self.identity,
            accepted: self.accepted.filter(|_| keeps_reign),
            last: self.last(),
            book: self.book.all().collect(),
        };
        let bytes = saved.encode();
        (bytes != self.saved).then(|| {
            let token = out.persist(&bytes);
            self.saved = bytes;
            token
        })
    }

    /// What it did last, should it be restarted now.
    fn last(&self) -> Last {
        match &self.phase {
            Phase::Serving(_) => Last::Served,
            // Until it has found another server, it is still one that served.
            Phase::Seeking { why: Why::Return, .. } => Last::Served,
            _ => Last::Followed,
        }
    }

    /// Says again where the node stands, when what it had said may have been dropped with a failed write.
    fn claim_standing(&mut self, out: &mut Outbox<HacNode>) {
        match (&self.phase, self.identity, self.joined) {
            (Phase::Serving(_), Some(identity), _) => {
                out.claim(HacFact::Serving {
                    id: identity.id,
                    epoch: self.claimed_epoch(),
                });
                self.claim_table(out);
            }
            (_, _, Joined::As(id, reign)) => {
                out.claim(HacFact::Rejoined {
                    id,
                    epoch: self.claimed_epoch(),
                    server: reign.at,
                });
            }
            // It has said nothing that still holds.
            _ => {}
        }
    }
}

/// The entry of a node that is only known by name.
pub(super) fn restored(id: u32, addr: SocketAddrV4) -> Entry {
    Entry {
        id,
        addr,
        status: Status::Alive,
        heard: 0,
        round: 0,
    }
}
