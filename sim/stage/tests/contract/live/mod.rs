//! A story over loopback sockets: each host is a process, attended through its stdin and stdout, so that what is done to it is real.
//!
//! - Here: the story, phase by phase; `process`: one host; `links`: what is told to the hosts of their links; `ground`: what they stand on.
//!
//! Nobody sleeps: a phase is over when everything has been said that it waits for. Whatever happens, no process outlives its story.

mod ground;
mod links;
mod process;

use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use squall_live::clock::monotonic;
use squall_live::{Line, Policy, Request};
use squall_nodes::Time;
use tempfile::TempDir;

use crate::node::{Actor, Part};
use crate::simulated::text_of;
use crate::story::{Fault, Seen, Story};
pub(crate) use ground::Ground;
use links::Links;
use process::{Brief, Heard, Limits, Process};

/// After how long a test gives up: it says nothing of how fast anything is.
const FOREVER: Duration = Duration::from_secs(60);

pub(crate) fn play(story: &Story, ground: Ground) -> Seen {
    Stage::new(story, ground).play()
}

/// All that is there.
struct Stage<'s> {
    story: &'s Story,
    cast: Vec<(String, Ipv4Addr)>,
    folder: TempDir,
    /// Those that are killed are not there.
    hosts: Vec<Option<Host>>,
    heard: Receiver<(u32, Heard)>,
    hears: Sender<(u32, Heard)>,
    links: Links,
    ground: Ground,
    /// The last policy that a host has put in force: it is waited for before another host is told.
    in_force: u64,
    /// How many processes were started: each has a number of its own.
    processes: u32,
    calls: u64,
    seen: Seen,
    /// Since when hosts are told to stop.
    stopped: Option<Time>,
    /// How much each host had said when the phase began.
    before: Vec<usize>,
}

struct Host {
    process: Process,
    number: u32,
    state: State,
    /// What it was not told of while it was paused.
    missed: Vec<Policy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Begun,
    Ready,
    Up,
    Paused,
    /// It is told to stop, or killed.
    Ending,
    /// It has said everything that it ever will.
    Ended,
}

impl<'s> Stage<'s> {
    fn new(story: &'s Story, ground: Ground) -> Self {
        let (hears, heard) = channel();
        let count = story.hosts.len();
        let ips = ground.addresses(count);
        let cast = story.hosts.iter().zip(ips);
        let cast: Vec<_> = cast.map(|((name, _), ip)| ((*name).to_owned(), ip)).collect();
        let mut stage = Stage {
            story,
            links: Links::new(cast.iter().map(|(_, ip)| *ip).collect(), ground.law_of(story)),
            cast,
            folder: tempfile::tempdir().expect("a folder can be made"),
            hosts: (0..count).map(|_| None).collect(),
            heard,
            hears,
            in_force: 0,
            processes: 0,
            calls: 0,
            seen: Seen::nothing(ground.world(), count),
            ground,
            stopped: None,
            before: vec![0; count],
        };
        for place in 0..count {
            stage.start(place);
        }
        for place in 0..count {
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
        let last: Vec<usize> = (0..self.hosts.len())
            .filter(|place| self.hosts[*place].is_some())
            .collect();
        self.stopped = Some(monotonic());
        for place in &last {
            self.ask(*place, &Request::Stop);
            self.host(*place).state = State::Ending;
        }
        for place in last {
            let ended = self.bury(place);
            assert!(ended.success(), "{place} was told to stop: {ended}");
        }
        self.seen
    }

    /// Starts a host's process, which waits to be told to go.
    fn start(&mut self, place: usize) {
        let (name, ip) = self.cast[place].clone();
        self.processes += 1;
        let number = self.processes;
        let brief = Brief {
            data: self.folder.path().join(&name),
            name,
            ip,
            limits: Limits::of(&self.story.streams),
            part: Part {
                cast: self.cast.clone(),
                script: self.story.hosts[place].1.clone(),
            },
        };
        let hears = self.hears.clone();
        let process = Process::start(self.ground.words(place), &brief, move |heard| {
            // When the story is over, nobody hears it.
            let _ = hears.send((number, heard));
        });
        self.hosts[place] = Some(Host {
            process,
            number,
            state: State::Begun,
            missed: Vec::new(),
        });
    }

    /// Lets a host boot that was started.
    fn let_go(&mut self, place: usize) {
        self.wait_for("a host to be ready", |stage| stage.is(place, State::Ready));
        self.put_in_force(place);
        self.ask(place, &Request::Go { at: Time::ZERO });
        self.wait_for("a host to be up", |stage| stage.is(place, State::Up));
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Cut(from, to) => {
                if !self.ground.cut(from, to) {
                    self.links.cut(from, to);
                    self.put_in_force_everywhere();
                }
            }
            Fault::Lose(from, to) => {
                self.links.lose(from, to);
                self.put_in_force_everywhere();
            }
            Fault::Delay(from, to, by) => {
                self.links.delay(from, to, by);
                self.put_in_force_everywhere();
            }
            Fault::Heal => {
                let begins = monotonic();
                if !self.ground.heal() {
                    self.links.heal();
                    self.put_in_force_everywhere();
                }
                self.seen.healed.push((begins, monotonic()));
            }
            Fault::Kill(place) => {
                self.host(place).state = State::Ending;
                self.host(place).process.signal(Signal::KILL);
                self.bury(place);
            }
            Fault::PowerCut(place) => {
                self.host(place).state = State::Ending;
                if !self.ground.unplug(place) {
                    self.links.unplug(place);
                    self.put_in_force_everywhere();
                }
                self.host(place).process.signal(Signal::KILL);
                self.bury(place);
            }
            Fault::Start(place) => {
                if !self.ground.plug_in(place) && self.links.plug_in(place) {
                    self.put_in_force_everywhere();
                }
                self.start(place);
                self.let_go(place);
            }
            Fault::Pause(place) => {
                self.host(place).state = State::Paused;
                self.host(place).process.stop();
            }
            Fault::Resume(place) => {
                // It is told what is in force before it goes on.
                let number = self.tell_policy(place);
                self.host(place).state = State::Up;
                self.host(place).process.signal(Signal::CONT);
                self.wait_for_policy(number);
            }
            Fault::FailWrite(place) => {
                let fresh = self.folder.path().join(&self.cast[place].0).join("state.new");
                symlink("/dev/full", fresh).expect("a link can be made");
            }
            // It was for one write.
            Fault::Mend(_) => {}
        }
    }

