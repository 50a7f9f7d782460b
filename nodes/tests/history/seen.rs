//! What is seen of replicas, told by hand: what the promises of the counter say of it, and what a history has of it.

use std::net::Ipv4Addr;

use squall_nodes::counter::{Answer, Command, Config, Counter, CounterNode, Role};
use squall_nodes::history::{Client, Collector, History, Room};
use squall_nodes::{
    Breach, CallId, Change, ConfigOf, Crash, HostId, Invariant, Links, Placed, Protocol, Resident, Seen,
    Setup, Span, Time, Tolerance, World, stream::StreamLaw,
};

const A: HostId = HostId(0);
const B: HostId = HostId(1);
const C: HostId = HostId(2);

/// Three replicas, and one of their promises.
struct Told {
    world: World,
    promise: Box<dyn Invariant<CounterNode>>,
    now: Time,
}

impl Told {
    fn to(promise: &str) -> Self {
        let place = |(number, name): (u8, &str)| {
            let config: ConfigOf<Counter> = Counter::config("default", "Quorum");
            let (name, ip, role) = (name.to_owned(), Ipv4Addr::new(10, 0, 0, number), Role::Replica);
            Placed {
                name,
                ip,
                role,
                config: Config { ..config },
            }
        };
        let mut hosts: Vec<_> = (1..).zip(["a", "b", "c"]).map(place).collect();
        Counter::assemble(&mut hosts).expect("three replicas are a cluster");
        let tolerated = Tolerance {
            loss: 0.0,
            latency: Span::from_millis(1),
        };
        let setup = Setup {
            hosts: &hosts,
            rules: "Quorum",
            tolerated,
            streams: StreamLaw::default(),
        };
        let kinds = Counter::invariants();
        let kind = kinds
            .iter()
            .find(|kind| kind.name() == promise)
            .expect("there is such a promise");
        let promise = kind
            .build("()", &setup)
            .expect("no parameters are needed")
            .invariant;
        let residents = hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let world = World::new(residents, Links::Tolerated);
        Told {
            world,
            promise,
            now: Time::ZERO,
        }
    }

    fn see(&mut self, seen: &Seen<'_, CounterNode>) -> Result<(), Breach> {
        self.now += Span::from_millis(1);
        if let Seen::World(change) = seen {
            self.world.apply(self.now, change);
        }
        self.promise.on_seen(self.now, seen, &self.world)
    }

    fn call(&mut self, host: HostId, call: u64, command: Command) -> Result<(), Breach> {
        let (call, command) = (CallId(call), &command);
        self.see(&Seen::Call { host, call, command })
    }

    fn answer(&mut self, host: HostId, call: u64, value: i64) -> Result<(), Breach> {
        let (call, answer) = (CallId(call), &Answer::Value(value));
        self.see(&Seen::Answer { host, call, answer })
    }

    fn down(&mut self, host: HostId) -> Result<(), Breach> {
        self.see(&Seen::World(&Change::Down {
            host,
            how: Crash::Kill,
        }))
    }
}

#[test]
fn a_stale_read_is_told_with_what_could_have_been_read() {
    let mut told = Told::to("linearizable");
    told.call(A, 1, Command::Add(1)).unwrap();
    told.answer(A, 1, 1).unwrap();
    told.call(B, 2, Command::Add(5)).unwrap();
    told.call(C, 3, Command::Read).unwrap();
    let breach = told.answer(C, 3, 0).unwrap_err();
    assert_eq!(
        breach.detail,
        "at c, call 3 (`Read`) came back with `Value(0)`, which no order of the 3 calls gives: without it there could be `1` or `6` by \
         then, call 2 being without an answer, whether it had had effect or not"
    );
    assert_eq!(breach.hosts, [C, B]);
}

#[test]
fn a_call_whose_host_goes_down_may_have_effect_once_and_at_any_later_time() {
    let mut told = Told::to("linearizable");
    told.call(A, 1, Command::Add(5)).unwrap();
    told.down(A).unwrap();
    for (call, value) in [(2, 0), (3, 5)] {
        told.call(B, call, Command::Read).unwrap();
        told.answer(B, call, value).unwrap();
    }
    assert_eq!(told.promise.judged(), 2);
    told.call(B, 4, Command::Read).unwrap();
    assert!(told.answer(B, 4, 10).is_err(), "it has had effect twice");
}

