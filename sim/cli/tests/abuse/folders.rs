//! What a node needs and cannot have when it starts: ports, folders, files that are what was written. Each is told in words, nothing is
//! changed by it, and the node does not run.

use std::fs;
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use crate::cluster::{Cluster, PAGES, PATIENCE, PORT};
use crate::mounts;

/// Runs a node that is not to come up, and gives what it says. One that comes up fails the test, and is gone.
pub(crate) fn refused(mut command: Command, words: &[&str]) -> String {
    let mut child = command
        .args(words)
        .args(["--log-level", "error", "--colour", "never"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = child.stderr.take().expect("a pipe");
    let (says, said) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        let _ = says.send(text);
    });
    let said = said.recv_timeout(PATIENCE);
    if said.is_err() {
        child.kill().expect("it can be killed");
    }
    let code = child.wait().expect("it ends").code();
    let said = said.unwrap_or_else(|_| panic!("{words:?}: it runs"));
    assert_eq!(code, Some(2), "{words:?}: {said}");
    assert!(said.starts_with("squall: "), "{words:?}: {said}");
    said
}

fn squall() -> Command {
    Command::new(env!("CARGO_BIN_EXE_squall"))
}

/// That a node does not come up, and says all these words.
fn assert_refused(command: Command, file: &Path, more: &[&str], says: &[&str]) {
    let mut words = vec!["node", file.to_str().expect("UTF-8")];
    words.extend(more);
    let said = refused(command, &words);
    for part in says {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[test]
fn what_others_have_is_named() {
    let mut cluster = Cluster::new();
    let file = cluster.deploy("s", "");
    let (ip, no) = (cluster.ip(1), &[][..]);
    // Who has it is said: its number, and what its program is called.
    let ours = format!("process {} (", std::process::id());
    let theirs = UdpSocket::bind((ip, PORT)).expect("nobody has it");
    let port = format!("the node asked for port {PORT}, and {ip}:{PORT} cannot be bound: {ours}");
    assert_refused(squall(), &file, no, &[&port]);
    drop(theirs);
    let pages = std::net::TcpListener::bind((ip, PAGES)).expect("nobody has it");
    let http = format!("pages cannot be served at {ip}:{PAGES}: {ours}");
    assert_refused(squall(), &file, no, &[&http]);
    drop(pages);
    // An address that is for documents alone.
    let away = ["--address", "192.0.2.1", "--http", &format!("{ip}:{PAGES}")];
    assert_refused(
        squall(),
        &file,
        &away,
        &["192.0.2.1:7101", "this machine does not have that address"],
    );
    let running = cluster.start("s", "record: (folder: \"flights\")");
    cluster.until_whole("it is up");
    // Another one, that differs in one thing each time.
    let other = |data: &str, record: &str| {
        let text = fs::read_to_string(&file).expect("a file");
        let text = text
            .replace(&ip.to_string(), &cluster.ip(2).to_string())
            .replace("s.sock", "t.sock")
            .replace("data: \"s\"", &format!("data: \"{data}\""))
            .replace("\"flights\"", &format!("\"{record}\""));
        let path = cluster.path("t.ron");
        fs::write(&path, text).expect("a file");
        path
    };
    let it = format!("process {} (squall)", cluster.pid(running));
    let both = format!("is in use by {it}; no two nodes may share a data folder");
    assert_refused(squall(), &other("s", "others"), no, &[&both]);
    assert_refused(squall(), &other("s", "others"), &["--wipe"], &[&both]);
    assert_refused(
        squall(),
        &other("t", "flights"),
        no,
        &["another node records in", &it],
    );
    let control = cluster.path("s.sock");
    let control = ["--control", control.to_str().expect("UTF-8")];
    assert_refused(
        squall(),
        &other("t", "others"),
        &control,
        &[&format!("{it} listens there")],
    );
    cluster.until_whole("it is none the worse for it");
    assert!(cluster.stop(running).success());
}

#[test]
fn a_folder_that_is_missing_is_made_and_one_that_cannot_be_is_named() {
    let mut cluster = Cluster::new();
    let file = cluster.deploy("s", "");
    let path = |name: &str| cluster.path(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("file"), "somebody's").expect("a file");
    for (data, says) in [
        (path("file"), "it is not a folder"),
        (path("file/within"), "it is not a folder"),
        (
            "/proc/none/within".to_owned(),
            "it is not there and cannot be made",
        ),
    ] {
        let named = format!("{data} cannot hold what the node persists");
        assert_refused(squall(), &file, &["--data", &data], &[&named, says]);
    }
    assert_eq!(fs::read(path("file")).expect("it is there"), b"somebody's");
    for (record, says) in [
        (path("file"), "it is not a folder"),
        ("/proc/none".to_owned(), "No such file"),
    ] {
        let named = format!("the flight cannot be recorded: the folder {record} cannot be used");
        assert_refused(squall(), &file, &["--record", &record], &[&named, says]);
    }
    let lines = path("none/lines");
    assert_refused(
        squall(),
        &file,
        &["--lines", &lines],
        &["lines cannot be written to", "No such file"],
    );
    let control = path("none/sock");
    assert_refused(
        squall(),
        &file,
        &["--control", &control],
        &["its folder is not there"],
    );
    let deep = path("a/b/c");
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&file, text.replace("data: \"s\"", &format!("data: \"{deep}\""))).expect("a file");
    let place = cluster.start_by(squall(), "s", &file);
    cluster.until_whole("it is made");
    cluster.stop(place);
    assert!(Path::new(&deep).join("state").exists());
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let cluster = Cluster::new();
    for name in ["s", "flights"] {
        fs::create_dir(cluster.path(name)).expect("a folder");
    }
    let (data, flights) = (cluster.path("s"), cluster.path("flights"));
    let file = cluster.deploy("s", "record: (folder: \"flights\")");
    if mounts::are_possible() {
        for (folder, says) in [
            (
                &data,
                "cannot hold what the node persists: it cannot be written to: Read-only",
            ),
            (&flights, "the flight cannot be recorded: the folder"),
        ] {
            assert_refused(
                mounts::read_only(folder),
                &file,
                &[],
                &[says, "Read-only file system"],
            );
        }
    } else if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        // Whom permissions mean something to.
        for folder in [&data, &flights] {
            fs::set_permissions(folder, PermissionsExt::from_mode(0o500)).expect("it is ours");
            assert_refused(squall(), &file, &[], &["Permission denied"]);
            fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).expect("it is ours");
        }
    } else {
        // Root without mounts: what not even root may write to.
        assert_refused(
            squall(),
            &file,
            &["--data", "/proc/sys"],
            &["cannot hold what the node persists"],
        );
    }
    // No file may grow: whatever is written is refused, by whomever.
    let full = "cannot hold what the node persists: it cannot be written to: File too large";
    assert_refused(mounts::without_room(), &file, &[], &[full]);
    if mounts::are_possible() {
        let full = "cannot hold what the node persists: it cannot be written to: No space left on device";
        assert_refused(mounts::full(&data), &file, &[], &[full]);
    }
    // No life has begun that was refused; nothing half-written is left behind.
    for entry in fs::read_dir(&data).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        assert!(name == "lock", "{name:?}");
    }
}

