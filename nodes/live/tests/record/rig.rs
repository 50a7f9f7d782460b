//! Lives to be recorded: nodes on a virtual network of the simplest kind, driven as everywhere, one of them witnessed by a recorder.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};

use squall_live::record::{FlightRecorder, Manner, ReplayError, replays};
use squall_live::run::Boot;
use squall_live::settings::{Attendance, Bounds, Record, Settings, Streams, WhenFull};
use squall_live::{Gauge, Recorder as _};
use squall_nodes::hac::{self, Hac, HacNode};
use squall_nodes::recording::{Replay, Step};
use squall_nodes::{
    CallId, ConfigOf, Delivery, Effect, Effects, HostId, HostKey, Ids, Input, Node, NodeRng, Outbox, Placed,
    Protocol, Span, Time, Timer, Token, Transport, Witness, drive,
};
use tempfile::TempDir;

/// When every rig begins: no machine's clock stands at 0.
pub(crate) const BEGINNING: Time = Time::from_nanos(77_000_000_000);
/// How long a datagram takes, and a write.
const LATENCY: Span = Span::from_millis(1);
/// The seed of every node.
pub(crate) const SEED: u64 = 11;

/// What happens at its time.
enum Due<N: Node> {
    Start,
    Datagram {
        on: SocketAddrV4,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Timer {
        timer: N::Timer,
        arming: u64,
    },
    Persisted(Token),
    Command {
        call: u64,
        command: N::Command,
    },
    /// The host is down from now on.
    Down,
}

struct Machine<N: Node> {
    ip: Ipv4Addr,
    /// `None` when it is down.
    node: Option<N>,
    ids: Ids,
    /// The number of the last arming of each timer that is armed.
    timers: BTreeMap<u64, u64>,
}

/// A world of some nodes.
pub(crate) struct Rig<N: Node> {
    machines: Vec<Machine<N>>,
    queue: BTreeMap<(Time, u64), (usize, Due<N>)>,
    count: u64,
    end: Time,
    /// What the node is being told, as long as it is.
    due: Option<Due<N>>,
}

impl<N: Node> Rig<N> {
    /// A world in which these boot, until `end` after the beginning.
    pub(crate) fn new(placed: &[Placed<N>], end: Span) -> Self {
        let mut rig = Rig {
            machines: Vec::new(),
            queue: BTreeMap::new(),
            count: 0,
            end: BEGINNING + end,
            due: None,
        };
        for (host, placed) in placed.iter().enumerate() {
            let rng = NodeRng::new(SEED, HostKey::of(&placed.name), 0);
            rig.machines.push(Machine {
                ip: placed.ip,
                node: Some(N::boot(&placed.role, &placed.config, None, rng)),
                ids: Ids::default(),
                timers: BTreeMap::new(),
            });
            rig.at(Span::ZERO, host, Due::Start);
        }
        rig
    }

    /// A call to a host, some time after the beginning.
    pub(crate) fn call(&mut self, after: Span, host: usize, call: u64, command: N::Command) {
        self.at(after, host, Due::Command { call, command });
    }

    /// A host goes down for good, some time after the beginning.
    pub(crate) fn kill(&mut self, after: Span, host: usize) {
        self.at(after, host, Due::Down);
    }

    fn at(&mut self, after: Span, host: usize, due: Due<N>) {
        self.push(BEGINNING + after, host, due);
    }

    fn push(&mut self, at: Time, host: usize, due: Due<N>) {
        self.count += 1;
        self.queue.insert((at, self.count), (host, due));
    }

    fn host_at(&self, ip: Ipv4Addr) -> Option<usize> {
        self.machines.iter().position(|machine| machine.ip == ip)
    }
}

impl<N: Node> Transport<N> for Rig<N> {
    fn receive(&mut self) -> Option<Delivery<'_, N>> {
        let (now, host) = loop {
            let ((now, _), (host, due)) = self.queue.pop_first()?;
            if now > self.end {
                return None;
            }
            let machine = &mut self.machines[host];
            match &due {
                Due::Down => machine.node = None,
                // It was armed anew, or taken back.
                Due::Timer { timer, arming } if machine.timers.get(&timer.code()) != Some(arming) => {}
                _ if machine.node.is_none() => {}
                _ => {
                    self.due = Some(due);
                    break (now, host);
                }
            }
        };
        let machine = &mut self.machines[host];
        let input = match self.due.as_ref()? {
            Due::Start => Input::Start,
            Due::Datagram { on, from, bytes } => Input::Datagram {
                on: *on,
                from: *from,
                bytes,
            },
            Due::Timer { timer, .. } => {
                machine.timers.remove(&timer.code());
                Input::Timer(*timer)
            }
            Due::Persisted(token) => Input::Persisted(*token),
            Due::Command { call, command } => Input::Command {
                call: CallId(*call),
                command,
            },
            Due::Down => return None,
        };
        Some(Delivery {
            host: HostId(host as u32),
            incarnation: 0,
            now,
            node: machine.node.as_mut()?,
            ids: &mut machine.ids,
            input,
        })
    }

