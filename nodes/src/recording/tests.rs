//! Whatever a node is told comes back as it was; whatever it asks for leaves other marks than anything else.

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::node::{CallId, Closed, ConnId, Node, StreamEvent, Timer, Token};
use crate::outbox::{Ids, Outbox};
use crate::rng::NodeRng;

/// A node that is never booted: only what it is told and asks for counts.
#[derive(Clone)]
struct Nobody;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Alarm(u64);

impl Timer for Alarm {
    fn code(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    Stop,
    Say(String),
    Set { key: u32, to: Option<Vec<i64>> },
    Told(Described),
}

/// Its form says of itself what it is, which compact forms cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Described {
    Open { door: u8 },
    Shut,
}

crate::facts! {
    /// What nobody claims.
    enum Claimed {
        /// One thing.
        "one" => One { of: u8 },
        /// Or another.
        "other" => Other { of: u8 },
    }
}

impl Node for Nobody {
    type Role = ();
    type Config = ();
    type Command = Order;
    type Answer = Order;
    type Timer = Alarm;
    type Fact = Claimed;

    fn boot(_: &(), _: &(), _: Option<&[u8]>, _: NodeRng) -> Self {
        Nobody
    }

    fn handle(&mut self, _: Time, _: Input<'_, Self>, _: &mut Outbox<Self>) {}
}

/// An input that owns what it has.
#[derive(Clone, Debug)]
enum Owned {
    Start,
    Datagram(SocketAddrV4, SocketAddrV4, Vec<u8>),
    Bytes(u64, Vec<u8>),
    Event(u64, StreamEvent<'static>),
    Timer(u64),
    Command(u64, Order),
    Persisted(u64),
    PersistFailed(u64),
}

impl Owned {
    fn lend(&self) -> Input<'_, Nobody> {
        match self {
            Owned::Start => Input::Start,
            Owned::Datagram(on, from, bytes) => Input::Datagram {
                on: *on,
                from: *from,
                bytes,
            },
            Owned::Bytes(conn, bytes) => Input::Stream {
                conn: ConnId(*conn),
                event: StreamEvent::Bytes(bytes),
            },
            Owned::Event(conn, event) => Input::Stream {
                conn: ConnId(*conn),
                event: *event,
            },
            Owned::Timer(code) => Input::Timer(Alarm(*code)),
            Owned::Command(call, command) => Input::Command {
                call: CallId(*call),
                command,
            },
            Owned::Persisted(token) => Input::Persisted(Token(*token)),
            Owned::PersistFailed(token) => Input::PersistFailed(Token(*token)),
        }
    }
}

fn address() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Stop),
        ".{0,20}".prop_map(Order::Say),
        (any::<u32>(), any::<Option<Vec<i64>>>()).prop_map(|(key, to)| Order::Set { key, to }),
        any::<u8>().prop_map(|door| Order::Told(Described::Open { door })),
        Just(Order::Told(Described::Shut)),
    ]
}

fn event() -> impl Strategy<Value = StreamEvent<'static>> {
    prop_oneof![
        Just(StreamEvent::Opened),
        (any::<u16>(), address()).prop_map(|(port, from)| StreamEvent::Accepted { port, from }),
        Just(StreamEvent::Blocked),
        Just(StreamEvent::Writable),
        Just(StreamEvent::Closed(Closed::Refused)),
        Just(StreamEvent::Closed(Closed::Reset)),
        Just(StreamEvent::Closed(Closed::TimedOut)),
        Just(StreamEvent::Closed(Closed::Orderly)),
    ]
}

fn input() -> impl Strategy<Value = Owned> {
    prop_oneof![
        Just(Owned::Start),
        (address(), address(), vec(any::<u8>(), 0..300))
            .prop_map(|(on, from, b)| Owned::Datagram(on, from, b)),
        (any::<u64>(), vec(any::<u8>(), 0..300)).prop_map(|(conn, bytes)| Owned::Bytes(conn, bytes)),
        (any::<u64>(), event()).prop_map(|(conn, event)| Owned::Event(conn, event)),
        any::<u64>().prop_map(Owned::Timer),
        (any::<u64>(), order()).prop_map(|(call, order)| Owned::Command(call, order)),
        any::<u64>().prop_map(Owned::Persisted),
        any::<u64>().prop_map(Owned::PersistFailed),
    ]
}

