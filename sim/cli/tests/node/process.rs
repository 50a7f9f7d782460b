//! What the tests share: processes that are gone when a test is over whatever becomes of it, addresses of their own, and a log that is
//! waited for line by line.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything is waited for. It is as good as for ever: a machine that is slower than that has stopped.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked whether something has happened: between two looks the processor is left to what is waited for.
pub(crate) const LOOK: Duration = Duration::from_millis(1);

/// An address of loopback that no other test, nor another run of the tests, is likely to have.
pub(crate) fn address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let process = std::process::id();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.{next}", 64 + (process >> 8) % 128, process & 255)
}

/// The program with these words.
pub(crate) fn squall(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(words).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// What a program that ends by itself came to: exit code, stdout, stderr.
pub(crate) fn ended(words: &[&str]) -> (Option<i32>, String, String) {
    let output = squall(words).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A node that runs. It is killed when this is dropped.
pub(crate) struct Node {
    child: Child,
    /// Its log, line by line.
    log: Receiver<String>,
    /// What was read of it.
    read: String,
}

impl Node {
    /// Starts `squall node` with these words.
    pub(crate) fn start(words: &[&str]) -> Node {
        Node::spawn(squall(&[&["node"], words].concat()))
    }

    /// Starts a command whose stderr is a log.
    pub(crate) fn spawn(mut command: Command) -> Node {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (line, log) = channel();
        // It ends with the process, whose end of the pipe is closed then.
        thread::spawn(move || {
            let mut lines = stderr.lines();
            while let Some(Ok(read)) = lines.next() {
                if line.send(read).is_err() {
                    return;
                }
            }
        });
        let read = String::new();
        Node { child, log, read }
    }

    /// The next line of the log that has all of these parts.
    pub(crate) fn says(&mut self, parts: &[&str]) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self
                .log
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.read.push_str(&line);
                    self.read.push('\n');
                    if parts.iter().all(|part| line.contains(part)) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("it never says {parts:?}, but\n{}", self.read)
                }
            }
        }
    }

    /// Where it serves its pages.
    pub(crate) fn pages(&mut self) -> String {
        let line = self.says(&["pages at http://"]);
        let (_, rest) = line.split_once("http://").expect("an address");
        rest.trim_end_matches("/status").to_owned()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end, and gives what is left of its log.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        let mut log = std::mem::take(&mut self.read);
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            log.push_str(&line);
            log.push('\n');
        }
        (status, log)
    }

    /// All that it has written to stdout, once it has ended.
    pub(crate) fn stdout(&mut self) -> String {
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().expect("it was not read yet");
        stdout.read_to_string(&mut text).expect("UTF-8");
        text
    }

    /// What others call it that find it in their way.
    pub(crate) fn shown(&self) -> String {
        format!("process {} (squall)", self.child.id())
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < until, "it does not end; it said\n{}", self.read);
            thread::park_timeout(LOOK);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for the files of a test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// The path of something in it.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.at(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}
