//! The machine alone: two ends that speak over a wire of the test's own.

use proptest::prelude::*;
use squall_nodes::{Closed, ConnId, Span, Time};

use super::end::{End, Notice, Owner, Reading};
use super::packet::{Desk, Kind, Packet, Sending, Tail};
use super::receiver::Receiver;
use super::rope::Rope;
use crate::engine::spares::Buffers;
use crate::plan::StreamLaw;

const fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

/// Two ends, what each has sent, and the time.
struct Pair {
    ends: [End; 2],
    sent: [Vec<Packet>; 2],
    now: Time,
    law: StreamLaw,
    buffers: Buffers,
}

impl Pair {
    /// A dialler that has dialled, and who is dialled.
    fn new(law: StreamLaw) -> Self {
        let mut pair = Pair {
            ends: [End::new(), End::new()],
            sent: [Vec::new(), Vec::new()],
            now: Time::ZERO,
            law,
            buffers: Buffers::default(),
        };
        pair.at(0, |end, desk| end.dial(ConnId(1), desk));
        pair
    }

    /// The same, and the connection is open, and both nodes know.
    fn open(law: StreamLaw) -> Self {
        let mut pair = Pair::new(law);
        let asked = pair.sent[0].remove(0);
        pair.at(1, |end, desk| end.answer(&asked, desk));
        pair.pass(1);
        pair.pass(0);
        pair.ends[1].owner = Owner::Node(ConnId(1));
        for side in [0, 1] {
            let notice = pair.ends[side].notice().expect("it is open");
            pair.at(side, |end, desk| end.tell(notice, 0, &mut Vec::new(), desk));
        }
        pair
    }

