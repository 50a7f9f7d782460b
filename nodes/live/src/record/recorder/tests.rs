//! A disk without room never stands in the way of a node; what does is found out before its life begins.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::ControlFlow;

use squall_nodes::echo::{Echo, EchoNode, Role};
use squall_nodes::recording::{Ended, Replay};
use squall_nodes::{Delivery, HostKey, Ids, NodeRng, Outbox, Placed, Protocol, Transport, drive};
use tempfile::TempDir;

use super::*;
use crate::record::{Manner, replays};
use crate::settings::{Attendance, Bounds, Settings, Streams, WhenFull};

/// An echo server that is asked so many questions.
struct Asked {
    node: EchoNode,
    ids: Ids,
    left: usize,
    answered: usize,
}

impl Transport<EchoNode> for Asked {
    fn receive(&mut self) -> Option<Delivery<'_, EchoNode>> {
        self.left = self.left.checked_sub(1)?;
        let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        Some(Delivery {
            host: HostId(0),
            incarnation: 0,
            now: Time::from_nanos(5),
            node: &mut self.node,
            ids: &mut self.ids,
            input: Input::Datagram {
                on: at(7),
                from: at(8),
                bytes: b"?\0\0\0\0\0\0\0\x01",
            },
        })
    }

    fn perform(&mut self, _: HostId, _: Time, effects: Effects<'_, EchoNode>) {
        self.answered += effects.count();
    }
}

fn settings(folder: &TempDir) -> Settings<EchoNode> {
    Settings {
        protocol: Echo::NAME.to_owned(),
        rules: "Standard".to_owned(),
        placed: Placed {
            name: "s".to_owned(),
            ip: Ipv4Addr::LOCALHOST,
            role: Role::Server,
            config: Echo::config("default", "Standard"),
        },
        data: None,
        seed: None,
        record: Some(Record {
            folder: folder.path().to_owned(),
            bound: 1 << 20,
            when_full: WhenFull::Rotate,
            keep: 2,
        }),
        http: None,
        control: None,
        lines: None,
        attendance: Attendance::Alone,
        bounds: Bounds::default(),
        streams: Streams::default(),
    }
}

fn boot(recorder: &mut FlightRecorder, folder: &TempDir) -> Asked {
    let settings = settings(folder);
    let boot = Boot {
        settings: &settings,
        incarnation: 0,
        seed: 1,
        disk: None,
        at: Time::ZERO,
    };
    recorder.boots(&boot).expect("the node boots");
    let placed = &settings.placed;
    let rng = NodeRng::new(1, HostKey::of(&placed.name), 0);
    Asked {
        node: EchoNode::boot(&placed.role, &placed.config, None, rng),
        ids: Ids::default(),
        left: 0,
        answered: 0,
    }
}

fn ask(node: &mut Asked, times: usize, recorder: &mut FlightRecorder) {
    node.left = times;
    drive(node, &mut Outbox::new(), recorder);
}

fn gauge(recorder: &FlightRecorder) -> Recording {
    Recorder::<EchoNode>::gauge(recorder).read()
}

fn replayed(path: &Path) -> Replay {
    let replayed = replays::<Echo>().replay(path, &Manner::default(), &mut |_| ControlFlow::Continue(()));
    replayed.expect("it is a recording")
}

#[test]
fn when_the_disk_is_full_the_node_goes_on_and_the_recording_is_whole_up_to_there() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut recorder = FlightRecorder::new();
    let mut node = boot(&mut recorder, &folder);
    ask(&mut node, 3, &mut recorder);
    let path = recorder.recording().expect("it records").to_owned();
    let bytes = fs::metadata(&path).expect("it is there").len();
    assert_eq!(gauge(&recorder), Recording::On { bytes });
    let full = File::options().write(true).open("/dev/full");
    recorder.flight.as_mut().expect("it records").file = full.expect("there is such a device");
    ask(&mut node, 4, &mut recorder);
    assert_eq!(node.answered, 7);
    assert_eq!(
        (gauge(&recorder), recorder.recording()),
        (Recording::Failed { bytes }, None)
    );
    Recorder::<EchoNode>::stopped(&mut recorder, Time::from_nanos(6));
    let replay = replayed(&path);
    assert_eq!(
        (replay.inputs, replay.ended, replay.difference),
        (3, Ended::Open, None)
    );
}

#[test]
fn when_the_disk_is_full_at_the_boot_the_node_boots_unrecorded() {
    let folder = tempfile::tempdir().expect("there is room");
    let beginning = folder.path().join("beginning.part");
    std::os::unix::fs::symlink("/dev/full", &beginning).expect("there is room");
    let mut recorder = FlightRecorder::new();
    let mut node = boot(&mut recorder, &folder);
    ask(&mut node, 2, &mut recorder);
    assert_eq!(
        (node.answered, gauge(&recorder)),
        (2, Recording::Failed { bytes: 0 })
    );
    assert!(!beginning.is_symlink(), "what fills the disk is taken away");
    // With room again, the next life is recorded.
    drop(recorder);
    let mut recorder = FlightRecorder::new();
    boot(&mut recorder, &folder);
    assert!(matches!(gauge(&recorder), Recording::On { .. }));
}

#[test]
fn a_folder_in_which_no_recording_can_be_begun_is_refused_before_the_life_begins() {
    let folder = tempfile::tempdir().expect("there is room");
    let beginning = folder.path().join("beginning.part");
    fs::create_dir(&beginning).expect("there is room");
    let mut recorder = FlightRecorder::new();
    let refused = recorder
        .prepare(&settings(&folder), 0)
        .expect_err("it cannot be had");
    assert!(refused.to_string().contains("cannot be used"), "{refused}");
    fs::remove_dir(&beginning).expect("it is there");
    drop(recorder);
    let mut recorder = FlightRecorder::new();
    recorder.prepare(&settings(&folder), 0).expect("it can be had");
    assert!(!beginning.exists(), "what was tried out is taken away");
    boot(&mut recorder, &folder);
    assert!(matches!(gauge(&recorder), Recording::On { .. }));
}

#[test]
fn what_only_has_the_name_of_a_recording_is_left_alone_and_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("there is room");
    let names: Vec<_> = (0..8)
        .map(|number| folder.path().join(format!("flight-{number:06}.sqf")))
        .collect();
    for name in &names {
        fs::create_dir(name).expect("there is room");
    }
    let mut recorder = FlightRecorder::new();
    recorder.prepare(&settings(&folder), 0).expect("it can be had");
    let mut node = boot(&mut recorder, &folder);
    ask(&mut node, 1, &mut recorder);
    let recording = recorder.recording().expect("it records").to_owned();
    assert_eq!(recording, folder.path().join("flight-000008.sqf"));
    assert!(names.iter().all(|name| name.is_dir()));
}