/// An effect that owns what it has. There are few values of each, so that two lists of them are often alike.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Bind(u16),
    Listen(u16),
    Send(u16, SocketAddrV4, Vec<u8>),
    Multicast(u16, SocketAddrV4, Vec<u8>),
    Join(SocketAddrV4),
    Leave(SocketAddrV4),
    Dial(SocketAddrV4),
    Write(u64, Vec<u8>),
    PauseReading(u64),
    ResumeReading(u64),
    Close(u64),
    Arm(u64, u64),
    Disarm(u64),
    Persist(Vec<u8>),
    Claim(Claimed),
    Answer(u64, Order),
}

fn asked() -> impl Strategy<Value = Asked> {
    let number = || prop_oneof![Just(0u64), Just(1), Just(127), Just(128), Just(u64::MAX)];
    let port = || prop_oneof![Just(0u16), Just(128), Just(u16::MAX)];
    let at = || (0u32..2, 0u16..2).prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port));
    let bytes = || vec(0u8..3, 0..3);
    let fact = prop_oneof![
        (0u8..2).prop_map(|of| Claimed::One { of }),
        (0u8..2).prop_map(|of| Claimed::Other { of })
    ];
    let orders = prop_oneof![
        Just(Order::Stop),
        (0u8..2).prop_map(|door| Order::Told(Described::Open { door }))
    ];
    prop_oneof![
        port().prop_map(Asked::Bind),
        port().prop_map(Asked::Listen),
        (port(), at(), bytes()).prop_map(|(port, to, bytes)| Asked::Send(port, to, bytes)),
        (port(), at(), bytes()).prop_map(|(port, to, bytes)| Asked::Multicast(port, to, bytes)),
        at().prop_map(Asked::Join),
        at().prop_map(Asked::Leave),
        at().prop_map(Asked::Dial),
        (number(), bytes()).prop_map(|(conn, bytes)| Asked::Write(conn, bytes)),
        number().prop_map(Asked::PauseReading),
        number().prop_map(Asked::ResumeReading),
        number().prop_map(Asked::Close),
        (number(), number()).prop_map(|(timer, at)| Asked::Arm(timer, at)),
        number().prop_map(Asked::Disarm),
        bytes().prop_map(Asked::Persist),
        fact.prop_map(Asked::Claim),
        (number(), orders).prop_map(|(call, order)| Asked::Answer(call, order)),
    ]
}

/// An outbox in which all this was asked for.
fn filled(all: &[Asked]) -> Outbox<Nobody> {
    let mut out = Outbox::new();
    out.begin(Ids::default());
    for one in all.iter().cloned() {
        match one {
            Asked::Bind(port) => out.bind(port),
            Asked::Listen(port) => out.listen(port),
            Asked::Send(port, to, bytes) => {
                let payload = out.payload(&bytes);
                out.send(port, to, payload);
            }
            Asked::Multicast(port, group, bytes) => {
                let payload = out.payload(&bytes);
                out.multicast(port, group, payload);
            }
            Asked::Join(group) => out.join(group),
            Asked::Leave(group) => out.leave(group),
            Asked::Dial(to) => {
                out.dial(to);
            }
            Asked::Write(conn, bytes) => {
                let payload = out.payload(&bytes);
                out.write(ConnId(conn), payload);
            }
            Asked::PauseReading(conn) => out.pause_reading(ConnId(conn)),
            Asked::ResumeReading(conn) => out.resume_reading(ConnId(conn)),
            Asked::Close(conn) => out.close(ConnId(conn)),
            Asked::Arm(timer, at) => out.arm(Alarm(timer), Time::from_nanos(at)),
            Asked::Disarm(timer) => out.disarm(Alarm(timer)),
            Asked::Persist(bytes) => {
                out.persist(&bytes);
            }
            Asked::Claim(fact) => out.claim(fact),
            Asked::Answer(call, order) => out.answer(CallId(call), order),
        }
    }
    out
}

