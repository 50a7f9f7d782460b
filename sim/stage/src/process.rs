//! One process of a host: how it is started, spoken to, read, signalled and reaped. Nothing here waits, but for the end of a process
//! that has been killed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, waitid};
use squall_nodes::Span;

use crate::stat::Stat;

/// How much of a log's end is read for its last words, in bytes.
const LAST_WORDS: usize = 2_000;
/// How much is read for what a panic said, behind which the log may hold where that was.
const PANIC_WORDS: usize = 64_000;
/// How much of that is told, in characters.
const PANIC_TOLD: usize = 2_000;
/// With what a node's process ends when the node panics, and any program that panics itself.
const PANICKED: i32 = 101;
/// The longest line that a host may write, in bytes; what is longer is cut into pieces that nobody understands.
const LONGEST_LINE: usize = 64 << 20;

/// A process that was started. When it is dropped it is killed and reaped.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    /// Readable once the process has ended.
    end: OwnedFd,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    /// What it is told and has not taken.
    outgoing: Vec<u8>,
    /// What it told that is not a whole line yet.
    incoming: Vec<u8>,
    /// What it took, as far as it was looked at.
    taken: Taken,
}

/// What a process took of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Processor time, of the user and the system.
    pub(crate) cpu: Span,
    /// The most memory at once, in bytes.
    pub(crate) peak_memory: u64,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// In the system's words.
    pub(crate) how: String,
    pub(crate) by: EndedBy,
}

/// What ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// A panic of its own.
    Panic,
    /// A signal, or itself.
    Otherwise,
}

