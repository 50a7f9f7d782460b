//! The nodes of the suite: each follows a script in its settings, and says what it is told.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use squall_nodes::{
    CallId, ConfigOf, Describe, Input, InvariantKind, Node, NodeRng, Outbox, Protocol, Span, Time, Timer,
};

use crate::conns::{Conns, Do, Happens, told_of};

/// What is added to the ports of scripts: those below 1024 take a privilege.
const PORTS: u16 = 5_000;

/// The protocol of the suite.
pub(crate) struct Scripted;

/// What a node has to know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Everybody's names and addresses.
    pub(crate) cast: Vec<(String, Ipv4Addr)>,
    pub(crate) script: Vec<Rule>,
}

/// What is to be done whenever something happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule(pub(crate) When, pub(crate) Vec<Act>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum When {
    Start,
    /// It is called with this number.
    Phase(u32),
    /// A datagram that says this comes in.
    Got(String),
    /// A datagram comes in that nothing else is said of.
    GotOther,
    Timer(u64),
    /// What was persisted is on the disk: the so-manieth time in this life, counted from 1.
    Persisted(u32),
    PersistFailed(u32),
    /// Something happens to a connection: the so-manieth that the node knows, counted from 0.
    Conn(usize, Happens),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    Say(String),
    /// Claims what it was told.
    SayInput,
    /// Claims what it found on its disk.
    SayDisk,
    Bind(u16),
    /// From a port to a port of a host.
    Send(u16, (usize, u16), String),
    /// So many bytes.
    SendLong(u16, (usize, u16), usize),
    /// So many datagrams of so many bytes.
    SendMany(u16, (usize, u16), usize, usize),
    /// The time.
    SendNow(u16, (usize, u16)),
    /// Claims whether a datagram with the time has been under way for at least this long.
    SayIfLate(Span),
    Arm(u64, Span),
    /// For a time that is long past.
    ArmPast(u64),
    Disarm(u64),
    Persist(String),
    /// What is done about connections.
    Conn(Do),
    /// Answers the last call.
    Answer(String),
}

