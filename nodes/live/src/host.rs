//! One live host: a transport for one node over sockets, a clock and a disk.
//!
//! - Here: what a host consists of, and the two doors of the transport.
//! - `take`: from what has happened to the node's next input, in fair order; and the wait when nothing has.
//! - `show`: what others see of the node: datagrams, claims, answers, lines.
//! - `streams`: what it does about connections.
//! - `asks`: what the node's side of the door is asked; `stop`: how it comes to an end.

mod asks;
mod show;
mod stop;
mod streams;
mod take;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use squall_nodes::{Delivery, Effect, Effects, HostId, Ids, Input, Node, Span, Time, Transport};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::barrier::{Barrier, Waiting};
use crate::clock::{Alarm, monotonic};
use crate::disk::{Begun, Disk, Found, Written};
use crate::door::{Ask, Door, Handle, Stop};
use crate::edge::{self, Edge};
use crate::error::LiveError;
use crate::line::Counts;
use crate::rehearsal::not_live;
use crate::settings::{Attendance, Settings};
use crate::status::{Gauge, Stalls};
use crate::stream::{Streams, Tls};
use crate::teller::Teller;
use crate::timers::Timers;
use crate::trouble::Trouble;
use crate::udp::Sockets;
use crate::wires::Unheard;
use asks::Open;
use take::Due;

/// How long a node that nobody attends may be kept from running before that counts.
pub(crate) const STALL: Span = Span::from_millis(100);

/// One live host. There is no other in its process, so its place is 0.
pub(crate) struct Host<N: Node> {
    pub(super) settings: Settings<N>,
    runtime: Runtime,
    alarm: Alarm,
    /// The last that was seen of the clock.
    now: Time,
    node: Option<N>,
    ids: Ids,
    pub(super) found: Found,
    pub(super) seed: u64,
    /// When it was told to boot.
    go_at: Option<Time>,
    booted: Option<Time>,
    start: Started,
    timers: Timers<N::Timer>,
    sockets: Sockets,
    streams: Streams,
    /// How many turns streams and datagrams have had.
    turns: u32,
    edge: Edge,
    /// The datagram that the node is told of, if it has come through the edge.
    in_hand: Option<edge::Letter>,
    barrier: Barrier<N>,
    disk: Disk,
    written: mpsc::Receiver<Written>,
    teller: Teller,
    /// Requests that were written, and are not at the door.
    unheard: Unheard,
    asked: mpsc::Receiver<Ask<N>>,
    stopped: mpsc::Receiver<Stop>,
    /// So that nobody else has to keep one.
    _asker: Handle<N>,
    /// What was asked and has not had its turn.
    asks: VecDeque<Ask<N>>,
    /// What the call asks that the node is told of.
    command: Option<N::Command>,
    /// The calls that somebody waits for.
    calls: BTreeMap<u64, Open<N>>,
    /// How many calls have got numbers of the host's own.
    numbered: u64,
    /// How many inputs in a row had precedence over others that may have waited.
    in_a_row: u32,
    /// How many datagrams in a row had precedence over a timer that was due.
    before_timer: u32,
    marks: Marks,
    pub(super) counts: Counts,
    tally: Tally<N>,
    gauge: Gauge,
    /// Writes that fail.
    unwritten: Trouble,
    /// How it is to stop.
    ending: Option<Stop>,
    /// Why it has to.
    failed: Option<LiveError>,
}

/// Whether the node got its first input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    NotYet,
    Yes,
}

/// When an attended node tells what it has come to.
struct Marks {
    /// When the next is due; [`Time::MAX`] when nobody is told.
    due: Time,
    every: Span,
    /// How late it may be for something before that is told.
    stall: Span,
    /// What was due before that has been told.
    told_until: Time,
    /// The write that is under way, or the last one.
    write: Writing,
    /// When the kernel was asked last what it has dropped.
    kernel_asked: Time,
}

/// A write to the disk, for how long it takes.
struct Writing {
    /// When it began; or when the node ran again, if it was kept from running meanwhile: that is told by itself.
    since: Time,
    /// When it was told last that it takes too long.
    told: Option<Time>,
}

/// What is counted for those who ask how the node is.
struct Tally<N: Node> {
    inputs: u64,
    calls: u64,
    answers: u64,
    writes: u64,
    failed_writes: u64,
    stalls: Stalls,
    /// How many claims there were.
    claimed: u64,
    /// The last claim of each name.
    facts: BTreeMap<&'static str, Last<N>>,
}

/// The last claim of a name.
struct Last<N: Node> {
    fact: N::Fact,
    at: Time,
    /// Which claim it was of all, counted from 1.
    place: u64,
    /// How many of that name there were, with this one.
    count: u64,
}

/// What a host is made of that has opened its folder.
pub(crate) struct Parts<N: Node> {
    pub(crate) settings: Settings<N>,
    pub(crate) door: Door<N>,
    pub(crate) teller: Teller,
    /// What was asked and has not come through the door.
    pub(crate) unheard: Unheard,
    pub(crate) runtime: Runtime,
    /// What was bound ahead.
    pub(crate) sockets: Sockets,
    pub(crate) tls: Option<Tls>,
    pub(crate) disk: Begun,
    pub(crate) seed: u64,
    pub(crate) gauge: Gauge,
}

const OURS: HostId = HostId(0);

