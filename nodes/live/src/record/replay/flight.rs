//! A recording as a world: from its entries to what the node is told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use squall_nodes::recording::{Content, Ended, Entry, Happened, Mark, Outline, Replay, Step, Told};
use squall_nodes::{
    Delivery, Effects, HostId, Ids, Node, Outbox, StreamEvent, Time, Transport, Unwitnessed, drive,
};

use super::said;
use crate::record::door::{Manner, ReplayError};
use crate::record::frame::{Frames, Next};
use crate::record::words::Words;

/// A recording as a world.
pub(super) struct Flight<'a, N: Node> {
    pub(super) path: &'a Path,
    pub(super) frames: Frames,
    pub(super) node: N,
    pub(super) ids: Ids,
    pub(super) incarnation: u32,
    pub(super) until: Until,
    /// The timers that the node has ever armed, by code, and whether they still are.
    pub(super) timers: BTreeMap<u64, (N::Timer, Alarm)>,
    /// The numbers of what the node has begun: writes and connections.
    pub(super) begun: BTreeSet<u64>,
    /// Of the input that the node is told, counted from 1.
    pub(super) number: u64,
    pub(super) now: Time,
    /// What came of that input when it was recorded.
    pub(super) recorded: Recorded,
    pub(super) command: Option<N::Command>,
    pub(super) scratch: Vec<u8>,
    pub(super) words: Words,
    pub(super) manner: &'a Manner,
    pub(super) told: &'a mut dyn FnMut(Step) -> ControlFlow<()>,
    pub(super) came: Replay,
    pub(super) error: Option<ReplayError>,
    pub(super) place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    Armed,
    Disarmed,
}

/// How far a life is lived again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// To its end.
    End,
    /// Up to what the node panicked over, if it did.
    Panic,
}

/// Who is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The replay.
    Outside,
    /// The node: if there is a panic, it is the node's.
    InNode,
    /// Nobody any more.
    Left,
}

/// What to do about an entry.
enum Turn {
    Tell,
    Skip,
    End,
}

/// What came of an input when it was recorded.
pub(super) enum Recorded {
    Nothing,
    Effects(Vec<Mark>),
    Panic,
}

impl<N: Node> Flight<'_, N> {
    pub(super) fn run(&mut self) {
        let mut outbox = Outbox::new();
        let driven = catch_unwind(AssertUnwindSafe(|| {
            drive(self, &mut outbox, &mut Unwitnessed);
        }));
        match driven {
            Ok(()) => {}
            Err(panic) if self.place == Place::InNode => self.panicked(said(panic)),
            Err(ours) => resume_unwind(ours),
        }
    }

    /// Goes to the next input that the node can be told; `false` when there is none, or no more are wanted.
    fn advance(&mut self) -> bool {
        while self.place != Place::Left {
            match self.next() {
                Ok(Turn::Tell) => return true,
                Ok(Turn::Skip) => {
                    self.came.skipped += 1;
                    self.came.differing += 1;
                    self.tell(Happened::Skipped);
                }
                Ok(Turn::End) => return false,
                Err(error) => {
                    self.error = Some(error);
                    return false;
                }
            }
        }
        false
    }

    /// Reads the next entry.
    fn next(&mut self) -> Result<Turn, ReplayError> {
        let input = self.number + 1;
        let next = self.frames.read().map_err(|why| ReplayError::Io {
            path: self.path.to_owned(),
            why,
        })?;
        let body = match next {
            Next::Frame(body) => body,
            Next::End => return Ok(Turn::End),
            Next::CutOff { at, bytes, why } => {
                self.came.ended = Ended::CutOff { at, bytes, why };
                return Ok(Turn::End);
            }
        };
        let (now, told, recorded) =
            match Entry::<N>::decode(body).map_err(|why| ReplayError::Entry { input, why })? {
                Entry::Handled { now, told, marks } => (now, told, Recorded::Effects(marks)),
                Entry::Panicked { .. } if self.until == Until::Panic => return Ok(Turn::End),
                Entry::Panicked { now, told } => {
                    self.came.ended = Ended::Panicked;
                    (now, told, Recorded::Panic)
                }
                Entry::Full { .. } => {
                    self.came.ended = Ended::Full;
                    return Ok(Turn::End);
                }
                Entry::Stopped { at } => {
                    self.came.ended = Ended::Stopped { at };
                    return Ok(Turn::End);
                }
            };
        let turn = match (&told, &self.came.difference) {
            (Told::Timer { code }, None) if !self.timers.contains_key(code) => {
                return Err(ReplayError::Timer { input, code: *code });
            }
            // As recorded, whatever the transport's reasons were.
            (_, None) => Turn::Tell,
            (Told::Timer { code }, Some(_)) => match self.timers.get(code) {
                Some((_, Alarm::Armed)) => Turn::Tell,
                _ => Turn::Skip,
            },
            (Told::Persisted(token) | Told::PersistFailed(token), Some(_))
                if !self.begun.contains(&token.0) =>
            {
                Turn::Skip
            }
            (Told::Stream { conn, event }, Some(_))
                if !matches!(event, StreamEvent::Accepted { .. }) && !self.begun.contains(&conn.0) =>
            {
                Turn::Skip
            }
            _ => Turn::Tell,
        };
        if let Told::Stream {
            conn,
            event: StreamEvent::Accepted { .. },
        } = told
        {
            self.begun.insert(conn.0);
        }
        if let Told::Timer { code } = told
            && let Some((_, alarm)) = self.timers.get_mut(&code)
        {
            *alarm = Alarm::Disarmed;
        }
        self.number = input;
        self.now = now;
        self.recorded = recorded;
        self.came.inputs += u64::from(matches!(turn, Turn::Tell));
        self.came.last = now;
        Ok(turn)
    }

    /// Learns what the node may be told from now on.
    fn learn(&mut self, effects: &Effects<'_, N>) {
        for (outline, content) in effects.look() {
            match (outline, content) {
                (Outline::Arm { timer, .. }, Content::Timer(alarm)) => {
                    self.timers.insert(timer, (alarm, Alarm::Armed));
                    self.words.learn(timer, alarm);
                }
                (Outline::Disarm { timer }, Content::Timer(alarm)) => {
                    self.timers.insert(timer, (alarm, Alarm::Disarmed));
                    self.words.learn(timer, alarm);
                }
                (Outline::Persist { token, .. }, _) => {
                    self.begun.insert(token.0);
                }
                (Outline::Dial { conn, .. }, _) => {
                    self.begun.insert(conn.0);
                }
                _ => {}
            }
        }
    }
}

impl<N: Node> Transport<N> for Flight<'_, N> {
    fn receive(&mut self) -> Option<Delivery<'_, N>> {
        if !self.advance() {
            self.place = Place::Left;
            return None;
        }
        let (Entry::Handled { told, .. } | Entry::Panicked { told, .. }) =
            Entry::<N>::decode(self.frames.body()).ok()?
        else {
            return None;
        };
        let timers = &self.timers;
        let timer = |code| timers.get(&code).map(|(timer, _)| *timer);
        let input = told.input(timer, &mut self.command)?;
        self.place = Place::InNode;
        Some(Delivery {
            host: HostId(0),
            incarnation: self.incarnation,
            now: self.now,
            node: &mut self.node,
            ids: &mut self.ids,
            input,
        })
    }

    fn perform(&mut self, _: HostId, _: Time, effects: Effects<'_, N>) {
        self.place = Place::Outside;
        self.learn(&effects);
        let happened = self.compare(&effects);
        self.tell(happened);
    }
}