    fn perform(&mut self, host: HostId, now: Time, effects: Effects<'_, N>) {
        let host = host.index();
        for effect in effects {
            match effect {
                Effect::Send { port, to, bytes } => {
                    let from = SocketAddrV4::new(self.machines[host].ip, port);
                    if let Some(receiver) = self.host_at(*to.ip()) {
                        let bytes = bytes.to_vec();
                        self.push(now + LATENCY, receiver, Due::Datagram { on: to, from, bytes });
                    }
                }
                Effect::Arm { timer, at } => {
                    let arming = self.count + 1;
                    self.machines[host].timers.insert(timer.code(), arming);
                    self.push(at.max(now), host, Due::Timer { timer, arming });
                }
                Effect::Disarm { timer } => {
                    self.machines[host].timers.remove(&timer.code());
                }
                Effect::Persist { token, .. } => self.push(now + LATENCY, host, Due::Persisted(token)),
                // Nobody listens to claims and answers here, and there are no streams.
                _ => {}
            }
        }
    }
}

/// A recorder that looks at one host only.
struct Of<'a>(HostId, &'a mut FlightRecorder);

impl<N: Node> Witness<N> for Of<'_> {
    fn told(&mut self, host: HostId, incarnation: u32, now: Time, input: &Input<'_, N>) {
        if host == self.0 {
            self.1.told(host, incarnation, now, input);
        }
    }

    fn handled(
        &mut self,
        host: HostId,
        incarnation: u32,
        now: Time,
        input: &Input<'_, N>,
        effects: &Effects<'_, N>,
    ) {
        if host == self.0 {
            self.1.handled(host, incarnation, now, input, effects);
        }
    }
}

/// How a life that is recorded ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The node is stopped in order.
    Stopped,
    /// It is killed: its recorder never hears of it.
    Killed,
}

/// Settings of a node that is recorded.
pub(crate) fn settings<P: Protocol>(
    placed: &Placed<P::Node>,
    rules: &str,
    record: Record,
) -> Settings<P::Node> {
    Settings {
        protocol: P::NAME.to_owned(),
        rules: rules.to_owned(),
        placed: placed.clone(),
        data: None,
        seed: Some(SEED),
        record: Some(record),
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Alone,
        bounds: Bounds::default(),
        streams: Streams::default(),
    }
}

/// Drives a world and records one of its hosts in a folder. Says how the recorder was doing at the end.
pub(crate) fn fly<P: Protocol>(
    mut rig: Rig<P::Node>,
    settings: &Settings<P::Node>,
    host: u32,
    incarnation: u32,
    end: End,
) -> Gauge {
    let mut recorder = FlightRecorder::new();
    let boot = Boot {
        settings,
        incarnation,
        seed: SEED,
        disk: None,
        at: BEGINNING,
    };
    recorder.boots(&boot).expect("the folder can be used");
    drive(&mut rig, &mut Outbox::new(), &mut Of(HostId(host), &mut recorder));
    if end == End::Stopped {
        squall_live::Recorder::<P::Node>::stopped(&mut recorder, rig.end);
    }
    squall_live::Recorder::<P::Node>::gauge(&recorder)
}

/// A folder for recordings, with much room.
pub(crate) fn roomy(folder: &TempDir) -> Record {
    Record {
        folder: folder.path().to_owned(),
        bound: 1 << 30,
        when_full: WhenFull::Rotate,
        keep: 8,
    }
}

/// A folder of this test's own.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

/// The only recording in a folder.
pub(crate) fn only(folder: &TempDir) -> PathBuf {
    let all = all(folder);
    assert_eq!(all.len(), 1, "{all:?}");
    folder.path().join(&all[0])
}

/// The names of the recordings in a folder, in order.
pub(crate) fn all(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("the folder is there")
        .map(|entry| {
            let name = entry.expect("it can be read").file_name();
            name.into_string().expect("a name is text")
        })
        .filter(|name| name.ends_with(".sqf"))
        .collect();
    names.sort();
    names
}

/// A server and two clients of hac under a rule set, with these changes of all settings.
pub(crate) fn cluster(rules: &str, change: impl Fn(&mut ConfigOf<Hac>)) -> Vec<Placed<HacNode>> {
    let host = |place: u8, name: &str, role| {
        let mut config = Hac::config("brisk", rules);
        change(&mut config);
        Placed {
            name: name.to_owned(),
            ip: Ipv4Addr::new(10, 0, 0, place),
            role,
            config,
        }
    };
    let mut placed = vec![
        host(1, "s", hac::Role::Server),
        host(2, "c1", hac::Role::Client),
        host(3, "c2", hac::Role::Client),
    ];
    Hac::assemble(&mut placed).expect("it is a cluster");
    placed
}

/// The place of the client that is recorded, which is promoted when its server fails.
pub(crate) const C1: u32 = 1;

/// Records a client through the failure of its server.
pub(crate) fn failover(placed: &[Placed<HacNode>], rules: &str, record: Record, end: End) -> Gauge {
    let mut rig = Rig::new(placed, Span::from_secs(8));
    rig.kill(Span::from_secs(3), 0);
    rig.call(Span::from_secs(5), C1 as usize, 1, hac::Command::Status);
    let settings = settings::<Hac>(&placed[C1 as usize], rules, record);
    fly::<Hac>(rig, &settings, C1, 0, end)
}

/// Replays as recorded.
pub(crate) fn replayed<P: Protocol>(path: &Path) -> Result<Replay, ReplayError> {
    told::<P>(path, &Manner::default()).map(|(replay, _)| replay)
}

/// Replays in some manner, and has the story.
pub(crate) fn told<P: Protocol>(path: &Path, manner: &Manner) -> Result<(Replay, Vec<Step>), ReplayError> {
    let mut steps = Vec::new();
    let replay = replays::<P>().replay(path, manner, &mut |step| {
        steps.push(step);
        ControlFlow::Continue(())
    })?;
    Ok((replay, steps))
}

/// Every input.
pub(crate) const ALL: RangeInclusive<u64> = 1..=u64::MAX;
