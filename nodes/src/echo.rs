//! Echo: the smallest protocol there is, and how to write one.
//!
//! Askers send a server numbered questions; it sends each one back; what is lost is asked again. This page walks through
//! what every protocol is made of. The code below it is the protocol itself, in the same order.
//!
//! # A node
//!
//! A node is a state machine with one door. It is told an [`Input`] and puts what it wants done into an [`Outbox`]; it
//! reads no clock, opens no socket and asks nobody anything. That is all that makes it testable: the same node runs on a
//! virtual clock under a storm of faults, and live over sockets, and cannot tell which.
//!
//! Here is a node in full. It counts what it is sent, and says so:
//!
//! ```
//! use squall_nodes::*;
//!
//! // What it claims. Claims are all that is ever judged: nobody looks inside a node.
//! squall_nodes::facts! {
//!     /// What a counter claims.
//!     pub enum Counted {
//!         /// This many datagrams have come.
//!         "counted" => Counted { total: u64 },
//!     }
//! }
//!
//! #[derive(Clone)]
//! struct Counter {
//!     total: u64,
//! }
//!
//! impl Node for Counter {
//!     type Role = (); //    what a host may be: there is only one kind
//!     type Config = (); //  nothing to set
//!     type Command = (); // nothing to ask of it
//!     type Answer = ();
//!     type Timer = Never; // no alarms
//!     type Fact = Counted;
//!
//!     // The disk holds what was persisted before a crash. Any bytes may be there, so a wrong length starts from 0.
//!     fn boot(_: &(), _: &(), disk: Option<&[u8]>, _: NodeRng) -> Self {
//!         let total = disk.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
//!         Counter { total }
//!     }
//!
//!     fn handle(&mut self, _now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
//!         match input {
//!             Input::Start => out.bind(7),
//!             Input::Datagram { .. } => {
//!                 self.total += 1;
//!                 // What is claimed after a persist is claimed once the disk has it: a count never goes back.
//!                 out.persist(&self.total.to_le_bytes());
//!                 out.claim(Counted::Counted { total: self.total });
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
//! enum Never {}
//! impl Timer for Never {
//!     fn code(&self) -> u64 {
//!         match *self {}
//!     }
//! }
//!
//! // # A world
//! //
//! // A `Transport` hands nodes their inputs and performs what they ask for; `drive` is the loop between the two. This one
//! // starts a single node, sends it two datagrams and writes down what it claims.
//! struct World {
//!     node: Counter,
//!     ids: Ids,
//!     turn: u64,
//!     claimed: Vec<u64>,
//! }
//!
//! impl Transport<Counter> for World {
//!     fn receive(&mut self) -> Option<Delivery<'_, Counter>> {
//!         let here = "10.0.0.1:7".parse().unwrap();
//!         let input = match self.turn {
//!             0 => Input::Start,
//!             1 | 2 => Input::Datagram { on: here, from: here, bytes: b"hello" },
//!             _ => return None,
//!         };
//!         // Time moves here and nowhere else.
//!         let now = Time::from_nanos(self.turn);
//!         self.turn += 1;
//!         Some(Delivery { host: HostId(0), incarnation: 0, now, node: &mut self.node, ids: &mut self.ids, input })
//!     }
//!
//!     fn perform(&mut self, _: HostId, _: Time, effects: Effects<'_, Counter>) {
//!         for effect in effects {
//!             if let Effect::Claim(Counted::Counted { total }) = effect {
//!                 self.claimed.push(total);
//!             }
//!         }
//!     }
//! }
//!
//! let rng = NodeRng::new(1, HostKey::of("counter"), 0);
//! let node = Counter::boot(&(), &(), Some(&40u64.to_le_bytes()), rng);
//! let mut world = World { node, ids: Ids::default(), turn: 0, claimed: Vec::new() };
//! drive(&mut world, &mut Outbox::new(), &mut Unwitnessed);
//! assert_eq!(world.claimed, [41, 42]);
//! ```
//!
//! # A protocol
//!
//! A [`Protocol`] is what a scenario file names. Beside its node it has
//!
//! - settings for each profile and rule set ([`Echo::config`](Protocol::config)), and a look at the whole cast of hosts
//!   before they boot, to fill in addresses and to refuse what cannot be ([`Echo::assemble`](Protocol::assemble));
//! - promises ([`Echo::invariants`](Protocol::invariants)). *Always* is safety: here, that an answer is for a question that
//!   was asked. *In quiet* is liveness: here, that an asker which can reach its server gets answers. Nothing can be promised
//!   while a fault has the two apart, so it is judged once nothing has disturbed them for a bound, and the bound is a
//!   formula of the settings: how often a lost question is asked again until all tries are lost once in a thousand million
//!   times;
//! - a [`Describe`], which tells people what packets say.
//!
//! ```
//! use squall_nodes::echo::{Echo, Role};
//! use squall_nodes::{Placed, Protocol};
//!
//! let place = |name: &str, ip: &str, role| {
//!     let config = Echo::config("default", "Standard");
//!     Placed { name: name.to_owned(), ip: ip.parse().unwrap(), role, config }
//! };
//! let mut hosts = [place("s", "10.0.0.1", Role::Server), place("a", "10.0.0.2", Role::Asker)];
//! Echo::assemble(&mut hosts).unwrap();
//! assert_eq!(hosts[1].config.server, Some("10.0.0.1:7".parse().unwrap()));
//!
//! // An asker without anyone to ask is refused before the run, with a place and a hint.
//! let misfits = Echo::assemble(&mut [place("a", "10.0.0.2", Role::Asker)]).unwrap_err();
//! assert_eq!(misfits[0].message, "a has nobody to ask");
//! ```
//!
//! With that, `squall::App::new().protocol::<Echo>()` runs, sweeps and judges it like any other.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