    /// Whoever is paused is told when it goes on, and whoever is down when it is up.
    fn put_in_force_everywhere(&mut self) {
        for place in 0..self.hosts.len() {
            if self.is(place, State::Up) {
                self.put_in_force(place);
            }
            if self.is(place, State::Paused) {
                let policy = self.links.policy_of(place);
                self.host(place).missed.push(policy);
            }
        }
    }

    /// Tells a host what its links are now, and waits until it knows.
    fn put_in_force(&mut self, place: usize) {
        let number = self.tell_policy(place);
        self.wait_for_policy(number);
    }

    fn tell_policy(&mut self, place: usize) -> u64 {
        let mut policy = self.links.policy_of(place);
        policy.missed = std::mem::take(&mut self.host(place).missed);
        let number = policy.number;
        self.ask(
            place,
            &Request::Policy {
                policy: Box::new(policy),
            },
        );
        number
    }

    fn wait_for_policy(&mut self, number: u64) {
        self.wait_for("a policy to be in force", |stage| stage.in_force >= number);
    }

    fn ask(&mut self, place: usize, request: &Request<Actor>) {
        self.host(place).process.ask(request);
    }

    fn host(&mut self, place: usize) -> &mut Host {
        self.hosts[place].as_mut().expect("the story knows who is up")
    }

    fn is(&self, place: usize, state: State) -> bool {
        self.hosts[place].as_ref().is_some_and(|host| host.state == state)
    }

    /// Takes in what the hosts tell until all is as it should be.
    fn wait_for(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + FOREVER;
        while !done(self) {
            self.receive(what, until);
        }
    }

    /// Takes in what the hosts tell next.
    fn receive(&mut self, what: &str, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let Ok((number, heard)) = self.heard.recv_timeout(left) else {
            panic!("still waiting for {what}; {:#?}", self.seen);
        };
        self.note(number, heard, what);
    }

    /// Notes what a process told; `meanwhile` is what is waited for.
    fn note(&mut self, number: u32, heard: Heard, meanwhile: &str) {
        let told = |host: &Option<Host>| host.as_ref().is_some_and(|host| host.number == number);
        // A process that was buried has been heard to its end.
        let Some(place) = self.hosts.iter().position(told) else {
            return;
        };
        let Heard::Line(line) = heard else {
            let is_to = self.is(place, State::Ending);
            assert!(
                is_to,
                "{place} has ended, waiting for {meanwhile}; {:#?}",
                self.seen
            );
            self.host(place).state = State::Ended;
            return;
        };
        match *line {
            Line::Ready { .. } => self.host(place).state = State::Ready,
            Line::Booted { incarnation, .. } => self.seen.lives[place].push(incarnation),
            // What comes of the stopping is no part of the story.
            Line::Fact { at, .. } if self.stopped.is_some_and(|stopped| at >= stopped) => {}
            Line::Fact { at, fact, .. } => {
                let text = text_of(&format!("{fact:?}"));
                if text == "up" {
                    self.host(place).state = State::Up;
                }
                self.seen.says(place, at, text);
            }
            Line::Answer { at, answer, .. } => self.seen.says(place, at, format!("answers {answer:?}")),
            Line::Choked { from, .. } => {
                let from = self.cast.iter().position(|(_, ip)| *ip == from);
                self.seen.choked.extend(from.map(|from| (from, place)));
            }
            Line::Stopped { counts, .. } => {
                self.seen.sent += counts.sent;
                self.seen.delivered += counts.delivered;
                self.seen.cut += counts.cut;
                self.seen.lost += counts.lost;
                self.seen.congested += counts.congested;
                self.seen.duplicated += counts.duplicated;
                self.seen.overflowed += counts.overflowed;
                self.seen.refused += counts.too_long + counts.unsent;
                self.seen.turned_away += counts.streams.crowded;
            }
            Line::Applied { policy, .. } => self.in_force = self.in_force.max(policy),
            _ => {}
        }
    }

    /// Waits for the end of a host's process, and hears all that it told before.
    fn bury(&mut self, place: usize) -> ExitStatus {
        self.wait_for("the end of a host", |stage| stage.is(place, State::Ended));
        let ended = self.host(place).process.end();
        self.hosts[place] = None;
        ended
    }
}
