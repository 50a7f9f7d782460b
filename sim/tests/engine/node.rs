//! The node of these tests: it follows a script, which is its role.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use squall_nodes::{
    CallId, ConfigOf, ConnId, Describe, HostId, Input, InvariantKind, Node, NodeRng, Outbox, Protocol, Span,
    StreamEvent, Time, facts,
};
use squall_sim::plan::address_of;

use crate::promises;

/// The port that every node opens first of all.
pub(crate) const PORT: u16 = 7000;

/// The protocol of these tests.
pub(crate) struct Puppets;

/// What a host does, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Script(Arc<[Rule]>);

/// Things to do each time that something comes in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    on: On,
    then: Vec<Do>,
}

/// What can come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum On {
    Start,
    /// A datagram, whatever it says.
    Datagram,
    Timer(u64),
    Command,
    Persisted,
    PersistFailed,
    Opened,
    Accepted,
    /// Bytes of a connection, whichever they are.
    Bytes,
    Blocked,
    Writable,
    Closed,
}

/// What can be done about it. In what is said, `#` stands for how many datagrams this life of the node has sent before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Do {
    Send {
        to: SocketAddrV4,
        says: String,
    },
    /// From another port.
    SendFrom {
        port: u16,
        to: SocketAddrV4,
        says: String,
    },
    /// That many bytes.
    Ship {
        to: SocketAddrV4,
        bytes: usize,
    },
    /// Back to whoever sent the datagram.
    Reply(String),
    Persist(String),
    Claim(Claim),
    /// Claims what was on the disk at boot.
    Recall,
    /// Claims what its clock shows.
    ReadClock,
    Answer(String),
    Arm(u64, Span),
    ArmAt(u64, Time),
    /// After a time of the node's own drawing.
    ArmWithin(u64, Span, Span),
    Disarm(u64),
    /// Sends a number that nothing else in this process gets: what no node may do.
    Tick {
        to: SocketAddrV4,
    },
    /// Writes such a number to its disk.
    TickToDisk,
    /// Stops the run that watches [`STOP`].
    Stop,
    Join(SocketAddrV4),
    Listen(u16),
    Dial(SocketAddrV4),
    Write(Conn, String),
    /// That many bytes, in which each can be told from its neighbours, going on where the last such bytes of the node ended.
    Pour(Conn, usize),
    PauseReading(Conn),
    ResumeReading(Conn),
    Close(Conn),
}

/// One of a node's connections.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Conn {
    /// By its place among all that it dialled or accepted in this life.
    Nth(usize),
    /// The one that something has happened to.
    This,
}

/// True once a node of this process has stopped what watches it.
pub(crate) static STOP: AtomicBool = AtomicBool::new(false);

facts! {
    /// What the nodes of these tests claim.
    pub(crate) enum Claim {
        /// It says something.
        "said" => Said { what: String },
        /// What its disk holds.
        "found" => Found { disk: Option<String> },
        /// What no node may claim.
        "bad" => Bad,
    }
}

/// The places of the facts among the names.
pub(crate) const SAID: usize = 0;
pub(crate) const FOUND: usize = 1;
pub(crate) const BAD: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alarm(u64);

#[derive(Clone)]
pub(crate) struct Puppet {
    script: Script,
    disk: Option<String>,
    rng: NodeRng,
    sent: u64,
    conns: Vec<ConnId>,
    poured: usize,
}

pub(crate) fn on(on: On, then: impl Into<Vec<Do>>) -> Rule {
    Rule {
        on,
        then: then.into(),
    }
}

pub(crate) fn start(then: impl Into<Vec<Do>>) -> Rule {
    on(On::Start, then)
}

/// Where a host's node listens.
pub(crate) fn place(host: HostId) -> SocketAddrV4 {
    SocketAddrV4::new(address_of(host), PORT)
}

pub(crate) fn send(to: HostId, says: &str) -> Do {
    Do::Send {
        to: place(to),
        says: says.to_owned(),
    }
}

pub(crate) fn persist(what: &str) -> Do {
    Do::Persist(what.to_owned())
}

pub(crate) fn say(what: &str) -> Do {
    Do::Claim(Claim::Said {
        what: what.to_owned(),
    })
}

/// Says `#` to each of `to`, first at `first` and then every `interval`.
pub(crate) fn beat(to: &[HostId], first: Span, interval: Span) -> Vec<Rule> {
    let mut then: Vec<Do> = to.iter().map(|to| send(*to, "#")).collect();
    then.push(Do::Arm(99, interval));
    vec![start([Do::Arm(99, first)]), on(On::Timer(99), then)]
}

impl Script {
    pub(crate) fn new(rules: impl Into<Vec<Rule>>) -> Self {
        Script(rules.into().into())
    }
}

impl Node for Puppet {
    type Role = Script;
    type Config = ();
    type Command = String;
    type Answer = String;
    type Timer = Alarm;
    type Fact = Claim;

