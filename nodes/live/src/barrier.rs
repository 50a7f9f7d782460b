//! The persist barrier: what others can see of a node waits behind the write that it rests on.
//!
//! It is the simulator's, word for word: persists that wait with nothing visible between them become one write that completes them
//! all; a write that fails drops all that waits behind it, and all that the node asks for until it is told. Connections that it has closed
//! are not left open by that: they are broken off.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Write as _};
use std::net::SocketAddrV4;

use squall_nodes::{CallId, ConnId, Node, Token};

/// What an allocation of its own costs besides its bytes: its header, and what it is rounded up by.
const ALLOCATION: usize = 32;

/// What waits for the disk.
pub(crate) struct Barrier<N: Node> {
    state: State,
    /// What waits, in order.
    queue: VecDeque<Waiting<N>>,
    /// How many bytes it takes, with the write that is under way.
    bytes: usize,
    /// Tokens whose node has to be told, in order.
    told: VecDeque<Told>,
}

enum State {
    /// Nothing is being written, and nothing waits.
    Open,
    /// Of the write that is under way: all the persists that it completes, and how many bytes it takes.
    Writing { tokens: Vec<Token>, bytes: usize },
    /// A write has failed, and the node has not been told: what it asks for meanwhile would have waited behind that write.
    Failed,
}

/// What became of a persist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Persisted(Token),
    Failed(Token),
}

/// An effect that others can see.
pub(crate) enum Waiting<N: Node> {
    Send {
        port: u16,
        to: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Listen {
        port: u16,
    },
    Dial {
        conn: ConnId,
        to: SocketAddrV4,
    },
    Write {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    Close {
        conn: ConnId,
    },
    Claim(N::Fact),
    Answer {
        call: CallId,
        answer: N::Answer,
    },
    Persist {
        /// All the persists that the write completes.
        tokens: Vec<Token>,
        bytes: Vec<u8>,
    },
}

/// What is to be done next of what has waited.
pub(crate) enum Next<N: Node> {
    /// Let others see it.
    Show(Waiting<N>),
    /// Begin to write it.
    Write(Vec<u8>),
}

impl<N: Node> Barrier<N> {
    pub(crate) fn new() -> Self {
        Barrier {
            state: State::Open,
            queue: VecDeque::new(),
            bytes: 0,
            told: VecDeque::new(),
        }
    }

    /// Whether effects that others can see may go out at once.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether a write is under way.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.state, State::Writing { .. })
    }

    /// How many bytes wait, with the write that is under way.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the node is to be told next. Once it is told of a failure, what it asks for may go out again.
    pub(crate) fn tell(&mut self) -> Option<Told> {
        let told = self.told.pop_front();
        if matches!((told, &self.state), (Some(Told::Failed(_)), State::Failed)) {
            self.state = State::Open;
        }
        told
    }

    /// Puts an effect behind what waits; drops it when the write has failed.
    pub(crate) fn wait(&mut self, waiting: Waiting<N>) {
        if let State::Writing { .. } = self.state {
            self.bytes += waiting.bytes_taken();
            self.queue.push_back(waiting);
        }
    }

    /// The node persists. What it wants written, when that is to begin at once. One that directly follows another that waits takes its
    /// place, and completes both.
    pub(crate) fn persist(&mut self, token: Token, bytes: &[u8]) -> Option<Vec<u8>> {
        match &self.state {
            State::Open => {
                self.begin(vec![token], bytes.len());
                return Some(bytes.to_vec());
            }
            State::Failed => self.told.push_back(Told::Failed(token)),
            State::Writing { .. } => {
                if let Some(Waiting::Persist {
                    tokens,
                    bytes: waiting,
                }) = self.queue.back_mut()
                {
                    self.bytes -= write_taken(tokens, waiting.len());
                    tokens.push(token);
                    waiting.clear();
                    waiting.extend_from_slice(bytes);
                    self.bytes += write_taken(tokens, waiting.len());
                } else {
                    self.wait(Waiting::Persist {
                        tokens: vec![token],
                        bytes: bytes.to_vec(),
                    });
                }
            }
        }
        None
    }

    /// The write that was under way is on the disk. What waited behind it is [`next`](Self::next).
    pub(crate) fn written(&mut self) {
        if let State::Writing { tokens, bytes } = std::mem::replace(&mut self.state, State::Open) {
            self.bytes -= bytes;
            self.told.extend(tokens.into_iter().map(Told::Persisted));
        }
    }

    /// The next of what waited behind a write that is done; after a write to be begun, nothing until that is done too.
    pub(crate) fn next(&mut self) -> Option<Next<N>> {
        if !self.is_open() {
            return None;
        }
        let waiting = self.queue.pop_front()?;
        self.bytes -= waiting.bytes_taken();
        Some(match waiting {
            Waiting::Persist { tokens, bytes } => {
                self.begin(tokens, bytes.len());
                Next::Write(bytes)
            }
            visible => Next::Show(visible),
        })
    }

    /// The write that was under way has failed: what waited behind it is dropped, and the persists among it fail too.
    pub(crate) fn failed(&mut self) {
        let State::Writing { tokens, .. } = std::mem::replace(&mut self.state, State::Failed) else {
            return;
        };
        self.told.extend(tokens.into_iter().map(Told::Failed));
        for waiting in self.queue.drain(..) {
            if let Waiting::Persist { tokens, .. } = waiting {
                self.told.extend(tokens.into_iter().map(Told::Failed));
            }
        }
        self.bytes = 0;
    }

    fn begin(&mut self, tokens: Vec<Token>, len: usize) {
        let bytes = write_taken(&tokens, len);
        self.bytes += bytes;
        self.state = State::Writing { tokens, bytes };
    }
}

impl<N: Node> Waiting<N> {
    /// How many bytes of memory it takes, about. What facts and answers point to takes as many as they have letters when they are printed,
    /// or some few times that: they are a protocol's own, and nothing else is known of them.
    fn bytes_taken(&self) -> usize {
        let beside = match self {
            Waiting::Send { bytes, .. } | Waiting::Write { bytes, .. } => bytes.len() + ALLOCATION,
            Waiting::Persist { tokens, bytes } => write_taken(tokens, bytes.len()),
            Waiting::Claim(fact) => printed_len(fact),
            Waiting::Answer { answer, .. } => printed_len(answer),
            Waiting::Listen { .. } | Waiting::Dial { .. } | Waiting::Close { .. } => 0,
        };
        size_of::<Self>() + beside
    }
}

/// How long something is when it is printed, in bytes.
fn printed_len(what: &impl Debug) -> usize {
    struct Len(usize);
    impl fmt::Write for Len {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 += part.len();
            Ok(())
        }
    }
    let mut len = Len(0);
    // It is counted up to where it cannot be printed.
    let _ = write!(len, "{what:?}");
    len.0
}

