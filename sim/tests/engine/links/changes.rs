//! Layers that change the laws of links, and what they leave behind.

use super::*;

#[test]
fn a_change_of_links_lasts_until_it_is_healed_and_counts_what_crosses_them() {
    let slow = || {
        let change = LinkChange {
            latency: Some(Latency::Constant(ms(200))),
            ..LinkChange::default()
        };
        changed(&[A, B], &[A, B], change)
    };
    let story = plan()
        .host("a", beat(&[B, C], ms(10), ms(10)))
        .host("b", [])
        .host("c", [])
        .at(ms(15), Fault::Lay(slow()))
        .at(ms(35), Fault::Heal(slow()))
        .at(ms(36), Fault::Heal(slow()))
        .limit(ms(300))
        .trace(1);
    let when = |nth: usize| {
        story
            .heard(B)
            .iter()
            .find(|(_, says)| *says == (2 * nth).to_string())
            .unwrap()
            .0
    };
    assert_eq!(
        [when(0), when(1), when(2), when(3)],
        [ms(11), ms(220), ms(230), ms(41)]
    );
    assert!(
        story
            .heard(C)
            .iter()
            .all(|(when, _)| when.as_nanos() % ms(10).as_nanos() == ms(1).as_nanos())
    );
    assert_eq!(story.affected(), [2, 1, 0]);
    let beyond = |beyond: &[(HostId, HostId)]| Change::Links {
        beyond: beyond.to_vec(),
    };
    let straggled = Change::Straggled { from: A, to: B };
    assert_eq!(
        story.changes(),
        [
            (ms(15), beyond(&[(A, B), (B, A)])),
            (ms(35), beyond(&[])),
            (ms(220), straggled.clone()),
            (ms(230), straggled),
        ]
    );
}

#[test]
fn what_a_changed_link_kept_for_too_long_is_told_of_when_it_comes_though_the_link_is_healed() {
    let slower = |latency| {
        let latency = Some(Latency::Constant(latency));
        changed(
            &[A],
            &[B],
            LinkChange {
                latency,
                ..LinkChange::default()
            },
        )
    };
    let story = |latency| {
        plan()
            .host(
                "a",
                [start([Do::Arm(1, ms(5))]), on(On::Timer(1), [send(B, "late")])],
            )
            .host("b", [])
            .at(ms(1), Fault::Lay(slower(latency)))
            .at(ms(10), Fault::Heal(slower(latency)))
            .trace(1)
    };
    let late = story(ms(500));
    let straggled = Change::Straggled { from: A, to: B };
    assert_eq!(late.changes().last(), Some(&(ms(505), straggled)));
    assert_eq!(late.heard(B).len(), 1);
    // A hundred milliseconds are tolerated.
    assert_eq!(story(ms(100)).changes().len(), 2);
}
