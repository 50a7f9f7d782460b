//! A node that belongs to the cluster: a master, a standby or a node of the tree, and what it does when its disk fails.

use std::net::SocketAddrV4;

use super::chief::Chief;
use super::config::{Change, Config};
use super::facts::RefineryFact;
use super::member::Member;
use super::wire::Epoch;
use super::{Answer, Command, Out, RefineryNode, Role, Standing, Timer, disk};
use crate::node::{Input, StreamEvent, Token};
use crate::rng::NodeRng;
use crate::time::Time;

/// A node that belongs to the cluster.
#[derive(Clone, Debug)]
pub(super) struct Honest {
    role: Role,
    config: Config,
    me: SocketAddrV4,
    who: Who,
    disk: Disk,
    found: Found,
}

#[derive(Clone, Debug)]
enum Who {
    Chief(Box<Chief>),
    Member(Box<Member>),
}

/// What a node found on its disk when it booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Rubbish,
    Epoch,
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

impl Honest {
    pub(super) fn boot(
        role: &Role,
        config: &Config,
        me: SocketAddrV4,
        disk: Option<&[u8]>,
        rng: NodeRng,
    ) -> Self {
        let found = disk.map(disk::decode);
        let epoch = found.flatten().unwrap_or_default();
        Honest {
            role: role.clone(),
            config: config.clone(),
            me,
            who: Who::boot(role, config, me, epoch, rng),
            disk: Disk::Sound,
            found: match found {
                None => Found::Nothing,
                Some(None) => Found::Rubbish,
                Some(Some(_)) => Found::Epoch,
            },
        }
    }

    pub(super) fn take(&mut self, now: Time, input: Input<'_, RefineryNode>, out: &mut Out) {
        if self.disk != Disk::Sound {
            return self.wait_for_disk(now, input, out);
        }
        match (input, &mut self.who) {
            (Input::Start, _) => {
                if self.found == Found::Rubbish {
                    out.claim(RefineryFact::DiskUnreadable);
                }
                // What waits behind a write that fails is dropped, and it listens but once.
                let listens_first = self.config.changes().has(Change::ListenFirst);
                if self.who.listens() && listens_first {
                    out.listen(self.me.port());
                }
                if self.found != Found::Epoch {
                    // That a disk does not take anything is better known before the first epoch has to be on it.
                    out.persist(&disk::encode(self.who.epoch()));
                }
                if self.who.listens() && !listens_first {
                    out.listen(self.me.port());
                }
                self.start(now, out);
            }
            (Input::Stream { conn, event }, Who::Chief(chief)) => chief.on_stream(now, conn, event, out),
            (Input::Stream { conn, event }, Who::Member(member)) => member.on_stream(now, conn, event, out),
            (Input::Timer(timer), Who::Chief(chief)) => chief.on_timer(now, timer, out),
            (Input::Timer(timer), Who::Member(member)) => member.on_timer(now, timer, out),
            (
                Input::Command {
                    call,
                    command: Command::Status,
                },
                who,
            ) => match who {
                Who::Chief(chief) => chief.on_status(call, out),
                Who::Member(member) => member.on_status(call, out),
            },
            (Input::PersistFailed(_), _) if self.config.changes().has(Change::StartOver) => {
                self.fall_silent(now, out);
            }
            // What was to wait for it was put behind it.
            (Input::Persisted(_) | Input::PersistFailed(_), _) => {}
            // It has bound no port for datagrams.
            (Input::Datagram { .. }, _) => {}
        }
    }

    fn start(&mut self, now: Time, out: &mut Out) {
        out.claim(RefineryFact::Started {
            epoch: self.who.epoch(),
        });
        match &mut self.who {
            Who::Chief(chief) => chief.start(now, out),
            Who::Member(member) => member.start(now, out),
        }
    }

    /// A write failed, and what was asked for since was dropped: nothing that the node has taken in since may be relied on, and what
    /// it was about to say on its connections is missing there. It has none, and says and hears nothing, until a write has completed.
    fn fall_silent(&mut self, now: Time, out: &mut Out) {
        self.disk = Disk::Failed;
        match &mut self.who {
            Who::Chief(chief) => chief.drop_all(out),
            Who::Member(member) => member.drop_all(out),
        }
        // Not at once: the disk may fail as quickly as it is written to.
        out.arm(Timer::Disk, now + self.config.alive);
    }

    /// Takes an input while the last write is one that failed.
    fn wait_for_disk(&mut self, now: Time, input: Input<'_, RefineryNode>, out: &mut Out) {
        match (input, self.disk) {
            (Input::Timer(Timer::Disk), Disk::Failed) => {
                let token = out.persist(&disk::encode(self.who.epoch()));
                self.disk = Disk::Tried(token);
            }
            (Input::Persisted(token), Disk::Tried(tried)) if token == tried => {
                self.disk = Disk::Sound;
                let (epoch, rng) = (self.who.epoch(), self.who.rng());
                self.who = Who::boot(&self.role, &self.config, self.me, epoch, rng);
                self.start(now, out);
            }
            (Input::PersistFailed(token), Disk::Tried(tried)) if token == tried => {
                self.fall_silent(now, out);
            }
            (
                Input::Stream {
                    conn,
                    event: StreamEvent::Accepted { .. },
                },
                _,
            ) => out.close(conn),
            (
                Input::Command {
                    call,
                    command: Command::Status,
                },
                _,
            ) => out.answer(call, Answer::of(Standing::Failing)),
            // What it does not hear, others will say again.
            _ => {}
        }
    }
}

impl Who {
    fn boot(role: &Role, config: &Config, me: SocketAddrV4, epoch: Epoch, rng: NodeRng) -> Self {
        let config = config.clone();
        match role {
            Role::Node(kind) => Who::Member(Box::new(Member::boot(kind.clone(), config, me, epoch, rng))),
            _ => Who::Chief(Box::new(Chief::boot(role.clone(), config, me, epoch, rng))),
        }
    }

    /// Whether anyone may dial it.
    fn listens(&self) -> bool {
        match self {
            Who::Chief(chief) => !chief.is_idle(),
            Who::Member(_) => true,
        }
    }

    /// The highest epoch that it knows of.
    fn epoch(&self) -> Epoch {
        match self {
            Who::Chief(chief) => chief.epoch(),
            Who::Member(member) => member.epoch(),
        }
    }

    fn rng(&self) -> NodeRng {
        match self {
            Who::Chief(chief) => chief.rng(),
            Who::Member(member) => member.rng(),
        }
    }
}
