//! What others can see of a node waits behind what it writes to its disk: connections as well as datagrams.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use squall_live::Stop;
use squall_nodes::Closed;

use crate::rig::{Heard, Host, PORT, Wish};

#[test]
fn what_is_asked_of_connections_behind_a_write_is_done_in_order_when_it_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut a = Host::with(|settings| settings.data = Some(folder.path().to_owned()));
    let mut b = Host::listening();
    let (here, there) = a.connect(&mut b);
    let to = b.port();
    let dialled = a.wish([
        Wish::Persist,
        Wish::Listen(PORT),
        Wish::Write(here, b"written".to_vec()),
        Wish::Persist,
        Wish::Close(here),
        // It is nothing: the node has closed it.
        Wish::Write(here, b"after the end".to_vec()),
        Wish::Dial(to),
    ]);
    b.hear(&Heard::Closed(there, Closed::Orderly));
    assert_eq!(b.bytes[&there], b"written");
    a.hear(&Heard::Persisted);
    a.hear(&Heard::Persisted);
    a.hear(&Heard::Opened(dialled));
    let (_, back) = b.connect(&mut a);
    assert!(back >= 1 << 52, "it is no number that a dial may get");
    assert_eq!(a.so_far(), []);
}

#[test]
fn a_write_that_fails_drops_what_was_asked_of_connections_behind_it_and_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let mut a = Host::with(|settings| settings.data = Some(folder.path().to_owned()));
    let mut b = Host::listening();
    let (here, there) = a.connect(&mut b);
    let (closed, broken) = a.connect(&mut b);
    symlink("/dev/full", folder.path().join("state.new")).unwrap();
    let to = b.port();
    a.wish_without_an_answer([
        Wish::Persist,
        Wish::Write(here, b"dropped".to_vec()),
        Wish::Dial(to),
        Wish::Write(closed, b"dropped, too".to_vec()),
        Wish::Close(closed),
        Wish::Listen(PORT),
    ]);
    a.hear(&Heard::PersistFailed);
    // What was closed behind it is over, and its peer does not take what it got for all of it.
    b.hear(&Heard::Closed(broken, Closed::Reset));
    a.is_in_time("its end", |status| status.streams.open == 1);
    // The other was not, and the node still hears of it.
    b.wish([Wish::Write(there, b"are you there?".to_vec())]);
    assert_eq!(a.read(here, 14), b"are you there?");
    a.wish([Wish::Write(here, b"yes".to_vec())]);
    assert_eq!(b.read(there, 3), b"yes");
    assert_eq!(b.so_far(), [], "nobody has dialled");
    // Nor does it listen.
    drop(TcpListener::bind(a.port()).expect("nobody listens there"));
    let counts = a.stop(Stop::AtOnce).streams;
    assert_eq!((counts.dialled, counts.written, counts.ended), (2, 3, 1));
}

#[test]
fn reading_is_paused_at_once_whatever_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut a = Host::with(|settings| settings.data = Some(folder.path().to_owned()));
    let mut b = Host::listening();
    let (here, there) = a.connect(&mut b);
    a.wish([Wish::Persist, Wish::Pause(here)]);
    b.wish([Wish::Write(there, b"unread".to_vec())]);
    // By then it would have been read.
    let (_, other) = b_connects(&mut b, &mut a);
    assert!(other > 0);
    assert_eq!(a.bytes.get(&here), None);
    a.wish([Wish::Persist, Wish::Resume(here)]);
    assert_eq!(a.read(here, 6), b"unread");
}

fn b_connects(b: &mut Host, a: &mut Host) -> (u64, u64) {
    a.wish([Wish::Listen(PORT)]);
    b.connect(a)
}