    fn at<R>(&mut self, side: usize, act: impl FnOnce(&mut End, &mut Desk<'_>) -> R) -> R {
        let mut out = Vec::new();
        let mut desk = Desk {
            now: self.now,
            most: 100,
            law: &self.law,
            buffers: &mut self.buffers,
            out: &mut out,
        };
        let result = act(&mut self.ends[side], &mut desk);
        self.sent[side].extend(out);
        result
    }

    /// Lets all that one side has sent come to the other.
    fn pass(&mut self, from: usize) {
        for mut packet in std::mem::take(&mut self.sent[from]) {
            self.at(1 - from, |end, desk| end.take(&mut packet, desk));
        }
    }

    /// Lets everything pass until nobody says anything.
    fn settle(&mut self) {
        while self.sent.iter().any(|sent| !sent.is_empty()) {
            self.pass(0);
            self.pass(1);
        }
    }

    fn write(&mut self, side: usize, bytes: &[u8]) {
        self.at(side, |end, desk| end.write(bytes, desk.law.backlog, desk));
    }

    /// Time goes on until an end is woken.
    fn wake(&mut self, side: usize) {
        self.now = self.ends[side].due(&self.law).expect("it waits for something");
        self.at(side, |end, desk| end.wake(desk));
    }

    fn read(&mut self, side: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(notice @ Notice::Bytes { most, .. }) = self.ends[side].notice() {
            self.at(side, |end, desk| end.tell(notice, most, &mut bytes, desk));
        }
        bytes
    }
}

#[test]
fn a_packet_that_is_lost_is_sent_again_alone_and_two_follow_each_that_is_acknowledged() {
    let mut pair = Pair::open(StreamLaw::default());
    pair.write(0, &[7; 1_000]);
    assert_eq!(pair.sent[0].len(), 10);
    pair.sent[0].clear();
    pair.wake(0);
    assert_eq!(pair.now, ms(200));
    let numbers = |sent: &[Packet]| sent.iter().map(|packet| packet.from).collect::<Vec<_>>();
    assert_eq!(numbers(&pair.sent[0]), [1]);
    // What is written meanwhile waits.
    pair.write(0, &[8; 50]);
    assert_eq!(pair.sent[0].len(), 1);
    let mut rounds = Vec::new();
    while !pair.sent[0].is_empty() {
        rounds.push(numbers(&pair.sent[0]));
        pair.pass(0);
        pair.pass(1);
    }
    assert_eq!(
        rounds,
        [
            vec![1],
            vec![101, 201],
            vec![301, 401, 501, 601],
            vec![701, 801, 901],
            vec![1_001]
        ]
    );
    assert_eq!(pair.read(1).len(), 1_050);
}

#[test]
fn what_comes_twice_late_or_out_of_turn_is_read_once_and_in_turn() {
    let mut pair = Pair::open(StreamLaw::default());
    let bytes: Vec<u8> = (0..250).collect();
    pair.write(0, &bytes);
    let mut sent = std::mem::take(&mut pair.sent[0]);
    let last = sent.pop().expect("three packets");
    let copy = Packet {
        bytes: last.bytes.clone(),
        ..last
    };
    pair.sent[0] = vec![last];
    pair.pass(0);
    assert_eq!(pair.read(1), [0u8; 0]);
    pair.sent[0] = vec![sent.pop().expect("two"), sent.pop().expect("one"), copy];
    pair.pass(0);
    assert_eq!(pair.read(1), bytes);
    // Each was acknowledged, and the acknowledgements may come in any order too.
    pair.sent[1].reverse();
    pair.pass(1);
    assert_eq!(pair.ends[0].due(&pair.law), None);
}

#[test]
fn whoever_has_no_room_is_asked_later_and_later_and_says_when_he_has() {
    let law = StreamLaw {
        receive_buffer: 150,
        ..StreamLaw::default()
    };
    let mut pair = Pair::open(law);
    pair.ends[1].reading = Reading::Paused;
    pair.write(0, &[7; 400]);
    pair.settle();
    let mut asked = Vec::new();
    for _ in 0..4 {
        pair.wake(0);
        assert_eq!(pair.sent[0][0].sending, Sending::Probe);
        asked.push(pair.now.as_nanos() / 1_000_000);
        pair.settle();
    }
    assert_eq!(asked, [200, 600, 1_400, 3_000]);
    pair.ends[1].reading = Reading::On;
    assert_eq!(pair.read(1).len(), 150);
    // It says so by itself.
    assert_eq!(pair.sent[1].len(), 1);
    let mut all = 150;
    while !pair.sent[1].is_empty() {
        pair.settle();
        all += pair.read(1).len();
    }
    assert_eq!(all, 400);
}

#[test]
fn room_that_was_said_to_be_there_and_not_heard_of_is_asked_for() {
    let law = StreamLaw {
        receive_buffer: 150,
        ..StreamLaw::default()
    };
    let mut pair = Pair::open(law);
    pair.ends[1].reading = Reading::Paused;
    pair.write(0, &[7; 400]);
    pair.settle();
    pair.ends[1].reading = Reading::On;
    pair.read(1);
    pair.sent[1].clear();
    pair.wake(0);
    pair.settle();
    assert!(!pair.read(1).is_empty());
}

#[test]
fn nothing_is_acknowledged_for_too_long_and_the_connection_is_given_up() {
    let mut pair = Pair::open(StreamLaw::default());
    pair.write(0, b"lost");
    let mut wakes = 0;
    while pair.ends[0].exists() {
        pair.sent[0].clear();
        pair.wake(0);
        wakes += 1;
    }
    // At 0.2, 0.6, 1.4, 3, 6.2 and 12.6 seconds, and at twenty.
    assert_eq!((wakes, pair.now), (7, ms(20_000)));
    assert_eq!(pair.ends[0].notice(), Some(Notice::Closed(Closed::TimedOut)));
    assert_eq!(pair.sent[0].len(), 0);
}

#[test]
fn an_end_may_be_lost_like_anything_else() {
    let mut pair = Pair::open(StreamLaw::default());
    pair.write(0, b"last");
    pair.at(0, |end, desk| end.close(desk));
    assert_eq!(pair.sent[0].len(), 2);
    assert_eq!(pair.sent[0][1].tail, Tail::End);
    pair.sent[0].pop();
    pair.settle();
    assert_eq!(pair.read(1), b"last");
    assert_eq!(pair.ends[1].notice(), None);
    pair.wake(0);
    pair.settle();
    assert_eq!(pair.ends[1].notice(), Some(Notice::Closed(Closed::Orderly)));
    pair.at(1, |end, desk| {
        end.tell(Notice::Closed(Closed::Orderly), 0, &mut Vec::new(), desk)
    });
    pair.settle();
    assert!(pair.ends.iter().all(End::is_done));
}

#[test]
fn an_end_that_comes_to_be_while_something_is_sent_again_is_sent_with_it() {
    let mut pair = Pair::open(StreamLaw::default());
    pair.write(0, b"lost");
    pair.sent[0].clear();
    pair.wake(0);
    pair.sent[0].clear();
    pair.at(0, |end, desk| end.close(desk));
    assert!(pair.sent[0].is_empty());
    pair.wake(0);
    pair.settle();
    assert_eq!(pair.read(1), b"lost");
    assert_eq!(pair.ends[1].notice(), Some(Notice::Closed(Closed::Orderly)));
}

#[test]
fn a_reset_ends_it_and_what_came_before_can_still_be_read() {
    let mut pair = Pair::open(StreamLaw::default());
    pair.write(0, b"before");
    pair.pass(0);
    pair.sent[0].push(Packet {
        kind: Kind::Reset,
        ..Packet::default()
    });
    pair.pass(0);
    assert_eq!(pair.read(1), b"before");
    assert_eq!(pair.ends[1].notice(), Some(Notice::Closed(Closed::Reset)));
    assert_eq!(pair.ends[1].due(&pair.law), None);
}

#[test]
fn a_peer_that_loses_its_grant_hears_it_again_when_it_asks_again() {
    let mut pair = Pair::new(StreamLaw::default());
    let asked = pair.sent[0].remove(0);
    pair.at(1, |end, desk| end.answer(&asked, desk));
    pair.sent[1].clear();
    pair.wake(0);
    assert_eq!(pair.now, ms(1_000));
    pair.pass(0);
    pair.pass(1);
    assert_eq!(pair.ends[0].notice(), Some(Notice::Opened));
}

#[test]
fn an_end_that_is_cleared_holds_nothing() {
    let mut pair = Pair::open(StreamLaw::default());
    pair.write(0, &[7; 1_000]);
    pair.sent[0].remove(0);
    pair.pass(0);
    for side in [0, 1] {
        assert!(pair.ends[side].taken() > 0);
        pair.ends[side].clear(&mut pair.buffers);
        assert_eq!(
            (pair.ends[side].taken(), pair.ends[side].due(&pair.law)),
            (0, None)
        );
    }
}

proptest! {
    /// A rope against a plain queue of bytes.
    #[test]
    fn a_rope_is_a_queue_of_bytes(steps in prop::collection::vec((0..3_u8, 0..3_000_usize), 1..60)) {
        let (mut rope, mut plain, mut buffers) = (Rope::default(), Vec::new(), Buffers::default());
        let mut next = 0_u8;
        for (kind, size) in steps {
            if kind == 0 {
                let count = size.min(plain.len());
                plain.drain(..count);
                rope.drop_front(count, &mut buffers);
            } else {
                let bytes: Vec<u8> = (0..size).map(|_| { next = next.wrapping_add(1); next }).collect();
                plain.extend_from_slice(&bytes);
                if kind == 1 {
                    rope.push(&bytes, &mut buffers);
                } else if size > 0 {
                    rope.push_buffer(buffers.filled(&bytes));
                }
            }
            prop_assert_eq!(rope.len(), plain.len());
            prop_assert!(rope.taken() >= rope.len());
            let (start, len) = (plain.len() / 3, plain.len() / 2);
            let mut copy = Vec::new();
            rope.copy(start, len, &mut copy);
            prop_assert_eq!(&copy, &plain[start..start + len]);
        }
        rope.clear(&mut buffers);
        prop_assert_eq!((rope.len(), rope.taken()), (0, 0));
    }

    /// Whatever pieces of a text come in whatever order, what can be read is its beginning, up to the first byte that has not come.
    #[test]
    fn a_receiver_puts_pieces_together(
        pieces in prop::collection::vec((0..200_usize, 1..60_usize), 1..40),
        ends in any::<bool>(),
    ) {
        let text: Vec<u8> = (0..200).collect();
        let mut buffers = Buffers::default();
        let mut receiver = Receiver::new(1_000);
        receiver.open(Time::ZERO);
        let (mut came, mut read) = ([false; 200], Vec::new());
        for (from, len) in pieces {
            let to = (from + len).min(200);
            came[from..to].fill(true);
            let mut packet = Packet {
                from: 1 + from as u64,
                bytes: buffers.filled(&text[from..to]),
                tail: if ends && to == 200 { Tail::End } else { Tail::Open },
                ..Packet::default()
            };
            receiver.take(&mut packet, &mut buffers);
            let unread = receiver.unread();
            prop_assert_eq!(receiver.first_unread(), 1 + read.len() as u64);
            receiver.read(unread, &mut read, &mut buffers);
            let whole = came.iter().take_while(|came| **came).count();
            prop_assert_eq!(&read, &text[..whole]);
        }
        let whole = came.iter().all(|came| *came);
        prop_assert_eq!(receiver.has_ended(), whole && ends);
        if whole {
            prop_assert_eq!(receiver.taken(), 0);
        }
    }
}

/// A user timeout goes on from the last that was acknowledged.
#[test]
fn what_is_acknowledged_by_and_by_is_not_given_up() {
    let law = StreamLaw {
        user_timeout: Span::from_secs(1),
        ..StreamLaw::default()
    };
    let mut pair = Pair::open(law);
    for _ in 0..10 {
        pair.write(0, b"a");
        pair.sent[0].clear();
        pair.wake(0);
        pair.now += Span::from_millis(150);
        pair.write(0, b"b");
        pair.settle();
    }
    assert!(pair.now > ms(3_000) && pair.ends[0].exists());
    assert_eq!(pair.read(1), b"ab".repeat(10));
}