impl<N: Node> Host<N> {
    pub(crate) fn new(parts: Parts<N>) -> Result<Self, LiveError> {
        let Parts {
            settings,
            door,
            teller,
            unheard,
            runtime,
            sockets,
            tls,
            disk: (disk, found, written),
            seed,
            gauge,
        } = parts;
        let alarm = {
            let _inside = runtime.enter();
            Alarm::new().map_err(LiveError::system("make a timer"))?
        };
        let marks = Marks::of(&settings.attendance);
        let key = squall_nodes::HostKey::of(&settings.placed.name);
        let ip = settings.placed.ip;
        Ok(Host {
            runtime,
            alarm,
            now: monotonic(),
            node: None,
            ids: Ids::default(),
            go_at: None,
            booted: None,
            start: Started::NotYet,
            timers: Timers::new(),
            sockets,
            streams: Streams::new(ip, settings.streams.clone(), tls),
            turns: 0,
            edge: Edge::new(ip, seed, key, found.incarnation, settings.bounds.delayed),
            in_hand: None,
            barrier: Barrier::new(),
            disk,
            written,
            teller,
            unheard,
            asked: door.asked,
            stopped: door.stopped,
            _asker: door.asker,
            asks: VecDeque::new(),
            command: None,
            calls: BTreeMap::new(),
            numbered: 0,
            in_a_row: 0,
            before_timer: 0,
            marks,
            counts: Counts::default(),
            tally: Tally {
                inputs: 0,
                calls: 0,
                answers: 0,
                writes: 0,
                failed_writes: 0,
                stalls: Stalls::default(),
                claimed: 0,
                facts: BTreeMap::new(),
            },
            gauge,
            unwritten: Trouble::default(),
            ending: None,
            failed: None,
            settings,
            found,
            seed,
        })
    }

    /// Reads the clock.
    #[inline]
    fn tick(&mut self) -> Time {
        self.now = self.now.max(monotonic());
        self.now
    }

    /// Notes why it has to stop. The first reason counts.
    #[cold]
    pub(crate) fn fail(&mut self, why: LiveError) {
        self.failed.get_or_insert(why);
    }

    /// Notes that somebody wants it to stop. What is to be done at once is not put off again.
    fn end_by(&mut self, how: Stop) {
        if self.ending != Some(Stop::AtOnce) {
            self.ending = Some(how);
        }
    }
}

impl Marks {
    fn of(attendance: &Attendance) -> Self {
        let (every, stall) = match attendance {
            Attendance::Alone => (None, STALL),
            Attendance::Attended {
                mark_every, stall, ..
            } => (Some(*mark_every), *stall),
        };
        Marks {
            // Until it boots.
            due: Time::MAX,
            // Marks without a pause would be all that it does.
            every: every.map_or(Span::ZERO, |every| every.max(Span::from_millis(1))),
            stall,
            told_until: Time::ZERO,
            write: Writing {
                since: Time::ZERO,
                told: None,
            },
            kernel_asked: Time::ZERO,
        }
    }
}

impl<N: Node> Transport<N> for Host<N> {
    fn receive(&mut self) -> Option<Delivery<'_, N>> {
        let due = self.next_due()?;
        self.tally.inputs += 1;
        let input = match due {
            Due::Start => Input::Start,
            Due::Datagram(letter) => Input::Datagram {
                on: SocketAddrV4::new(self.settings.placed.ip, letter.port),
                from: letter.from,
                bytes: self.sockets.bytes_of(letter),
            },
            Due::Arrived => {
                let letter = self.in_hand.as_ref()?;
                Input::Datagram {
                    on: SocketAddrV4::new(self.settings.placed.ip, letter.port),
                    from: letter.from,
                    bytes: &letter.bytes,
                }
            }
            Due::Stream(conn, what) => Input::Stream {
                conn,
                event: self.streams.event(what),
            },
            Due::Timer(timer) => Input::Timer(timer),
            Due::Command(call) => Input::Command {
                call,
                command: self.command.as_ref()?,
            },
            Due::Persisted(token) => Input::Persisted(token),
            Due::PersistFailed(token) => Input::PersistFailed(token),
        };
        Some(Delivery {
            host: OURS,
            incarnation: self.found.incarnation,
            now: self.now,
            node: self.node.as_mut()?,
            ids: &mut self.ids,
            input,
        })
    }

    fn perform(&mut self, _: HostId, now: Time, effects: Effects<'_, N>) {
        for effect in effects {
            if self.failed.is_some() {
                return;
            }
            if let Some(what) = not_live(&effect) {
                self.fail(LiveError::NotLive { what });
                continue;
            }
            match effect {
                Effect::Arm { timer, at } => self.timers.arm(timer, at.max(now)),
                Effect::Disarm { timer } => self.timers.disarm(timer),
                Effect::Bind { port } => self.bind(port),
                Effect::Send { port, to, bytes } => {
                    if self.barrier.is_open() {
                        self.send(port, to, bytes);
                    } else {
                        let bytes = bytes.to_vec();
                        self.barrier.wait(Waiting::Send { port, to, bytes });
                    }
                }
                Effect::Claim(fact) => {
                    if self.barrier.is_open() {
                        self.claim(fact);
                    } else {
                        self.barrier.wait(Waiting::Claim(fact));
                    }
                }
                Effect::Answer { call, answer } => {
                    if self.barrier.is_open() {
                        self.answer(call, answer);
                    } else {
                        self.barrier.wait(Waiting::Answer { call, answer });
                    }
                }
                Effect::Persist { token, bytes } => {
                    if let Some(bytes) = self.barrier.persist(token, bytes) {
                        self.begin_write(bytes);
                    }
                }
                Effect::PauseReading { conn } => self.streams.pause_reading(conn),
                Effect::ResumeReading { conn } => self.streams.resume_reading(conn),
                Effect::Listen { port } => self.listen(port),
                Effect::Dial { conn, to } => self.dial(conn, to),
                Effect::Write { conn, bytes } => self.write(conn, bytes),
                Effect::Close { conn } => self.close(conn),
                // What is left is not done live.
                _ => {}
            }
        }
        self.flush();
    }
}