use crate::invariant::{Always, Breach, InQuiet, Judged};
use crate::node::{Input, Node, Timer};
use crate::outbox::Outbox;
use crate::protocol::{Describe, InvariantKind, Misfit, Placed, Protocol, Setup, Tolerance};
use crate::rng::NodeRng;
use crate::seen::{Change, Seen};
use crate::start::{Outside, Unusable, port};
use crate::time::{Span, Time};
use crate::world::{Group, World};

/// The protocol, as a scenario names it.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

impl Protocol for Echo {
    const NAME: &'static str = "echo";
    const ABOUT: &'static str = "askers send a server questions, and it sends them back";
    type Node = EchoNode;

    fn config(_profile: &str, _rules: &str) -> Config {
        Config {
            port: 7,
            server: None,
            ask_every: Span::from_millis(100),
        }
    }

    fn assemble(hosts: &mut [Placed<EchoNode>]) -> Result<(), Vec<Misfit>> {
        let server = hosts.iter().find(|host| host.role == Role::Server);
        let server = server.map(|host| SocketAddrV4::new(host.ip, host.config.port));
        let mut misfits = Vec::new();
        let mut misfit = |host, field, message, hint: &str| {
            misfits.push(Misfit {
                host: Some(host),
                field: Some(field),
                message,
                hint: Some(hint.to_owned()),
            });
        };
        for (index, host) in hosts
            .iter_mut()
            .enumerate()
            .filter(|(_, host)| host.role == Role::Asker)
        {
            host.config.server = host.config.server.or(server);
            if host.config.server.is_none() {
                let hint = "name its address, `server: \"10.0.0.1:7101\"`; in a scenario, a host with role Server will do";
                misfit(index, "server", format!("{} has nobody to ask", host.name), hint);
            }
            if host.config.ask_every.is_zero() {
                let message = format!("{} asks again after no time at all", host.name);
                misfit(index, "ask_every", message, "give it a length, such as \"100ms\"");
            }
        }
        if misfits.is_empty() { Ok(()) } else { Err(misfits) }
    }

