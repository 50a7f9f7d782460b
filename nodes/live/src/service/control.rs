//! Requests over a unix socket, a line of JSON each: many clients, each bounded in what it may send, ask and leave unread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use squall_nodes::Node;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::pages::Asker;
use super::turned_away::What;
use crate::door::Handle;
use crate::request::{Reply, Request};

/// The longest line, its end included, in bytes: 1 MiB.
pub const LONGEST_LINE: usize = 1 << 20;

/// How many clients there may be at a time.
const MOST_CLIENTS: usize = 16;
/// How many calls of a client may get more answers. Of more, the oldest gets none any more.
const MOST_CALLS: usize = 64;
/// How many replies may wait to be read by a client.
const MOST_REPLIES: usize = 64;
/// How many bytes the calls of all clients may be long together that the node has not been told of, as they were written. Whoever calls
/// beyond that is refused.
const CALLS_WAITING: usize = 16 << 20;
/// What each of them counts at least, in bytes.
const LEAST_OF_CALL: usize = 16 << 10;
/// How long a client may take to read what there is for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nobody is taken when the system has no room for another connection.
const REST: Duration = Duration::from_millis(100);

/// Serves requests until the runtime ends.
pub(super) async fn serve<N: Node>(listener: UnixListener, handle: Handle<N>, asker: Asker<N>) {
    let places = Arc::new(Semaphore::new(MOST_CLIENTS));
    let room = Arc::new(Semaphore::new(CALLS_WAITING));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let client = converse(stream, handle.clone(), asker.clone(), Arc::clone(&room));
                tokio::spawn(async move {
                    client.await;
                    drop(place);
                });
            }
            Err(_) => {
                asker.turned_away.count(What::Client);
                // It is told in passing: a new connection has room for a line.
                let why = format!(
                    "{MOST_CLIENTS} clients are connected, and it has no place for another; try again when one of them has gone"
                );
                if let Some(line) = line_of(&Reply::<N>::Refused { why }) {
                    let _ = stream.try_write(&line);
                }
            }
        }
    }
}

/// Takes the requests of one client, one after another, until it goes or sends what is none.
async fn converse<N: Node>(stream: UnixStream, handle: Handle<N>, asker: Asker<N>, room: Arc<Semaphore>) {
    let (reads, writes) = stream.into_split();
    let (replies, waiting) = mpsc::channel(MOST_REPLIES);
    let writer = tokio::spawn(write(waiting, writes));
    let mut client = Client {
        node: handle,
        asker,
        replies,
        room,
        calls: VecDeque::new(),
    };
    let mut reads = BufReader::new(reads);
    loop {
        // Who does not read its replies is not heard either: the channel is full, and then the writer ends.
        let line = tokio::select! {
            line = next_line(&mut reads) => line,
            () = client.replies.closed() => return,
        };
        let kept = match line {
            Line::Request(line) => client.take(&line).await,
            Line::TooLong => {
                client
                    .refuse(format!("a line is at most {LONGEST_LINE} bytes long"))
                    .await
            }
            Line::End => Kept::No,
        };
        if kept == Kept::No {
            break;
        }
    }
    // What there is for it goes out before it is let go. Calls that are open end here.
    drop(client);
    let _ = writer.await;
}

/// Whether a client is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

/// One client.
struct Client<N: Node> {
    node: Handle<N>,
    asker: Asker<N>,
    replies: mpsc::Sender<Vec<u8>>,
    /// The room that there is for calls of all clients.
    room: Arc<Semaphore>,
    /// What passes on the answers of its calls, the oldest first.
    calls: VecDeque<JoinHandle<()>>,
}

impl<N: Node> Drop for Client<N> {
    fn drop(&mut self) {
        self.calls.iter().for_each(JoinHandle::abort);
    }
}

impl<N: Node> Client<N> {
    /// Takes one line.
    async fn take(&mut self, line: &[u8]) -> Kept {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Kept::Yes;
        }
        let request = match serde_json::from_slice::<Request<N>>(line) {
            Ok(request) => request,
            Err(why) => return self.refuse(format!("this is no request: {why}")).await,
        };
        match request {
            // The page has the node's own answer besides.
            Request::Status => {
                let reply = match self.asker.told().await {
                    Some(told) => Reply::Status {
                        status: told.to_json(),
                    },
                    None => Reply::Refused {
                        why: "the node does not answer: it stops, or it was kept from running".to_owned(),
                    },
                };
                self.reply(reply).await
            }
            Request::Call { call, command } => self.call(call, command, line.len()).await,
            other => {
                let mut replies = self.node.ask(other).await;
                match replies.next().await {
                    Some(reply) => self.reply(reply).await,
                    None => Kept::Yes,
                }
            }
        }
    }

    /// Calls the node, and has its answers passed on for as long as it gives any.
    async fn call(&mut self, call: u64, command: N::Command, len: usize) -> Kept {
        self.calls.retain(|call| !call.is_finished());
        if self.calls.len() == MOST_CALLS
            && let Some(oldest) = self.calls.pop_front()
        {
            oldest.abort();
        }
        let takes = len.max(LEAST_OF_CALL) as u32;
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(takes) else {
            self.asker.turned_away.count(What::Call);
            let why = "too much that was asked of the node waits for it already".to_owned();
            return self.reply(Reply::Refused { why }).await;
        };
        let mut answers = self.node.call(call, command, Some(room)).await;
        let replies = self.replies.clone();
        let turned_away = self.asker.turned_away.clone();
        self.calls.push_back(tokio::spawn(async move {
            while let Some(answer) = answers.next().await {
                if let Reply::Refused { .. } = answer {
                    turned_away.count(What::Call);
                }
                let Some(line) = line_of(&answer) else { continue };
                if replies.send(line).await.is_err() {
                    return;
                }
            }
        }));
        Kept::Yes
    }

    async fn refuse(&mut self, why: String) -> Kept {
        self.asker.turned_away.count(What::Request);
        self.reply(Reply::Refused { why }).await;
        Kept::No
    }

    async fn reply(&mut self, reply: Reply<N>) -> Kept {
        let line = line_of(&reply);
        drop(reply);
        let Some(line) = line else {
            return Kept::Yes;
        };
        match self.replies.send(line).await {
            Ok(()) => Kept::Yes,
            Err(_) => Kept::No,
        }
    }
}

