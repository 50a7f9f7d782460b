//! What is persisted is there after a restart, and whatever goes wrong has a name.

use std::fs;
use std::os::unix::fs::symlink;

use super::envelope::Kind;
use super::*;

fn node(name: &str) -> Owner {
    Owner {
        protocol: "hac".to_owned(),
        name: name.to_owned(),
        role: "Client".to_owned(),
    }
}

/// Opens a folder, and begins a life in it.
fn open(folder: Option<&Path>) -> Result<Begun, LiveError> {
    Opened::of(folder, node("c1"))?.begin()
}

fn wipe(folder: &Path) -> Result<Vec<PathBuf>, LiveError> {
    super::wipe(folder, &node("c1"))
}

/// Opens a folder, writes what is to be written, and closes it: what was found, and what became of the writes.
fn life(folder: &Path, writes: &[&[u8]]) -> (Found, Vec<Written>) {
    let (disk, found, mut written) = open(Some(folder)).unwrap();
    let mut done = Vec::new();
    for bytes in writes {
        disk.write(bytes.to_vec());
        done.push(written.blocking_recv().unwrap());
    }
    disk.close(true);
    (found, done)
}

/// Has a folder look as folders did before they remembered whose they are.
fn forget(folder: &Path) {
    let number = 0_u32.to_le_bytes();
    let file = [&envelope::header(Kind::Incarnation, &number)[..], &number].concat();
    fs::write(folder.join("incarnation"), file).unwrap();
    fs::remove_file(folder.join("owner")).unwrap();
}

fn refused(folder: &Path) -> String {
    match open(Some(folder)) {
        Ok(_) => panic!("{} was opened", folder.display()),
        Err(why) => why.to_string(),
    }
}

#[test]
fn what_was_persisted_last_is_found_in_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/if/need/be");
    let lives = [
        life(&folder, &[]),
        life(&folder, &[b"one", b""]),
        life(&folder, &[&[7; 100_000]]),
        life(&folder, &[]),
    ];
    let found: Vec<_> = lives.iter().map(|(found, _)| found.clone()).collect();
    let expected = [
        (0, None, DiskAtBoot::Fresh),
        (1, None, DiskAtBoot::Fresh),
        (2, Some(vec![]), DiskAtBoot::Kept),
        (3, Some(vec![7; 100_000]), DiskAtBoot::Kept),
    ];
    let expected = expected.map(|(incarnation, state, disk)| Found {
        incarnation,
        state,
        disk,
        kept: Kept::AsItWas,
    });
    assert_eq!(found, expected);
    assert!(lives.iter().all(|(_, done)| done.iter().all(Result::is_ok)));
}

#[test]
fn without_a_folder_writes_complete_all_the_same() {
    let (disk, found, mut written) = open(None).unwrap();
    assert_eq!((found.incarnation, found.state), (0, None));
    for _ in 0..3 {
        disk.write(b"x".to_vec());
        assert_eq!(written.blocking_recv(), Some(Ok(())));
    }
}

#[test]
fn a_folder_is_used_by_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, ..) = open(Some(folder.path())).unwrap();
    assert!(refused(folder.path()).contains("is in use by this process itself"));
    assert!(wipe(folder.path()).is_err());
    disk.close(true);
    life(folder.path(), &[]);
}

#[test]
fn what_cannot_be_a_folder_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(refused(&file).ends_with("it is not a folder"));
    assert!(refused(&file.join("below")).ends_with("it is not a folder"));
    // Nobody may make a folder there, not even root.
    let why = refused(Path::new("/proc/squall"));
    assert!(why.contains("it is not there and cannot be made"), "{why}");
    // Nor a file there: it stands for a disk that is mounted read-only.
    let why = refused(Path::new("/proc/self"));
    assert!(why.contains("it cannot be written to"), "{why}");
}