#[test]
fn a_second_answer_one_by_another_and_one_that_nobody_asked_for_are_breaches() {
    let told = || {
        let mut told = Told::to("answered_once");
        told.call(A, 1, Command::Read).unwrap();
        told
    };
    let mut twice = told();
    twice.answer(A, 1, 0).unwrap();
    assert_eq!(
        twice.answer(A, 1, 0).unwrap_err().detail,
        "a answered call 1 again, with `Value(0)`"
    );
    assert!(
        told()
            .answer(B, 1, 0)
            .unwrap_err()
            .detail
            .ends_with("which was made to a")
    );
    assert!(
        told()
            .answer(A, 2, 0)
            .unwrap_err()
            .detail
            .ends_with("nobody has made that call")
    );
    let mut wrong = told();
    wrong.call(A, 2, Command::Status).unwrap();
    assert!(
        wrong
            .answer(A, 2, 0)
            .unwrap_err()
            .detail
            .ends_with("and not with a status")
    );
}

#[test]
fn a_call_without_an_answer_is_a_breach_in_quiet_unless_its_host_went_down() {
    let late = Time::ZERO + Span::from_secs(3_600);
    let mut told = Told::to("calls_answered");
    told.call(A, 1, Command::Read).unwrap();
    let breach = told.promise.on_due(late, &told.world).unwrap_err();
    assert!(
        breach
            .detail
            .starts_with("call 1 (`Read`) of a has had no answer for"),
        "{}",
        breach.detail
    );
    let mut told = Told::to("calls_answered");
    told.call(A, 1, Command::Read).unwrap();
    told.down(A).unwrap();
    told.promise.on_due(late, &told.world).unwrap();
    assert_eq!(told.promise.judged(), 0);
    told.call(B, 2, Command::Read).unwrap();
    told.answer(B, 2, 0).unwrap();
    told.promise.on_due(late, &told.world).unwrap();
    assert_eq!(told.promise.judged(), 1);
}

#[test]
fn a_history_has_what_was_asked_and_answered_until_there_is_no_more_room() {
    let room = Room {
        entries: 2,
        ..Room::default()
    };
    let mut collector: Collector<CounterNode> =
        Collector::by_client(room, |host, _| Client(u64::from(host.0) + 10));
    let at = Time::from_nanos(5);
    let mut call = |host, call| {
        collector.see(
            at,
            &Seen::Call {
                host,
                call: CallId(call),
                command: &Command::Read,
            },
        )
    };
    call(A, 1);
    call(B, 2);
    let answer = &Answer::Value(3);
    collector.see(
        at,
        &Seen::Answer {
            host: A,
            call: CallId(1),
            answer,
        },
    );
    collector.see(
        at,
        &Seen::Answer {
            host: A,
            call: CallId(7),
            answer,
        },
    );
    collector.see(
        at,
        &Seen::World(&Change::Down {
            host: B,
            how: Crash::Kill,
        }),
    );
    collector.see(
        at,
        &Seen::Call {
            host: C,
            call: CallId(3),
            command: &Command::Read,
        },
    );
    collector.see(
        at,
        &Seen::Answer {
            host: A,
            call: CallId(1),
            answer,
        },
    );
    let history = collector.into_history();
    assert_eq!(
        (history.calls.len(), history.unasked, history.left_out),
        (2, 1, 2)
    );
    assert_eq!(
        (history.calls[0].client, history.calls[0].answers.len()),
        (Client(10), 1)
    );
    assert_eq!(
        (history.calls[0].lost, history.calls[1].lost.is_some()),
        (None, true)
    );
    let text = ron::to_string(&history).expect("it is plain data");
    let again: History<Command, Answer> = ron::from_str(&text).expect("it reads back");
    assert_eq!(again, history);
}
