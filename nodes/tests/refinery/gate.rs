//! Who is let in and who is not, packet by packet.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use crate::world::{Fault, RefineryWorld, brisk, cast};
use squall_nodes::HostId;
use squall_nodes::refinery::wire::WireError;
use squall_nodes::refinery::{
    Answer, Change, Config, Loss, Parting, RefineryFact, Refusal, Role, Standing, Trick,
};

const ESTABLISH: &[u8] =
    b"conn:establish;;{\"id\":\"x\",\"version\":\"1\",\"type\":\"t\",\"port\":\"7500\"}<EOF>";

/// Why the master closed the connections that it has closed.
fn refusals(world: &RefineryWorld, host: usize) -> Vec<Refusal> {
    let closed = world.facts_of(host).filter_map(|fact| match fact {
        RefineryFact::Closed { why, .. } => Some(*why),
        _ => None,
    });
    closed.collect()
}

#[test]
fn the_handshake_goes_as_the_source_has_it() {
    let mut world = brisk("Original", &cast(false, 0), 1, |_, _| ());
    let me = world.run(100).dial(0);
    world.run(20).say(me, ESTABLISH).run(20);
    assert_eq!(world.heard(me), "conn:startAuth;;{}<EOF>");
    world.say(me, b"auth:start;;{\"cert\":\"refinery\"}<EOF>").run(20);
    let granted = "conn:startAuth;;{}<EOF>auth:ack;;{\"upstream\":\"10.0.0.1:7500\"}<EOF>";
    assert_eq!(world.heard(me), granted);
    world.say(me, b"auth:ack;;{}<EOF>").run(500);
    assert!(
        world.heard(me).ends_with("conn:alive;;{}<EOF>"),
        "{}",
        world.heard(me)
    );
    world.say(me, b"conn:close;;{}<EOF>").run(20);
    assert!(world.strangers[me].is_over);
    assert_eq!(refusals(&world, 0), []);
    let registry = ["enlisted", "struck_off"];
    let story: Vec<&str> = world
        .story(0)
        .into_iter()
        .filter(|name| registry.contains(name))
        .collect();
    assert_eq!(story, registry);
}

#[test]
fn a_wrong_cert_is_declined_and_a_wrong_version_is_closed() {
    let mut world = brisk("Original", &cast(false, 0), 1, |_, _| ());
    let me = world.run(100).dial(0);
    world.run(20).say(me, ESTABLISH).run(20);
    world.say(me, b"auth:start;;{\"cert\":\"Refinery\"}<EOF>").run(20);
    assert_eq!(world.heard(me), "conn:startAuth;;{}<EOF>auth:dec;;{}<EOF>");
    // It is for the one who was declined to close; anything else is out of turn.
    world.say(me, b"auth:ack;;{}<EOF>").run(20);
    assert_eq!(refusals(&world, 0), [Refusal::Turn]);
    let other = world.dial(0);
    let old = String::from_utf8_lossy(ESTABLISH).replace("\"1\"", "\"0\"");
    world.run(20).say(other, old.as_bytes()).run(20);
    assert_eq!(world.heard(other), "conn:close;;{\"why\":\"version\"}<EOF>");
    assert_eq!(refusals(&world, 0), [Refusal::Turn, Refusal::Version]);
}

#[test]
fn packets_out_of_turn_and_commands_of_a_master_close_the_connection() {
    for rules in ["Original", "Hardened"] {
        for packets in [
            "auth:start;;{\"cert\":\"refinery\"}<EOF>",
            "auth:ack;;{}<EOF>",
            "conn:alive;;{}<EOF>",
            "conn:startAuth;;{}<EOF>",
            "auth:dec;;{}<EOF>",
            "auth:ack;;{\"upstream\":\"10.0.0.9:7500\"}<EOF>",
            "sync:gone;;{\"id\":\"n1\"}<EOF>",
            "ESTABLISHauth:ack;;{}<EOF>",
            "ESTABLISHconn:alive;;{}<EOF>",
            "ESTABLISHESTABLISH",
            "ESTABLISHauth:ack;;{\"upstream\":\"10.0.0.9:7500\"}<EOF>",
        ] {
            let packets = packets.replace("ESTABLISH", &String::from_utf8_lossy(ESTABLISH));
            let mut world = brisk(rules, &cast(false, 1), 1, |_, _| ());
            let me = world.run(1_000).dial(0);
            world.run(20).say(me, packets.as_bytes()).run(50);
            assert!(world.strangers[me].is_over, "{rules}: {packets}");
            assert_eq!(refusals(&world, 0), [Refusal::Turn], "{rules}: {packets}");
            world.run(1_000).assert_held();
        }
    }
}

