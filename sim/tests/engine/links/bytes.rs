//! What datagrams say: it comes as it was sent, however long it is, unless it is corrupted.

use super::*;

#[test]
fn a_long_payload_comes_as_it_was_sent_however_many_are_under_way() {
    let sizes: Vec<usize> = (0..300).map(|n| n * 7).collect();
    let ships: Vec<Do> = sizes
        .iter()
        .map(|bytes| Do::Ship {
            to: place(B),
            bytes: *bytes,
        })
        .collect();
    let story = plan()
        .host("a", [start([Do::Arm(1, ms(5))]), on(On::Timer(1), ships)])
        .host("b", [on(On::Datagram, [Do::Reply("got #".into())])])
        .trace(1);
    let expected: Vec<String> = sizes
        .iter()
        .map(|bytes| match bytes {
            100.. => format!("{bytes} bytes"),
            _ => ".".repeat(*bytes),
        })
        .collect();
    assert_eq!(story.words(B), expected);
    assert_eq!(story.words(A).len(), 300);
}

#[test]
fn what_is_corrupted_comes_with_another_byte_and_its_copy_as_it_was_sent() {
    let law = LinkLaw {
        corrupt: 1.0,
        duplicate: 0.5,
        ..constant(ms(1))
    };
    // Short ones lie in their events, long ones elsewhere; the two are alike but for that.
    for len in [1, 31, 32, 33, 1_000] {
        let story = ships(&[len; 40], law.clone()).trace(1);
        let traffic = story.outcome.traffic;
        assert_eq!(traffic.corrupted, 40);
        let twice = fates(&story)
            .iter()
            .filter(|fate| **fate == Fate::CorruptedAndDoubled)
            .count();
        assert!((1..40).contains(&twice) && twice as u64 == traffic.duplicated);
        let sent = hashes(&story, A)[0];
        let intact = hashes(&story, B).iter().filter(|hash| **hash == sent).count();
        assert_eq!(intact, twice, "of {len} bytes");
    }
    let empty = ships(&[0; 40], law).run(1).traffic;
    assert_eq!((empty.corrupted, empty.lost), (0, 0));
}

#[test]
fn a_corrupted_datagram_changes_the_digest_as_a_node_that_says_something_else_does() {
    let law = |corrupt| LinkLaw {
        corrupt,
        ..constant(ms(1))
    };
    let digest = |corrupt, len| ships(&[len], law(corrupt)).run(1).digest;
    for len in [8, 800] {
        assert_ne!(digest(1.0, len), digest(0.0, len));
    }
}
