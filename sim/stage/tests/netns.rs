//! Cuts that the kernel makes: what a switch lets pass, what it drops, what it counts, and that nothing of it stays behind. Where
//! namespaces cannot be had, the reason is told instead.

use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use squall_stage::journal::{ATTENDED, Journal, clean};
use squall_stage::netns::{CutWays, Switch, address_of, names, remove, unavailable};

/// A run that no other test has, nor any other run of this test.
fn run(test: &str) -> String {
    format!("test-{test}-{}", std::process::id())
}

/// A socket of a host.
fn socket(run: &str, host: usize) -> UdpSocket {
    let name = names(run, host + 1)[host + 1].clone();
    let opened = std::thread::spawn(move || {
        let namespace = std::fs::File::open(format!("/var/run/netns/{name}")).unwrap();
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        UdpSocket::bind(SocketAddrV4::new(address_of(host), 7000)).unwrap()
    });
    let socket = opened.join().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

fn there(run: &str) -> usize {
    let listed = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed
        .lines()
        .filter(|line| line.contains(&format!("squall-{run}-")))
        .count()
}

/// Makes a namespace, and says whether that was done.
fn add(name: &str) -> bool {
    let mut ip = Command::new("ip");
    ip.args(["netns", "add", name]).status().unwrap().success()
}

/// Whether namespaces can be had; where not, that somebody is told why. With `SQUALL_NETNS=must` they are to be had.
fn can() -> bool {
    let must = std::env::var_os("SQUALL_NETNS").is_some_and(|value| value == "must");
    match unavailable() {
        None => true,
        Some(why) => {
            assert!(!must, "{why}");
            assert!(why.contains("root") || why.contains("iproute2"), "{why}");
            false
        }
    }
}

#[test]
fn what_a_switch_cuts_is_dropped_one_way_and_counted_and_healed() {
    if !can() {
        return;
    }
    let run = run("cuts");
    let mut switch = Switch::build(&run, 3).unwrap();
    assert_eq!(there(&run), 4);
    let sockets = [0, 1, 2].map(|host| socket(&run, host));
    let send = |from: usize, to: usize, what: &[u8]| {
        let to = SocketAddrV4::new(address_of(to), 7000);
        sockets[from].send_to(what, to).unwrap();
    };
    let heard = |host: usize| {
        let mut bytes = [0; 64];
        let (len, from) = sockets[host].recv_from(&mut bytes).unwrap();
        (bytes[..len].to_vec(), from.ip().to_string())
    };
    send(0, 1, b"open");
    assert_eq!(heard(1), (b"open".to_vec(), "10.77.0.1".to_owned()));

    let both = vec![(0, 1), (0, 2)];
    switch
        .cut(&[
            CutWays {
                by: 3,
                ways: both.clone(),
            },
            CutWays {
                by: 8,
                ways: vec![(0, 1)],
            },
        ])
        .unwrap();
    // What is dropped is not heard before what was sent after it and is let pass.
    send(0, 1, b"cut");
    send(0, 2, b"cut");
    send(2, 1, b"past it");
    send(1, 0, b"back");
    assert_eq!(heard(1).0, b"past it");
    assert_eq!(heard(0).0, b"back");
    let dropped: Vec<(u32, u64)> = switch.dropped().unwrap().into_iter().collect();
    assert_eq!(dropped, [(3, 2), (8, 1)]);

    switch.cut(&[CutWays { by: 3, ways: both }]).unwrap();
    send(0, 1, b"cut");
    send(2, 1, b"past it");
    assert_eq!(heard(1).0, b"past it");
    switch.cut(&[]).unwrap();
    send(0, 1, b"healed");
    assert_eq!(heard(1).0, b"healed");
    let dropped: Vec<(u32, u64)> = switch.dropped().unwrap().into_iter().collect();
    assert_eq!(dropped, [(3, 3), (8, 1)]);

    drop(switch);
    assert_eq!(there(&run), 0);
}

#[test]
fn a_host_whose_interface_is_down_is_silent_and_what_it_had_to_send_is_gone() {
    if !can() {
        return;
    }
    let run = run("down");
    let mut switch = Switch::build(&run, 3).unwrap();
    let sockets = [0, 1, 2].map(|host| socket(&run, host));
    let send = |from: usize, to: usize, what: &[u8]| {
        sockets[from].send_to(what, SocketAddrV4::new(address_of(to), 7000))
    };
    let heard = |host: usize| {
        let mut bytes = [0; 64];
        let (len, _) = sockets[host].recv_from(&mut bytes).unwrap();
        bytes[..len].to_vec()
    };
    for (from, to) in [(0, 1), (1, 0), (2, 1), (2, 0)] {
        send(from, to, b"open").unwrap();
        assert_eq!(heard(to), b"open");
    }
    switch.unplug(0).unwrap();
    // Whatever becomes of it, it does not come through.
    let _ = send(0, 1, b"silent");
    send(1, 0, b"to nobody").unwrap();
    send(2, 1, b"past it").unwrap();
    assert_eq!(heard(1), b"past it");
    switch.plug_in(0).unwrap();
    send(2, 0, b"back").unwrap();
    assert_eq!(heard(0), b"back");
    send(0, 1, b"here").unwrap();
    assert_eq!(heard(1), b"here");
}

#[test]
fn what_is_dropped_is_counted_whatever_is_changed_meanwhile() {
    const SENT: u64 = 40_000;
    if !can() {
        return;
    }
    let run = run("counts");
    let mut switch = Switch::build(&run, 2).unwrap();
    let sockets = [0, 1].map(|host| socket(&run, host));
    let to = SocketAddrV4::new(address_of(1), 7000);
    // The neighbours know each other before the cut.
    sockets[0].send_to(b"open", to).unwrap();
    sockets[1].recv_from(&mut [0; 64]).unwrap();
    let cut = |by| CutWays {
        by,
        ways: vec![(0, 1)],
    };
    switch.cut(&[cut(1)]).unwrap();
    std::thread::scope(|both| {
        let sending = both.spawn(|| {
            for _ in 0..SENT {
                sockets[0].send_to(b"cut", to).unwrap();
            }
        });
        // The first entry cuts all the while, and others come and go.
        let mut by = 1;
        loop {
            by = 5 - by.max(2);
            switch.cut(&[cut(1), cut(by)]).unwrap();
            if sending.is_finished() {
                break;
            }
        }
    });
    assert_eq!(switch.dropped().unwrap()[&1], SENT);
    switch.cut(&[]).unwrap();
    assert_eq!(switch.dropped().unwrap()[&1], SENT);
}

#[test]
fn a_run_whose_stage_was_killed_is_cleaned_up_from_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let run = run("left");
    let own = folder.path().join(&run);
    std::fs::create_dir(&own).unwrap();
    let namespaces = if can() { names(&run, 1) } else { Vec::new() };
    let journal = Journal::new(run.clone(), own.clone(), namespaces.clone()).unwrap();
    journal.write(folder.path()).unwrap();

    // While its stage lives, nothing is touched.
    let alive = clean(folder.path()).unwrap();
    assert_eq!((alive.alive, alive.runs), (vec![run.clone()], vec![]));

    // What a stage that was killed leaves: a process with the folder in its words, and namespaces.
    let start = |words: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line"]).args(words).arg(own.join("s.ron"));
        shell.stdin(Stdio::piped()).spawn().unwrap()
    };
    let mut host = start(&["sh", ATTENDED]);
    let mut editor = start(&["sh"]);
    for name in &namespaces {
        assert!(add(name));
    }
    let path = folder.path().join(format!("journal-{run}.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut dead: serde_json::Value = serde_json::from_str(&text).unwrap();
    dead["stage"]["started"] = 1.into();
    std::fs::write(&path, dead.to_string()).unwrap();
    let cleaned = clean(folder.path());
    let ended = host.wait().unwrap();
    let edited = editor.try_wait().unwrap();
    drop(editor.stdin.take());
    editor.wait().unwrap();
    assert_eq!(edited, None, "whoever looks at the files of a run is let live");
    let cleaned = cleaned.unwrap();
    assert_eq!(cleaned.runs, vec![run]);
    assert_eq!(cleaned.processes, 1);
    assert_eq!(cleaned.left, Vec::new());
    assert_eq!(cleaned.namespaces, namespaces.len());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
    assert!(!path.exists());
    assert!(own.exists(), "what the run has left in its folder may be wanted");
    assert_eq!(remove(&namespaces).unwrap(), 0);
    assert_eq!(clean(folder.path()).unwrap().runs, Vec::<String>::new());
}

#[test]
fn what_cannot_be_removed_keeps_its_journal_until_it_can() {
    if !can() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = run("stays");
    let namespaces = names(&run, 1);
    let journal = Journal::new(run.clone(), folder.path().join(&run), namespaces.clone()).unwrap();
    journal.write(folder.path()).unwrap();
    let path = folder.path().join(format!("journal-{run}.json"));
    assert!(add(&namespaces[0]));
    // A folder in the place of a namespace cannot be removed as one.
    let stuck = std::path::Path::new("/var/run/netns").join(&namespaces[1]);
    std::fs::create_dir(&stuck).unwrap();
    let refused = journal.clean(folder.path());
    std::fs::remove_dir(&stuck).unwrap();
    let why = refused.unwrap_err().to_string();
    assert!(why.contains(&namespaces[1]) || why.contains("ip -force"), "{why}");
    assert!(path.exists());
    assert_eq!(there(&run), 0, "what could be removed is");
    assert_eq!(journal.clean(folder.path()).unwrap().namespaces, 0);
    assert!(!path.exists());
}

#[test]
fn a_journal_that_names_what_is_not_the_run_s_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = run("liar");
    let others = format!("squall-{run}x-0");
    let is_there = can() && add(&others);
    for named in [
        others.as_str(),
        "critic-ns-1",
        "squall-",
        &format!("squall-{run}-"),
        &format!("squall-{run}-0x"),
        &format!("squall-{run}-0\nnetns del {others}"),
    ] {
        let journal = Journal::new(run.clone(), folder.path().join(&run), vec![named.to_owned()]).unwrap();
        journal.write(folder.path()).unwrap();
        let cleaned = clean(folder.path()).unwrap();
        let [(_, why)] = &cleaned.unreadable[..] else {
            panic!("{named:?}: {cleaned:?}");
        };
        assert!(why.contains("is not the run's"), "{why}");
    }
    if is_there {
        assert_eq!(remove(&[others]).unwrap(), 1);
    }
}

