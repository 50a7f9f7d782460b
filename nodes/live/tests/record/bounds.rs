//! How large recordings get, how many there are, and who may write where.

use std::fs;

use squall_live::record::FlightRecorder;
use squall_live::run::Boot;
use squall_live::settings::{Record, WhenFull};
use squall_live::status::Recording;
use squall_live::{Gauge, LiveError, Recorder as _};
use squall_nodes::echo::{self, Echo, EchoNode};
use squall_nodes::recording::Ended;
use squall_nodes::{Placed, Protocol, Span};
use tempfile::TempDir;

use crate::rig::{BEGINNING, End, Rig, SEED, all, fly, folder, only, replayed, roomy, settings};

fn pair() -> Vec<Placed<EchoNode>> {
    let host = |name: &str, ip: &str, role| Placed {
        name: name.to_owned(),
        ip: ip.parse().expect("it is an address"),
        role,
        config: Echo::config("default", "Standard"),
    };
    let mut placed = vec![
        host("s", "10.0.0.1", echo::Role::Server),
        host("a", "10.0.0.2", echo::Role::Asker),
    ];
    Echo::assemble(&mut placed).expect("it is a pair");
    placed
}

/// Records two seconds of an asker, of a life with this number.
fn life(record: &Record, incarnation: u32) -> Gauge {
    let placed = pair();
    let settings = settings::<Echo>(&placed[1], "Standard", record.clone());
    fly::<Echo>(
        Rig::new(&placed, Span::from_secs(2)),
        &settings,
        1,
        incarnation,
        End::Stopped,
    )
}

fn size(folder: &TempDir, name: &str) -> u64 {
    fs::metadata(folder.path().join(name)).expect("it is there").len()
}