#[test]
fn damage_is_named_and_nothing_is_changed_until_it_is_wiped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    life(folder, &[b"sound"]);
    let state = folder.join("state");
    let sound = fs::read(&state).unwrap();
    let cut_off = &sound[..sound.len() - 1];
    fs::write(&state, cut_off).unwrap();
    let why = refused(folder);
    assert!(why.contains("5 bytes were written, and 4 are there"), "{why}");
    assert!(why.contains("--wipe"), "{why}");
    assert_eq!(fs::read(&state).unwrap(), cut_off);

    assert_eq!(wipe(folder).unwrap(), [folder.join("state.aside-1")]);
    assert_eq!(fs::read(folder.join("state.aside-1")).unwrap(), cut_off);
    let (found, _) = life(folder, &[b"anew"]);
    assert_eq!(
        (found.incarnation, found.state, found.disk),
        (1, None, DiskAtBoot::Wiped)
    );
    // What is sound is moved aside too, when it is wished.
    assert_eq!(wipe(folder).unwrap(), [folder.join("state.aside-2")]);
    assert_eq!(wipe(folder).unwrap(), [] as [&Path; 0]);
    assert_eq!(life(folder, &[]).0.incarnation, 2);

    let incarnation = folder.join("incarnation");
    fs::write(&incarnation, "garbage").unwrap();
    assert!(refused(folder).contains("incarnation is damaged"));
    assert_eq!(wipe(folder).unwrap(), [folder.join("incarnation.aside-1")]);
    assert_eq!(life(folder, &[]).0.incarnation, 0);
}

#[test]
fn a_folder_knows_whose_it_is_and_is_taken_by_another_on_purpose_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    life(folder, &[b"what c1 knows"]);
    let theirs = || match Opened::of(Some(folder), node("c2")) {
        Ok(_) => panic!("c2 gets it"),
        Err(why) => why.to_string(),
    };
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
            .collect();
        names.sort();
        names
    };
    let before = names();
    for part in [
        "is the data folder of c1 (hac Client), and this is c2 (hac Client)",
        "--adopt",
    ] {
        assert!(theirs().contains(part), "{}", theirs());
    }
    assert!(super::wipe(folder, &node("c2")).is_err());
    assert_eq!(names(), before, "something was changed");
    // Other roles and protocols are others, too.
    for other in [
        Owner {
            role: "Server".to_owned(),
            ..node("c1")
        },
        Owner {
            protocol: "echo".to_owned(),
            ..node("c1")
        },
    ] {
        assert!(Opened::of(Some(folder), other).is_err());
    }
    assert_eq!(adopt(folder, &node("c2")).unwrap(), Before::Anothers(node("c1")));
    assert_eq!(adopt(folder, &node("c2")).unwrap(), Before::Own);
    assert!(refused(folder).contains("is the data folder of c2"));
    let found = Opened::of(Some(folder), node("c2")).unwrap().found;
    assert_eq!(
        (found.incarnation, found.state.as_deref()),
        (1, Some(&b"what c1 knows"[..]))
    );
}

#[test]
fn a_folder_that_does_not_know_whose_it_is_is_taken_once_and_a_damaged_word_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    life(folder, &[b"sound"]);
    let owner = folder.join("owner");
    forget(folder);
    let found = Opened::of(Some(folder), node("c2")).unwrap();
    assert!(!owner.exists(), "it is not taken before a life begins");
    found.begin().unwrap().0.close(true);
    assert!(refused(folder).contains("is the data folder of c2"));
    for damaged in [&b"garbage"[..], &envelope::header(Kind::Owner, b"{")] {
        let damaged = match damaged.len() {
            envelope::HEADER => [damaged, b"{"].concat(),
            _ => damaged.to_vec(),
        };
        fs::write(&owner, &damaged).unwrap();
        let why = refused(folder);
        assert!(
            why.contains("owner is damaged") && why.contains("--adopt"),
            "{why}"
        );
        assert_eq!(fs::read(&owner).unwrap(), damaged);
    }
    let before = adopt(folder, &node("c1")).unwrap();
    assert!(
        matches!(&before, Before::Unknown(why) if why.contains("owner is damaged")),
        "{before:?}"
    );
    assert_eq!(life(folder, &[]).0.state.as_deref(), Some(&b"sound"[..]));
}

#[test]
fn a_word_of_whose_it_is_that_was_there_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Whether or not something was persisted.
    for writes in [&[][..], &[&b"what c1 knows"[..]]] {
        life(folder, writes);
        let (owner, lives) = (
            folder.join("owner"),
            fs::read(folder.join("incarnation")).unwrap(),
        );
        fs::remove_file(&owner).unwrap();
        let why = refused(folder);
        for part in ["owner is not there, though", "--adopt"] {
            assert!(why.contains(part), "{why}");
        }
        assert!(wipe(folder).is_err());
        assert!(!owner.exists());
        assert_eq!(fs::read(folder.join("incarnation")).unwrap(), lives);
        let before = adopt(folder, &node("c1")).unwrap();
        assert!(matches!(before, Before::Unknown(_)), "{before:?}");
    }
    assert_eq!(life(folder, &[]).0.state.as_deref(), Some(&b"what c1 knows"[..]));
}