/// How many bytes of memory a write takes, about.
fn write_taken(tokens: &[Token], len: usize) -> usize {
    len + size_of_val(tokens) + 2 * ALLOCATION
}

#[cfg(test)]
mod tests {
    use squall_nodes::echo::{EchoFact, EchoNode};

    use super::*;

    fn token(number: u64) -> Token {
        Token(number)
    }

    fn send() -> Waiting<EchoNode> {
        Waiting::Send {
            port: 1,
            to: SocketAddrV4::new([127, 0, 0, 1].into(), 2),
            bytes: vec![0; 100],
        }
    }

    fn told(barrier: &mut Barrier<EchoNode>) -> Vec<Told> {
        std::iter::from_fn(|| barrier.tell()).collect()
    }

    #[test]
    fn persists_with_nothing_visible_between_become_one_write() {
        let mut barrier = Barrier::<EchoNode>::new();
        assert_eq!(barrier.persist(token(1), b"one"), Some(b"one".to_vec()));
        assert_eq!(barrier.persist(token(2), b"two"), None);
        assert_eq!(barrier.persist(token(3), b"three"), None);
        barrier.wait(send());
        assert_eq!(barrier.persist(token(4), b"four"), None);
        assert!(barrier.next().is_none(), "nothing goes out while it is written");
        barrier.written();
        assert!(matches!(barrier.next(), Some(Next::Write(bytes)) if bytes == b"three"));
        assert!(barrier.next().is_none(), "the send waits for the second write");
        assert_eq!(told(&mut barrier), [Told::Persisted(token(1))]);
        barrier.written();
        assert!(matches!(barrier.next(), Some(Next::Show(Waiting::Send { .. }))));
        assert!(matches!(barrier.next(), Some(Next::Write(bytes)) if bytes == b"four"));
        let both = [2, 3].map(|number| Told::Persisted(token(number)));
        assert_eq!(told(&mut barrier), both);
        barrier.written();
        assert!(barrier.next().is_none() && barrier.is_open());
        assert_eq!(told(&mut barrier), [Told::Persisted(token(4))]);
        assert_eq!(barrier.bytes(), 0);
    }

    #[test]
    fn a_failed_write_drops_what_waits_and_what_is_asked_for_until_the_node_knows() {
        let mut barrier = Barrier::<EchoNode>::new();
        barrier.persist(token(1), b"one");
        barrier.wait(send());
        barrier.persist(token(2), b"two");
        barrier.wait(send());
        barrier.failed();
        assert_eq!(barrier.bytes(), 0);
        // The node has not been told.
        assert!(!barrier.is_open() && !barrier.is_writing());
        barrier.wait(send());
        assert_eq!(barrier.persist(token(3), b"three"), None);
        assert!(barrier.next().is_none());
        assert_eq!(barrier.tell(), Some(Told::Failed(token(1))));
        // It knows now.
        assert!(barrier.is_open() && barrier.next().is_none());
        assert_eq!(barrier.persist(token(4), b"four"), Some(b"four".to_vec()));
        let others = [2, 3].map(|number| Told::Failed(token(number)));
        assert_eq!(told(&mut barrier), others);
        barrier.written();
        assert_eq!(told(&mut barrier), [Told::Persisted(token(4))]);
    }

    #[test]
    fn what_waits_is_counted_until_it_goes_out() {
        let mut barrier = Barrier::<EchoNode>::new();
        barrier.persist(token(1), &[0; 1000]);
        let writing = barrier.bytes();
        assert!(writing >= 1000);
        barrier.wait(send());
        barrier.wait(Waiting::Claim(EchoFact::Asked { question: 1 }));
        barrier.persist(token(2), &[0; 5000]);
        barrier.persist(token(3), &[0; 10]);
        let waiting = barrier.bytes() - writing;
        assert!((100..4000).contains(&waiting), "{waiting}");
        barrier.written();
        while let Some(next) = barrier.next() {
            if let Next::Write(_) = next {
                barrier.written();
            }
        }
        assert_eq!(barrier.bytes(), 0);
    }
}
