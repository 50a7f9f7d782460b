//! A story over loopback sockets: each host is a live node on a thread of its own, attended through pipes.
//!
//! Nobody sleeps: a phase is over when everything has been said that it waits for. Whatever happens, the end of the pipes stops all
//! nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, PipeWriter, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use squall_live::settings::{Attendance, Bounds, Start, Streams};
use squall_live::{
    Boot, Ended, Gauge, Line, LiveError, Peer, Policy, Recorder, Request, Settings, Way, Wires,
};
use squall_nodes::{Effects, HostId, Input, Placed, Span, Time, Witness};
use tempfile::TempDir;

use crate::node::{Actor, Part};
use crate::simulated::text_of;
use crate::story::{Fault, Seen, Story};

/// After how long a test gives up: it says nothing of how fast anything is.
const FOREVER: Duration = Duration::from_secs(60);

pub(crate) fn play(story: &Story) -> Seen {
    Stage::new(story).play()
}

/// All that is there.
struct Stage<'s> {
    story: &'s Story,
    cast: Vec<(String, Ipv4Addr)>,
    folder: TempDir,
    hosts: Vec<Host>,
    lines: Receiver<(usize, Line<Actor>)>,
    tell: Sender<(usize, Line<Actor>)>,
    /// From whom to whom nothing passes.
    cuts: BTreeSet<(usize, usize)>,
    policies: u64,
    seen: Seen,
    /// How much each host had said when the phase began.
    before: Vec<usize>,
    calls: u64,
}

struct Host {
    requests: PipeWriter,
    thread: JoinHandle<Result<Ended, LiveError>>,
    gate: Gate,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Begun,
    Ready,
    Up,
}

impl<'s> Stage<'s> {
    fn new(story: &'s Story) -> Self {
        let (tell, lines) = channel();
        let cast = (0..).zip(&story.hosts);
        let block = addresses();
        let cast = cast.map(|(place, (name, _))| ((*name).to_owned(), Ipv4Addr::from_bits(block + place)));
        let mut stage = Stage {
            story,
            cast: cast.collect(),
            folder: tempfile::tempdir().expect("a folder can be made"),
            hosts: Vec::new(),
            lines,
            tell,
            cuts: BTreeSet::new(),
            policies: 0,
            seen: Seen {
                said: vec![Vec::new(); story.hosts.len()],
                lives: vec![Vec::new(); story.hosts.len()],
                ..Seen::default()
            },
            before: vec![0; story.hosts.len()],
            calls: 0,
        };
        for place in 0..story.hosts.len() {
            let host = stage.start(place);
            stage.hosts.push(host);
        }
        for place in 0..story.hosts.len() {
            stage.let_go(place);
        }
        stage
    }

    fn play(mut self) -> Seen {
        for (phase, number) in self.story.phases.iter().zip(1..) {
            self.before = self.seen.said.iter().map(Vec::len).collect();
            for fault in &phase.faults {
                self.strike(*fault);
            }
            for host in &phase.calls {
                let call = self.calls;
                self.calls += 1;
                let command = number;
                self.ask(*host, &Request::Call { call, command });
            }
            for (host, text) in &phase.until {
                self.wait_for(&format!("{text:?} of {host} in phase {number}"), |stage| {
                    stage.seen.said[*host][stage.before[*host]..].contains(text)
                });
            }
        }
        for place in 0..self.hosts.len() {
            self.ask(place, &Request::Stop);
        }
        for host in std::mem::take(&mut self.hosts) {
            self.bury(host);
        }
        while let Ok((place, line)) = self.lines.try_recv() {
            self.note(place, line);
        }
        self.seen
    }