impl Process {
    /// Starts a program, whose stderr goes to a log file.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C in a terminal is for the stage alone, which ends its hosts by itself.
            .process_group(0)
            .spawn()?;
        let whole = |child: &mut Child| {
            let pid = Pid::from_child(child);
            let end = pidfd_open(pid, PidfdFlags::empty())?;
            let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
            let pipes = [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd)];
            for pipe in pipes.into_iter().flatten() {
                rustix::io::ioctl_fionbio(pipe, true)?;
            }
            io::Result::Ok((pid, end, stdin, stdout))
        };
        match whole(&mut child) {
            Ok((pid, end, stdin, stdout)) => Ok(Process {
                child,
                pid,
                end,
                stdin,
                stdout,
                outgoing: Vec::new(),
                incoming: Vec::new(),
                taken: Taken::default(),
            }),
            Err(why) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(why)
            }
        }
    }

    /// Its stdout, as long as it is open.
    pub(crate) fn stdout(&self) -> Option<BorrowedFd<'_>> {
        self.stdout.as_ref().map(AsFd::as_fd)
    }

    /// Its stdin, while there is something that it has not taken.
    pub(crate) fn waiting_stdin(&self) -> Option<BorrowedFd<'_>> {
        let stdin = self.stdin.as_ref().filter(|_| !self.outgoing.is_empty());
        stdin.map(AsFd::as_fd)
    }

    /// What is readable once it has ended.
    pub(crate) fn end(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }

    /// Tells it something, now or as soon as it takes it.
    pub(crate) fn tell(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
        self.tell_rest();
    }

    /// Tells it as much of what it was to be told as it takes now.
    pub(crate) fn tell_rest(&mut self) {
        let mut told = 0;
        while told < self.outgoing.len()
            && let Some(stdin) = &mut self.stdin
        {
            match stdin.write(&self.outgoing[told..]) {
                Ok(0) => break,
                Ok(count) => told += count,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                // It does not read any more: that it has ended is heard elsewhere.
                Err(_) => self.stdin = None,
            }
        }
        if self.stdin.is_none() {
            self.outgoing.clear();
        } else {
            self.outgoing.drain(..told);
        }
    }

    /// Hands over every line that it has written and that was not read. What comes after the last whole line waits for its end,
    /// and is dropped when that never comes.
    pub(crate) fn read(&mut self, mut each: impl FnMut(&[u8])) {
        let mut buffer = [0; 64 * 1024];
        while let Some(stdout) = &mut self.stdout {
            match stdout.read(&mut buffer) {
                Ok(0) => self.stdout = None,
                Ok(count) => {
                    let from = self.incoming.len();
                    self.incoming.extend_from_slice(&buffer[..count]);
                    self.hand_over(from, &mut each);
                    if self.incoming.len() > LONGEST_LINE {
                        self.incoming.clear();
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.stdout = None,
            }
        }
    }

    /// Hands over the whole lines that came in, the first end of which is not before `from`.
    fn hand_over(&mut self, from: usize, each: &mut impl FnMut(&[u8])) {
        let (mut begin, mut look) = (0, from);
        while let Some(len) = self.incoming[look..].iter().position(|byte| *byte == b'\n') {
            each(&self.incoming[begin..look + len]);
            begin = look + len + 1;
            look = begin;
        }
        self.incoming.drain(..begin);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // It has not been reaped: its number is nobody else's. That it has ended is heard elsewhere.
        let _ = kill_process(self.pid, signal);
    }

    /// Whether a signal has stopped it since this was last asked.
    pub(crate) fn has_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(self.pid), options), Ok(Some(_)))
    }

    /// Whether it has ended. It is still to be [reaped](Process::reap).
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Looks at what it takes of the machine.
    pub(crate) fn look_at_taken(&mut self) {
        let pid = self.pid.as_raw_nonzero();
        if let Some(stat) = Stat::of(pid.get().unsigned_abs()) {
            let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
            self.taken.cpu = self.taken.cpu.max(Span::from_nanos(stat.cpu * tick));
        }
        if let Some(peak) = peak_memory(&format!("/proc/{pid}/status")) {
            self.taken.peak_memory = self.taken.peak_memory.max(peak);
        }
    }

    /// Kills it, if it has not ended, and waits for its end. Says how it ended, and what it took.
    pub(crate) fn reap(mut self) -> (Ending, Taken) {
        self.look_at_taken();
        self.end_it();
        // Its memory is gone by now, its processor time is not.
        self.look_at_taken();
        let ending = match self.child.wait() {
            Ok(status) => Ending {
                how: status.to_string(),
                by: match status.code() {
                    Some(PANICKED) => EndedBy::Panic,
                    _ => EndedBy::Otherwise,
                },
            },
            Err(why) => Ending {
                how: why.to_string(),
                by: EndedBy::Otherwise,
            },
        };
        (ending, self.taken)
    }

    fn end_it(&self) {
        if self.has_ended() {
            return;
        }
        self.signal(Signal::KILL);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(self.pid), options) {}
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it is reaped, both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a log, as one line for people.
pub(crate) fn last_words(log: &Path) -> String {
    let tail = tail(log, LAST_WORDS);
    let lines: Vec<&str> = tail
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    match last {
        [] => "its log is empty".to_owned(),
        // What it ended over is said when its log is over: it is no line of that, which begins with the time.
        [before @ .., why] if !is_of_log(why) && before.last().is_some_and(|line| is_of_log(line)) => {
            format!("{why}; before that: {}", before.join(" / "))
        }
        lines => lines.join(" / "),
    }
}

/// Whether a line begins with a time, `2026-01-31T…`, as those of a log do.
fn is_of_log(line: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (date, rest) = line.split_at_checked(10).unwrap_or(("", line));
    rest.starts_with('T') && date.split('-').map(str::len).eq([4, 2, 2]) && date.split('-').all(digits)
}

/// What a panic said by which a process ended, as its log has it.
pub(crate) fn panic_words(log: &Path) -> String {
    /// How it is told by a node, and how by any other part of a program, of which a node's comes last.
    const BEGINNINGS: [&str; 2] = [
        "the node panicked, which is a bug of the node or of Squall: ",
        "panicked at ",
    ];
    let tail = tail(log, PANIC_WORDS);
    let said = BEGINNINGS.iter().find_map(|begins| {
        let (_, said) = tail.rsplit_once(begins)?;
        // Where it was in the program comes behind it.
        let lines = said.lines().take_while(|line| {
            let line = line.trim_start();
            !line.starts_with("note: run with") && !line.starts_with("stack backtrace:")
        });
        let lines: Vec<&str> = lines.map(str::trim_end).collect();
        Some(lines.join("\n").trim().chars().take(PANIC_TOLD).collect())
    });
    said.unwrap_or_else(|| last_words(log))
}

