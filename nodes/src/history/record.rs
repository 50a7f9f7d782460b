//! The history of a run: who asked what, when, and what came of it. Plain data, in bounded memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::{Ended, Operation, Reading, Told};
use super::spec::Spec;
use crate::node::{CallId, HostId, Node, encode_data};
use crate::seen::{Change, Seen};
use crate::time::Time;

/// The calls of a run in the order in which they were made, with their answers.
///
/// It ends where there was no more room for it: what is in it is all that was asked and answered until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History<C, A> {
    /// The calls.
    pub calls: Vec<Call<C, A>>,
    /// How many answers came to calls that nobody had made.
    pub unasked: u64,
    /// How many calls, answers and deaths of callers came when there was no more room.
    pub left_out: u64,
}

/// One call and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<C, A> {
    /// Its number.
    pub id: CallId,
    /// Who called, as the [`Collector`] tells callers apart.
    pub client: Client,
    /// Which host was called.
    pub host: HostId,
    /// When.
    pub called: Moment,
    /// What was asked.
    pub command: C,
    /// What came back, as it came: nothing where it is unknown what came of the call.
    pub answers: Vec<Answer<A>>,
    /// When the host went down with the call unanswered: whether it was done stays unknown.
    pub lost: Option<Moment>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer<A> {
    /// When it came.
    pub came: Moment,
    /// By whom.
    pub host: HostId,
    /// What it says.
    pub answer: A,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Client(pub u64);

/// When something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// Its place among all that the history has: of two at one time the one with the lower place came first.
    pub nth: u64,
    /// The time.
    pub at: Time,
}

/// How much a history may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// So many calls, and so many answers.
    pub entries: usize,
    /// So many bytes of commands and answers, in their canonical form.
    pub bytes: usize,
}

impl Default for Room {
    /// A hundred thousand calls and 64 MiB.
    fn default() -> Self {
        Room {
            entries: 100_000,
            bytes: 64 << 20,
        }
    }
}

/// Collects the history of a run from what is seen of it.
#[derive(Clone, Debug)]
pub struct Collector<N: Node> {
    history: History<N::Command, N::Answer>,
    client: fn(HostId, &N::Command) -> Client,
    room: Room,
    next: u64,
    answers: usize,
    bytes: usize,
    /// Where each call is.
    places: BTreeMap<CallId, usize>,
    scratch: Vec<u8>,
}

impl<N: Node> Collector<N> {
    /// With nothing collected. Each host that is called is a client.
    pub fn new(room: Room) -> Self {
        Self::by_client(room, |host, _| Client(u64::from(host.0)))
    }

    /// With nothing collected. `client` tells who calls, by the host that is called and by what is asked.
    pub fn by_client(room: Room, client: fn(HostId, &N::Command) -> Client) -> Self {
        Collector {
            history: History {
                calls: Vec::new(),
                unasked: 0,
                left_out: 0,
            },
            client,
            room,
            next: 0,
            answers: 0,
            bytes: 0,
            places: BTreeMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes in one thing that was seen.
    pub fn see(&mut self, at: Time, seen: &Seen<'_, N>) {
        match seen {
            Seen::Call { host, call, command } => {
                let fits = self.history.calls.len() < self.room.entries && self.has_room_for(*command);
                let Some(called) = self.moment(at, fits) else {
                    return;
                };
                self.places.insert(*call, self.history.calls.len());
                self.history.calls.push(Call {
                    id: *call,
                    client: (self.client)(*host, command),
                    host: *host,
                    called,
                    command: (*command).clone(),
                    answers: Vec::new(),
                    lost: None,
                });
            }
            Seen::Answer { host, call, answer } => {
                let fits = self.answers < self.room.entries && self.has_room_for(*answer);
                let Some(came) = self.moment(at, fits) else { return };
                let Some(place) = self.places.get(call) else {
                    self.history.unasked += 1;
                    return;
                };
                self.answers += 1;
                self.history.calls[*place].answers.push(Answer {
                    came,
                    host: *host,
                    answer: (*answer).clone(),
                });
            }
            Seen::World(Change::Down { host, .. }) => {
                let Some(moment) = self.moment(at, true) else {
                    return;
                };
                for call in &mut self.history.calls {
                    if call.host == *host && call.answers.is_empty() && call.lost.is_none() {
                        call.lost = Some(moment);
                    }
                }
            }
            Seen::World(_) | Seen::Fact { .. } => {}
        }
    }

    /// What was collected so far.
    pub fn history(&self) -> &History<N::Command, N::Answer> {
        &self.history
    }

    /// What was collected.
    pub fn into_history(self) -> History<N::Command, N::Answer> {
        self.history
    }

    /// The moment of what comes now; `None` when there is no room for it, and none for anything that comes after.
    fn moment(&mut self, at: Time, fits: bool) -> Option<Moment> {
        if !fits || self.history.left_out > 0 {
            self.history.left_out += 1;
            return None;
        }
        self.next += 1;
        Some(Moment { nth: self.next, at })
    }

    fn has_room_for<T: std::fmt::Debug + Serialize>(&mut self, data: &T) -> bool {
        self.scratch.clear();
        encode_data(data, &mut self.scratch);
        self.bytes += self.scratch.len();
        self.bytes <= self.room.bytes
    }
}

impl<C, A> History<C, A> {
    /// The calls as operations on an object: those that are any, in the order of the history. Of several answers to a call the first
    /// counts that says something of it.
    pub fn operations<S: Spec>(&self, reading: &Reading<C, A, S>) -> Vec<Operation<S::Op, S::Ret>> {
        let operation = |call: &Call<C, A>| {
            let op = (reading.op)(&call.command)?;
            let mut told = call.answers.iter().map(|answer| {
                let told = (reading.ret)(&op, &answer.answer);
                (told, answer.came.nth)
            });
            let ended = match told.find(|(told, _)| *told != Told::Nothing) {
                Some((Told::Returned(ret), at)) => Ended::Returned { at, ret },
                Some((Told::Refused, at)) => Ended::Refused { at },
                Some((Told::Unknown | Told::Nothing, _)) | None => Ended::Unknown,
            };
            let (id, called) = (call.id, call.called.nth);
            Some(Operation {
                id,
                op,
                called,
                ended,
            })
        };
        self.calls.iter().filter_map(operation).collect()
    }
}
