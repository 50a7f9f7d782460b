//! Messages that somebody has made up. Nothing is promised against them, but that what they cost is bounded, and that the cluster is back
//! when they have stopped.

use std::net::SocketAddrV4;

use crate::world::{Fault, LeaderWorld, brisk};
use squall_nodes::leader::wire::{
    Chat, Choose, Heartbeat, LARGEST, Listed, Message, Nodes, Said, Term, WireError,
};
use squall_nodes::leader::{Answer, Command, LeaderFact, Standing};

/// Somebody misses the leader, and has seen this term.
fn choose(counter: u64, number: u32) -> Message {
    Message::Choose(Choose {
        from: SocketAddrV4::new([192, 0, 2, 1].into(), 7500),
        term: Some(Term { counter, number }),
    })
}

/// Everyone, as one of them is said to have it.
fn list(from: SocketAddrV4, nodes: &[SocketAddrV4], term: Term) -> Message {
    let listed = |(number, address): (u32, &SocketAddrV4)| Listed {
        number,
        address: *address,
    };
    Message::Nodes(Nodes {
        from,
        nodes: (1..).zip(nodes).map(listed).collect(),
        term: Some(term),
    })
}

/// What a host does, in which term, and in a list of how many.
fn standing(world: &mut LeaderWorld, host: usize) -> (Standing, Term, usize) {
    let call = world.ask_in(0, host, Command::Status);
    world.run(0);
    match world.answers_to(call)[..] {
        [
            Answer::Status {
                standing,
                term,
                nodes,
                ..
            },
        ] => (*standing, *term, nodes.len()),
        ref other => panic!("{other:?}"),
    }
}

fn leading(world: &LeaderWorld, host: usize) -> Vec<Term> {
    let terms = world.facts.iter().filter_map(|(_, by, fact)| match fact {
        LeaderFact::Leading { term } if by.index() == host => Some(*term),
        _ => None,
    });
    terms.collect()
}

/// One leads, all others follow it, and requests are answered.
#[track_caller]
fn assert_is_back(world: &mut LeaderWorld, leader: usize) {
    world.run(40_000);
    for host in 0..world.hosts() {
        let expected = if host == leader {
            Standing::Leading
        } else {
            Standing::Following
        };
        assert_eq!(standing(world, host).0, expected, "host {host}");
    }
    let call = world.ask_in(0, 0, Command::Calc("1+1".to_owned()));
    world.run(2_000);
    assert!(matches!(world.answers_to(call)[..], [Answer::Calculated { .. }]));
}

#[test]
fn however_many_terms_are_forged_a_leader_dials_everyone_once_an_interval() {
    let mut world = brisk("Hardened", 9, 1, |_| ());
    world.run(2_000);
    let before = world.dials[9];
    let (facts, own) = (world.facts.len(), leading(&world, 9).len());
    for nth in 0..1_000 {
        // Of its own number and of others, each above all before.
        world.forge_in(nth, 9, &choose(10 + 2 * nth, 1 + (nth % 10) as u32));
    }
    world.run(1_000);
    // Eleven heartbeats in a second, to nine others.
    let dialled = world.dials[9] - before;
    assert!(dialled <= 11 * 9, "{dialled} connections");
    let again = leading(&world, 9).len() - own;
    assert!((2..=11).contains(&again), "it has led anew {again} times");
    let told = world.facts[facts..].iter();
    let told = told.filter(|(_, by, fact)| by.index() == 9 && matches!(fact, LeaderFact::TermSeen { .. }));
    assert!((1..=11).contains(&told.count()));
    assert_is_back(&mut world, 9);
    world.assert_held();
}

#[test]
fn of_a_term_that_nobody_can_have_opened_no_more_is_believed_than_may_be() {
    let mut world = brisk("Hardened", 3, 1, |_| ());
    world.run(2_000);
    let before = standing(&mut world, 3);
    for (counter, number) in [(LARGEST, 5), (before.1.counter + 1, 5), (7, u32::MAX), (7, 0)] {
        for host in 0..4 {
            world.forge_in(0, host, &choose(counter, number));
        }
    }
    world.run(1_000);
    assert_eq!(standing(&mut world, 3), before);
    // Of one that is too far above no more is believed than may be, and everyone gets there.
    for number in [1, 4] {
        let far = standing(&mut world, 3).1.counter + (1 << 32);
        world.forge_in(0, 0, &choose(LARGEST, number));
        world.run(2_000);
        let expected = Term {
            counter: far + 1,
            number: 4,
        };
        assert_eq!(standing(&mut world, 3).1, expected);
        assert_is_back(&mut world, 3);
    }
    world.assert_held();
}