#[test]
fn a_durable_file_that_is_not_what_was_written_is_left_as_it_is() {
    let mut cluster = Cluster::new();
    let place = cluster.start("s", "");
    cluster.until_whole("it serves");
    cluster.kill(place);
    let (file, data) = (cluster.path("s.ron"), cluster.path("s"));
    for name in ["state", "incarnation"] {
        let path = data.join(name);
        let sound = fs::read(&path).expect("it was written");
        let incarnation = fs::read(data.join("incarnation")).expect("it was written");
        let cut = (0..sound.len()).map(|end| sound[..end].to_vec());
        let longer = std::iter::once([&sound[..], b"\0"].concat());
        let flipped = (0..sound.len()).step_by(7).map(|place| {
            let mut other = sound.clone();
            other[place] ^= 0x10;
            other
        });
        for damaged in cut.chain(longer).chain(flipped) {
            fs::write(&path, &damaged).expect("a file");
            let named = format!("{} is damaged: ", path.display());
            assert_refused(squall(), &file, &[], &[&named, "Nothing was changed", "--wipe"]);
            assert_eq!(fs::read(&path).expect("it is there"), damaged);
            if name == "state" {
                let after = fs::read(data.join("incarnation")).expect("it is there");
                assert_eq!(after, incarnation, "no life was begun");
            }
        }
        fs::write(&path, &sound).expect("a file");
    }
    // Sound again, it goes on from there.
    cluster.start_again(place);
    cluster.until_whole("it serves again");
    let booted = cluster.nodes[place].seen.booted.as_ref().expect("it has");
    assert_eq!(
        (&booted["incarnation"], &booted["disk"]),
        (&1.into(), &"Kept".into())
    );
    cluster.kill(place);
    // And wiped, it starts without, with what there was beside it.
    for (name, incarnation) in [("state", 2), ("incarnation", 0)] {
        fs::write(data.join(name), b"nonsense").expect("a file");
        let mut wiping = squall();
        wiping.args(["node", "--wipe", "--check"]).arg(&file);
        assert!(wiping.output().expect("the program starts").status.success());
        assert!(data.join(name).exists(), "--check changes nothing");
        cluster.start_again_with(place, &["--wipe"]);
        cluster.until_whole("it serves anew");
        let seen = &cluster.nodes[place].seen;
        let booted = seen.booted.as_ref().expect("it has");
        assert_eq!(
            (&booted["incarnation"], &booted["disk"]),
            (&incarnation.into(), &"Wiped".into())
        );
        let aside = data.join(format!("{name}.aside-1"));
        assert_eq!(fs::read(aside).expect("it was moved"), b"nonsense");
        let log = fs::read_to_string(cluster.log("s")).expect("a log");
        assert!(log.contains(&format!("{name}.aside-1")), "{log}");
        cluster.kill(place);
    }
    // What is no file at all.
    fs::remove_file(data.join("state")).expect("it is there");
    fs::create_dir(data.join("state")).expect("a folder");
    assert_refused(squall(), &file, &[], &["state is damaged: it is no regular file"]);
}

