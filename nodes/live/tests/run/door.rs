//! The door of a node: who calls, and what comes back.

use std::net::Ipv4Addr;

use squall_live::settings::Attendance;
use squall_live::{Reply, Request, Stop};

use crate::clerk::{Alone, Wish, settings};

#[test]
fn callers_have_numbers_of_their_own_and_get_all_answers() {
    let node = Alone::start(settings(Ipv4Addr::LOCALHOST, Attendance::Alone));
    for _ in 0..2 {
        let answers: Vec<(u64, u32)> = node
            .call(9, Wish::Answers(3), 3)
            .into_iter()
            .map(|reply| match reply {
                Reply::Answer { call, answer } => (call, answer),
                _ => panic!("it answers"),
            })
            .collect();
        assert_eq!(answers, [(9, 0), (9, 1), (9, 2)]);
    }
    // More than anybody reads: no memory is taken for it, and the node goes on.
    let unread = node.runtime.block_on(node.asker.ask(Request::Call {
        call: 1,
        command: Wish::Answers(100_000),
    }));
    assert_eq!(node.call(2, Wish::Answers(1), 1).len(), 1);
    let status = node.status();
    assert_eq!((status.calls.taken, status.calls.answers), (4, 100_007));
    drop(unread);
    let handle = node.asker.clone();
    let ended = node.stop(Stop::InOrder);
    assert_eq!(ended.how, Stop::InOrder);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        handle.ended().await;
        assert!(handle.status().await.is_err());
        let mut replies = handle.ask(Request::Status).await;
        assert!(matches!(replies.next().await, Some(Reply::Refused { .. })));
        assert!(replies.next().await.is_none());
    });
}