    const WORDS: &'static [(&'static str, &'static str)] = &[
        (
            "server PORT",
            "send back what is asked at this port of 127.0.0.1, or of --address",
        ),
        ("asker HOST PORT", "ask the server at this host and port"),
    ];

    fn start(words: &[String], config: Config, outside: &dyn Outside) -> Result<Placed<EchoNode>, Unusable> {
        let plain: Vec<&str> = words.iter().map(String::as_str).collect();
        let (role, ip, config) = match plain.as_slice() {
            ["server", own] => {
                let port = port(own)?;
                (Role::Server, Ipv4Addr::LOCALHOST, Config { port, ..config })
            }
            ["asker", host, there] => {
                let there = port(there)?;
                let lost = |why| Unusable::new(format!("`{host}` cannot be asked: {why}"));
                let server = outside.resolve(host).map_err(lost)?;
                let ip = outside.address_towards(server).map_err(lost)?;
                let port = outside.free_port(ip).map_err(lost)?;
                let server = Some(SocketAddrV4::new(server, there));
                (
                    Role::Asker,
                    ip,
                    Config {
                        port,
                        server,
                        ..config
                    },
                )
            }
            _ => return Err(Unusable::form(Self::NAME, words, Self::WORDS)),
        };
        let name = plain[0].to_owned();
        Ok(Placed {
            name,
            ip,
            role,
            config,
        })
    }

    fn invariants() -> Vec<InvariantKind<EchoNode>> {
        vec![
            InvariantKind::always(
                "answers_are_asked_for",
                "an asker that has an answer has asked that question",
                AnswersAreAskedFor::new,
            ),
            InvariantKind::in_quiet(
                "askers_are_answered",
                "an asker that can reach its server has had an answer of late",
                answer_bound,
                AskersAreAnswered::new,
            ),
        ]
    }

    fn shortest_timeout(config: &Config) -> Span {
        config.ask_every
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Describer)
    }
}

/// What a host may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Sends back what it is asked.
    Server,
    /// Asks.
    Asker,
}

/// Everything that tunes a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The datagram port.
    pub port: u16,
    /// Whom an asker asks; the cluster's server when not given.
    pub server: Option<SocketAddrV4>,
    /// How long an asker waits before it asks again, or asks the next question.
    pub ask_every: Span,
}

crate::facts! {
    /// What an asker claims. A server claims nothing.
    pub enum EchoFact {
        /// It asked a question, not for the first time perhaps.
        "asked" => Asked {
            /// The question's number, counted from 1 in each life of the asker.
            question: u64,
        },
        /// It has the answer to the question that it asked last.
        "answered" => Answered {
            /// The question's number.
            question: u64,
        },
    }
}

/// An asker's only alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// It is time to ask again.
    Ask,
}

impl Timer for Alarm {
    fn code(&self) -> u64 {
        match self {
            Alarm::Ask => 0,
        }
    }
}

/// A server or an asker.
#[derive(Clone, Debug)]
pub struct EchoNode {
    port: u16,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Server,
    Asker {
        server: Option<SocketAddrV4>,
        ask_every: Span,
        question: u64,
        state: State,
    },
}

/// Where an asker is with its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Answered,
}

impl Node for EchoNode {
    type Role = Role;
    type Config = Config;
    type Command = ();
    type Answer = ();
    type Timer = Alarm;
    type Fact = EchoFact;

    fn boot(role: &Role, config: &Config, _disk: Option<&[u8]>, _rng: NodeRng) -> Self {
        let kind = match role {
            Role::Server => Kind::Server,
            // "Answered" makes the first alarm ask the first question.
            Role::Asker => Kind::Asker {
                server: config.server,
                ask_every: config.ask_every,
                question: 0,
                state: State::Answered,
            },
        };
        EchoNode {
            port: config.port,
            kind,
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => {
                out.bind(self.port);
                self.ask(now, out);
            }
            Input::Timer(Alarm::Ask) => self.ask(now, out),
            Input::Datagram { from, bytes, .. } => self.on_datagram(from, bytes, out),
            Input::Command { call, command: () } => out.answer(call, ()),
            // It has no streams and writes nothing down.
            Input::Stream { .. } | Input::Persisted(_) | Input::PersistFailed(_) => {}
        }
    }
}

impl EchoNode {
    /// Asks the next question, or the last one again when there was no answer.
    fn ask(&mut self, now: Time, out: &mut Outbox<Self>) {
        let Kind::Asker {
            server: Some(server),
            ask_every,
            question,
            state,
        } = &mut self.kind
        else {
            return;
        };
        if *state == State::Answered {
            *question += 1;
            *state = State::Open;
        }
        out.claim(EchoFact::Asked { question: *question });
        let payload = out.payload(&Packet::Question(*question).encode());
        out.send(self.port, *server, payload);
        out.arm(Alarm::Ask, now + *ask_every);
    }

