//! Recordings that are cut off, damaged, or none at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;
use squall_live::record::ReplayError;
use squall_live::record::frame::{Frames, MAGIC, Next, Opened, sealed};
use squall_nodes::hac::Hac;
use squall_nodes::recording::{CutWhy, Ended, Replay};
use squall_nodes::{Span, recording};
use tempfile::TempDir;

use crate::rig::{C1, End, Rig, cluster, fly, folder, only, replayed, roomy, settings};

/// A short recording of a client whose process was killed, as bytes.
fn short() -> Vec<u8> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(recorded).clone()
}

fn recorded() -> Vec<u8> {
    let folder = folder();
    let placed = cluster("Hardened", |_| {});
    let settings = settings::<Hac>(&placed[C1 as usize], "Hardened", roomy(&folder));
    fly::<Hac>(
        Rig::new(&placed, Span::from_millis(1_200)),
        &settings,
        C1,
        0,
        End::Killed,
    );
    fs::read(only(&folder)).expect("it can be read")
}

/// Where each frame ends, the head's first.
fn ends(bytes: &[u8]) -> Vec<u64> {
    let mut at = 12;
    let mut ends = Vec::new();
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        at += 12 + len as usize;
        ends.push(at as u64);
    }
    ends
}

struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Scratch { folder: folder() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("scratch.sqf")
    }

    fn replay(&self, bytes: &[u8]) -> Result<Replay, ReplayError> {
        fs::write(self.path(), bytes).expect("there is room");
        replayed::<Hac>(&self.path())
    }
}

#[test]
fn wherever_a_recording_is_cut_off_it_replays_up_to_its_last_whole_entry() {
    let bytes = short();
    let ends = ends(&bytes);
    assert_eq!(ends.last(), Some(&(bytes.len() as u64)));
    assert!(ends.len() > 10, "{ends:?}");
    let scratch = Scratch::new();
    for cut in 0..=bytes.len() {
        let replay = scratch.replay(&bytes[..cut]);
        let cut = cut as u64;
        if cut < 12 {
            assert!(
                matches!(replay, Err(ReplayError::NoRecording(_))),
                "{cut}: {replay:?}"
            );
            continue;
        }
        if cut < ends[0] {
            assert!(matches!(replay, Err(ReplayError::NoHead(_))), "{cut}: {replay:?}");
            continue;
        }
        let replay = replay.expect("its head is whole");
        let whole = ends.iter().take_while(|end| **end <= cut).count();
        let at = ends[whole - 1];
        let ended = if at == cut {
            Ended::Open
        } else {
            Ended::CutOff {
                at,
                bytes: cut - at,
                why: CutWhy::Short,
            }
        };
        assert_eq!((replay.inputs, replay.ended), (whole as u64 - 1, ended), "{cut}");
        assert_eq!(replay.difference, None);
    }
}

#[test]
fn no_byte_that_is_another_one_goes_unnoticed() {
    let bytes = short();
    let ends = ends(&bytes);
    let scratch = Scratch::new();
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        let replay = scratch.replay(&damaged);
        let at = place as u64;
        if place < MAGIC.len() {
            assert!(
                matches!(replay, Err(ReplayError::NoRecording(_))),
                "{place}: {replay:?}"
            );
        } else if place < 12 {
            assert!(
                matches!(replay, Err(ReplayError::Format { .. })),
                "{place}: {replay:?}"
            );
        } else if at < ends[0] {
            assert!(
                matches!(replay, Err(ReplayError::NoHead(_))),
                "{place}: {replay:?}"
            );
        } else {
            let replay = replay.expect("its head is whole");
            let whole = ends.iter().take_while(|end| **end <= at).count();
            let Ended::CutOff { at, bytes: left, .. } = replay.ended else {
                panic!("{place}: {replay:?}");
            };
            assert_eq!((at, at + left), (ends[whole - 1], bytes.len() as u64), "{place}");
            assert_eq!(
                (replay.inputs, replay.difference),
                (whole as u64 - 1, None),
                "{place}"
            );
        }
    }
}