#[test]
fn no_number_of_a_life_is_used_again_where_it_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    life(folder, &[b"one"]);
    fs::remove_file(folder.join("incarnation")).unwrap();
    let why = refused(folder);
    assert!(
        why.contains("no file named incarnation") && why.contains("--wipe"),
        "{why}"
    );
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3, "lock, owner and state");
    assert_eq!(wipe(folder).unwrap(), [folder.join("state.aside-1")]);
    let (found, _) = life(folder, &[]);
    assert_eq!((found.incarnation, found.disk), (0, DiskAtBoot::Wiped));
}

#[test]
fn a_state_that_was_there_is_missed_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state = folder.join("state");
    // In the life that persisted first, and in a later one; what was not there is not missed.
    life(folder, &[]);
    assert_eq!(life(folder, &[b"one", b"two"]).0.kept, Kept::AsItWas);
    for lives in [0, 1] {
        for _ in 0..lives {
            life(folder, &[]);
        }
        fs::remove_file(&state).unwrap();
        let (found, _) = life(folder, &[]);
        assert_eq!((found.kept, found.disk), (Kept::StateMissing, DiskAtBoot::Wiped));
        let (found, _) = life(folder, &[b"anew"]);
        assert_eq!((found.kept, found.disk), (Kept::AsItWas, DiskAtBoot::Fresh));
    }
    // It is not missed when it was moved aside.
    wipe(folder).unwrap();
    let (found, _) = life(folder, &[]);
    assert_eq!((found.kept, found.disk), (Kept::AsItWas, DiskAtBoot::Wiped));
    assert_eq!(life(folder, &[]).0.disk, DiskAtBoot::Fresh);
}

#[test]
fn no_life_begins_before_it_is_to() {
    let folder = tempfile::tempdir().unwrap();
    life(folder.path(), &[]);
    for _ in 0..3 {
        let opened = Opened::of(Some(folder.path()), node("c1")).unwrap();
        assert_eq!(opened.found.incarnation, 1);
    }
    assert_eq!(life(folder.path(), &[]).0.incarnation, 1);
    assert_eq!(life(folder.path(), &[]).0.incarnation, 2);
}

#[test]
fn a_wiped_disk_is_told_at_the_first_boot_and_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disks = |lives: usize| -> Vec<DiskAtBoot> { (0..lives).map(|_| life(folder, &[]).0.disk).collect() };
    // There is nothing to wipe.
    wipe(folder).unwrap();
    assert_eq!(disks(1), [DiskAtBoot::Fresh]);
    life(folder, &[b"one"]);
    wipe(folder).unwrap();
    assert_eq!(
        disks(3),
        [DiskAtBoot::Wiped, DiskAtBoot::Fresh, DiskAtBoot::Fresh]
    );
    life(folder, &[b"two"]);
    wipe(folder).unwrap();
    assert_eq!(disks(2), [DiskAtBoot::Wiped, DiskAtBoot::Fresh]);
}

#[test]
fn a_full_disk_fails_the_write_and_leaves_the_old_contents() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (disk, _, mut written) = open(Some(folder)).unwrap();
    let mut write = |bytes: &[u8]| {
        disk.write(bytes.to_vec());
        written.blocking_recv().unwrap()
    };
    assert_eq!(write(b"old"), Ok(()));
    // Everything that is written there finds a full disk.
    symlink("/dev/full", folder.join("state.new")).unwrap();
    let why = write(b"new").unwrap_err();
    assert!(why.contains("No space left"), "{why}");
    assert!(!folder.join("state.new").exists());
    // It goes on when there is room again.
    assert_eq!(write(b"newer"), Ok(()));
    // A folder that cannot be written to any more.
    fs::create_dir(folder.join("state.new")).unwrap();
    assert!(write(b"lost").is_err());
    disk.close(true);
    fs::remove_dir(folder.join("state.new")).unwrap();
    assert_eq!(life(folder, &[]).0.state.as_deref(), Some(&b"newer"[..]));
}

