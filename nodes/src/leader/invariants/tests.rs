//! Nodes that break a promise in a way that no change of the protocol's can be left out for: what is seen of them is made up here, and each
//! of them is caught.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::super::wire::Term;
use super::super::{Answer, Command, Config, LeaderFact, LeaderNode, MOST_OPEN, Role, Rules};
use super::all;
use crate::invariant::{Breach, Invariant};
use crate::node::{CallId, HostId};
use crate::protocol::{Placed, Setup, Tolerance};
use crate::seen::Seen;
use crate::time::{Span, Time};
use crate::world::{Links, Resident, World};

const P: HostId = HostId(0);
const S: HostId = HostId(1);

/// One promise, and a group of a peer `p` and a starter `s`, of which both know the list and `s` leads.
struct Judge {
    world: World,
    invariant: Box<dyn Invariant<LeaderNode>>,
    /// When everything has been quiet for long enough for any promise.
    late: Time,
    calls: u64,
}

impl Judge {
    fn of(name: &str, rules: Rules) -> Self {
        let host = |index: u32, name: &str, role| {
            let mut config = Config::profile("brisk", rules);
            config.address = Some(at(HostId(index)));
            if role == Role::Starter {
                config.others = [at(P)].into();
            }
            Placed {
                name: name.to_owned(),
                ip: *at(HostId(index)).ip(),
                role,
                config,
            }
        };
        let hosts = [host(0, "p", Role::Peer), host(1, "s", Role::Starter)];
        let setup = Setup {
            hosts: &hosts,
            rules: match rules {
                Rules::Original => "Original",
                Rules::Hardened => "Hardened",
            },
            streams: crate::stream::StreamLaw::default(),
            tolerated: Tolerance {
                loss: 0.0,
                latency: Span::from_millis(10),
            },
        };
        let residents = hosts.iter().map(|host| Resident {
            name: host.name.clone(),
            ip: host.ip,
            up: true,
            drift_ppm: 0,
        });
        let kind = all().into_iter().find(|kind| kind.name() == name);
        let built = kind.expect("it is promised").build("()", &setup);
        let mut judge = Judge {
            world: World::new(residents, Links::Tolerated),
            invariant: built.expect("no parameters are needed").invariant,
            late: Time::ZERO + Span::from_secs(100),
            calls: 0,
        };
        let term = Term {
            counter: 3,
            number: 2,
        };
        for (host, number) in [(P, 1), (S, 2)] {
            let connected = LeaderFact::Connected { number, nodes: 2 };
            judge
                .claim(Time::ZERO, host, connected)
                .expect("it is promised nothing else yet");
        }
        let leads = judge.claim(Time::ZERO, S, LeaderFact::Leading { term });
        let follows = judge.claim(
            Time::ZERO,
            P,
            LeaderFact::Following {
                term,
                leader: 2,
                address: "127.0.0.1:1".parse().unwrap(),
            },
        );
        leads.and(follows).expect("one leads and the other follows it");
        judge
    }

    /// Lets time pass, and then sees something.
    fn see(&mut self, time: Time, seen: &Seen<'_, LeaderNode>) -> Result<(), Breach> {
        self.pass(time)?;
        self.invariant.on_seen(time, seen, &self.world)
    }

    fn pass(&mut self, until: Time) -> Result<(), Breach> {
        while self.invariant.due() <= until {
            let due = self.invariant.due();
            self.invariant.on_due(due, &self.world)?;
            if self.invariant.due() <= due {
                break;
            }
        }
        Ok(())
    }

    fn claim(&mut self, time: Time, host: HostId, fact: LeaderFact) -> Result<(), Breach> {
        let (incarnation, fact) = (0, &fact);
        self.see(
            time,
            &Seen::Fact {
                host,
                incarnation,
                fact,
            },
        )
    }

    fn ask(&mut self, time: Time, host: HostId, command: &Command) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        self.see(time, &Seen::Call { host, call, command })
            .expect("to be asked breaks nothing");
        call
    }

    fn answer(&mut self, time: Time, host: HostId, call: CallId, answer: &Answer) -> Result<(), Breach> {
        self.see(time, &Seen::Answer { host, call, answer })
    }
}

fn at(host: HostId) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(0x0a00_0001 + host.0), 7500)
}

fn hello() -> Command {
    Command::Chat("hello".to_owned())
}

fn said(number: u64) -> LeaderFact {
    LeaderFact::Said {
        life: 7,
        number,
        text: "hello".to_owned(),
    }
}

#[track_caller]
fn assert_breaks(outcome: Result<(), Breach>, what: &str) {
    let detail = outcome.expect_err("the promise is broken").detail;
    assert!(detail.contains(what), "{detail}");
}

#[test]
fn a_node_that_swallows_what_it_is_asked_to_say_breaks_chat_reaches_all() {
    let mut judge = Judge::of("chat_reaches_all", Rules::Hardened);
    let late = judge.late;
    judge.ask(late, P, &hello());
    assert_breaks(
        judge.pass(late + Span::from_secs(100)),
        "was neither said nor refused",
    );
}