    /// Anybody may send anything: what is no packet, or not for this kind of node, is dropped.
    fn on_datagram(&mut self, from: SocketAddrV4, bytes: &[u8], out: &mut Outbox<Self>) {
        match (&mut self.kind, Packet::decode(bytes)) {
            (Kind::Server, Some(Packet::Question(question))) => {
                let payload = out.payload(&Packet::Answer(question).encode());
                out.send(self.port, from, payload);
            }
            (
                Kind::Asker {
                    question,
                    state: state @ State::Open,
                    ..
                },
                Some(Packet::Answer(answer)),
            ) if answer == *question => {
                *state = State::Answered;
                out.claim(EchoFact::Answered { question: *question });
            }
            // Rubbish, an answer that came twice, or one to a question of an earlier life.
            _ => {}
        }
    }
}

/// What goes over the network: a letter, and the number of the question, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packet {
    Question(u64),
    Answer(u64),
}

impl Packet {
    fn encode(self) -> [u8; 9] {
        let (letter, number) = match self {
            Packet::Question(number) => (b'?', number),
            Packet::Answer(number) => (b'!', number),
        };
        let mut bytes = [letter; 9];
        bytes[1..].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (letter, number) = bytes.split_first()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        match letter {
            b'?' => Some(Packet::Question(number)),
            b'!' => Some(Packet::Answer(number)),
            _ => None,
        }
    }
}

/// Always: an answer is for a question that was asked. What is kept is by host, so a look-up is an index.
#[derive(Clone)]
struct AnswersAreAskedFor {
    /// The highest question that each host has asked in its present life.
    asked: Vec<u64>,
}

impl AnswersAreAskedFor {
    fn new(setup: &Setup<'_, EchoNode>) -> Self {
        AnswersAreAskedFor {
            asked: vec![0; setup.hosts.len()],
        }
    }
}

impl Always<EchoNode> for AnswersAreAskedFor {
    fn judge(&mut self, _at: Time, seen: &Seen<'_, EchoNode>, world: &World) -> Result<Judged, Breach> {
        match seen {
            // A new life starts to count anew.
            Seen::World(Change::Up { host, .. }) => self.asked[host.index()] = 0,
            Seen::Fact {
                host,
                fact: EchoFact::Asked { question },
                ..
            } => self.asked[host.index()] = *question,
            Seen::Fact {
                host,
                fact: EchoFact::Answered { question },
                ..
            } => {
                if !(1..=self.asked[host.index()]).contains(question) {
                    let name = world.name(*host);
                    let detail = format!("{name} has an answer to question {question}, which it never asked");
                    return Err(Breach::new(detail, [*host]));
                }
                return Ok(Judged::Yes);
            }
            _ => {}
        }
        Ok(Judged::NotConcerned)
    }
}

/// In quiet: an asker that can reach its server has had an answer within the bound.
#[derive(Clone)]
struct AskersAreAnswered {
    /// For each host, its server's address if it asks, and when it last had an answer.
    askers: Vec<(Option<SocketAddrV4>, Time)>,
    bound: Span,
}

impl AskersAreAnswered {
    fn new(setup: &Setup<'_, EchoNode>) -> Self {
        let asks = |host: &Placed<EchoNode>| host.config.server.filter(|_| host.role == Role::Asker);
        AskersAreAnswered {
            askers: setup.hosts.iter().map(|host| (asks(host), Time::ZERO)).collect(),
            bound: answer_bound(setup),
        }
    }
}

/// Asked at most this long ago, question and answer under way, and asked again until one try must have succeeded.
fn answer_bound(setup: &Setup<'_, EchoNode>) -> Span {
    let ask_every = setup
        .hosts
        .iter()
        .map(|host| host.config.ask_every)
        .max()
        .unwrap_or_default();
    let Tolerance { loss, latency } = setup.tolerated;
    let both_arrive = (1.0 - loss) * (1.0 - loss);
    let tries = Tolerance {
        loss: 1.0 - both_arrive,
        latency,
    }
    .retries();
    ask_every * (u64::from(tries) + 1) + latency * 2
}

impl InQuiet<EchoNode> for AskersAreAnswered {
    fn observe(&mut self, at: Time, seen: &Seen<'_, EchoNode>, _world: &World) -> Judged {
        if let Seen::Fact {
            host,
            fact: EchoFact::Answered { .. },
            ..
        } = seen
        {
            self.askers[host.index()].1 = at;
        }
        // An answer breaks no promise; that there is none is found by looking again and again.
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let mut judged = Judged::NotConcerned;
        for &host in &group.hosts {
            let (Some(server), answered) = self.askers[host.index()] else {
                continue;
            };
            let Some(server) = world
                .host_at(*server.ip())
                .filter(|server| group.contains(*server))
            else {
                continue;
            };
            if at.since(answered) > self.bound {
                let (name, server_name) = (world.name(host), world.name(server));
                let since = at.since(answered);
                let detail = format!("{name} can reach {server_name} and has had no answer for {since}");
                return Err(Breach::new(detail, [host, server]));
            }
            judged = Judged::Yes;
        }
        Ok(judged)
    }
}

