//! The door between a running node and whoever asks it things from other threads: bounded, and never in the node's way.

use squall_nodes::{Node, Time};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::policy::Policy;
use crate::request::{Reply, Request};
use crate::status::Status;
use crate::wires::Wires;

/// Where lines go besides.
pub(crate) type Listener = Box<dyn std::io::Write + Send>;

/// How many requests may wait to be taken.
const REQUESTS: usize = 256;
/// How many answers may wait to be read by whoever called. Who lets more wait gets no more.
const REPLIES: usize = 256;

/// Makes both sides of a door: one to ask at, one for [`run`](fn@crate::run).
pub fn door<N: Node>() -> (Handle<N>, Door<N>) {
    let (ask, asked) = mpsc::channel(REQUESTS);
    // One of each way to stop is as good as many.
    let (stop, stopped) = mpsc::channel(4);
    let handle = Handle { ask, stop };
    let door = Door {
        asked,
        stopped,
        asker: handle.clone(),
        wires: None,
        listener: None,
    };
    (handle, door)
}

/// The side of the door that is asked at. It may be cloned, and sent to other threads.
pub struct Handle<N: Node> {
    ask: mpsc::Sender<Ask<N>>,
    stop: mpsc::Sender<Stop>,
}

/// The node's side of the door, for [`run`](fn@crate::run).
pub struct Door<N: Node> {
    pub(crate) asked: mpsc::Receiver<Ask<N>>,
    pub(crate) stopped: mpsc::Receiver<Stop>,
    pub(crate) asker: Handle<N>,
    pub(crate) wires: Option<Wires>,
    pub(crate) listener: Option<Listener>,
}

/// How a node is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In order: it gets no more inputs, and what is being written, and waits behind that, is waited for.
    InOrder,
    /// At once.
    AtOnce,
}

/// The node does not run any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Gone;

/// Something that the node's side is asked.
pub(crate) enum Ask<N: Node> {
    Go {
        at: Time,
    },
    Call {
        /// The number that whoever calls has for it.
        call: u64,
        command: N::Command,
        answers: Answers<N>,
        /// The room that it takes until the node is told of it, where whoever asks has only so much.
        room: Option<OwnedSemaphorePermit>,
    },
    Policy {
        policy: Box<Policy>,
        applied: Option<oneshot::Sender<Time>>,
    },
    Status(oneshot::Sender<Status>),
}

impl<N: Node> Ask<N> {
    /// How many bytes of room it takes.
    pub(crate) fn room(&self) -> usize {
        match self {
            Ask::Call { room: Some(room), .. } => room.num_permits(),
            Ask::Go { .. } | Ask::Call { .. } | Ask::Policy { .. } | Ask::Status(_) => 0,
        }
    }

    /// Whether it is a call whose caller is gone.
    pub(crate) fn is_of_nobody(&self) -> bool {
        match self {
            Ask::Call {
                answers: Answers::Replies(replies),
                ..
            } => replies.is_closed(),
            Ask::Go { .. } | Ask::Call { .. } | Ask::Policy { .. } | Ask::Status(_) => false,
        }
    }
}

/// Who is told the answers of a call.
pub(crate) enum Answers<N: Node> {
    /// Whoever attends the node, by lines. The call keeps its number.
    Lines,
    /// Whoever called through a handle.
    Replies(mpsc::Sender<Reply<N>>),
}

/// What comes back on a request, in order.
pub struct Replies<N: Node>(mpsc::Receiver<Reply<N>>);

impl<N: Node> Clone for Handle<N> {
    fn clone(&self) -> Self {
        Handle {
            ask: self.ask.clone(),
            stop: self.stop.clone(),
        }
    }
}

