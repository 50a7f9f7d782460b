//! What a node needs and cannot have, when it starts or later.

use std::net::{Ipv4Addr, UdpSocket};

use std::path::Path;

use squall_live::check::{Beforehand, Finding, Standing, check};
use squall_live::disk::{Owner, adopt};
use squall_live::settings::{Attendance, Record, Start, WhenFull};
use squall_live::{Line, Request, Settings, Stop};
use squall_nodes::Time;

use crate::clerk::{Alone, Attendant, Clerk, Wish, attended, settings};

/// A port that nobody has, and who has it from now on.
fn taken() -> (u16, UdpSocket) {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    (taken.local_addr().unwrap().port(), taken)
}

/// One that keeps data and records its flight in a folder, and asks for a port when it starts.
fn kept(folder: &Path, port: u16) -> Settings<Clerk> {
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.placed.role = format!("Clerk at {port}");
    settings.data = Some(folder.join("data"));
    settings.record = Some(Record {
        folder: folder.join("flights"),
        bound: 1 << 20,
        when_full: WhenFull::Rotate,
        keep: 8,
    });
    settings
}

/// All that is in a folder and below, but for the locks, with its contents.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if path.file_name().is_some_and(|name| name != "lock") {
            let bytes = std::fs::read(&path).unwrap();
            all.push((path.display().to_string(), bytes));
        }
    }
    all.sort();
    all
}

#[test]
fn a_start_that_fails_uses_up_no_life_and_records_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (port, holder) = taken();
    let settings = kept(folder.path(), port);
    let fails = |settings: &Settings<Clerk>, says: &str| {
        let before = contents(folder.path());
        let why = Alone::start(settings.clone()).ends().unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
        assert_eq!(contents(folder.path()), before);
    };
    fails(&settings, "this process itself has it");
    // Nor does one whose recordings are another's.
    let mut crowded = settings.clone();
    crowded.record.as_mut().unwrap().folder = folder.path().join("data");
    fails(&crowded, "another node records in");
    let mut lineless = settings.clone();
    lineless.lines = Some("/proc/lines".into());
    fails(&lineless, "lines cannot be written");
    drop(holder);
    let node = Alone::start(settings.clone());
    assert_eq!((node.status().incarnation, node.status().ports), (0, vec![port]));
    let file = node.status().recording_file.unwrap();
    assert_eq!(file, folder.path().join("flights/flight-000000.sqf"));
    node.stop(Stop::InOrder);
    let again = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    fails(&settings, "this process itself has it");
    drop(again);
    let node = Alone::start(settings);
    assert_eq!(node.status().incarnation, 1);
    node.stop(Stop::InOrder);
}

#[test]
fn what_comes_before_a_node_boots_is_not_for_it() {
    let (port, holder) = taken();
    drop(holder);
    let mut settings = settings(Ipv4Addr::LOCALHOST, attended(Start::WhenTold));
    settings.placed.role = format!("Clerk at {port}");
    let mut node = Attendant::start(settings);
    assert!(matches!(node.line(), Line::Ready { .. }));
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let send = || sender.send_to(b"x", (Ipv4Addr::LOCALHOST, port)).unwrap();
    // On loopback, what was sent has come in.
    for _ in 0..40 {
        send();
    }
    node.ask(&Request::Go { at: Time::ZERO });
    assert!(matches!(node.line(), Line::Booted { .. }));
    send();
    while node.mark().delivered == 0 {}
    node.ask(&Request::Stop);
    let Line::Stopped { counts, .. } = node.line() else {
        panic!("it stops")
    };
    assert_eq!((counts.delivered, counts.overflowed), (1, 0));
    node.end();
}

/// What refuses a start, in words.
fn refused(findings: &[Finding]) -> Vec<String> {
    let refused = findings
        .iter()
        .filter(|finding| finding.standing == Standing::Refused);
    refused
        .map(|finding| format!("{}  {}", finding.what, finding.says))
        .collect()
}