#[test]
fn what_is_no_packet_closes_the_connection_with_what_it_is() {
    let long = "x".repeat(70_000);
    let deep = format!("conn:alive;;{{\"a\":{}", "[".repeat(60));
    let values = format!("conn:alive;;{{\"a\":[{}", "\"\",".repeat(1_300));
    for (bytes, why) in [
        ("rubbish<EOF>", WireError::Code),
        ("conn:establish;;{}<EOF>", WireError::Missing),
        ("conn:establish;;[]<EOF>", WireError::Payload),
        (&format!("{deep}<EOF>"), WireError::TooDeep),
        (&long, WireError::TooLong),
        // Before it is let in, a packet is too long before it has too many values.
        (&format!("{values}<EOF>"), WireError::Payload),
    ] {
        let mut world = brisk("Hardened", &cast(false, 1), 1, |_, _| ());
        let me = world.run(1_000).dial(0);
        world.run(20).say(me, bytes.as_bytes()).run(50);
        assert!(world.strangers[me].is_over);
        assert_eq!(refusals(&world, 0), [Refusal::Unreadable(why)]);
    }
}

#[test]
fn one_who_takes_too_long_is_closed_by_the_hardened_rules_alone() {
    for (rules, closed) in [("Hardened", vec![Refusal::Slow]), ("Original", Vec::new())] {
        let mut world = brisk(rules, &cast(false, 1), 1, |_, _| ());
        let me = world.run(1_000).dial(0);
        for byte in ESTABLISH {
            world.say(me, &[*byte]).run(100);
        }
        let heard = world
            .facts_of(0)
            .filter(|fact| matches!(fact, RefineryFact::Asked { .. }));
        // n1 has been asked as well.
        assert_eq!(heard.count(), if closed.is_empty() { 2 } else { 1 });
        assert_eq!(refusals(&world, 0), closed, "{rules}");
    }
}

#[test]
fn a_crowd_of_strangers_costs_a_node_its_connection_by_the_original_rules_alone() {
    for (rules, loses) in [("Original", true), ("Hardened", false)] {
        let mut hosts = cast(false, 2);
        hosts.push(("a", Role::Adversary(Trick::Flood)));
        let mut world = brisk(rules, &hosts, 1, |_, config| {
            config.connections = 50;
            config.adversary.connections = Some(500);
        });
        // It comes back when the crowd has taken its place.
        world.run(2_000).fault(Fault::Kill(2)).run(1_000);
        world.fault(Fault::Restart(2)).run(5_000);
        let breach = world.breach.as_ref().map(|(name, ..)| *name);
        assert_eq!(
            breach,
            loses.then_some("honest_stay"),
            "{rules}: {}",
            world.last_facts(20)
        );
    }
}

#[test]
fn a_replay_lets_an_adversary_in_by_the_original_rules_alone() {
    for (rules, is_in) in [("Original", true), ("Hardened", false)] {
        let mut hosts = cast(false, 2);
        hosts.push(("a", Role::Adversary(Trick::Replay)));
        let mut world = brisk(rules, &hosts, 1, |_, _| ());
        world.judge_only("strangers_stay_out").run(5_000);
        assert_eq!(world.story(3).contains(&"broke_in"), is_in, "{rules}");
        let breach = world.breach.as_ref().map(|(name, ..)| *name);
        assert_eq!(breach, is_in.then_some("strangers_stay_out"), "{rules}");
    }
}

#[test]
fn no_trick_gets_an_adversary_in_or_anyone_out() {
    use Trick::{Flood, OldVersion, OutOfTurn, Oversized, Replay, Slow, StolenId, WrongCert};
    for trick in [
        Flood, OldVersion, OutOfTurn, Oversized, Replay, Slow, StolenId, WrongCert,
    ] {
        let mut hosts = cast(true, 4);
        hosts.push(("a", Role::Adversary(trick)));
        let mut world = brisk("Hardened", &hosts, 3, |_, _| ());
        world.run(60_000).assert_held();
        assert!(!world.story(6).contains(&"broke_in"), "{trick:?}");
        let lost = world
            .facts
            .iter()
            .filter(|(_, _, fact)| matches!(fact, RefineryFact::Orphaned { .. }));
        assert_eq!(lost.count(), 0, "{trick:?}");
    }
}

