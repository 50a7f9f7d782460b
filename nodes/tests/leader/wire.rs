//! The messages: what was encoded is read back however it is cut, and no bytes make a reader panic or keep more than its bound.

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;
use squall_nodes::leader::calc::CalcError;
use squall_nodes::leader::wire::{
    Ack, Calc, CalcResult, Chat, Choose, DEEPEST, Heartbeat, LARGEST, LONGEST_CHAT, Listed, MOST_NODES,
    Message, Nodes, Reader, Said, Term, WireError,
};

const LONGEST: usize = 64 * 1024;

fn addresses() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

fn terms() -> impl Strategy<Value = Option<Term>> {
    prop::option::of((0..=LARGEST, any::<u32>()).prop_map(|(counter, number)| Term { counter, number }))
}

/// Text with everything in it that could be taken for the frame.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,40}",
        "[{}\\[\\]\"\\\\,:;<>EOF ]{0,40}",
        prop::collection::vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let nodes = (
        addresses(),
        prop::collection::btree_set(addresses(), 1..20),
        terms(),
    )
        .prop_map(|(from, nodes, term)| {
            let listed = |(number, address)| Listed { number, address };
            let nodes = (1..).zip(nodes).map(listed).collect();
            Message::Nodes(Nodes { from, nodes, term })
        });
    let heartbeat =
        (addresses(), terms()).prop_map(|(from, term)| Message::Heartbeat(Heartbeat { from, term }));
    let choose = (addresses(), terms()).prop_map(|(from, term)| Message::Choose(Choose { from, term }));
    let said = prop::collection::btree_map(0..=LARGEST, texts(), 1..5).prop_map(|said| {
        let said = said.into_iter().map(|(number, text)| Said { number, text });
        said.collect::<Vec<Said>>()
    });
    let session = prop::option::of(0..=LARGEST);
    let chat = (
        addresses(),
        "[a-z0-9._-]{1,32}",
        0..=LARGEST,
        session.clone(),
        said,
    )
        .prop_map(|(from, name, life, session, said)| {
            Message::Chat(Chat {
                from,
                name,
                life,
                session,
                said,
            })
        });
    let calc = (addresses(), 0..=LARGEST, texts(), terms()).prop_map(|(from, request, expression, term)| {
        Message::Calc(Calc {
            from,
            request,
            expression,
            term,
        })
    });
    let outcome = prop_oneof![
        texts().prop_map(|value| (Some(value), None)),
        (0..1000u16).prop_map(|at| (None, Some(CalcError::Syntax(at)))),
        Just((None, Some(CalcError::DivisionByZero))),
    ];
    let result = (0..=LARGEST, outcome, terms()).prop_map(|(request, (value, error), term)| {
        Message::Result(CalcResult {
            request,
            value,
            error,
            term,
        })
    });
    let marks = proptest::option::of(any::<u32>());
    let ack = (any::<bool>(), terms(), marks, session.clone(), session);
    let ack = ack.prop_map(|(waits, term, list, had, above)| {
        Message::Ack(Ack {
            waits,
            term,
            list,
            had,
            above,
        })
    });
    prop_oneof![nodes, heartbeat, choose, chat, calc, result, ack]
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// What comes of bytes that come in pieces: the message or the error, and nothing of what is behind it.
fn read(bytes: &[u8], cuts: &[usize], longest: usize) -> Result<Option<Message>, WireError> {
    let mut reader = Reader::new(longest);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts {
        if let Some(message) = reader.push(&bytes[from..cut])? {
            return Ok(Some(message));
        }
        from = cut;
    }
    Ok(None)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..12)
}

proptest! {
    #[test]
    fn what_was_encoded_is_read_back_however_it_is_cut(message in messages(), cuts in cuts(), behind in ".{0,20}") {
        let mut bytes = encoded(&message);
        let end = bytes.len();
        prop_assert_eq!(read(&bytes[..end - 1], &cuts, LONGEST), Ok(None));
        bytes.extend_from_slice(behind.as_bytes());
        prop_assert_eq!(read(&bytes, &cuts, LONGEST), Ok(Some(message)));
    }

    #[test]
    fn how_bytes_are_cut_makes_no_difference(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[ \n]{0,3}[{}\\[\\]\"\\\\a:1,]{0,60}".prop_map(String::into_bytes),
            messages().prop_map(|message| encoded(&message)),
        ],
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        cuts in cuts(),
        longest in 0..300usize,
    ) {
        let mut bytes = bytes;
        let len = bytes.len();
        for (at, byte) in flips {
            if len > 0 {
                bytes[at % len] = byte;
            }
        }
        let every_byte: Vec<usize> = (0..len).collect();
        let whole = read(&bytes, &[], longest);
        prop_assert_eq!(read(&bytes, &cuts, longest), whole.clone());
        prop_assert_eq!(read(&bytes, &every_byte, longest), whole);
    }
}

