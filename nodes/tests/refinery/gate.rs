//! Who is let in and who is not, packet by packet.

use crate::world::{Fault, RefineryWorld, brisk, cast};
use squall_nodes::refinery::wire::WireError;
use squall_nodes::refinery::{RefineryFact, Refusal, Role, Trick};

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
    assert_eq!(world.heard(other), "conn:close;;{}<EOF>");
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