    fn boot(role: &Script, (): &(), disk: Option<&[u8]>, rng: NodeRng) -> Self {
        Puppet {
            script: role.clone(),
            disk: disk.map(|disk| String::from_utf8_lossy(disk).into_owned()),
            rng,
            sent: 0,
            conns: Vec::new(),
            poured: 0,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let (mut sender, mut called, mut this) = (None, None, None);
        let came = match input {
            Input::Start => {
                out.bind(PORT);
                On::Start
            }
            Input::Datagram { from, .. } => {
                sender = Some(from);
                On::Datagram
            }
            Input::Timer(Alarm(code)) => On::Timer(code),
            Input::Command { call, .. } => {
                called = Some(call);
                On::Command
            }
            Input::Persisted(_) => On::Persisted,
            Input::PersistFailed(_) => On::PersistFailed,
            Input::Stream { conn, event } => {
                this = Some(conn);
                match event {
                    StreamEvent::Opened => On::Opened,
                    StreamEvent::Accepted { .. } => {
                        self.conns.push(conn);
                        On::Accepted
                    }
                    StreamEvent::Bytes(_) => On::Bytes,
                    StreamEvent::Blocked => On::Blocked,
                    StreamEvent::Writable => On::Writable,
                    StreamEvent::Closed(_) => On::Closed,
                }
            }
        };
        let script = self.script.clone();
        for rule in script.0.iter().filter(|rule| rule.on == came) {
            for what in &rule.then {
                self.act(what, now, sender, (called, this), out);
            }
        }
    }
}

impl Puppet {
    fn act(
        &mut self,
        what: &Do,
        now: Time,
        sender: Option<SocketAddrV4>,
        (called, this): (Option<CallId>, Option<ConnId>),
        out: &mut Outbox<Self>,
    ) {
        let conn = |conns: &[ConnId], which: &Conn| match which {
            Conn::Nth(nth) => conns[*nth],
            Conn::This => this.expect("only what happens to a connection has one"),
        };
        match what {
            Do::Send { to, says } => self.send(PORT, *to, says, out),
            Do::SendFrom { port, to, says } => self.send(*port, *to, says, out),
            Do::Reply(says) => {
                if let Some(to) = sender {
                    self.send(PORT, to, says, out);
                }
            }
            Do::Ship { to, bytes } => {
                let payload = out.encode(|into| into.resize(into.len() + bytes, b'.'));
                out.send(PORT, *to, payload);
            }
            Do::Tick { to } => self.send(PORT, *to, &tick(), out),
            Do::TickToDisk => {
                out.persist(tick().as_bytes());
            }
            Do::Persist(what) => {
                out.persist(what.as_bytes());
            }
            Do::Claim(claim) => out.claim(claim.clone()),
            Do::Recall => out.claim(Claim::Found {
                disk: self.disk.clone(),
            }),
            Do::ReadClock => out.claim(Claim::Said {
                what: now.to_string(),
            }),
            Do::Answer(says) => {
                if let Some(call) = called {
                    out.answer(call, says.clone());
                }
            }
            Do::Arm(code, after) => out.arm(Alarm(*code), now + *after),
            Do::ArmAt(code, at) => out.arm(Alarm(*code), *at),
            Do::ArmWithin(code, low, high) => out.arm(Alarm(*code), now + self.rng.span(*low, *high)),
            Do::Disarm(code) => out.disarm(Alarm(*code)),
            Do::Stop => STOP.store(true, Ordering::Relaxed),
            Do::Join(group) => out.join(*group),
            Do::Listen(port) => out.listen(*port),
            Do::Dial(to) => self.conns.push(out.dial(*to)),
            Do::Write(which, says) => {
                let payload = out.payload(says.as_bytes());
                out.write(conn(&self.conns, which), payload);
            }
            Do::Pour(which, bytes) => {
                let from = self.poured;
                self.poured += bytes;
                let payload = out.encode(|into| into.extend((from..from + bytes).map(letter)));
                out.write(conn(&self.conns, which), payload);
            }
            Do::PauseReading(which) => out.pause_reading(conn(&self.conns, which)),
            Do::ResumeReading(which) => out.resume_reading(conn(&self.conns, which)),
            Do::Close(which) => out.close(conn(&self.conns, which)),
        }
    }

    fn send(&mut self, port: u16, to: SocketAddrV4, says: &str, out: &mut Outbox<Self>) {
        let payload = out.payload(says.replace('#', &self.sent.to_string()).as_bytes());
        self.sent += 1;
        out.send(port, to, payload);
    }
}

/// The byte at a place of what is poured: neither its neighbours nor those a packet further are the same.
pub(crate) fn letter(place: usize) -> u8 {
    b'a' + ((place + place / 26 + place / 1_460) % 26) as u8
}

fn tick() -> String {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    // As many digits each time, so that only what it says differs and not how long it is.
    format!("tick {:08}", TICKS.fetch_add(1, Ordering::Relaxed))
}

impl squall_nodes::Timer for Alarm {
    fn code(&self) -> u64 {
        self.0
    }
}

impl Protocol for Puppets {
    const NAME: &'static str = "puppets";
    const ABOUT: &'static str = "nodes that follow a script";
    type Node = Puppet;

    fn config(_profile: &str, _rules: &str) -> ConfigOf<Self> {}

    fn invariants() -> Vec<InvariantKind<Puppet>> {
        promises::all()
    }

    fn shortest_timeout((): &()) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct Words;
        impl Describe for Words {
            fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
                match bytes.len() {
                    // Long ones are freight: what counts is how much.
                    long @ 100.. => format!("{long} bytes"),
                    _ => String::from_utf8_lossy(bytes).into_owned(),
                }
            }

            fn stream(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> Vec<String> {
                vec![String::from_utf8_lossy(bytes).into_owned()]
            }
        }
        Box::new(Words)
    }
}