#[test]
fn a_message_may_have_the_longest_length_and_not_a_byte_more() {
    let bytes = encoded(&Message::Ack(Ack::default()));
    assert!(matches!(read(&bytes, &[], bytes.len()), Ok(Some(_))));
    assert_eq!(read(&bytes, &[], bytes.len() - 1), Err(WireError::TooLong));
    let endless = vec![b' '; LONGEST + 1];
    assert_eq!(read(&endless, &[], LONGEST), Err(WireError::TooLong));
    let mut text = br#"{"messagetype":""#.to_vec();
    text.resize(100 << 20, b'x');
    assert_eq!(read(&text, &[], LONGEST), Err(WireError::TooLong));
}

#[test]
fn the_longest_list_and_the_longest_chat_fit_into_a_message() {
    let address = |i: u32| SocketAddrV4::new(Ipv4Addr::from(u32::MAX - i), 65_535);
    let nodes = (0..MOST_NODES as u32).map(|i| Listed {
        number: i + 1,
        address: address(i),
    });
    let term = Some(Term {
        counter: LARGEST,
        number: u32::MAX,
    });
    let list = Message::Nodes(Nodes {
        from: address(0),
        nodes: nodes.collect(),
        term,
    });
    let chat = Message::Chat(Chat {
        from: address(0),
        name: "n".repeat(32),
        life: LARGEST,
        session: Some(LARGEST),
        said: vec![Said {
            number: LARGEST,
            text: "\u{1}".repeat(LONGEST_CHAT),
        }],
    });
    for message in [list, chat] {
        let bytes = encoded(&message);
        assert!(bytes.len() <= 48 * 1024, "{} bytes", bytes.len());
        assert_eq!(read(&bytes, &[], 48 * 1024), Ok(Some(message)));
    }
}

#[test]
fn what_is_no_message_is_told_by_its_reason() {
    let nested = |depth: usize| format!(r#"{{"a":{}"#, "[".repeat(depth - 1));
    for (text, reason) in [
        ("hello", WireError::NoObject),
        ("[1]", WireError::NoObject),
        ("\u{0}", WireError::NoObject),
        (&nested(usize::from(DEEPEST) + 1), WireError::TooDeep),
        ("{}", WireError::NoMessage),
        ("{]", WireError::NoMessage),
        (r#"{"messagetype":"ack"}"#, WireError::NoMessage),
        (r#"{"messagetype":"hello","data":{}}"#, WireError::NoMessage),
        (
            r#"{"messagetype":"ack","data":{},"more":1}"#,
            WireError::NoMessage,
        ),
        (r#"{"messagetype":"ack","data":{"more":1}}"#, WireError::NoMessage),
        (
            r#"{"messagetype":"ack","messagetype":"ack","data":{}}"#,
            WireError::NoMessage,
        ),
        (
            r#"{"messagetype":"ack","data":{"had":9007199254740992}}"#,
            WireError::OutOfBounds,
        ),
        (r#"{"messagetype":"ack","data":{"had":-1}}"#, WireError::NoMessage),
        (
            r#"{"messagetype":"nodes","data":{"from":"1.2.3.4:5","nodes":[]}}"#,
            WireError::OutOfBounds,
        ),
        (
            r#"{"messagetype":"nodes","data":{"from":"1.2.3.4:5","nodes":[{"number":2,"address":"1.2.3.4:5"}]}}"#,
            WireError::OutOfBounds,
        ),
        (
            r#"{"messagetype":"chat","data":{"from":"1.2.3.4:5","name":"a b","life":1,"said":[{"number":1,"text":""}]}}"#,
            WireError::OutOfBounds,
        ),
        (
            r#"{"messagetype":"result","data":{"request":1}}"#,
            WireError::OutOfBounds,
        ),
    ] {
        assert_eq!(read(text.as_bytes(), &[], LONGEST), Err(reason), "{text}");
    }
    let deepest = nested(usize::from(DEEPEST));
    assert_eq!(read(deepest.as_bytes(), &[], LONGEST), Ok(None));
    // Whichever comes first, `data` or `messagetype`, the object is the same.
    let turned = br#" {"data":{"waits":true},"messagetype":"ack"}"#;
    let ack = Ack {
        waits: true,
        ..Ack::default()
    };
    assert_eq!(read(turned, &[], LONGEST), Ok(Some(Message::Ack(ack))));
}

#[test]
fn a_reader_keeps_no_more_than_the_longest_message_whatever_the_pieces() {
    let mut text = br#"{"messagetype":""#.to_vec();
    text.resize(LONGEST + 1, b'x');
    for longest in [100, 8 * 1024, LONGEST] {
        for piece in [1, 7, 100, 1_460, 5_000, 40_000] {
            let mut reader = Reader::new(longest);
            let refused = text.chunks(piece).find_map(|part| {
                let read = reader.push(part);
                assert!(reader.capacity() <= longest, "{piece}: {}", reader.capacity());
                read.err()
            });
            assert_eq!(refused, Some(WireError::TooLong), "{longest}, {piece}");
        }
    }
}
