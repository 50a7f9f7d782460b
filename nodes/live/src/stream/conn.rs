//! One connection: how far it has come, what waits to be written, and what its node is to be told of it.

use std::collections::VecDeque;
use std::net::{SocketAddrV4, TcpStream};

use squall_nodes::{Closed, Time};

use super::held::Held;
use super::socket::{self, Dialled};
use super::wire::{Came, Shaken, Wire};

/// A backlog that is empty keeps no more room than this, in bytes.
const ROOM_KEPT: usize = 16 * 1024;
/// How often is read at a time what nobody wants.
const MOST_DISCARDED: u32 = 8;

/// One connection.
pub(super) struct Conn {
    pub(super) peer: SocketAddrV4,
    pub(super) opened_by: OpenedBy,
    pub(super) phase: Phase,
    /// There is one from when it is dialled until it is over.
    pub(super) socket: Option<TcpStream>,
    pub(super) wire: Wire,
    pub(super) ready: Ready,
    pub(super) reading: Reading,
    /// How it ended, where that is known before the last byte was read.
    pub(super) fault: Option<Closed>,
    /// Bytes that wait for room in the kernel.
    backlog: VecDeque<u8>,
    blocked: Blocked,
    /// Whether the node was told that it is open.
    pub(super) greeted: bool,
    /// What the edge holds of it, where a policy is in force.
    pub(super) held: Option<Box<Held>>,
    /// Whether the node has closed it, and that waits behind a write to the disk.
    pub(super) close_waits: bool,
    /// Whether it is among those that get a turn.
    pub(super) has_turn: bool,
    /// Whether its handshake has failed, which is to be counted.
    has_shaken_in_vain: bool,
    /// When it has taken too long over what it is at; [`Time::MAX`] when it may take as long as it likes.
    pub(super) deadline: Time,
    /// When its turn comes by itself.
    pub(super) alarm: Time,
}

/// Who has opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenedBy {
    /// This node.
    Us,
    /// The peer, which has dialled this port.
    Them { port: u16 },
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is to be dialled when what is ahead of it is on the disk.
    Waiting,
    /// It would be dialled, and a cut is in the way: it is tried again later.
    Calling { then: Then },
    /// It is dialled.
    Dialled { then: Then },
    /// Both sides show their certificates.
    Shaking { then: Then },
    /// Bytes may pass.
    Open,
    /// The node has closed it: what was written goes out, and what comes in is thrown away until the peer has closed it too.
    Closing { said: Said },
    /// The node was told that it was given up, and the peer does not know yet.
    Silent,
    /// It has ended, and the node is to be told how.
    Over(Closed),
    /// It has ended, and nobody is to be told.
    Gone,
}

/// What is done with a connection once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    /// The node has closed it already.
    Close,
}

/// Whether the peer has been told that nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    NotYet,
    Yes,
}

/// Whether the node wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    Paused,
}

/// What the kernel may be ready for, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) to_read: bool,
    pub(super) to_write: bool,
}

/// Whether something waits to be written, and what the node was told of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Blocked {
    is: bool,
    to_be_told: bool,
    was_told: bool,
}

/// What the node is told of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Opened,
    Accepted {
        port: u16,
        from: SocketAddrV4,
    },
    /// So many bytes, which were read last.
    Bytes(usize),
    Blocked,
    Writable,
    Closed(Closed),
}

impl OpenedBy {
    pub(super) fn is_us(self) -> bool {
        self == OpenedBy::Us
    }
}

impl Conn {
    pub(super) fn new(peer: SocketAddrV4, opened_by: OpenedBy, phase: Phase) -> Self {
        Conn {
            peer,
            opened_by,
            phase,
            socket: None,
            wire: Wire::Plain,
            ready: Ready::default(),
            reading: Reading::On,
            fault: None,
            backlog: VecDeque::new(),
            blocked: Blocked::default(),
            greeted: false,
            held: None,
            close_waits: false,
            has_turn: false,
            has_shaken_in_vain: false,
            deadline: Time::MAX,
            alarm: Time::MAX,
        }
    }