#[test]
fn a_folder_that_others_write_to_is_not_believed() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("journal-a.json"), "{").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let why = clean(folder.path()).unwrap_err().to_string();
    assert!(why.contains("others may write to it"), "{why}");
}

#[test]
fn a_journal_that_says_too_much_kills_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("journal-a.json", "{");
    write(
        "journal-b.json",
        r#"{"format":1,"run":"b","stage":{"pid":1,"started":1,"boot":"x"},"folder":"/","namespaces":[]}"#,
    );
    write(
        "journal-c.json",
        r#"{"format":2,"run":"c","stage":{"pid":1,"started":1,"boot":"x"},"folder":"/tmp/c","namespaces":[]}"#,
    );
    // What would be removed is the journal of another.
    write(
        "journal-d.json",
        r#"{"format":1,"run":"e","stage":{"pid":1,"started":1,"boot":"x"},"folder":"/tmp/e","namespaces":[]}"#,
    );
    write(
        "journal-f g.json",
        r#"{"format":1,"run":"f g","stage":{"pid":1,"started":1,"boot":"x"},"folder":"/tmp/f g","namespaces":[]}"#,
    );
    let cleaned = clean(folder.path()).unwrap();
    let names: Vec<_> = cleaned
        .unreadable
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_owned())
        .collect();
    let all = ["a", "b", "c", "d", "f g"].map(|name| format!("journal-{name}.json"));
    assert_eq!(names, all.each_ref().map(std::ffi::OsString::from));
    assert_eq!(cleaned.processes, 0);
    let nowhere = clean(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(nowhere.contains("there is no such folder"), "{nowhere}");
}
