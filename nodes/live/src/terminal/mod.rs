//! A terminal at a live node: a person types what the node is asked, a line each, and reads what it answers and what it claims.
//!
//! - [`Screen`]: what is shown; `editor`: the line that is being typed under it; `keys`: what is typed, or comes through a pipe.
//! - [`Tongue`]: how a protocol's commands are typed, and what it says is put.
//!
//! It is on a thread of its own and asks through the node's door, as everyone does. Who does not read what is shown holds up nobody: what
//! finds no room is left out, and said to be. The end of what is typed is the end of that, and of nothing else.

mod editor;
mod keys;
mod screen;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::Duration;

use squall_nodes::{Fact, Node};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::door::{Door, Handle, Stop};
use crate::line::Line;
use crate::request::{Reply, Request};
pub use keys::is_in_front;
pub use screen::Screen;

/// How a protocol is spoken at a terminal.
pub trait Tongue<N: Node>: Send + Sync + 'static {
    /// What somebody means who has typed this.
    fn understand(&self, typed: &str) -> Meant<N>;

    /// A claim, for people; `None` where it is nothing to them.
    fn told(&self, fact: &N::Fact) -> Option<String>;

    /// An answer, for people.
    fn answered(&self, answer: &N::Answer) -> String;
}

/// What was meant by what was typed.
#[derive(Debug)]
pub enum Meant<N: Node> {
    /// The node is asked this.
    Ask(N::Command),
    /// It is answered here, a line each.
    Say(Vec<String>),
    /// The node is to stop in order.
    Stop,
}

/// A terminal, until it is dropped: then the screen is what it was before.
pub struct Terminal {
    screen: Screen,
    end: Option<oneshot::Sender<()>>,
    ended: std_mpsc::Receiver<()>,
}

/// How many pieces of what the node tells may wait to be shown.
const WAITING: usize = 256;
/// How many lines may have been typed and not understood yet.
const TYPED: usize = 64;
/// How many calls may get more answers. Of more, the oldest gets none any more.
const MOST_CALLS: usize = 64;
/// How long it is waited for that the last is shown.
const PATIENCE: Duration = Duration::from_secs(1);

impl Terminal {
    /// A terminal at the node behind a door, and the door that the node is to be run with.
    ///
    /// # Errors
    ///
    /// The system has no thread or runtime for it.
    pub fn open<N: Node>(
        door: Door<N>,
        tongue: impl Tongue<N>,
        screen: Screen,
    ) -> io::Result<(Self, Door<N>)> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (told, heard) = mpsc::channel(WAITING);
        let (lines, typed) = mpsc::channel(TYPED);
        let (end, is_over) = oneshot::channel();
        let (ends, ended) = std_mpsc::sync_channel(1);
        let left_out = Arc::new(AtomicU64::new(0));
        let talk = Talk {
            node: door.asker.clone(),
            tongue: Arc::new(tongue),
            screen: screen.clone(),
            left_out: Arc::clone(&left_out),
            calls: VecDeque::new(),
            count: 0,
            up: Up::NotYet,
        };
        thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || {
                runtime.block_on(talk.go_on(typed, heard, is_over));
                // Whoever waits for it may have given up.
                let _ = ends.send(());
            })?;
        keys::listen(screen.clone(), lines)?;
        let terminal = Terminal {
            screen,
            end: Some(end),
            ended,
        };
        Ok((terminal, door.with_listener(Box::new(Ear { told, left_out }))))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.ended.recv_timeout(PATIENCE);
        self.screen.give_back();
    }
}

/// Hears the lines of a node, and never keeps it waiting.
struct Ear {
    told: mpsc::Sender<Vec<u8>>,
    left_out: Arc<AtomicU64>,
}

impl Write for Ear {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.told.try_send(lines.to_vec()).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What goes on at a terminal.
struct Talk<N: Node, T> {
    node: Handle<N>,
    tongue: Arc<T>,
    screen: Screen,
    left_out: Arc<AtomicU64>,
    /// What shows the answers of calls, the oldest first.
    calls: VecDeque<JoinHandle<()>>,
    /// How much was asked.
    count: u64,
    up: Up,
}

/// Whether the node was heard to boot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Up {
    NotYet,
    Yes,
}

impl<N: Node, T: Tongue<N>> Talk<N, T> {
    async fn go_on(
        mut self,
        mut typed: mpsc::Receiver<keys::Line>,
        mut heard: mpsc::Receiver<Vec<u8>>,
        mut is_over: oneshot::Receiver<()>,
    ) {
        let mut is_typed_at = true;
        loop {
            tokio::select! {
                line = typed.recv(), if is_typed_at => match line {
                    Some(line) => self.take(line).await,
                    None => is_typed_at = false,
                },
                Some(lines) = heard.recv() => self.hear(&lines),
                _ = &mut is_over => break,
            }
        }
        // What was answered last has a moment to be shown.
        tokio::task::yield_now().await;
        while let Ok(lines) = heard.try_recv() {
            self.hear(&lines);
        }
    }