#[test]
fn where_terms_have_come_to_their_end_nobody_leads_in_one_that_was_there_before() {
    let mut world = brisk("Hardened", 2, 1, |_| ());
    world.run(2_000).fault(Fault::Kill(2)).run(10_000);
    let nodes = [world.address(0), world.address(1), world.address(2)];
    let seen = Term {
        counter: LARGEST,
        number: 3,
    };
    // As it is on a disk: a format byte, the list, the term, nothing that was had, and a checksum.
    let saved = (nodes.to_vec(), seen, Vec::<u8>::new());
    let mut disk = postcard::to_extend(&saved, vec![1]).expect("plain data");
    disk.extend_from_slice(&crc32c::crc32c(&disk).to_le_bytes());
    let own = leading(&world, 2).len();
    world.put_on_disk(2, disk).fault(Fault::Restart(2)).run(20_000);
    assert_eq!(leading(&world, 2).len(), own);
    assert_eq!(standing(&mut world, 2).1, seen);
    // It does not say that it leads, and is asked again and again.
    assert!(world.story(2).iter().filter(|fact| **fact == "chosen").count() > 3);
}

#[test]
fn heartbeats_that_are_forged_are_forgotten_when_they_stop() {
    let mut world = brisk("Hardened", 3, 1, |_| ());
    world.run(2_000);
    // In the leader's name, and in that of one who does not lead.
    for nth in 0..50 {
        for (host, by) in [(0, 3), (1, 3), (0, 2), (3, 2)] {
            let term = Some(Term {
                counter: 10 + nth,
                number: by as u32 + 1,
            });
            let from = world.address(by);
            world.forge_in(40 * nth, host, &Message::Heartbeat(Heartbeat { from, term }));
        }
    }
    world.run(2_000);
    assert_is_back(&mut world, 3);
    let terms = leading(&world, 3);
    assert!(terms.is_sorted_by(|one, next| one < next), "{terms:?}");
}

#[test]
fn lists_without_the_node_are_claimed_now_and_then_and_change_nothing() {
    let mut world = brisk("Hardened", 2, 1, |_| ());
    world.run(2_000);
    let stranger = SocketAddrV4::new([192, 0, 2, 1].into(), 7500);
    let term = Term {
        counter: 1,
        number: 1,
    };
    for nth in 0..100 {
        world.forge_in(nth, 0, &list(stranger, &[stranger], term));
    }
    world.run(1_000);
    let counts = world.facts.iter().filter_map(|(_, by, fact)| match fact {
        LeaderFact::NotListed { from, count } if by.index() == 0 && *from == stranger => Some(*count),
        _ => None,
    });
    assert_eq!(counts.collect::<Vec<u64>>(), [1, 2, 4, 8, 16, 32, 64]);
    assert_eq!(standing(&mut world, 0).2, 3);
    assert_is_back(&mut world, 2);
    world.assert_held();
}

/// Lists in the starter's name, that one of two and that one of three nodes is to go by; whoever believes one is on its own.
fn forge_lists(world: &mut LeaderWorld, starter: SocketAddrV4) {
    let nodes = [world.address(0), starter];
    let longer = [world.address(1), world.address(0), starter];
    for nth in 0..200 {
        let nodes = if nth % 2 == 0 { &nodes[..] } else { &longer[..] };
        let term = Term {
            counter: 2,
            number: nodes.len() as u32,
        };
        world.forge_in(nth, 0, &list(starter, nodes, term));
    }
}

fn is_told_of(world: &LeaderWorld, by: usize) -> usize {
    let stray = |fact: &LeaderFact| matches!(fact, LeaderFact::AnotherList { .. });
    let own = world.facts.iter().filter(|(_, host, _)| host.index() == by);
    own.filter(|(_, _, fact)| stray(fact)).count()
}

#[test]
fn another_list_that_is_forged_is_gone_when_its_starter_is_back() {
    let mut world = brisk("Hardened", 3, 1, |_| ());
    world.run(2_000).fault(Fault::Kill(3)).run(8_000);
    let starter = world.address(3);
    forge_lists(&mut world, starter);
    let before = world.dials[0];
    world.run(1_000);
    assert!(world.dials[0] - before < 50, "{}", world.dials[0] - before);
    assert_eq!(standing(&mut world, 0).2, 3);
    // Nobody but the starter is believed by who goes by a list of its, and the leader tells that it has seen another.
    world.run(10_000);
    assert_eq!(standing(&mut world, 0).2, 3);
    assert!(
        (1..=2).contains(&is_told_of(&world, 2)),
        "{}",
        is_told_of(&world, 2)
    );
    world.fault(Fault::Restart(3));
    assert_is_back(&mut world, 3);
    assert_eq!(standing(&mut world, 0).2, 4);
}

#[test]
fn another_list_that_is_forged_is_gone_when_its_starter_leads() {
    let mut world = brisk("Hardened", 3, 1, |_| ());
    world.run(2_000);
    let starter = world.address(3);
    forge_lists(&mut world, starter);
    let leads = leading(&world, 3).len();
    world.run(1_000);
    assert_eq!(standing(&mut world, 0).2, 4);
    // For a node of another list it opens no terms.
    assert!(leading(&world, 3).len() - leads <= 1);
    assert_is_back(&mut world, 3);
}

