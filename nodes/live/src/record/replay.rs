//! Lives a recorded life again: the same node, told the same inputs at the same times, and what it asks for held against what was
//! recorded.
//!
//! The loop is [`drive`], as everywhere: a recording is one more [`Transport`], which performs an effect by comparing it. After the
//! first difference the node is told on what was recorded, as far as that makes sense to it: an alarm goes off only if it has set it,
//! and of writes and connections it hears only if it has begun them.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use squall_nodes::recording::{
    Asked, Content, Difference, Ended, Entry, Happened, Mark, Outline, Pilot, Replay, Step, Told, as_text,
    marks, unpack,
};
use squall_nodes::{
    Data, Delivery, Effects, HostId, HostKey, Ids, Node, NodeRng, Outbox, Protocol, StreamEvent, Time,
    Transport, Unwitnessed, drive,
};

use super::door::{Manner, ReplayError};
use super::frame::{Frames, Next};
use super::head::Head;
use super::rules;
use super::words::Words;

/// Replays a recording of `P`. See [`Replays::replay`](super::Replays::replay).
///
/// # Errors
///
/// See [`ReplayError`].
pub fn replay<P: Protocol>(
    path: &Path,
    manner: &Manner,
    told: &mut dyn FnMut(Step) -> ControlFlow<()>,
) -> Result<Replay, ReplayError> {
    let (head, frames) = Head::read(path)?;
    if head.protocol != P::NAME {
        return Err(ReplayError::OtherProtocol {
            recorded: head.protocol,
            asked: P::NAME,
        });
    }
    let unreadable = |what| move |why| ReplayError::Head { what, why };
    let role = unpack::<<P::Node as Node>::Role>(&head.role).map_err(unreadable("role"))?;
    let recorded = unpack::<<P::Node as Node>::Config>(&head.config).map_err(unreadable("settings"))?;
    let pilot = pilot(&head, &role, &recorded);
    let config = match &manner.rules {
        Some(to) => {
            let there = P::RULES;
            if !there.contains(&to.as_str()) {
                return Err(ReplayError::NoSuchRules {
                    protocol: P::NAME,
                    asked: to.clone(),
                    there,
                });
            }
            rules::under::<P>(&recorded, &head.rules, to).map_err(ReplayError::Settings)?
        }
        None => recorded,
    };
    let config = rules::with::<P>(config, &manner.set).map_err(ReplayError::Settings)?;
    let came = Replay {
        rules: manner.rules.clone().unwrap_or_else(|| head.rules.clone()),
        pilot,
        inputs: 0,
        effects: 0,
        last: head.booted,
        ended: Ended::Open,
        difference: None,
        differing: 0,
        skipped: 0,
        panicked: None,
    };
    let words = Words {
        describer: P::describer(),
        ip: head.ip,
        booted: head.booted,
        timers: BTreeMap::new(),
    };
    let boot = || {
        let rng = NodeRng::new(head.seed, HostKey::of(&head.name), head.incarnation);
        P::Node::boot(&role, &config, head.disk.as_deref(), rng)
    };
    let node = match catch_unwind(AssertUnwindSafe(boot)) {
        Ok(node) => node,
        Err(panic) => return boot_panicked(path, frames, came, said(panic)),
    };
    let mut flight = Flight {
        path,
        frames,
        node,
        ids: Ids::default(),
        incarnation: head.incarnation,
        timers: BTreeMap::new(),
        begun: BTreeSet::new(),
        number: 0,
        now: head.booted,
        recorded: Recorded::Nothing,
        command: None,
        scratch: Vec::new(),
        words,
        manner,
        told,
        came,
        error: None,
        place: Place::Outside,
    };
    flight.run();
    match flight.error {
        Some(error) => Err(error),
        None => Ok(flight.came),
    }
}

/// A recording as a world.
struct Flight<'a, N: Node> {
    path: &'a Path,
    frames: Frames,
    node: N,
    ids: Ids,
    incarnation: u32,
    /// The timers that the node has ever armed, by code, and whether they still are.
    timers: BTreeMap<u64, (N::Timer, Alarm)>,
    /// The numbers of what the node has begun: writes and connections.
    begun: BTreeSet<u64>,
    /// Of the input that the node is told, counted from 1.
    number: u64,
    now: Time,
    /// What came of that input when it was recorded.
    recorded: Recorded,
    command: Option<N::Command>,
    scratch: Vec<u8>,
    words: Words,
    manner: &'a Manner,
    told: &'a mut dyn FnMut(Step) -> ControlFlow<()>,
    came: Replay,
    error: Option<ReplayError>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alarm {
    Armed,
    Disarmed,
}

/// Who is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
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
enum Recorded {
    Nothing,
    Effects(Vec<Mark>),
    Panic,
}