    fn start(&self, place: usize) -> Host {
        let (read, requests) = io::pipe().expect("a pipe can be made");
        let (name, ip) = self.cast[place].clone();
        let settings = Settings {
            protocol: "scripted".to_owned(),
            rules: "Standard".to_owned(),
            placed: Placed {
                name: name.clone(),
                ip,
                role: (),
                config: Part {
                    cast: self.cast.clone(),
                    script: self.story.hosts[place].1.clone(),
                },
            },
            data: Some(self.folder.path().join(&name)),
            seed: Some(1),
            record: None,
            http: None,
            control: None,
            lines: None,
            attendance: Attendance::Attended {
                start: Start::WhenTold,
                mark_every: Span::from_millis(20),
                stall: Span::from_secs(3600),
            },
            bounds: Bounds::default(),
            streams: Streams::default(),
        };
        let gate = Gate::default();
        let (_, door) = squall_live::door();
        let wires = Wires::new(
            read,
            Lines {
                place,
                rest: Vec::new(),
                tell: self.tell.clone(),
            },
        );
        let mut witness = gate.clone();
        let thread = thread::spawn(move || squall_live::run(settings, door.with_wires(wires), &mut witness));
        Host {
            requests,
            thread,
            gate,
            state: State::Begun,
        }
    }

    /// Lets a host boot that was started.
    fn let_go(&mut self, place: usize) {
        self.wait_for("a host to be ready", |stage| {
            stage.hosts[place].state >= State::Ready
        });
        self.put_in_force(place);
        self.ask(place, &Request::Go { at: Time::ZERO });
        self.wait_for("a host to be up", |stage| stage.hosts[place].state == State::Up);
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Cut(from, to) => {
                self.cuts.insert((from, to));
                self.put_in_force_everywhere();
            }
            Fault::Heal => {
                self.cuts.clear();
                self.put_in_force_everywhere();
            }
            Fault::Restart(place) => {
                // The end of its requests stops it at once.
                let host = self.hosts.remove(place);
                self.bury(host);
                let host = self.start(place);
                self.hosts.insert(place, host);
                self.let_go(place);
            }
            Fault::Pause(place) => {
                let gate = self.hosts[place].gate.clone();
                gate.shut();
                // It gets no further than the next thing that it is told.
                self.ask(
                    place,
                    &Request::Call {
                        call: u64::MAX >> 12,
                        command: u32::MAX,
                    },
                );
                gate.wait_until_held();
            }
            Fault::Resume(place) => self.hosts[place].gate.open(),
            Fault::FailWrite(place) => {
                let fresh = self.folder.path().join(&self.cast[place].0).join("state.new");
                symlink("/dev/full", fresh).expect("a link can be made");
            }
            // It was for one write.
            Fault::Mend(_) => {}
        }
    }

    fn put_in_force_everywhere(&mut self) {
        for place in 0..self.hosts.len() {
            self.put_in_force(place);
        }
    }

    /// Tells a host what is cut now, and waits until it knows.
    fn put_in_force(&mut self, place: usize) {
        self.policies += 1;
        let number = self.policies;
        let way = |from, to| match self.cuts.contains(&(from, to)) {
            true => Way::Cut { by: vec![0] },
            false => Way::Open,
        };
        let peer = |other: usize| Peer {
            out: way(place, other),
            back: way(other, place),
            law: self.story.law.clone(),
            by: Vec::new(),
        };
        let peers: BTreeMap<_, _> = self
            .cast
            .iter()
            .enumerate()
            .map(|(other, (_, ip))| (*ip, peer(other)))
            .collect();
        let policy = Policy {
            number,
            law: self.story.law.clone(),
            by: Vec::new(),
            peers,
            tolerated: None,
        };
        self.ask(place, &Request::Policy { policy });
        self.receive_until(
            "a policy to be in force",
            |_, line| matches!(line, Line::Applied { policy, .. } if *policy == number),
        );
    }

    fn ask(&mut self, place: usize, request: &Request<Actor>) {
        let mut line = serde_json::to_vec(request).expect("requests are JSON");
        line.push(b'\n');
        let requests = &mut self.hosts[place].requests;
        requests.write_all(&line).expect("the node reads its requests");
    }

    fn wait_for(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            self.receive_until(what, |_, _| true);
        }
    }

    /// Takes lines in until one is as it should be.
    fn receive_until(&mut self, what: &str, is_it: impl Fn(usize, &Line<Actor>) -> bool) {
        loop {
            let (place, line) = self
                .lines
                .recv_timeout(FOREVER)
                .unwrap_or_else(|_| panic!("still waiting for {what}; {:#?}", self.seen));
            if let Some(gone) = self.hosts.iter().position(|host| host.thread.is_finished()) {
                let ended = self.hosts.remove(gone).thread.join();
                panic!(
                    "{gone} has stopped, waiting for {what}: {ended:?}; {:#?}",
                    self.seen
                );
            }
            let found = is_it(place, &line);
            self.note(place, line);
            if found {
                return;
            }
        }
    }

    fn note(&mut self, place: usize, line: Line<Actor>) {
        let state = self.hosts.get_mut(place).map(|host| &mut host.state);
        match line {
            Line::Ready { .. } => {
                if let Some(state) = state {
                    *state = State::Ready;
                }
            }
            Line::Booted { incarnation, .. } => self.seen.lives[place].push(incarnation),
            Line::Fact { fact, .. } => {
                let text = text_of(&format!("{fact:?}"));
                if let Some(state) = state
                    && text == "up"
                {
                    *state = State::Up;
                }
                self.seen.said[place].push(text);
            }
            Line::Answer { answer, .. } => self.seen.said[place].push(format!("answers {answer:?}")),
            _ => {}
        }
    }

    /// Waits for the end of a host, and counts what came of its datagrams.
    fn bury(&mut self, host: Host) {
        drop(host.requests);
        host.gate.open();
        let ended = host.thread.join().expect("a node does not panic");
        let counts = ended.expect("a node stops only when it is told to").counts;
        self.seen.sent += counts.sent;
        self.seen.delivered += counts.delivered;
        self.seen.cut += counts.cut;
        self.seen.lost += counts.lost;
        self.seen.duplicated += counts.duplicated;
        self.seen.overflowed += counts.overflowed;
        self.seen.refused += counts.too_long + counts.unsent;
    }
}