/// Writes what there is for a client, until there is no more to come, or it does not read.
async fn write(mut waiting: mpsc::Receiver<Vec<u8>>, mut to: impl AsyncWrite + Unpin) {
    while let Some(line) = waiting.recv().await {
        match tokio::time::timeout(PATIENCE, to.write_all(&line)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

/// What comes next of a client.
enum Line {
    Request(Vec<u8>),
    TooLong,
    End,
}

/// The next line, of which no more is held than it may be long. A last one that is not ended counts.
async fn next_line(from: &mut (impl AsyncBufRead + Unpin)) -> Line {
    let mut line = Vec::new();
    loop {
        let bytes = match from.fill_buf().await {
            Ok([]) | Err(_) if line.is_empty() => return Line::End,
            Ok([]) => return Line::Request(line),
            Err(_) => return Line::End,
            Ok(bytes) => bytes,
        };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        if line.len() + taken > LONGEST_LINE {
            return Line::TooLong;
        }
        line.extend_from_slice(&bytes[..taken]);
        from.consume(taken);
        if end.is_some() {
            return Line::Request(line);
        }
    }
}

/// A reply as a line; `None` when the protocol's answer cannot be written as JSON.
fn line_of<T: Serialize>(reply: &T) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(reply).ok()?;
    line.push(b'\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use squall_nodes::echo::EchoNode;

    use super::super::turned_away::TurnedAway;
    use super::*;
    use crate::door::door;

    async fn lines(bytes: &[u8]) -> Vec<String> {
        let mut from = BufReader::with_capacity(7, bytes);
        let mut all = Vec::new();
        loop {
            match next_line(&mut from).await {
                Line::Request(line) => all.push(String::from_utf8_lossy(&line).trim_end().to_owned()),
                Line::TooLong => return vec!["too long".to_owned()],
                Line::End => return all,
            }
        }
    }

    #[tokio::test]
    async fn lines_are_taken_one_by_one_and_the_last_needs_no_end() {
        assert_eq!(lines(b"").await, Vec::<String>::new());
        assert_eq!(
            lines(b"one\nand two\n\nthe fourth").await,
            ["one", "and two", "", "the fourth"]
        );
    }

    /// A call of so many bytes.
    fn call(len: usize) -> Vec<u8> {
        let mut line = br#"{"ask":"call","call":1,"command":null}"#.to_vec();
        line.resize(len - 1, b' ');
        line.push(b'\n');
        line
    }

    #[tokio::test]
    async fn calls_that_wait_for_the_node_have_so_much_room_and_no_more() {
        let (handle, mut node) = door::<EchoNode>();
        let room = Arc::new(Semaphore::new(CALLS_WAITING));
        let (client, theirs) = UnixStream::pair().unwrap();
        let asker = Asker::new(handle.clone(), None, None);
        let turned_away = asker.turned_away.clone();
        tokio::spawn(converse(theirs, handle, asker, Arc::clone(&room)));
        let (replies, mut asks) = client.into_split();
        let mut replies = BufReader::new(replies);
        let mut refused = async || {
            let mut line = String::new();
            replies.read_line(&mut line).await.unwrap();
            assert!(
                line.contains("\"refused\"") && line.contains("waits for it already"),
                "{line}"
            );
        };
        let mut waiting = Vec::new();
        for _ in 0..16 {
            asks.write_all(&call(LONGEST_LINE)).await.unwrap();
            waiting.push(node.asked.recv().await.unwrap());
        }
        assert_eq!(room.available_permits(), 0);
        let calls = |counts: &TurnedAway| {
            counts
                .counts()
                .iter()
                .find(|(what, _)| *what == What::Call)
                .map(|(_, times)| *times)
        };
        assert_eq!(calls(&turned_away), Some(0));
        for len in [LONGEST_LINE, 100] {
            asks.write_all(&call(len)).await.unwrap();
            refused().await;
        }
        assert_eq!(calls(&turned_away), Some(2));
        // What the node is told of makes room again; short ones count for more than they are long.
        drop(waiting);
        asks.write_all(&call(100)).await.unwrap();
        let short = node.asked.recv().await.unwrap();
        assert_eq!(room.available_permits(), CALLS_WAITING - LEAST_OF_CALL);
        drop(short);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_not_held() {
        let longest = vec![b'x'; LONGEST_LINE - 1];
        assert_eq!(lines(&longest).await.len(), 1);
        let full = [longest.as_slice(), b"\n"].concat();
        assert_eq!(lines(&full).await.len(), 1);
        assert_eq!(lines(&[longest.as_slice(), b"xx"].concat()).await, ["too long"]);
    }
}