#[test]
fn a_look_ahead_says_what_would_refuse_the_start_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (port, holder) = taken();
    let sound = kept(folder.path(), port);
    let said = refused(&check(&sound, &[]));
    assert_eq!(
        said,
        [format!(
            "port {port}  127.0.0.1:{port}: this process itself has it"
        )]
    );
    drop(holder);
    assert_eq!(refused(&check(&sound, &[])), [""; 0]);
    assert_eq!(contents(folder.path()), []);
    let node = Alone::start(sound.clone());
    node.wish(Wish::Persist);
    // It is in the way of another one of its kind, in all that it has.
    let said = refused(&check(&sound, &[]));
    assert_eq!(said.len(), 3, "{said:?}");
    for (said, part) in said.iter().zip(["data  ", "recordings  ", "port "]) {
        assert!(
            said.starts_with(part) && said.contains("this process itself"),
            "{said}"
        );
    }
    node.stop(Stop::InOrder);
    let before = contents(folder.path());
    let findings = check(&sound, &[]);
    assert_eq!(refused(&findings), [""; 0]);
    let says = |what: &str| {
        let of = findings.iter().find(|finding| finding.what == what);
        of.unwrap_or_else(|| panic!("nothing of {what}")).says.clone()
    };
    assert!(
        says("data").ends_with("its own; 1 bytes are persisted; life 1 would be next"),
        "{}",
        says("data")
    );
    assert!(says("recordings").ends_with("flight-000001.sqf would be next"));
    // Of everything that can be wrong, one thing each.
    let with = |change: &dyn Fn(&mut Settings<Clerk>)| {
        let mut settings = sound.clone();
        change(&mut settings);
        settings
    };
    let file = folder.path().join("data/state");
    let pages = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = pages.local_addr().unwrap();
    let sockets = tempfile::tempdir().unwrap();
    let listens = sockets.path().join("listens");
    let _listener = std::os::unix::net::UnixListener::bind(&listens).unwrap();
    let cases: [(Settings<Clerk>, &str); 12] = [
        (
            with(&|settings| settings.placed.name = "c2".to_owned()),
            "is the data folder of c1 (clerk",
        ),
        (
            with(&|settings| settings.data = Some(file.clone())),
            "it is not a folder",
        ),
        (
            with(&|settings| settings.data = Some(file.join("within"))),
            "it is not a folder",
        ),
        (
            with(&|settings| settings.record.as_mut().unwrap().folder = file.clone()),
            "it is not a folder",
        ),
        (
            with(&|settings| settings.record.as_mut().unwrap().folder = folder.path().join("data")),
            "it is the data folder",
        ),
        (
            with(&|settings| settings.placed.ip = Ipv4Addr::new(192, 0, 2, 1)),
            "192.0.2.1: this machine does not have that address",
        ),
        (
            with(&|settings| settings.http = Some(at)),
            "this process itself has it",
        ),
        (
            with(&|settings| settings.control = Some(file.clone())),
            "something that is no socket is there already",
        ),
        (
            with(&|settings| settings.control = Some(listens.clone())),
            "this process itself listens there",
        ),
        (
            with(&|settings| settings.control = Some(folder.path().join("none/x.sock"))),
            "its folder is not there",
        ),
        (
            with(&|settings| settings.lines = Some(folder.path().to_owned())),
            "it is a folder",
        ),
        (
            with(&|settings| settings.lines = Some(folder.path().join("none/lines"))),
            "its folder is not there",
        ),
    ];
    for (settings, part) in cases {
        let said = refused(&check(&settings, &[]));
        assert!(
            !said.is_empty() && said.iter().any(|said| said.contains(part)),
            "{part}: {said:?}"
        );
        assert!(said.iter().all(|said| !said.contains('\n')), "{said:?}");
    }
    // What is to be done beforehand counts.
    let other = with(&|settings| settings.placed.name = "c2".to_owned());
    assert_eq!(refused(&check(&other, &[Beforehand::Adopt])), [""; 0]);
    assert_eq!(contents(folder.path()), before, "something was changed");
    let sound_state = std::fs::read(&file).unwrap();
    std::fs::write(&file, "garbage").unwrap();
    assert!(refused(&check(&sound, &[]))[0].contains("state is damaged"));
    assert_eq!(refused(&check(&sound, &[Beforehand::Wipe])), [""; 0]);
    std::fs::write(&file, sound_state).unwrap();
    // And then it is so.
    adopt(&folder.path().join("data"), &Owner::of(&other)).unwrap();
    let node = Alone::start(other);
    assert_eq!(node.status().incarnation, 1);
    node.stop(Stop::InOrder);
}

#[test]
fn a_port_that_another_process_has_stops_the_node_and_is_named() {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
    node.call(0, Wish::Bind(port), 0);
    assert_eq!(
        node.ends().unwrap_err().to_string(),
        format!(
            "the node asked for port {port}, and 127.0.0.1:{port} cannot be bound: this process itself has it"
        )
    );
    // An address of the documents' own, which no machine has.
    let node = Alone::start(settings(Ipv4Addr::new(192, 0, 2, 1), Attendance::Alone));
    node.call(0, Wish::Bind(port), 0);
    let why = node.ends().unwrap_err().to_string();
    assert!(why.ends_with("this machine does not have that address"), "{why}");
}

#[test]
fn what_is_not_done_live_is_refused_by_name() {
    let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
    node.call(0, Wish::Join, 0);
    assert_eq!(
        node.ends().unwrap_err().to_string(),
        "the node asked for multicast, and this version does not do multicast live"
    );
}

#[test]
fn lines_that_cannot_be_kept_are_an_error_at_the_start() {
    let mut settings = settings(Ipv4Addr::LOCALHOST, Attendance::Alone);
    settings.lines = Some("/proc/lines".into());
    let why = Alone::start(settings).ends().unwrap_err().to_string();
    assert!(why.starts_with("lines cannot be written to /proc/lines"), "{why}");
}