#[test]
fn a_crowd_of_strangers_is_no_crowd_of_facts() {
    for rules in ["Original", "Hardened"] {
        let mut world = brisk(rules, &cast(false, 1), 1, |_, config| config.connections = 2_000);
        world.run(1_000);
        let before = world.facts_of(0).count();
        for round in 0..20 {
            let crowd: Vec<usize> = (0..64).map(|_| world.dial(0)).collect();
            world.run(20);
            for me in crowd {
                let says = match (round + me) % 3 {
                    0 => "no packet<EOF>",
                    1 => "conn:alive;;{}<EOF>",
                    _ => "ESTABLISHauth:start;;{\"cert\":\"no\"}<EOF>conn:alive;;{}<EOF>",
                };
                let says = says.replace("ESTABLISH", &String::from_utf8_lossy(ESTABLISH));
                world.say(me, says.as_bytes());
            }
            world.run(20);
        }
        assert!(world.strangers.iter().all(|stranger| stranger.is_over), "{rules}");
        let facts = world.facts_of(0).skip(before);
        let facts: Vec<String> = facts.map(|fact| format!("{fact:?}")).collect();
        // Asked, declined, and closed for two reasons: of each the first four of some 400 to 900, and the 8th to the 512th.
        let most = 4 * (4 + 7);
        assert!((4 * 8..=most).contains(&facts.len()), "{rules}: {facts:#?}");
        world.assert_held();
    }
}

#[test]
fn two_that_go_by_one_id_learn_of_it_and_come_ever_less_often() {
    let mut world = brisk("Hardened", &cast(true, 4), 1, |_, _| ());
    world.run(10_000);
    let before = [1, 2, 3].map(|host| world.facts_of(host).count());
    world.rename(4, "n4").run(60_000);
    let (master, why) = (world.addr(0), Loss::Closed(Parting::Replaced));
    let orphaned = RefineryFact::Orphaned { master, why };
    for twin in [4, 5] {
        let count = world.facts_of(twin).filter(|fact| **fact == orphaned).count();
        // They take turns, each from 400 to 800 ms after the other once they have come a few times. By the first back-off, of 50 to 100 ms, each
        // would come some 400 times.
        assert!((37..=80).contains(&count), "{count}");
    }
    // Nobody else hears of it.
    assert_eq!([1, 2, 3].map(|host| world.facts_of(host).count()), before);
    // When one of the two has gone, the other is in for good.
    world.fault(Fault::Kill(4)).run(10_000);
    assert_eq!(status(&mut world, 5), (Standing::Attached, Some(master)));
    let until = world.facts_of(5).count();
    world.run(20_000);
    assert_eq!(world.facts_of(5).count(), until);
}

#[test]
fn those_below_a_node_that_comes_back_at_another_address_go_there_with_it() {
    let mut world = brisk("Hardened", &cast(true, 7), 1, |_, _| ());
    world.run(10_000);
    let upstream = |world: &mut RefineryWorld, host| match world.status(host) {
        Answer::Status {
            standing, upstream, ..
        } => (standing, upstream),
    };
    let nodes = 2..9;
    let below_of = |world: &mut RefineryWorld, parent| -> Vec<usize> {
        let at = Some(world.addr(parent));
        let is_below = |host: &usize| upstream(world, *host) == (Standing::Attached, at);
        nodes.clone().filter(is_below).collect()
    };
    let found = nodes.clone().find_map(|parent| {
        let below = below_of(&mut world, parent);
        (!below.is_empty()).then_some((parent, below))
    });
    let (parent, below) = found.expect("seven nodes are not all below the master");
    let is_free = |host: &usize| *host != parent && !below.contains(host);
    let other = nodes
        .clone()
        .find(|host| is_free(host) && below_of(&mut world, *host).is_empty());
    let other = other.expect("somebody has nobody below it");
    // It comes again, as that one, which is still up and does not know of it.
    let id = world.world.name(HostId(parent as u32)).to_owned();
    world.rename(other, &id).run(300);
    world.fault(Fault::Kill(parent)).run(20_000);
    for host in below {
        let there = world.addr(other);
        assert_eq!(upstream(&mut world, host), (Standing::Attached, Some(there)));
    }
}

#[test]
fn who_has_not_let_a_node_in_cannot_tell_it_that_it_is_replaced() {
    let mut world = brisk("Hardened", &cast(true, 3), 1, |_, _| ());
    world.run(10_000).fault(Fault::Kill(0)).impersonate(0);
    for _ in 0..2_000 {
        let before = world.strangers.len();
        world.run(10);
        for stranger in before..world.strangers.len() {
            world.say(stranger, b"conn:close;;{\"why\":\"replaced\"}<EOF>");
        }
    }
    assert!(!world.strangers.is_empty());
    let standby = world.addr(1);
    assert_eq!(status(&mut world, 1), (Standing::Reigning, Some(standby)));
    for host in [2, 3, 4] {
        assert_eq!(status(&mut world, host), (Standing::Attached, Some(standby)));
    }
}