#[test]
fn a_list_of_another_starter_is_not_believed_by_who_follows_a_leader_and_gone_when_it_stops_otherwise() {
    let mut world = brisk("Hardened", 3, 1, |_| ());
    world.run(2_000);
    let stranger = SocketAddrV4::new([192, 0, 2, 1].into(), 7500);
    let nodes = [world.address(0), stranger];
    let term = Term {
        counter: 2,
        number: 2,
    };
    for nth in 0..100 {
        world.forge_in(10 * nth, 0, &list(stranger, &nodes, term));
    }
    world.run(1_000);
    assert_eq!(standing(&mut world, 0).2, 4);
    assert_is_back(&mut world, 3);
    world.assert_held();
    // Who has lost its disk believes the first that comes.
    world.fault(Fault::Kill(0)).fault(Fault::RestartWiped(0));
    for nth in 0..1_000 {
        world.forge_in(10 * nth, 0, &list(stranger, &nodes, term));
    }
    world.run(9_000);
    assert_eq!(standing(&mut world, 0).2, 2);
    assert_is_back(&mut world, 3);
    assert_eq!(standing(&mut world, 0).2, 4);
}

/// Somebody says something in the name of a node.
fn chat(from: SocketAddrV4, life: u64, session: u64) -> Message {
    Message::Chat(Chat {
        from,
        name: "p2".to_owned(),
        life,
        session: Some(session),
        said: vec![Said {
            number: 1,
            text: "it is me".to_owned(),
        }],
    })
}

#[test]
fn sessions_that_are_forged_cost_a_dial_a_retry_and_chat_works_again_when_they_stop() {
    for times in [1, 500] {
        let mut world = brisk("Hardened", 3, 1, |_| ());
        world.run(2_000);
        let (p1, p2) = (world.address(0), world.address(1));
        for nth in 0..times {
            world.forge_in(10 * nth, 0, &chat(p2, nth, LARGEST));
            world.forge_in(10 * nth, 1, &chat(p1, nth, LARGEST));
        }
        for host in [0, 1] {
            world.ask_in(200, host, Command::Chat(format!("hello from {host}")));
        }
        let before = [world.dials[0], world.dials[1]];
        world.run(5_000);
        for (host, before) in before.into_iter().enumerate() {
            // Five times a second to the one that does not hear it, and a few to the others.
            let dialled = world.dials[host] - before;
            assert!(dialled <= 5 * 5 + 5, "host {host} has dialled {dialled} times");
        }
        world.run(5_000);
        for (host, other) in [(0, 1), (1, 0)] {
            let words = format!("hello from {other}");
            let shown = world.facts.iter().filter(|(_, by, fact)| {
                by.index() == host && matches!(fact, LeaderFact::Chat { text, .. } if *text == words)
            });
            assert_eq!(shown.count(), 1, "to {host}, after {times}");
        }
        assert_is_back(&mut world, 3);
    }
}

#[test]
fn an_answer_to_what_was_sent_by_the_old_list_says_nothing_of_a_node_of_the_new() {
    let mut answered = 0;
    for offset in 0..200 {
        let mut world = brisk("Hardened", 3, 1, |_| ());
        world.run(2_000).fault(Fault::Kill(3)).run(8_000);
        // p3 leads, and tells p1, which has lost its disk, of the list. Meanwhile it is told of another, in which p2 has the place of p1.
        world.fault(Fault::Kill(0)).fault(Fault::RestartWiped(0));
        let nodes = [1, 0, 2, 3].map(|host| world.address(host));
        let (starter, since) = (world.address(3), world.facts.len());
        let term = Term {
            counter: 1,
            number: 4,
        };
        world.forge_in(offset, 2, &list(starter, &nodes, term));
        world.run(500);
        let (mut is_new, p2) = (false, world.address(1));
        for (_, by, fact) in &world.facts[since..] {
            is_new |= by.index() == 2 && matches!(fact, LeaderFact::Connected { .. });
            let tells = by.index() == 2 && matches!(fact, LeaderFact::Told { .. });
            assert!(
                !tells || *fact != LeaderFact::Told { node: p2 },
                "after {offset} ms p3 has told p2, which knew the list"
            );
        }
        answered += u32::from(is_new);
    }
    assert_eq!(answered, 200);
}

#[test]
fn a_hundred_megabytes_of_garbage_in_answers_come_to_nothing() {
    let mut world = brisk("Hardened", 2, 1, |_| ());
    world.run(2_000).fault(Fault::Kill(0));
    let mut garbage = br#"{"messagetype":""#.to_vec();
    garbage.resize(1 << 20, b'x');
    world.impersonate(0, &garbage);
    // A hundred and more heartbeats, each of which is answered with a megabyte.
    world.run(12_000);
    let long = world.facts.iter().filter_map(|(_, by, fact)| match fact {
        LeaderFact::Unreadable { kind, count, .. } if by.index() == 2 && *kind == WireError::TooLong => {
            Some(*count)
        }
        _ => None,
    });
    assert!(long.max() >= Some(64), "it has stopped answering");
    let call = world.ask_in(0, 1, Command::Calc("1+1".to_owned()));
    world.run(2_000);
    assert!(matches!(world.answers_to(call)[..], [Answer::Calculated { .. }]));
    assert_eq!(standing(&mut world, 2).0, Standing::Leading);
}
