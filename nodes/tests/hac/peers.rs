//! hac's other story, told by peers: what each answers when it is asked how available the others are.

use crate::world::{Fault, HacWorld, brisk};
use squall_nodes::hac::wire::Status;
use squall_nodes::hac::{Answer, AnswerRow, Role, Standing};

const PEERS: [(&str, Role); 3] = [("p1", Role::Peer), ("p2", Role::Peer), ("p3", Role::Peer)];

fn rows(world: &mut HacWorld, host: usize) -> Vec<AnswerRow> {
    let Answer::Status { standing, rows, .. } = world.status(host);
    assert_eq!(standing, Standing::Peer);
    rows
}

#[test]
fn availability_is_the_share_of_rounds_in_which_a_peer_was_heard() {
    for rules in ["Original", "Hardened"] {
        let mut world = brisk(rules, &PEERS, 1, |_| ());
        // Twenty rounds; for the last ten p3 is cut off.
        world.run(3_000).fault(Fault::Partition(vec![0, 0, 1]));
        world.run(3_010);
        let rows = rows(&mut world, 0);
        let by_id: Vec<_> = rows.iter().map(|row| (row.id, row.addr, row.status)).collect();
        let expected = [
            (1, world.addr(0), Some(Status::Alive)),
            (2, world.addr(1), Some(Status::Alive)),
            (3, world.addr(2), Some(Status::Dead)),
        ];
        assert_eq!(by_id, expected, "{rules}");
        let availability: Vec<u16> = rows.iter().filter_map(|row| row.availability).collect();
        // An AP that is a little late leaves a round without one.
        assert_eq!((availability[0], rows[0].heard), (1000, 20), "{rules}");
        assert!(
            (900..=1000).contains(&availability[1]),
            "{rules}: {availability:?}"
        );
        assert!(
            (400..=550).contains(&availability[2]),
            "{rules}: {availability:?}"
        );
        for row in &rows[1..] {
            let share = row.heard.min(20) * 50;
            assert_eq!(row.availability, u16::try_from(share).ok(), "{rules}: {row:?}");
        }
    }
}

#[test]
fn a_peer_that_was_never_heard_is_neither_alive_nor_dead_until_the_window_is_over() {
    let mut world = brisk("Hardened", &PEERS, 1, |_| ());
    world.fault(Fault::Partition(vec![0, 0, 1])).run(1_000);
    let early = rows(&mut world, 0)[2];
    assert_eq!(
        (early.status, early.heard, early.availability),
        (None, 0, Some(0))
    );
    world.run(2_000);
    assert_eq!(rows(&mut world, 0)[2].status, Some(Status::Dead));
}