#[test]
fn a_node_that_answers_that_it_is_said_and_says_nothing_breaks_chat_reaches_all() {
    let mut judge = Judge::of("chat_reaches_all", Rules::Hardened);
    let late = judge.late;
    let call = judge.ask(late, P, &hello());
    assert!(judge.answer(late, P, call, &Answer::Said { number: 1 }).is_ok());
    assert_breaks(judge.pass(late + Span::from_secs(100)), "though it was answered");
}

#[test]
fn a_node_that_says_that_it_is_alone_when_it_is_not_breaks_chat_reaches_all() {
    for answer in [Answer::Alone, Answer::Busy, Answer::TooLong] {
        let mut judge = Judge::of("chat_reaches_all", Rules::Hardened);
        // It may have been, at first.
        let early = judge.ask(Time::ZERO, P, &hello());
        assert!(judge.answer(Time::ZERO, P, early, &answer).is_ok());
        let late = judge.late;
        assert!(judge.pass(late).is_ok());
        let call = judge.ask(late, P, &hello());
        assert!(judge.answer(late, P, call, &answer).is_ok());
        assert_breaks(judge.pass(late + Span::from_secs(10)), "was refused");
    }
}

#[test]
fn what_is_said_and_heard_by_everyone_keeps_chat_reaches_all() {
    let mut judge = Judge::of("chat_reaches_all", Rules::Hardened);
    let late = judge.late;
    let call = judge.ask(late, P, &hello());
    assert!(judge.claim(late, P, said(1)).is_ok());
    assert!(judge.answer(late, P, call, &Answer::Said { number: 1 }).is_ok());
    let heard = LeaderFact::Chat {
        from: at(P),
        name: "p".to_owned(),
        life: 7,
        number: 1,
        text: "hello".to_owned(),
    };
    assert!(judge.claim(late, S, heard).is_ok());
    let long = judge.ask(late, P, &Command::Chat("x".repeat(2_000)));
    assert!(judge.answer(late, P, long, &Answer::TooLong).is_ok());
    assert!(judge.pass(late + Span::from_secs(200)).is_ok());
    assert!(judge.invariant.judged() > 0);
}

#[test]
fn a_node_that_says_it_is_busy_when_it_is_not_breaks_calls_answered() {
    let calc = Command::Calc("1+1".to_owned());
    let mut judge = Judge::of("calls_answered", Rules::Hardened);
    // It may have been, at first.
    let early = judge.ask(Time::ZERO, P, &calc);
    assert!(judge.answer(Time::ZERO, P, early, &Answer::Busy).is_ok());
    let late = judge.late;
    assert!(judge.pass(late).is_ok());
    // It is, with as many open as it may have; not with one less.
    for _ in 0..MOST_OPEN - 1 {
        judge.ask(late, P, &calc);
    }
    let refused = judge.ask(late, P, &calc);
    assert_breaks(
        judge.answer(late, P, refused, &Answer::Busy),
        "too much being open",
    );
    let mut judge = Judge::of("calls_answered", Rules::Hardened);
    for _ in 0..MOST_OPEN {
        judge.ask(late, P, &calc);
    }
    let refused = judge.ask(late, P, &calc);
    assert!(judge.answer(late, P, refused, &Answer::Busy).is_ok());
    assert!(judge.pass(late + Span::from_secs(1)).is_ok());
}

#[test]
fn a_node_that_says_that_nobody_leads_breaks_answered_once_by_the_rules_by_which_a_request_waits() {
    let calc = Command::Calc("1+1".to_owned());
    for (rules, breaks) in [(Rules::Original, false), (Rules::Hardened, true)] {
        let mut judge = Judge::of("answered_once", rules);
        let call = judge.ask(Time::ZERO, P, &calc);
        let answered = judge.answer(Time::ZERO, P, call, &Answer::NoLeader);
        assert_eq!(answered.is_err(), breaks, "{rules:?}");
    }
}

#[test]
fn a_node_that_refuses_what_is_not_too_long_breaks_answered_once() {
    let mut judge = Judge::of("answered_once", Rules::Hardened);
    let call = judge.ask(Time::ZERO, P, &hello());
    assert!(judge.answer(Time::ZERO, P, call, &Answer::TooLong).is_err());
    let call = judge.ask(Time::ZERO, P, &Command::Chat("x".repeat(2_000)));
    assert!(
        judge
            .answer(Time::ZERO, P, call, &Answer::Said { number: 1 })
            .is_err()
    );
}

#[test]
fn a_node_that_gives_an_answer_of_a_term_below_what_it_has_seen_breaks_terms_grow() {
    let answer = |counter| Answer::Calculated {
        outcome: Ok("2".to_owned()),
        term: Some(Term { counter, number: 2 }),
    };
    let mut judge = Judge::of("terms_grow", Rules::Hardened);
    let calc = Command::Calc("1+1".to_owned());
    let call = judge.ask(Time::ZERO, P, &calc);
    assert!(judge.answer(Time::ZERO, P, call, &answer(3)).is_ok());
    let call = judge.ask(Time::ZERO, P, &calc);
    assert_breaks(judge.answer(Time::ZERO, P, call, &answer(2)), "answered with");
}