impl<N: Node> Flight<'_, N> {
    fn run(&mut self) {
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

    /// Holds what the node asks for against what was recorded.
    fn compare(&mut self, effects: &Effects<'_, N>) -> Happened {
        let replayed = marks::of(effects, &mut self.scratch);
        self.came.effects += replayed.len() as u64;
        let (recorded, is_panic) = match std::mem::replace(&mut self.recorded, Recorded::Nothing) {
            Recorded::Effects(marks) => (marks, false),
            Recorded::Nothing => (Vec::new(), false),
            Recorded::Panic => (Vec::new(), true),
        };
        let is_same = !is_panic && recorded == replayed;
        if is_same && !self.is_wanted() {
            return Happened::Asked(Vec::new());
        }
        let mut looked = effects.look();
        let mut asked = Vec::new();
        for place in 0..recorded.len().max(replayed.len()).max(usize::from(is_panic)) {
            let text = looked
                .next()
                .map(|(outline, content)| self.words.effect(&outline, &content));
            let (recorded, replayed) = (recorded.get(place), replayed.get(place));
            asked.push(match (recorded, replayed, text) {
                (Some(recorded), Some(replayed), Some(text)) if recorded == replayed => {
                    Asked::AsRecorded(text)
                }
                (_, _, text) => Asked::Otherwise {
                    recorded: match recorded {
                        Some(recorded) => Some(self.words.mark::<N>(recorded, replayed)),
                        None => (is_panic && place == 0).then(|| PANIC.to_owned()),
                    },
                    replayed: text,
                },
            });
        }
        let first = asked.iter().enumerate().find_map(|(place, asked)| match asked {
            Asked::AsRecorded(_) => None,
            Asked::Otherwise { recorded, replayed } => {
                Some((place as u64 + 1, recorded.clone(), replayed.clone()))
            }
        });
        if let Some((effect, recorded, replayed)) = first {
            self.differs(effect, recorded, replayed);
        }
        Happened::Asked(asked)
    }

    fn differs(&mut self, effect: u64, recorded: Option<String>, replayed: Option<String>) {
        self.came.differing += 1;
        if self.came.difference.is_none() {
            self.came.difference = Some(Difference {
                input: self.number,
                at: self.now,
                told: self.told_in_words(),
                effect,
                recorded,
                replayed,
            });
        }
    }

    /// The node panicked over the input that it was told last.
    fn panicked(&mut self, said: String) {
        match std::mem::replace(&mut self.recorded, Recorded::Nothing) {
            Recorded::Panic => {}
            Recorded::Nothing => self.differs(1, None, Some(PANIC.to_owned())),
            Recorded::Effects(marks) => {
                let first = marks.first().map(|mark| self.words.mark::<N>(mark, None));
                self.differs(1, first, Some(PANIC.to_owned()));
            }
        }
        self.came.panicked = Some(said.clone());
        self.tell(Happened::Panicked(said));
    }

    fn is_wanted(&self) -> bool {
        let story = self.manner.story.as_ref();
        story.is_some_and(|story| story.contains(&self.number))
    }

    /// Tells what the node did, where that is wanted.
    fn tell(&mut self, happened: Happened) {
        if self.is_wanted() {
            let step = Step {
                input: self.number,
                at: self.now,
                told: self.told_in_words(),
                happened,
            };
            if (self.told)(step).is_break() {
                self.place = Place::Left;
            }
        }
    }

    fn told_in_words(&mut self) -> String {
        match Entry::<N>::decode(self.frames.body()) {
            Ok(Entry::Handled { told, .. } | Entry::Panicked { told, .. }) => self.words.told(&told),
            // It was read before.
            _ => String::new(),
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

/// What comes of a node that panics when it boots: it is as recorded if nothing was recorded that it was told.
fn boot_panicked(path: &Path, mut frames: Frames, came: Replay, said: String) -> Result<Replay, ReplayError> {
    let next = frames.read().map_err(|why| ReplayError::Io {
        path: path.to_owned(),
        why,
    })?;
    let difference = matches!(next, Next::Frame(_)).then(|| Difference {
        input: 0,
        at: came.last,
        told: "boot".to_owned(),
        effect: 1,
        recorded: None,
        replayed: Some(PANIC.to_owned()),
    });
    Ok(Replay {
        differing: u64::from(difference.is_some()),
        difference,
        panicked: Some(said),
        ..came
    })
}

/// What stands in place of effects where there was a panic.
const PANIC: &str = "panic";

fn pilot<R: Data, C: Data>(head: &Head, role: &R, config: &C) -> Pilot {
    Pilot {
        version: head.version.clone(),
        build: head.build,
        protocol: head.protocol.clone(),
        rules: head.rules.clone(),
        name: head.name.clone(),
        ip: head.ip,
        role: as_text(role),
        config: as_text(config),
        incarnation: head.incarnation,
        seed: head.seed,
        disk: head.disk.as_ref().map(|disk| disk.len() as u64),
        booted: head.booted,
    }
}

/// What a panic said.
fn said(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("nothing that can be shown").to_owned()
}