#[test]
fn recordings_that_are_cut_off_or_no_recordings_are_in_nobodys_way() {
    let mut cluster = Cluster::new();
    let place = cluster.start("s", "record: (folder: \"flights\")");
    cluster.until_whole("it serves");
    cluster.kill(place);
    let flights = cluster.path("flights");
    let first = flights.join("flight-000000.sqf");
    let sound = fs::read(&first).expect("it was recorded");
    fs::write(flights.join("flight-000001.sqf"), &sound[..sound.len() - 3]).expect("a file");
    fs::write(flights.join("flight-000002.sqf"), b"").expect("a file");
    fs::write(flights.join("flight-000003.sqf"), b"nonsense").expect("a file");
    fs::write(flights.join("beginning.part"), b"nonsense").expect("a file");
    cluster.start_again(place);
    cluster.until_whole("it serves again");
    assert!(cluster.stop(place).success());
    let last = flights.join("flight-000004.sqf");
    let replay = |path: &Path| {
        let output = squall()
            .arg("replay")
            .arg(path)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
        (output.status.code(), out + &err)
    };
    for sound in [&first, &last] {
        let (code, said) = replay(sound);
        assert_eq!(code, Some(0), "{said}");
    }
    // Whether there is a whole entry in the one that is cut off, depends on when its node was killed. That there is none, is said.
    let (code, said) = replay(&flights.join("flight-000001.sqf"));
    let expected = if said.contains("holds no input") { 3 } else { 0 };
    assert_eq!(code, Some(expected), "{said}");
    for none in ["flight-000002.sqf", "flight-000003.sqf"] {
        let (code, said) = replay(&flights.join(none));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(none), "{said}");
    }
}