squall_nodes::facts! {
    /// What a node of the suite claims.
    pub(crate) enum Claim {
        /// A text.
        "said" => Said {
            /// The text.
            text: String,
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bell(u64);

impl Timer for Bell {
    fn code(&self) -> u64 {
        self.0
    }
}

#[derive(Clone)]
pub(crate) struct Actor {
    part: Part,
    disk: Option<Vec<u8>>,
    /// When each timer is to go off.
    deadlines: Vec<(u64, Time)>,
    persisted: u32,
    failed: u32,
    call: Option<CallId>,
    conns: Conns,
}

impl Node for Actor {
    type Role = ();
    type Config = Part;
    type Command = u32;
    type Answer = String;
    type Timer = Bell;
    type Fact = Claim;

    fn boot((): &(), part: &Part, disk: Option<&[u8]>, _: NodeRng) -> Self {
        Actor {
            part: part.clone(),
            disk: disk.map(<[u8]>::to_vec),
            deadlines: Vec::new(),
            persisted: 0,
            failed: 0,
            call: None,
            conns: Conns::default(),
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        let when = self.noted(&input);
        let acts: Vec<Act> = self
            .part
            .script
            .iter()
            .filter(|Rule(rule, _)| when.contains(rule))
            .flat_map(|Rule(_, acts)| acts.clone())
            .collect();
        for act in &acts {
            self.act(now, &input, act, out);
        }
        if let Input::Timer(Bell(bell)) = input {
            self.deadlines.retain(|(timer, at)| *timer != bell || *at > now);
        }
    }
}

impl Actor {
    /// Remembers what has to be, and finds what rules call it.
    fn noted(&mut self, input: &Input<'_, Self>) -> Vec<When> {
        let when = match input {
            Input::Start => When::Start,
            Input::Stream { conn, event } => {
                return self.conns.note(*conn, event, &self.part.script);
            }
            Input::Datagram { bytes, .. } => {
                let got = When::Got(String::from_utf8_lossy(bytes).into_owned());
                if self.part.script.iter().any(|Rule(rule, _)| *rule == got) {
                    got
                } else {
                    When::GotOther
                }
            }
            Input::Timer(Bell(bell)) => When::Timer(*bell),
            Input::Command { call, command } => {
                self.call = Some(*call);
                When::Phase(**command)
            }
            Input::Persisted(_) => {
                self.persisted += 1;
                When::Persisted(self.persisted)
            }
            Input::PersistFailed(_) => {
                self.failed += 1;
                When::PersistFailed(self.failed)
            }
        };
        vec![when]
    }

    fn act(&mut self, now: Time, input: &Input<'_, Self>, act: &Act, out: &mut Outbox<Self>) {
        let say = |out: &mut Outbox<Self>, text: String| out.claim(Claim::Said { text });
        match act {
            Act::Say(text) => say(out, text.clone()),
            Act::SayInput => say(out, self.told(now, input)),
            Act::SayDisk => {
                let disk = self.disk.as_deref().map(String::from_utf8_lossy);
                say(out, format!("found {disk:?}"));
            }
            Act::Bind(port) => out.bind(PORTS + port),
            Act::Send(port, to, text) => {
                let payload = out.payload(text.as_bytes());
                out.send(PORTS + port, self.address(*to), payload);
            }
            Act::SendLong(port, to, len) => {
                let payload = out.payload(&pattern(*len));
                out.send(PORTS + port, self.address(*to), payload);
            }
            Act::SendMany(port, to, count, len) => {
                let payload = out.payload(&pattern(*len));
                for _ in 0..*count {
                    out.send(PORTS + port, self.address(*to), payload);
                }
            }
            Act::SendNow(port, to) => {
                let payload = out.payload(&now.as_nanos().to_le_bytes());
                out.send(PORTS + port, self.address(*to), payload);
            }
            Act::SayIfLate(least) => {
                if let Input::Datagram { bytes, .. } = input
                    && let Ok(sent) = <[u8; 8]>::try_from(*bytes)
                {
                    let took = now.since(Time::from_nanos(u64::from_le_bytes(sent)));
                    let text = if took >= *least {
                        "late enough"
                    } else {
                        "too early"
                    };
                    say(out, text.to_owned());
                }
            }
            Act::Arm(bell, after) => self.arm(*bell, now + *after, out),
            Act::ArmPast(bell) => self.arm(*bell, Time::from_nanos(1), out),
            Act::Disarm(bell) => {
                self.deadlines.retain(|(timer, _)| timer != bell);
                out.disarm(Bell(*bell));
            }
            Act::Persist(text) => {
                out.persist(text.as_bytes());
            }
            Act::Conn(what) => {
                if let Some(text) = self.conns.act(what, PORTS, &self.part.cast, out) {
                    say(out, text);
                }
            }
            Act::Answer(text) => {
                if let Some(call) = self.call {
                    out.answer(call, text.clone());
                }
            }
        }
    }

    fn arm(&mut self, bell: u64, at: Time, out: &mut Outbox<Self>) {
        self.deadlines.retain(|(timer, _)| *timer != bell);
        self.deadlines.push((bell, at));
        out.arm(Bell(bell), at);
    }

    fn told(&self, now: Time, input: &Input<'_, Self>) -> String {
        match input {
            Input::Datagram { on, from, bytes } => {
                let says = match *bytes {
                    [] => "nothing".to_owned(),
                    long if long.len() >= 100 => {
                        let whole = if long == pattern(long.len()) {
                            "whole"
                        } else {
                            "other"
                        };
                        format!("{} {whole} bytes", long.len())
                    }
                    short => String::from_utf8_lossy(short).into_owned(),
                };
                format!("{} > {}: {says}", self.name(*from), self.name(*on))
            }
            Input::Timer(Bell(bell)) => {
                let deadline = self.deadlines.iter().find(|(timer, _)| timer == bell);
                let how = match deadline {
                    Some((_, at)) if now >= *at => "in time",
                    Some(_) => "too early",
                    None => "though it is not armed",
                };
                format!("timer {bell} {how}")
            }
            Input::Stream { conn, event } => {
                format!(
                    "{}: {}",
                    self.conns.place(*conn),
                    told_of(event, |from| self.host(from))
                )
            }
            other => format!("{other:?}"),
        }
    }

    fn host(&self, address: SocketAddrV4) -> String {
        let known = self.part.cast.iter().find(|(_, ip)| ip == address.ip());
        known.map_or("nobody", |(name, _)| name).to_owned()
    }

    fn address(&self, (host, port): (usize, u16)) -> SocketAddrV4 {
        SocketAddrV4::new(self.part.cast[host].1, PORTS + port)
    }

    fn name(&self, address: SocketAddrV4) -> String {
        format!("{}:{}", self.host(address), address.port() - PORTS)
    }
}

/// Bytes that are not to be mistaken for others.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 31 % 251) as u8).collect()
}

impl Protocol for Scripted {
    const NAME: &'static str = "scripted";
    const ABOUT: &'static str = "nodes that follow a script";
    type Node = Actor;

    fn config(_: &str, _: &str) -> ConfigOf<Self> {
        Part::default()
    }

    fn invariants() -> Vec<InvariantKind<Actor>> {
        Vec::new()
    }

    fn shortest_timeout(_: &Part) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct Lengths;
        impl Describe for Lengths {
            fn datagram(&mut self, _: SocketAddrV4, _: SocketAddrV4, bytes: &[u8]) -> String {
                format!("{} bytes", bytes.len())
            }
        }
        Box::new(Lengths)
    }
}