    /// When something is due about it.
    pub(super) fn due(&self) -> Time {
        let wakes = self.held.as_ref().map_or(Time::MAX, |held| held.wakes);
        self.deadline.min(wakes)
    }

    /// How many bytes wait to be written.
    pub(super) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Whether there is something to do about it now.
    pub(super) fn wants_turn(&self, now: Time) -> bool {
        if let (Some(held), Phase::Open | Phase::Over(_) | Phase::Silent) = (&self.held, self.phase) {
            let can_write = self.phase == Phase::Open && self.ready.to_write && self.has_to_write();
            return can_write || self.wants_turn_under_policy(held, now);
        }
        match self.phase {
            Phase::Waiting | Phase::Calling { .. } => false,
            Phase::Dialled { .. } => self.ready.to_write,
            Phase::Shaking { .. } => self.ready.to_read || self.ready.to_write,
            Phase::Open => {
                (self.ready.to_write && self.has_to_write())
                    || (!self.close_waits && (self.news().is_some() || self.wants_to_read()))
            }
            Phase::Closing { .. } => {
                self.ready.to_read || self.fault.is_some() || (self.ready.to_write && self.has_to_write())
            }
            Phase::Silent => self.ready.to_read,
            Phase::Over(_) => !self.close_waits,
            Phase::Gone => true,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_greeted(&self) -> bool {
        self.greeted
    }

    pub(super) fn has_to_write(&self) -> bool {
        !self.backlog.is_empty() || self.blocked.is
    }

    fn wants_to_read(&self) -> bool {
        match self.reading {
            Reading::On => self.ready.to_read || self.fault.is_some(),
            // There is nobody to whom it would be acknowledged any more.
            Reading::Paused => self.fault.is_some(),
        }
    }

    /// What the node is to be told before anything that is read.
    pub(super) fn news(&self) -> Option<What> {
        if !self.greeted {
            return Some(match self.opened_by {
                OpenedBy::Us => What::Opened,
                OpenedBy::Them { port } => What::Accepted {
                    port,
                    from: self.peer,
                },
            });
        }
        if self.blocked.to_be_told {
            return Some(What::Blocked);
        }
        (self.blocked.was_told && !self.blocked.is).then_some(What::Writable)
    }

    /// The next of it, which the node is told now.
    pub(super) fn tell_news(&mut self) -> Option<What> {
        let news = self.news()?;
        match news {
            What::Opened | What::Accepted { .. } => self.greeted = true,
            What::Blocked => {
                self.blocked.to_be_told = false;
                self.blocked.was_told = true;
            }
            What::Writable => self.blocked.was_told = false,
            What::Bytes(_) | What::Closed(_) => {}
        }
        Some(news)
    }

    /// Does what there is to do about it, until there is something to tell the node. `room` is for what is read.
    pub(super) fn serve(&mut self, room: &mut [u8]) -> Option<What> {
        self.see_progress();
        match self.phase {
            Phase::Open if !self.close_waits => self.tell_news().or_else(|| self.read(room)),
            Phase::Closing { .. } => {
                self.go_on_closing(room);
                None
            }
            Phase::Over(how) if !self.close_waits => {
                self.phase = Phase::Gone;
                Some(What::Closed(how))
            }
            _ => None,
        }
    }

    /// Goes on with what the kernel is ready for, but reading.
    pub(super) fn see_progress(&mut self) {
        if let Phase::Dialled { then } = self.phase {
            self.see_dial(then);
        }
        if let Phase::Shaking { then } = self.phase {
            self.see_handshake(then);
        }
        if self.ready.to_write && self.has_to_write() {
            self.flush();
        }
    }

    fn see_dial(&mut self, then: Then) {
        let Some(socket) = &self.socket else { return };
        match socket::dialled(socket) {
            Dialled::NotYet => self.ready.to_write = false,
            Dialled::Failed(how) => self.is_over(how),
            Dialled::Open => self.phase = Phase::Shaking { then },
            Dialled::Lost(how) => {
                self.phase = Phase::Shaking { then };
                self.is_at_fault(how);
            }
        }
    }

    fn see_handshake(&mut self, then: Then) {
        let Some(socket) = &self.socket else { return };
        match self.wire.shake(socket) {
            Shaken::NotYet => {
                self.ready.to_read = false;
                self.ready.to_write = false;
            }
            Shaken::Done => {
                // TLS may have taken in more than the handshake.
                self.ready.to_read = true;
                self.ready.to_write = true;
                self.phase = match then {
                    Then::Stay => Phase::Open,
                    Then::Close => Phase::Closing { said: Said::NotYet },
                };
            }
            Shaken::Failed => {
                self.has_shaken_in_vain = true;
                match self.opened_by {
                    OpenedBy::Us => self.is_over(Closed::Refused),
                    OpenedBy::Them { .. } => self.phase = Phase::Gone,
                }
            }
        }
    }

    /// Whether its handshake has failed since this was last asked, as may be in the turn in which its dial was answered.
    pub(super) fn take_shaken_in_vain(&mut self) -> bool {
        std::mem::take(&mut self.has_shaken_in_vain)
    }

    /// Takes what is to be written: to the kernel as far as it fits in, and the rest waits. Whether there is room for it to wait.
    pub(super) fn write(&mut self, bytes: &[u8], fits_before_it_is_open: usize, most: usize) -> bool {
        if self.fault.is_some() {
            return true;
        }
        let mut rest = bytes;
        if self.phase == Phase::Open && !self.blocked.is && self.backlog.is_empty() {
            let Some(socket) = &self.socket else {
                return true;
            };
            while !rest.is_empty() {
                match self.wire.write(socket, rest) {
                    Ok(Some(written)) => rest = &rest[written..],
                    Ok(None) => {
                        self.ready.to_write = false;
                        break;
                    }
                    Err(how) => {
                        self.is_at_fault(how);
                        return true;
                    }
                }
            }
        }
        if self.backlog.len() + rest.len() > most {
            return false;
        }
        self.backlog.extend(rest);
        let too_much = match self.phase {
            Phase::Open => !self.backlog.is_empty(),
            _ => self.backlog.len() > fits_before_it_is_open,
        };
        if too_much && !self.blocked.is {
            self.blocked.is = true;
            self.blocked.to_be_told = true;
        }
        true
    }

    /// Hands what waits to the kernel, as far as it fits in.
    fn flush(&mut self) {
        if !matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            return;
        }
        let Some(socket) = &self.socket else { return };
        while !self.backlog.is_empty() {
            let (front, _) = self.backlog.as_slices();
            match self.wire.write(socket, front) {
                Ok(Some(written)) => drop(self.backlog.drain(..written)),
                Ok(None) => {
                    self.ready.to_write = false;
                    return;
                }
                Err(how) => return self.is_at_fault(how),
            }
        }
        match self.wire.flush(socket) {
            Ok(true) => self.blocked.is = false,
            Ok(false) => self.ready.to_write = false,
            Err(how) => self.is_at_fault(how),
        }
        if self.backlog.capacity() > ROOM_KEPT {
            self.backlog = VecDeque::new();
        }
    }

    fn read(&mut self, room: &mut [u8]) -> Option<What> {
        if !self.wants_to_read() {
            return None;
        }
        let came = match (&self.socket, self.reading) {
            (Some(socket), Reading::On) => self.wire.read(socket, room),
            _ => Came::End,
        };
        match came {
            Came::Bytes(read) => return Some(What::Bytes(read)),
            Came::Nothing => match self.fault {
                None => self.ready.to_read = false,
                Some(how) => self.is_over(how),
            },
            Came::End => self.is_over(self.fault.unwrap_or(Closed::Orderly)),
            Came::Broken(how) => self.is_over(self.fault.unwrap_or(how)),
        }
        match self.phase {
            Phase::Over(how) => {
                self.phase = Phase::Gone;
                Some(What::Closed(how))
            }
            _ => None,
        }
    }

    /// The node closes it: nothing is told of it any more.
    pub(super) fn close(&mut self) {
        self.close_waits = false;
        self.phase = match self.phase {
            Phase::Calling { .. } => Phase::Calling { then: Then::Close },
            Phase::Dialled { .. } => Phase::Dialled { then: Then::Close },
            Phase::Shaking { .. } => Phase::Shaking { then: Then::Close },
            Phase::Open => Phase::Closing { said: Said::NotYet },
            Phase::Closing { said } => Phase::Closing { said },
            Phase::Silent => Phase::Silent,
            Phase::Waiting | Phase::Over(_) | Phase::Gone => Phase::Gone,
        };
        // There may be something to read that was not wanted before, and the end is to be said.
        self.ready.to_read = true;
    }

    /// The node has closed it, and nothing of what it wrote before goes out: it is reset.
    pub(super) fn breaks_off(&mut self) {
        self.backlog = VecDeque::new();
        self.phase = Phase::Gone;
        self.socket = None;
    }

    /// Whether it is on its way to being closed, of which the node is told nothing.
    pub(super) fn is_closing(&self) -> bool {
        matches!(
            self.phase,
            Phase::Calling { then: Then::Close }
                | Phase::Dialled { then: Then::Close }
                | Phase::Shaking { then: Then::Close }
                | Phase::Closing { .. }
                | Phase::Silent
        )
    }

    /// Tells the peer that nothing more comes, if all that was written is with the kernel.
    pub(super) fn say_the_end(&mut self) {
        if self.phase != (Phase::Closing { said: Said::NotYet })
            || self.fault.is_some()
            || self.has_to_write()
        {
            return;
        }
        let Some(socket) = &self.socket else { return };
        match self.wire.shut(socket) {
            Ok(true) => {
                // The kernel has all of it, and goes on with it whatever becomes of this process.
                socket::keep_going(socket);
                self.phase = Phase::Closing { said: Said::Yes };
            }
            // It is tried again when there is room.
            Ok(false) => {
                self.blocked.is = true;
                self.ready.to_write = false;
            }
            Err(how) => self.fault = Some(how),
        }
    }

    pub(super) fn go_on_closing(&mut self, room: &mut [u8]) {
        self.say_the_end();
        let Some(socket) = &self.socket else {
            self.phase = Phase::Gone;
            return;
        };
        // An unread byte would turn the end into a reset.
        for _ in 0..MOST_DISCARDED {
            match Wire::Plain.read(socket, room) {
                Came::Bytes(_) => {}
                Came::Nothing => {
                    self.ready.to_read = false;
                    break;
                }
                Came::End => return self.is_let_go(),
                Came::Broken(_) => {
                    self.phase = Phase::Gone;
                    return;
                }
            }
        }
        if self.fault.is_some() {
            self.phase = Phase::Gone;
        }
    }

    /// It has taken as long over being closed as it may: the kernel does what is left, if it has all of it.
    pub(super) fn give_up_closing(&mut self) {
        let is_cut = self.held.as_ref().is_some_and(|held| held.cuts().out);
        if let (true, Some(socket)) = (is_cut, &self.socket) {
            // It had to get through a cut, and nobody tries any more.
            socket::throw_away(socket);
        }
        if self.has_to_write() || is_cut {
            self.phase = Phase::Gone;
        } else {
            self.is_let_go();
        }
    }

    fn is_let_go(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket::keep_going(&socket);
        }
        self.phase = Phase::Gone;
    }

    /// The kernel says that there is something wrong with it.
    pub(super) fn look_for_fault(&mut self) {
        let opened = matches!(self.phase, Phase::Open | Phase::Closing { .. });
        if let (true, Some(socket)) = (opened, &self.socket)
            && let Ok(Some(why)) = socket.take_error()
        {
            self.is_at_fault(socket::ending(&why));
        }
    }

    /// Nothing can be written any more; what has come in can still be read.
    fn is_at_fault(&mut self, how: Closed) {
        self.fault.get_or_insert(how);
        self.backlog = VecDeque::new();
        self.blocked = Blocked {
            is: false,
            to_be_told: false,
            was_told: false,
        };
    }

    /// It has ended.
    pub(super) fn is_over(&mut self, how: Closed) {
        self.backlog = VecDeque::new();
        self.phase = if self.is_closing() {
            Phase::Gone
        } else {
            Phase::Over(how)
        };
        if let Some(socket) = self.socket.take()
            && how == Closed::Orderly
        {
            socket::keep_going(&socket);
        }
    }
}