/// The end of a log, so many bytes of it.
fn tail(log: &Path, len: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(len)..]).into_owned()
}

/// The most memory that a process had at once, in bytes.
fn peak_memory(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn started(script: &str, log: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, log).unwrap()
    }

    fn wait_for(fd: BorrowedFd<'_>) {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, None).unwrap();
    }

    /// Everything that it writes until its end.
    fn lines(process: &mut Process) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(stdout) = process.stdout() {
            wait_for(stdout);
            process.read(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        lines
    }

    #[test]
    fn what_a_process_ended_over_comes_first_of_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let said = |text: &str| {
            fs::write(&log, text).unwrap();
            last_words(&log)
        };
        let (starting, warning) = (
            "2026-11-22T05:03:46.279726Z  INFO starting name=s",
            "2026-11-22T05:03:46.281201Z  WARN without a data folder",
        );
        let why = "squall: the node asked for port 7400, and 127.0.0.1:7400 cannot be bound: process 7 (other) has it";
        assert_eq!(
            said(&format!("{starting}\n{warning}\n{why}\n")),
            format!("{why}; before that: {starting} / {warning}")
        );
        // What is no log, or nothing else, is as it was written.
        assert_eq!(said("one\n\ntwo\n"), "one / two");
        assert_eq!(said(&format!("{why}\n")), why);
        assert_eq!(
            said(&format!("{starting}\n{warning}\n")),
            format!("{starting} / {warning}")
        );
        assert_eq!(said(""), "its log is empty");
    }

    #[test]
    fn what_it_is_told_comes_back_line_by_line_and_a_line_without_an_end_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "read a; read b; echo \"$b\"; echo \"$a\"; printf half; echo said >&2; exit 3";
        let mut process = started(script, &log);
        process.tell(b"one\ntwo\n");
        assert_eq!(lines(&mut process), ["two", "one"]);
        wait_for(process.end());
        assert!(process.has_ended());
        let (Ending { how, by }, _) = process.reap();
        assert!(how.contains('3'), "{how}");
        assert_eq!(by, EndedBy::Otherwise);
        assert_eq!(last_words(&log), "said");
    }

    #[test]
    fn a_panic_is_told_by_the_number_and_its_words_by_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let said = |script: &str, name: &str| {
            let log = folder.path().join(name);
            let (ending, _) = {
                let mut process = started(script, &log);
                assert_eq!(lines(&mut process), Vec::<String>::new());
                wait_for(process.end());
                process.reap()
            };
            assert_eq!(ending.by, EndedBy::Panic);
            panic_words(&log)
        };
        let by_hook = "echo \"thread 'main' panicked at src/a.rs:3:5:\" >&2; echo oh >&2; echo 'note: run with `X`' >&2";
        assert_eq!(said(&format!("{by_hook}; exit 101"), "a"), "src/a.rs:3:5:\noh");
        let by_node = "printf 'squall: the node panicked, which is a bug of the node or of Squall: left\\n  right\\n' >&2";
        assert_eq!(
            said(&format!("{by_hook}; {by_node}; exit 101"), "b"),
            "left\n  right"
        );
        assert_eq!(said("echo gone >&2; exit 101", "c"), "gone");
    }

    #[test]
    fn a_process_that_does_not_read_is_told_later_and_a_stopped_one_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = started("kill -STOP $$; cat", &folder.path().join("log"));
        while !process.has_stopped() {
            std::thread::yield_now();
        }
        process.tell(&vec![b'x'; 1 << 20]);
        assert!(process.waiting_stdin().is_some());
        let (Ending { how, by }, taken) = process.reap();
        assert!(how.contains('9'), "{how}");
        assert_eq!(by, EndedBy::Otherwise);
        assert!(taken.peak_memory > 0);
    }
}