/// The bytes of an entry.
fn entry(now: u64, input: &Input<'_, Nobody>, asked: &[Asked]) -> Vec<u8> {
    let mut bytes = vec![0xee; 3];
    Entry::told(Time::from_nanos(now), input, &mut bytes);
    Entry::handled(&filled(asked).effects(), 3, &mut Vec::new(), &mut bytes);
    bytes.split_off(3)
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_written(now: u64, input in input(), all in vec(asked(), 0..8)) {
        let bytes = entry(now, &input.lend(), &all);
        let Ok(Entry::Handled { now: at, told, marks }) = Entry::<Nobody>::decode(&bytes) else {
            return Err(TestCaseError::fail("it is not read"));
        };
        let mut command = None;
        let back = told.input(|code| Some(Alarm(code)), &mut command).expect("every timer is known");
        prop_assert_eq!(at, Time::from_nanos(now));
        prop_assert_eq!(format!("{back:?}"), format!("{:?}", input.lend()));
        let mut out = filled(&all);
        prop_assert_eq!(marks, super::marks::of(&out.effects(), &mut Vec::new()));
    }

    #[test]
    fn no_beginning_of_an_entry_is_one_and_nothing_may_follow(input in input(), all in vec(asked(), 0..4)) {
        let mut bytes = entry(7, &input.lend(), &all);
        for end in 0..bytes.len() {
            prop_assert!(Entry::<Nobody>::decode(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
        }
        bytes.push(0);
        prop_assert_eq!(Entry::<Nobody>::decode(&bytes).err(), Some(Unreadable::LeftOver(1)));
    }

    #[test]
    fn effects_have_the_same_bytes_only_if_they_are_the_same(one in vec(asked(), 0..3), other in vec(asked(), 0..3)) {
        let [a, b] = [&one, &other].map(|all| entry(7, &Input::Start, all));
        prop_assert_eq!(a == b, one == other);
    }

    #[test]
    fn one_effect_in_place_of_another_shows(all in vec(asked(), 1..6), place: proptest::sample::Index, other in asked()) {
        let mut changed = all.clone();
        let place = place.index(all.len());
        changed[place] = other;
        let [a, b] = [&all, &changed].map(|all| super::marks::of(&filled(all).effects(), &mut Vec::new()));
        // A connection or a write more or less gives those after it other numbers.
        let first = (0..all.len()).find(|at| a[*at] != b[*at]);
        prop_assert_eq!(first, (all != changed).then_some(place));
    }

    #[test]
    fn any_bytes_are_an_entry_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Entry::<Nobody>::decode(&bytes);
        let _ = unpack::<Order>(&bytes);
    }

    #[test]
    fn to_look_at_effects_takes_none(all in vec(asked(), 0..8)) {
        let mut out = filled(&all);
        let effects = out.effects();
        prop_assert_eq!(effects.len(), all.len());
        prop_assert_eq!(effects.look().count(), all.len());
        prop_assert_eq!(effects.count(), all.len());
    }

    #[test]
    fn data_is_unpacked_as_it_was_packed(order in order()) {
        let mut bytes = Vec::new();
        pack(&order, &mut bytes);
        prop_assert_eq!(unpack::<Order>(&bytes), Ok(order));
    }
}

#[test]
fn a_number_of_effects_that_cannot_be_sets_nothing_aside() {
    let mut bytes = Vec::new();
    Entry::<Nobody>::told(Time::ZERO, &Input::Start, &mut bytes);
    bytes[0] = HANDLED;
    put_number(u64::MAX / 2, &mut bytes);
    assert_eq!(Entry::<Nobody>::decode(&bytes).err(), Some(Unreadable::CutShort));
}

#[test]
fn a_number_that_is_too_large_is_refused() {
    let mut bytes = vec![STOPPED];
    bytes.extend([0xff; 9]);
    bytes.push(0x01);
    assert!(matches!(
        Entry::<Nobody>::decode(&bytes),
        Ok(Entry::Stopped { at: Time::MAX })
    ));
    bytes[10] = 0x02;
    assert_eq!(
        Entry::<Nobody>::decode(&bytes).err(),
        Some(Unreadable::OutOfRange)
    );
}

#[test]
fn how_a_recording_ends_is_read_back() {
    let mut bytes = Vec::new();
    stopped(Time::from_nanos(300), &mut bytes);
    let ends = Entry::<Nobody>::decode(&bytes);
    assert!(matches!(ends, Ok(Entry::Stopped { at }) if at == Time::from_nanos(300)));
    let bytes = full(77);
    let ends = Entry::<Nobody>::decode(&bytes);
    assert!(matches!(ends, Ok(Entry::Full { entries: 77 })));
    let mut bytes = Vec::new();
    Entry::<Nobody>::told(Time::from_nanos(5), &Input::Persisted(Token(3)), &mut bytes);
    let ends = Entry::<Nobody>::decode(&bytes);
    assert!(matches!(
        ends,
        Ok(Entry::Panicked {
            told: Told::Persisted(Token(3)),
            ..
        })
    ));
}