    async fn take(&mut self, line: keys::Line) {
        let typed = match line {
            keys::Line::Typed(typed) => typed,
            keys::Line::TooLong => {
                let why = format!("a line is at most {} bytes long", keys::LONGEST);
                return self.screen.show(&why);
            }
        };
        let typed = typed.trim();
        if typed.is_empty() {
            return;
        }
        match self.tongue.understand(typed) {
            Meant::Ask(command) => self.ask(typed, command).await,
            Meant::Say(lines) => lines.iter().for_each(|line| self.screen.show(line)),
            Meant::Stop => self.node.stop(Stop::InOrder),
        }
    }

    async fn ask(&mut self, typed: &str, command: N::Command) {
        if self.up == Up::NotYet {
            self.screen.show(&format!(
                "{typed}: the node is not up yet, and is asked as soon as it is"
            ));
        }
        self.count += 1;
        let request = Request::Call {
            call: self.count,
            command,
        };
        let mut replies = self.node.ask(request).await;
        let (typed, tongue, screen) = (typed.to_owned(), Arc::clone(&self.tongue), self.screen.clone());
        self.calls.retain(|call| !call.is_finished());
        if self.calls.len() >= MOST_CALLS
            && let Some(oldest) = self.calls.pop_front()
        {
            oldest.abort();
        }
        self.calls.push_back(tokio::spawn(async move {
            let mut is_answered = false;
            while let Some(reply) = replies.next().await {
                let says = match reply {
                    Reply::Answer { answer, .. } => tongue.answered(&answer),
                    Reply::Refused { why } => why,
                    // Nothing else comes of a call.
                    Reply::Done | Reply::Status { .. } => continue,
                };
                screen.show(&format!("{typed}: {says}"));
                is_answered = true;
            }
            if !is_answered {
                screen.show(&format!("{typed}: the node has stopped, and has not answered"));
            }
        }));
    }

    fn hear(&mut self, lines: &[u8]) {
        match self.left_out.swap(0, Ordering::Relaxed) {
            0 => {}
            _ => self
                .screen
                .show("(not all that the node claimed is shown: it was too much)"),
        }
        for line in lines.split(|byte| *byte == b'\n') {
            match serde_json::from_slice::<Line<N>>(line) {
                Ok(Line::Fact { name, fact, .. }) if !N::Fact::ROUTINE.contains(&name.as_str()) => {
                    if let Some(says) = self.tongue.told(&fact) {
                        self.screen.show(&says);
                    }
                }
                Ok(Line::Booted { .. }) => self.up = Up::Yes,
                // What else there is is in the log, where it is worth a line.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use squall_nodes::hac::{self, HacFact, HacNode};
    use squall_nodes::{DiskAtBoot, Time};

    use super::*;
    use crate::door::door;

    /// What is shown, for whoever looks.
    #[derive(Clone, Default)]
    struct Sheet(Arc<Mutex<Vec<u8>>>);

    impl Sheet {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(&bytes);
            text.lines().map(str::to_owned).collect()
        }
    }

    impl Write for Sheet {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut sheet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sheet.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Whatever is typed is the one command that there is.
    struct AnyWord;

    impl Tongue<HacNode> for AnyWord {
        fn understand(&self, _: &str) -> Meant<HacNode> {
            Meant::Ask(hac::Command::Status)
        }

        fn told(&self, _: &HacFact) -> Option<String> {
            None
        }

        fn answered(&self, _: &hac::Answer) -> String {
            "answered".to_owned()
        }
    }

    #[tokio::test]
    async fn a_node_that_is_not_up_yet_is_told_as_that_and_one_that_stops_without_a_word_too() {
        let (node, at_node) = door::<HacNode>();
        let sheet = Sheet::default();
        let mut talk = Talk {
            node,
            tongue: Arc::new(AnyWord),
            screen: Screen::lines(sheet.clone()),
            left_out: Arc::default(),
            calls: VecDeque::new(),
            count: 0,
            up: Up::NotYet,
        };
        let status = || keys::Line::Typed("status".to_owned());
        let not_yet = "status: the node is not up yet, and is asked as soon as it is";
        talk.take(status()).await;
        assert_eq!(sheet.lines(), [not_yet]);
        let booted = serde_json::to_vec(&Line::<HacNode>::Booted {
            at: Time::ZERO,
            incarnation: 0,
            disk: DiskAtBoot::Fresh,
        });
        talk.hear(&booted.expect("a line"));
        talk.take(status()).await;
        assert_eq!(sheet.lines(), [not_yet]);
        drop(at_node);
        for call in talk.calls {
            call.await.expect("it ends");
        }
        let stopped = "status: the node has stopped, and has not answered";
        assert_eq!(sheet.lines(), [not_yet, stopped, stopped]);
    }
}
