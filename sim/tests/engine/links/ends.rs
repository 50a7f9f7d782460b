//! Which link a datagram crosses, and what goes nowhere.

use super::*;

#[test]
fn a_link_of_its_own_law_keeps_to_it_in_its_direction_only() {
    let story = plan()
        .host("a", beat(&[B, C], ms(1), ms(10)))
        .host("b", beat(&[A], ms(1), ms(10)))
        .host("c", [])
        .link(A, B, constant(ms(3)))
        .link(
            C,
            A,
            LinkLaw {
                loss: 1.0,
                ..constant(ms(1))
            },
        )
        .limit(ms(9))
        .trace(1);
    assert_eq!(story.heard(B), [(ms(4), "0".to_owned())]);
    assert_eq!(story.heard(A), [(ms(2), "0".to_owned())]);
    assert_eq!(story.heard(C), [(ms(2), "1".to_owned())]);
}

#[test]
fn hosts_in_zones_have_the_links_of_their_zones() {
    let ms_of = |millis| Arc::new(constant(ms(millis)));
    let story = plan()
        .host(
            "a",
            [start([
                send(A, "self"),
                send(B, "near"),
                send(C, "far"),
                send(D, "out"),
            ])],
        )
        .host("b", [])
        .host("c", [start([send(A, "back"), send(B, "own")])])
        .host("d", [])
        .zones(Zones {
            names: vec!["eu".to_owned(), "us".to_owned()],
            of: vec![Some(0), Some(0), Some(1), None],
            laws: vec![((0, 0), ms_of(2)), ((0, 1), ms_of(40)), ((1, 0), ms_of(50))],
        })
        .link(C, B, constant(ms(7)))
        .trace(1);
    assert_eq!(
        story.heard(A),
        [(ms(2), "self".to_owned()), (ms(50), "back".to_owned())]
    );
    assert_eq!(
        story.heard(B),
        [(ms(2), "near".to_owned()), (ms(7), "own".to_owned())]
    );
    assert_eq!(story.heard(C), [(ms(40), "far".to_owned())]);
    assert_eq!(story.heard(D), [(ms(1), "out".to_owned())]);
}

#[test]
fn what_is_sent_to_oneself_crosses_a_link_as_well() {
    let story = plan().host("a", [start([send(A, "note")])]).trace(1);
    assert_eq!(story.heard(A), [(ms(1), "note".to_owned())]);
}

#[test]
fn what_goes_nowhere_is_counted_as_to_nobody() {
    let mut elsewhere = place(B);
    elsewhere.set_ip("10.0.0.3".parse().unwrap());
    let mut closed = place(B);
    closed.set_port(PORT + 1);
    let ship = |bytes| Do::Ship { to: place(B), bytes };
    let story = plan()
        .host(
            "a",
            [start([
                Do::Send {
                    to: elsewhere,
                    says: "no such host".into(),
                },
                Do::Send {
                    to: closed,
                    says: "no such port".into(),
                },
                Do::SendFrom {
                    port: PORT + 1,
                    to: place(B),
                    says: "from no port".into(),
                },
                ship(65_507),
                ship(65_508),
            ])],
        )
        .host("b", [])
        .trace(1);
    assert_eq!(story.words(B), ["65507 bytes"]);
    let expected = Traffic {
        sent: 5,
        delivered: 1,
        to_nobody: 4,
        ..Traffic::default()
    };
    assert_eq!(story.outcome.traffic, expected);
}