#[test]
fn a_standby_of_another_version_or_secret_says_so_and_reigns_only_when_the_master_is_gone() {
    type Other = fn(&mut Config);
    let others: [(Other, Loss); 2] = [
        (
            |config| config.version = "2".to_owned(),
            Loss::Closed(Parting::Version),
        ),
        (|config| config.secret = "another".into(), Loss::Declined),
    ];
    for (other, why) in others {
        let mut world = brisk("Hardened", &cast(true, 3), 1, |name, config| {
            if name == "s" {
                other(config);
            }
        });
        world.run(60_000);
        assert_eq!(status(&mut world, 0).0, Standing::Reigning, "{why:?}");
        assert_eq!(status(&mut world, 1).0, Standing::Seeking, "{why:?}");
        assert!(!world.story(1).contains(&"serving"), "{}", world.last_facts(40));
        let by = world.addr(0);
        let turned_away = RefineryFact::TurnedAway { by, why };
        assert!(world.facts_of(1).any(|fact| *fact == turned_away), "{why:?}");
        world.fault(Fault::Kill(0)).run(20_000);
        assert_eq!(status(&mut world, 1).0, Standing::Reigning, "{why:?}");
    }
}

/// A master, four nodes, and `n5`, which was given the address of `n1` for its master's, and what else is given.
fn astray(rules: &str, then: &[u8]) -> RefineryWorld {
    brisk(rules, &cast(false, 5), 1, |name, config| {
        if name == "n5" {
            let at = |host: u8| SocketAddrV4::new([10, 0, 0, host].into(), 7500);
            config.masters = [2].iter().chain(then).map(|host| at(*host)).collect();
        }
    })
}

/// What a host answers when it is asked how it stands, and for its master.
fn status(world: &mut RefineryWorld, host: usize) -> (Standing, Option<SocketAddrV4>) {
    let Answer::Status { standing, master, .. } = world.status(host);
    (standing, master)
}

#[test]
fn who_was_given_a_nodes_address_for_its_masters_is_told_that_it_is_none_by_the_hardened_rules_alone() {
    for (rules, breach) in [("Original", Some("registry_true")), ("Hardened", None)] {
        let mut world = astray(rules, &[]);
        world.run(60_000);
        assert_eq!(world.breach.as_ref().map(|(name, ..)| *name), breach, "{rules}");
        let to = world.addr(1);
        if breach.is_some() {
            assert_eq!(status(&mut world, 5), (Standing::Attached, Some(to)));
            continue;
        }
        assert_eq!(status(&mut world, 5), (Standing::Misdirected { to }, None));
        let said: BTreeSet<&str> = world.story(5).into_iter().collect();
        assert_eq!(said, BTreeSet::from(["started", "turned_away"]));
        let why = Loss::Closed(Parting::NoMaster);
        let turned_away = RefineryFact::TurnedAway { by: to, why };
        // It goes on by its back-off, of four tenths of a second at the least, and claims the 1st, 2nd, 4th, … time.
        let count = world.facts_of(5).filter(|fact| **fact == turned_away).count();
        assert_eq!(count, 7);
        let refused = refusals(&world, 1);
        assert!(refused.iter().all(|why| *why == Refusal::NoMaster), "{refused:?}");
        // What is closed of those who belong here is claimed each time.
        assert!(refused.len() > 50, "{refused:?}");
    }
}

#[test]
fn who_has_the_right_address_beside_a_wrong_one_joins_there() {
    let mut world = astray("Hardened", &[1]);
    world.run(60_000).assert_held();
    let master = world.addr(0);
    assert_eq!(status(&mut world, 5), (Standing::Attached, Some(master)));
    assert!(world.story(5).contains(&"turned_away"));
    // It is not in the way of the others, who have their places.
    let Answer::Status { below, .. } = world.status(0);
    assert_eq!(below.len(), 5);
}

