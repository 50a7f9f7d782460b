//! Disks that have no room any more, or again, while a node lives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::folders::refused;
use crate::mounts;
use crate::operators::figure;

/// How a disk is made to have no room.
enum Means {
    /// It is small, and the node's alone; something else fills it.
    Mount,
    /// The node's process may write no more. It takes no privilege.
    Limit,
}

impl Means {
    fn all() -> Vec<Means> {
        match mounts::are_possible() {
            true => vec![Means::Limit, Means::Mount],
            false => vec![Means::Limit],
        }
    }

    fn program(&self, folder: &Path) -> Command {
        fs::create_dir_all(folder).expect("a folder");
        match self {
            Means::Mount => mounts::small(folder),
            Means::Limit => mounts::limited(),
        }
    }

    /// Something of this size is all that fits.
    fn fill(&self, pid: u32, folder: &Path) {
        match self {
            Means::Mount => {
                let filler = filler(pid, folder);
                // It ends with an error, which is what it is for.
                let _ = fs::write(filler, vec![0; 1 << 20]);
            }
            Means::Limit => limit(pid, "0:"),
        }
    }

    fn make_room(&self, pid: u32, folder: &Path) {
        match self {
            Means::Mount => fs::remove_file(filler(pid, folder)).expect("it is there"),
            Means::Limit => limit(pid, "unlimited:"),
        }
    }
}

/// A file in the folder as the process sees it.
fn filler(pid: u32, folder: &Path) -> PathBuf {
    let folder = folder.strip_prefix("/").expect("an absolute path");
    Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(folder)
        .join("filler")
}

/// Limits what a process may write.
fn limit(pid: u32, to: &str) {
    let limited = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={to}")])
        .stdin(Stdio::null())
        .status();
    assert!(limited.expect("prlimit").success());
}

#[test]
fn a_node_whose_disk_is_full_says_nothing_until_there_is_room() {
    for means in Means::all() {
        let mut cluster = Cluster::new();
        let data = cluster.path("s");
        let file = cluster.deploy("s", "");
        let server = cluster.start_by(means.program(&data), "s", &file);
        cluster.until_whole("it serves");
        let (pid, address) = (cluster.pid(server), cluster.nodes[server].address);
        means.fill(pid, &data);
        // Whom it cannot write down, it does not take in.
        cluster.start("c1", "");
        let failed = "squall_writes_total{result=\"failed\"}";
        cluster.until("a write fails", |_| figure(address, failed) > 1);
        for name in ["joined", "rejoined"] {
            assert_eq!(cluster.nodes[1].seen.named(name).count(), 0);
        }
        means.make_room(pid, &data);
        cluster.until_whole("there is room");
        let completed = figure(address, "squall_writes_total{result=\"completed\"}");
        assert!(completed > 1, "{completed}");
        // It tries again and again, and that is told once, and that it is over. Where nothing may be written, nothing is logged either.
        let log = fs::read_to_string(cluster.log("s")).expect("a log");
        let told = log.matches("could not be written; the node is told").count();
        assert!(told <= 1, "{log}");
        if let Means::Mount = means {
            assert_eq!(told, 1, "{log}");
        }
        assert!(log.contains("what the node persists is written again"), "{log}");
        assert!(!log.contains("writes to the disk failed"), "{log}");
        // What it could not write has not damaged what it could.
        if let Means::Limit = means {
            cluster.kill(server);
            cluster.start_again(server);
            cluster.until_whole("it is back");
            let booted = cluster.nodes[server].seen.booted.as_ref().expect("it has");
            assert_eq!(booted["disk"], "Kept");
        }
        assert!(cluster.stop(server).success());
    }
}

#[test]
fn a_node_whose_data_folder_is_taken_away_takes_nobody_in_and_says_why() {
    let mut cluster = Cluster::new();
    let data = cluster.path("s");
    let server = cluster.start("s", "");
    cluster.until_whole("it serves");
    let address = cluster.nodes[server].address;
    fs::remove_dir_all(&data).expect("it is there");
    // One that is put in its place is none of the node's.
    fs::create_dir(&data).expect("a folder");
    cluster.start("c1", "");
    let failed = "squall_writes_total{result=\"failed\"}";
    cluster.until("a write fails", |_| figure(address, failed) > 1);
    for name in ["joined", "rejoined"] {
        assert_eq!(cluster.nodes[1].seen.named(name).count(), 0);
    }
    assert_eq!(fs::read_dir(&data).expect("a folder").count(), 0);
    let log = fs::read_to_string(cluster.log("s")).expect("a log");
    let why = format!("the data folder {} was taken away", data.display());
    assert_eq!(log.matches(&why).count(), 1, "{log}");
    assert!(cluster.stop(server).success());
    cluster.start_again(server);
    cluster.until_whole("it has a folder again");
    assert!(cluster.stop(server).success());
}

#[test]
fn a_node_whose_recording_finds_no_room_goes_on_unrecorded() {
    for means in Means::all() {
        let mut cluster = Cluster::new();
        let flights = cluster.path("flights");
        let file = cluster.deploy("s", "record: (folder: \"flights\")");
        let server = cluster.start_by(means.program(&flights), "s", &file);
        cluster.until_whole("it serves");
        let (pid, address) = (cluster.pid(server), cluster.nodes[server].address);
        means.fill(pid, &flights);
        cluster.until("it is told", |_| {
            figure(address, "squall_recorder{state=\"failed\"}") == 1
        });
        means.make_room(pid, &flights);
        cluster.until_whole("it goes on");
        assert_eq!(figure(address, "squall_recorder{state=\"on\"}"), 0);
        let copy = cluster.path("copy.sqf");
        let there = filler(pid, &flights).with_file_name("flight-000000.sqf");
        fs::copy(there, &copy).expect("it is there");
        let replayed = Command::new(env!("CARGO_BIN_EXE_squall"))
            .arg("replay")
            .arg(&copy)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        assert!(replayed.status.success(), "{replayed:?}");
        assert!(cluster.stop(server).success());
    }
}

#[test]
fn a_node_whose_disk_is_full_from_the_beginning_of_its_recording_goes_on_unrecorded() {
    let mut cluster = Cluster::new();
    let flights = cluster.path("flights");
    fs::create_dir(&flights).expect("a folder");
    let file = cluster.deploy("s", "record: (folder: \"flights\")");
    // One that may not write there, room or no room, is not to be recorded at all, which is found out at once.
    let unkept = cluster.path("unkept.ron");
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&unkept, text.replace("data: \"s\",", "")).expect("a file");
    let said = refused(mounts::without_room(), &["node", unkept.to_str().expect("UTF-8")]);
    let named = format!(
        "the flight cannot be recorded: the folder {} cannot be used",
        flights.display()
    );
    assert!(said.contains(&named) && said.contains("File too large"), "{said}");
    if !mounts::are_possible() {
        return;
    }
    let server = cluster.start_by(mounts::full(&flights), "s", &file);
    cluster.until_whole("it serves");
    let address = cluster.nodes[server].address;
    assert_eq!(figure(address, "squall_recorder{state=\"failed\"}"), 1);
    assert!(cluster.stop(server).success());
}