#[test]
fn an_entry_that_is_missing_doubled_or_out_of_place_is_noticed() {
    let bytes = short();
    let ends = ends(&bytes);
    let frame = |place: usize| &bytes[ends[place - 1] as usize..ends[place] as usize];
    let (before, rest) = (&bytes[..ends[4] as usize], &bytes[ends[6] as usize..]);
    let scratch = Scratch::new();
    for middle in [
        frame(6).to_vec(),
        [frame(5), frame(5), frame(6)].concat(),
        [frame(6), frame(5)].concat(),
    ] {
        let replay = scratch
            .replay(&[before, &middle, rest].concat())
            .expect("its head is whole");
        let Ended::CutOff {
            why: CutWhy::Damaged, ..
        } = replay.ended
        else {
            panic!("{replay:?}");
        };
        assert!(replay.inputs <= 5, "{replay:?}");
    }
}

#[test]
fn a_length_that_cannot_be_sets_nothing_aside() {
    let mut bytes = short();
    let at = ends(&bytes)[3] as usize;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let scratch = Scratch::new();
    fs::write(scratch.path(), &bytes).expect("there is room");
    let Ok(Opened::Frames(mut frames)) = Frames::open(File::open(scratch.path()).expect("it is there"))
    else {
        panic!("it is a recording");
    };
    for _ in 0..4 {
        assert!(matches!(frames.read(), Ok(Next::Frame(_))));
    }
    let whole = frames.body().len();
    assert!(matches!(
        frames.read(),
        Ok(Next::CutOff {
            why: CutWhy::Short,
            ..
        })
    ));
    assert_eq!(frames.body().len(), whole);
}

#[test]
fn an_entry_that_is_whole_and_says_nothing_is_named() {
    let mut bytes = short();
    let place = ends(&bytes).len() as u64;
    bytes.extend(sealed(&[99], place).expect("it is short"));
    let error = Scratch::new().replay(&bytes).expect_err("it says nothing");
    assert_eq!(
        error.to_string(),
        format!(
            "input {place} cannot be read, though it is as it was written: there is no entry of the kind 99"
        )
    );
}

#[test]
fn an_alarm_that_was_never_set_is_named() {
    let mut bytes = short();
    let place = ends(&bytes).len() as u64;
    // A timer with the code 77, at the time 1, without effects.
    bytes.extend(sealed(&[1, 1, 4, 77, 0], place).expect("it is short"));
    let error = Scratch::new().replay(&bytes).expect_err("nobody has set it");
    assert_eq!(
        error.to_string(),
        format!("input {place} is the timer with the code 77, which the node has never armed")
    );
}

#[test]
fn nothing_is_read_after_an_end() {
    let mut bytes = short();
    let place = ends(&bytes).len() as u64;
    bytes.extend(sealed(&recording::full(place - 1), place).expect("it is short"));
    bytes.extend(b"whatever");
    let replay = Scratch::new().replay(&bytes).expect("it is a recording");
    assert_eq!((replay.inputs, replay.ended), (place - 1, Ended::Full));
}

#[test]
fn what_is_no_recording_is_refused_by_name() {
    let scratch = Scratch::new();
    let refused = |path: &Path| replayed::<Hac>(path).expect_err("it is none").to_string();
    assert!(refused(&scratch.path()).contains("scratch.sqf cannot be read: "));
    assert!(refused(scratch.folder.path()).ends_with(" is no recording of a flight"));
    let told = |bytes: &[u8]| scratch.replay(bytes).expect_err("it is none").to_string();
    assert!(told(b"").ends_with("scratch.sqf is no recording of a flight"));
    assert!(told(b"Scenario(protocol: \"hac\")").ends_with("is no recording of a flight"));
    let mut newer = short();
    newer[8] = 2;
    assert!(told(&newer).ends_with(
        "is a recording of format 2, and this program reads format 1: take the program that wrote it"
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_panics_a_replay(tail in proptest::collection::vec(any::<u8>(), 0..400), cut: prop::sample::Index) {
        let scratch = Scratch::new();
        let bytes = short();
        let cut = cut.index(bytes.len());
        let _ = scratch.replay(&tail);
        let _ = scratch.replay(&[&bytes[..cut], &tail].concat());
        let _ = scratch.replay(&[&bytes[..12], &tail].concat());
    }

    /// With a checksum that is right, whatever it is the checksum of.
    #[test]
    fn no_entry_panics_a_replay(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut bytes = short();
        let place = ends(&bytes).len() as u64;
        bytes.extend(sealed(&body, place).expect("it is short"));
        let _ = Scratch::new().replay(&bytes);
    }

    #[test]
    fn no_head_panics_a_replay(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = short()[..12].to_vec();
        bytes.extend(sealed(&body, 0).expect("it is short"));
        let _ = Scratch::new().replay(&bytes);
    }
}