#[test]
fn who_is_at_the_wrong_address_may_become_the_right_one() {
    let mut world = astray("Hardened", &[]);
    world.run(5_000).fault(Fault::Kill(1)).run(5_000);
    // Nobody is there by now, who could be no master.
    assert_eq!(status(&mut world, 5), (Standing::Seeking, None));
    world.impersonate(1).run(2_000);
    let impostor = world.strangers.len() - 1;
    world.say(
        impostor,
        b"conn:startAuth;;{\"nonce\":\"00000000000000000000000000000000\"}<EOF>",
    );
    world.run(20);
    world.say(
        impostor,
        b"auth:ack;;{\"upstream\":\"10.0.0.2:7500\",\"epoch\":\"2\"}<EOF>",
    );
    world.run(20);
    let to = world.addr(1);
    assert_eq!(status(&mut world, 5), (Standing::Attached, Some(to)));
}

#[test]
fn who_takes_its_upstream_for_a_master_keeps_it_for_an_upstream() {
    // A stranger who has the secret can show it where it is shown as it is.
    let mut world = brisk("Hardened", &cast(false, 5), 1, |_, config| {
        config.without = vec![Change::Prove];
        config.fan_out = 1;
    });
    world.judge_only("live_upstream").run(20_000);
    let (above, below) = (1..=5)
        .flat_map(|above| (1..=5).map(move |below| (above, below)))
        .find(|(above, below)| {
            let upstream = world.addr(*above);
            let Answer::Status { upstream: own, .. } = world.status(*below);
            own == Some(upstream)
        })
        .expect("one is below another");
    let me = world.dial(above);
    let says = String::from_utf8_lossy(ESTABLISH).replace("\"x\"", &format!("\"n{below}\""));
    world.run(20).say(me, says.as_bytes()).run(20);
    world.say(me, b"auth:start;;{\"cert\":\"refinery\"}<EOF>").run(20);
    assert!(
        world
            .heard(me)
            .ends_with("conn:close;;{\"why\":\"no master\"}<EOF>"),
        "{}",
        world.heard(me)
    );
    let detached = world.story(below).into_iter().filter(|name| *name == "detached");
    assert_eq!(detached.count(), 0);
    world.run(5_000).assert_held();
}

#[test]
fn a_master_or_standby_that_finds_a_node_where_the_other_should_be_says_so_and_one_reigns() {
    for (misled, host) in [("m", 0), ("s", 1)] {
        let mut world = brisk("Hardened", &cast(true, 3), 1, |name, config| {
            let at = |host: u8| SocketAddrV4::new([10, 0, 0, host].into(), 7500);
            if name == misled {
                let own = at(host as u8 + 1);
                config.masters = [own, at(3)].into();
            }
        });
        world.run(60_000).assert_held();
        let (master, by) = (world.addr(0), world.addr(2));
        assert_eq!(
            status(&mut world, 0),
            (Standing::Reigning, Some(master)),
            "{misled}"
        );
        assert_eq!(status(&mut world, 1), (Standing::Seeking, None), "{misled}");
        let why = Loss::Closed(Parting::NoMaster);
        let turned_away = RefineryFact::TurnedAway { by, why };
        let says_so = world.facts_of(host).any(|fact| *fact == turned_away);
        assert!(says_so, "{misled}");
    }
}

#[test]
fn a_standby_that_does_not_agree_with_its_master_on_who_is_the_other_reigns_only_when_that_is_gone() {
    // The one that is told of another than the other, who is nowhere.
    for (misled, host) in [("m", 0), ("s", 1)] {
        let mut world = brisk("Hardened", &cast(true, 3), 1, |name, config| {
            if name == misled {
                let at = |host: u8| SocketAddrV4::new([10, 0, 0, host].into(), 7500);
                config.masters = [at(host as u8 + 1), at(99)].into();
            }
        });
        world.run(60_000).assert_held();
        let master = world.addr(0);
        assert_eq!(
            status(&mut world, 0),
            (Standing::Reigning, Some(master)),
            "{misled}"
        );
        assert_eq!(status(&mut world, 1), (Standing::Seeking, None), "{misled}");
        // It has never reigned, and each time the one that was dialled has said why.
        assert!(
            !world.story(1).contains(&"serving"),
            "{misled}: {}",
            world.last_facts(40)
        );
        assert!(refusals(&world, host).contains(&Refusal::Unexpected), "{misled}");
        let why = Loss::Closed(Parting::Unexpected);
        let by = world.addr(host);
        let turned_away = RefineryFact::TurnedAway { by, why };
        let says_so = world.facts_of(1 - host).any(|fact| *fact == turned_away);
        assert!(says_so, "{misled}");
        world.fault(Fault::Kill(0)).run(60_000).assert_held();
        let standby = world.addr(1);
        assert_eq!(
            status(&mut world, 1),
            (Standing::Reigning, Some(standby)),
            "{misled}"
        );
    }
}