/// Eight addresses on the loopback network that no other story of this process has, and as good as certainly no other process.
fn addresses() -> u32 {
    static STORIES: AtomicU32 = AtomicU32::new(0);
    let story = STORIES.fetch_add(1, Ordering::Relaxed);
    assert!(story < 31, "there are no more addresses");
    let block = (std::process::id() % (1 << 14)) << 8 | story << 3 | 1;
    u32::from_be_bytes([127, 64, 0, 0]) + block
}

/// Where the lines of a node go.
struct Lines {
    place: usize,
    /// The beginning of a line.
    rest: Vec<u8>,
    tell: Sender<(usize, Line<Actor>)>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = serde_json::from_slice(&line).map_err(io::Error::other)?;
            let told = self.tell.send((self.place, line));
            told.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What can keep a node from running: it looks at all that the node is told.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Held>, Condvar)>);

#[derive(Default)]
struct Held {
    shut: bool,
    held: bool,
}

impl Gate {
    fn set(&self, change: impl FnOnce(&mut Held)) {
        let (held, changed) = &*self.0;
        change(&mut held.lock().expect("nobody panics with it"));
        changed.notify_all();
    }

    fn shut(&self) {
        self.set(|held| held.shut = true);
    }

    fn open(&self) {
        self.set(|held| held.shut = false);
    }

    fn wait_until_held(&self) {
        let (held, changed) = &*self.0;
        let guard = held.lock().expect("nobody panics with it");
        drop(changed.wait_while(guard, |held| !held.held));
    }
}

impl Witness<Actor> for Gate {
    fn handled(&mut self, _: HostId, _: u32, _: Time, _: &Input<'_, Actor>, _: &Effects<'_, Actor>) {
        let (held, changed) = &*self.0;
        let mut guard = held.lock().expect("nobody panics with it");
        while guard.shut {
            guard.held = true;
            changed.notify_all();
            guard = changed.wait(guard).expect("nobody panics with it");
        }
        guard.held = false;
    }
}

impl Recorder<Actor> for Gate {
    fn boots(&mut self, _: &Boot<'_, Actor>) -> Result<(), LiveError> {
        Ok(())
    }

    fn gauge(&self) -> Gauge {
        Gauge::default()
    }

    fn stopped(&mut self, _: Time) {}
}
