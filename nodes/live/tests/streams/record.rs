//! A flight over connections is recorded, and lived again to the same effects.

use std::ops::ControlFlow;
use std::path::PathBuf;

use squall_live::Stop;
use squall_live::record::{Manner, replays};
use squall_live::settings::{Record, WhenFull};
use squall_nodes::Closed;
use squall_nodes::recording::{Asked, Ended, Happened};

use crate::rig::{Heard, Host, PORT, Talks, Wish, address};

#[test]
fn a_node_that_speaks_over_connections_does_in_its_replay_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut a = Host::at(address(), |settings| {
        settings.record = Some(Record {
            folder: folder.path().to_owned(),
            bound: 64 << 20,
            when_full: WhenFull::Rotate,
            keep: 1,
        });
    });
    a.wish([Wish::Listen(PORT)]);
    let mut b = Host::listening();
    // What it accepts and what it dials, with a number for a write in between, each in turn.
    let mut all = Vec::new();
    for round in 0..3 {
        let (there, here) = b.connect(&mut a);
        a.wish([Wish::Persist]);
        a.hear(&Heard::Persisted);
        all.push((here, there));
        all.push(a.connect(&mut b));
        a.wish([Wish::WriteMuch(here, 1_000 * round + 1)]);
        b.read(there, 1_000 * round + 1);
        b.wish([Wish::WriteMuch(there, 200_000)]);
        a.read(here, 200_000);
    }
    let (here, there) = all[0];
    b.wish([Wish::Pause(there)]);
    a.wish([Wish::WriteMuch(here, 4_000_000)]);
    a.hear(&Heard::Blocked(here));
    b.wish([Wish::Resume(there)]);
    a.hear(&Heard::Writable(here));
    a.wish([
        Wish::Pause(all[1].0),
        Wish::Resume(all[1].0),
        Wish::Close(all[1].0),
    ]);
    b.wish([Wish::Close(all[2].1)]);
    a.hear(&Heard::Closed(all[2].0, Closed::Orderly));
    b.stop(Stop::AtOnce);
    a.hear(&Heard::Closed(here, Closed::Reset));
    let inputs = a
        .is_in_time("all the ends", |status| status.streams.open == 0)
        .inputs;
    a.stop(Stop::InOrder);
    let mut files = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_one = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "sqf");
    let recording = files.find(is_one).expect("it was recorded");
    let mut asked = 0;
    let all = Manner {
        story: Some(1..=u64::MAX),
        ..Manner::default()
    };
    let replay = replays::<Talks>().replay(&recording, &all, &mut |step| {
        if let Happened::Asked(effects) = step.happened {
            asked += effects.len();
            assert!(
                effects
                    .iter()
                    .all(|effect| matches!(effect, Asked::AsRecorded(_))),
                "{effects:?}"
            );
        }
        ControlFlow::Continue(())
    });
    let replay = replay.unwrap();
    assert_eq!(
        (replay.difference, replay.skipped, replay.inputs),
        (None, 0, inputs)
    );
    assert!(matches!(replay.ended, Ended::Stopped { .. }));
    assert_eq!(replay.effects as usize, asked);
    assert!(asked >= 25, "{asked}");
}