#[test]
fn what_is_persisted_counts_though_it_could_not_be_noted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (disk, _, mut written) = open(Some(folder)).unwrap();
    let mut write = |bytes: &[u8]| {
        disk.write(bytes.to_vec());
        written.blocking_recv().unwrap()
    };
    symlink("/dev/full", folder.join("incarnation.new")).unwrap();
    assert_eq!(write(b"one"), Ok(()));
    assert_eq!(write(b"two"), Ok(()), "it is noted now");
    disk.close(true);
    fs::remove_file(folder.join("state")).unwrap();
    assert_eq!(life(folder, &[]).0.kept, Kept::StateMissing);
}

#[test]
fn a_life_that_does_not_begin_leaves_no_folder_that_was_not_there() {
    let there = tempfile::tempdir().unwrap();
    let folder = there.path().join("made/for/nothing");
    let opened = Opened::of(Some(&folder), node("c1")).unwrap();
    assert!(lock_of(&folder).exists());
    drop(opened);
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);

    // What was there before stays, and what somebody has put there meanwhile.
    drop(Opened::of(Some(there.path()), node("c1")).unwrap());
    assert!(there.path().exists());
    let opened = Opened::of(Some(&folder), node("c1")).unwrap();
    fs::write(folder.join("note"), "mine").unwrap();
    drop(opened);
    assert_eq!(fs::read_to_string(folder.join("note")).unwrap(), "mine");

    // A life that has begun is remembered.
    let folder = there.path().join("lived/in");
    life(&folder, &[]);
    assert_eq!(life(&folder, &[]).0.incarnation, 1);
}

#[test]
fn what_is_no_file_or_longer_than_it_says_is_not_read() {
    let there = tempfile::tempdir().unwrap();
    for (name, number) in [("state", 0), ("owner", 1), ("incarnation", 2)] {
        let folder = there.path().join(number.to_string());
        life(&folder, &[b"one"]);
        let file = folder.join(name);
        let kept = fs::read(&file).unwrap();

        // As much as there may be on a disk, and none of it written: reading it would take all memory.
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(1 << 42)
            .unwrap();
        assert!(
            refused(&folder).contains("are there"),
            "{name}: {}",
            refused(&folder)
        );

        fs::remove_file(&file).unwrap();
        symlink("/dev/zero", &file).unwrap();
        let told = refused(&folder);
        assert!(told.contains("it is no regular file"), "{name}: {told}");

        fs::remove_file(&file).unwrap();
        fs::write(&file, kept).unwrap();
        assert_eq!(life(&folder, &[]).0.state.as_deref(), Some(&b"one"[..]));
    }
}

#[test]
fn what_is_written_goes_into_the_folder_that_is_locked_and_nowhere_else() {
    let above = tempfile::tempdir().unwrap();
    let [folder, moved] = ["data", "moved"].map(|name| above.path().join(name));
    let (disk, _, mut written) = open(Some(&folder)).unwrap();
    let mut write = |bytes: &[u8]| {
        disk.write(bytes.to_vec());
        written.blocking_recv().unwrap()
    };
    assert_eq!(write(b"one"), Ok(()));
    // Somebody moves it, and puts another in its place.
    fs::rename(&folder, &moved).unwrap();
    fs::create_dir(&folder).unwrap();
    assert_eq!(write(b"two"), Ok(()));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    // And takes it away.
    fs::remove_dir_all(&moved).unwrap();
    let why = write(b"three").unwrap_err();
    assert!(why.contains("was taken away"), "{why}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert!(!moved.exists());
    disk.close(true);
}

#[test]
fn what_was_persisted_before_a_move_is_found_where_it_was_moved_to() {
    let above = tempfile::tempdir().unwrap();
    let [folder, moved] = ["data", "moved"].map(|name| above.path().join(name));
    let (disk, _, mut written) = open(Some(&folder)).unwrap();
    fs::rename(&folder, &moved).unwrap();
    disk.write(b"last".to_vec());
    assert_eq!(written.blocking_recv(), Some(Ok(())));
    disk.close(true);
    let (found, _) = life(&moved, &[]);
    assert_eq!((found.incarnation, found.state), (1, Some(b"last".to_vec())));
}