impl<N: Node> Handle<N> {
    /// Asks something. What comes back depends on it:
    ///
    /// - a call gets a [`Reply::Answer`] whenever the node answers it, with the number that it was asked under (each caller may have
    ///   numbers of its own); it is open until the [`Replies`] are dropped or the node stops;
    /// - everything else gets one reply: [`Reply::Done`], [`Reply::Status`] or [`Reply::Refused`].
    ///
    /// It waits while too many requests wait. A node that does not run any more replies that it refuses.
    pub async fn ask(&self, request: Request<N>) -> Replies<N> {
        let replied = match request {
            Request::Call { call, command } => return self.call(call, command, None).await,
            Request::Go { at } => match self.ask.send(Ask::Go { at }).await {
                Ok(()) => Reply::Done,
                Err(_) => refused(),
            },
            Request::Policy { policy } => match self.apply(*policy).await {
                Ok(_) => Reply::Done,
                Err(Gone) => refused(),
            },
            Request::Status => match self.status().await {
                Ok(status) => Reply::Status {
                    status: status.to_json(),
                },
                Err(Gone) => refused(),
            },
            Request::Stop => {
                self.stop(Stop::InOrder);
                Reply::Done
            }
        };
        let (reply, replies) = mpsc::channel(1);
        // There is room for it: it is the only one.
        let _ = reply.try_send(replied);
        Replies(replies)
    }

    /// Calls the node, as [`ask`](Self::ask) does. The call has this room until the node is told of it.
    pub(crate) async fn call(
        &self,
        call: u64,
        command: N::Command,
        room: Option<OwnedSemaphorePermit>,
    ) -> Replies<N> {
        let (reply, replies) = mpsc::channel(REPLIES);
        let ask = Ask::Call {
            call,
            command,
            answers: Answers::Replies(reply.clone()),
            room,
        };
        if self.ask.send(ask).await.is_err() {
            // There is room for it: it is the first.
            let _ = reply.try_send(refused());
        }
        Replies(replies)
    }

    /// How the node is.
    ///
    /// # Errors
    ///
    /// It does not run any more.
    pub async fn status(&self) -> Result<Status, Gone> {
        let (reply, status) = oneshot::channel();
        self.ask.send(Ask::Status(reply)).await.map_err(|_| Gone)?;
        status.await.map_err(|_| Gone)
    }

    /// Puts a policy in force, and says since when it is.
    ///
    /// # Errors
    ///
    /// The node does not run any more.
    pub async fn apply(&self, policy: Policy) -> Result<Time, Gone> {
        let (applied, since) = oneshot::channel();
        let ask = Ask::Policy {
            policy: Box::new(policy),
            applied: Some(applied),
        };
        self.ask.send(ask).await.map_err(|_| Gone)?;
        since.await.map_err(|_| Gone)
    }

    /// Has the node stop. It never waits, and may be called from any thread and any number of times.
    pub fn stop(&self, how: Stop) {
        // When there is no room, it was told that more than once.
        let _ = self.stop.try_send(how);
    }

    /// Waits until the node does not run any more.
    pub async fn ended(&self) {
        self.ask.closed().await;
    }

    /// Asks what comes from whoever attends the node: all that comes back are lines. `false` when it does not run any more.
    pub(crate) fn pass_on(&self, request: Request<N>) -> bool {
        let ask = match request {
            Request::Go { at } => Ask::Go { at },
            Request::Call { call, command } => Ask::Call {
                call,
                command,
                answers: Answers::Lines,
                room: None,
            },
            Request::Policy { policy } => Ask::Policy {
                policy,
                applied: None,
            },
            // The next mark says it.
            Request::Status => return !self.ask.is_closed(),
            Request::Stop => {
                self.stop(Stop::InOrder);
                return true;
            }
        };
        self.ask.blocking_send(ask).is_ok()
    }
}

impl<N: Node> Door<N> {
    /// What an attended node speaks through in place of its process's stdin and stdout.
    #[must_use]
    pub fn with_wires(mut self, wires: Wires) -> Self {
        self.wires = Some(wires);
        self
    }

    /// Who is told the lines of a node that nobody attends: its terminal. The node stops when they cannot be written.
    pub(crate) fn with_listener(mut self, listener: Listener) -> Self {
        self.listener = Some(listener);
        self
    }
}

impl<N: Node> Replies<N> {
    /// The next reply; `None` when no more come.
    pub async fn next(&mut self) -> Option<Reply<N>> {
        self.0.recv().await
    }

    /// The next reply, for threads without a runtime; `None` when no more come.
    ///
    /// # Panics
    ///
    /// Inside a runtime.
    pub fn next_blocking(&mut self) -> Option<Reply<N>> {
        self.0.blocking_recv()
    }
}

fn refused<N: Node>() -> Reply<N> {
    Reply::Refused {
        why: Gone.to_string(),
    }
}