#[test]
fn at_its_bound_a_recording_ends_with_a_marker_and_is_never_longer() {
    let unbounded = folder();
    life(&roomy(&unbounded), 0);
    let whole = size(&unbounded, &all(&unbounded)[0]);
    let whole_inputs = replayed::<Echo>(&only(&unbounded))
        .expect("it is a recording")
        .inputs;
    let mut most = 0;
    let (mut full, mut complete) = (0, 0);
    for bound in whole - 400..=whole + 60 {
        let folder = folder();
        let record = Record {
            bound,
            ..roomy(&folder)
        };
        let gauge = life(&record, 0).read();
        let path = only(&folder);
        let bytes = size(&folder, &all(&folder)[0]);
        assert!(bytes <= bound, "{bytes} > {bound}");
        let replay = replayed::<Echo>(&path).expect("it is a recording");
        assert_eq!(replay.difference, None);
        assert!(replay.inputs >= most, "a larger bound holds no less");
        most = replay.inputs;
        match replay.ended {
            Ended::Full => {
                assert_eq!(gauge, Recording::Full { bytes });
                full += 1;
            }
            Ended::Stopped { .. } => {
                assert_eq!((gauge, replay.inputs), (Recording::On { bytes }, whole_inputs));
                complete += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(full > 100 && complete > 10, "{full}, {complete}");
}

#[test]
fn after_a_full_recording_the_next_boot_begins_anew() {
    let folder = folder();
    let record = Record {
        bound: 1_000,
        ..roomy(&folder)
    };
    for incarnation in 0..3 {
        let gauge = life(&record, incarnation).read();
        assert!(
            matches!(gauge, Recording::Full { bytes } if bytes > 0 && bytes <= 1_000),
            "{gauge:?}"
        );
    }
    assert_eq!(
        all(&folder),
        ["flight-000000.sqf", "flight-000001.sqf", "flight-000002.sqf"]
    );
}

#[test]
fn where_it_is_to_stop_nothing_is_recorded_until_the_full_one_is_taken_away() {
    let folder = folder();
    let record = Record {
        bound: 1_000,
        when_full: WhenFull::Stop,
        ..roomy(&folder)
    };
    let Recording::Full { bytes } = life(&record, 0).read() else {
        panic!("it is full");
    };
    for incarnation in 1..3 {
        assert_eq!(life(&record, incarnation).read(), Recording::Full { bytes });
        assert_eq!(all(&folder), ["flight-000000.sqf"]);
    }
    fs::remove_file(only(&folder)).expect("it can be taken away");
    life(&record, 3);
    assert_eq!(all(&folder), ["flight-000003.sqf"]);
}

#[test]
fn where_it_is_to_stop_a_recording_that_is_not_full_is_no_obstacle() {
    let folder = folder();
    let record = Record {
        when_full: WhenFull::Stop,
        ..roomy(&folder)
    };
    for incarnation in 0..2 {
        assert!(matches!(life(&record, incarnation).read(), Recording::On { .. }));
    }
    assert_eq!(all(&folder).len(), 2);
}

#[test]
fn the_oldest_recordings_go_when_there_are_more_than_are_kept() {
    let folder = folder();
    let record = Record {
        keep: 3,
        ..roomy(&folder)
    };
    fs::write(folder.path().join("flight-notes.txt"), "not ours").expect("there is room");
    for incarnation in 0..7 {
        life(&record, incarnation);
    }
    assert_eq!(
        all(&folder),
        ["flight-000004.sqf", "flight-000005.sqf", "flight-000006.sqf"]
    );
    // The one that is being made is always kept.
    life(
        &Record {
            keep: 0,
            ..record.clone()
        },
        7,
    );
    assert_eq!(all(&folder), ["flight-000007.sqf"]);
    assert!(folder.path().join("flight-notes.txt").exists());
}

#[test]
fn lives_that_begin_at_0_again_do_not_overwrite_what_is_there() {
    let folder = folder();
    for incarnation in [0, 1, 0, 0] {
        life(&roomy(&folder), incarnation);
    }
    assert_eq!(all(&folder).len(), 4);
    let last = folder.path().join("flight-000003.sqf");
    assert_eq!(
        replayed::<Echo>(&last)
            .expect("it is a recording")
            .pilot
            .incarnation,
        0
    );
}

/// What a recorder says to a node that boots.
fn refused(record: Record) -> String {
    let settings = settings::<Echo>(&pair()[1], "Standard", record);
    let boot = Boot {
        settings: &settings,
        incarnation: 0,
        seed: SEED,
        disk: None,
        at: BEGINNING,
    };
    match FlightRecorder::new().boots(&boot) {
        Err(LiveError::Recorder { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_nodes_do_not_share_a_folder() {
    let folder = folder();
    let settings = settings::<Echo>(&pair()[1], "Standard", roomy(&folder));
    let boot = Boot {
        settings: &settings,
        incarnation: 0,
        seed: SEED,
        disk: None,
        at: BEGINNING,
    };
    let mut first = FlightRecorder::new();
    first.boots(&boot).expect("it is the first");
    assert_eq!(first.recording(), Some(only(&folder).as_path()));
    let why = refused(roomy(&folder));
    assert!(
        why.starts_with("another node records in ") && why.ends_with("give each a folder of its own"),
        "{why}"
    );
    drop(first);
    FlightRecorder::new().boots(&boot).expect("the first is gone");
}

#[test]
fn a_folder_that_cannot_be_is_refused_before_the_node_boots() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("there is room");
    let why = refused(Record {
        folder: file.join("flights"),
        ..roomy(&folder)
    });
    assert!(why.contains("file/flights cannot be used: "), "{why}");
}

#[test]
fn a_node_that_is_not_to_be_recorded_is_not() {
    let folder = folder();
    let placed = pair();
    let mut settings = settings::<Echo>(&placed[1], "Standard", roomy(&folder));
    settings.record = None;
    let rig = Rig::new(&placed, Span::from_secs(1));
    let gauge = fly::<Echo>(rig, &settings, 1, 0, End::Stopped);
    assert_eq!(gauge.read(), Recording::Off);
    assert!(all(&folder).is_empty());
}