/// Tells people what packets say.
struct Describer;

impl Describe for Describer {
    fn datagram(&mut self, _from: SocketAddrV4, _to: SocketAddrV4, bytes: &[u8]) -> String {
        match Packet::decode(bytes) {
            Some(Packet::Question(number)) => format!("question {number}"),
            Some(Packet::Answer(number)) => format!("answer to question {number}"),
            None => format!("{} bytes that are no packet", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::node::HostId;
    use crate::world::{Links, Resident};

    fn hosts() -> Vec<Placed<EchoNode>> {
        let place = |name: &str, last, role| Placed {
            name: name.to_owned(),
            ip: Ipv4Addr::new(10, 0, 0, last),
            role,
            config: Echo::config("default", "Standard"),
        };
        let mut hosts = vec![place("s", 1, Role::Server), place("a", 2, Role::Asker)];
        Echo::assemble(&mut hosts).unwrap();
        hosts
    }

    fn setup(hosts: &[Placed<EchoNode>]) -> Setup<'_, EchoNode> {
        let tolerated = Tolerance {
            loss: 0.05,
            latency: Span::from_millis(10),
        };
        Setup {
            hosts,
            rules: "Standard",
            tolerated,
            streams: crate::stream::StreamLaw::default(),
        }
    }

    fn world(hosts: &[Placed<EchoNode>]) -> World {
        let residents = hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        World::new(residents, Links::Tolerated)
    }

    fn claim<'a>(fact: &'a EchoFact) -> Seen<'a, EchoNode> {
        Seen::Fact {
            host: HostId(1),
            incarnation: 0,
            fact,
        }
    }

    #[test]
    fn an_answer_to_a_question_that_was_never_asked_is_a_breach() {
        let hosts = hosts();
        let (mut promise, world) = (AnswersAreAskedFor::new(&setup(&hosts)), world(&hosts));
        let mut judge = |fact| promise.judge(Time::ZERO, &claim(&fact), &world);
        assert_eq!(judge(EchoFact::Asked { question: 1 }), Ok(Judged::NotConcerned));
        assert_eq!(judge(EchoFact::Answered { question: 1 }), Ok(Judged::Yes));
        let breach = judge(EchoFact::Answered { question: 2 }).unwrap_err();
        assert_eq!(
            breach.detail,
            "a has an answer to question 2, which it never asked"
        );
    }

    #[test]
    fn an_asker_that_is_not_answered_within_the_bound_is_a_breach() {
        let hosts = hosts();
        let (mut promise, world) = (AskersAreAnswered::new(&setup(&hosts)), world(&hosts));
        let bound = answer_bound(&setup(&hosts));
        // Nine round trips are all lost once in 10⁹ times at 5 % loss, and one may have just gone out.
        assert_eq!(bound, Span::from_millis(10 * 100 + 2 * 10));
        let answered_at = Time::from_nanos(5);
        let answer = EchoFact::Answered { question: 1 };
        promise.observe(answered_at, &claim(&answer), &world);
        let group = world.groups()[0].clone();
        assert_eq!(
            promise.judge(&group, answered_at + bound, &world),
            Ok(Judged::Yes)
        );
        let late = answered_at + bound + Span::from_nanos(1);
        assert!(promise.judge(&group, late, &world).is_err());
        let alone = Group {
            hosts: vec![HostId(1)],
            quiet_since: Time::ZERO,
        };
        assert_eq!(promise.judge(&alone, late, &world), Ok(Judged::NotConcerned));
    }

    #[test]
    fn packets_read_back_and_rubbish_does_not() {
        for packet in [Packet::Question(7), Packet::Answer(u64::MAX)] {
            assert_eq!(Packet::decode(&packet.encode()), Some(packet));
        }
        assert_eq!(Packet::decode(b"?short"), None);
        assert_eq!(Packet::decode(&[b'x'; 9]), None);
    }
}
