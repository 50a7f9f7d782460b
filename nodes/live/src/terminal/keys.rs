//! What is typed at a terminal, or comes through a pipe in its place, as lines.

use std::io;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::stdio::stdin;
use rustix::termios::tcgetpgrp;
use tokio::sync::mpsc;

use super::screen::Screen;

/// The longest line that is taken, in bytes: 64 KiB.
pub(super) const LONGEST: usize = 64 << 10;
/// How often it is looked whether the terminal is somebody else's.
const LOOK: Duration = Duration::from_millis(200);

/// Something that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Typed(String),
    TooLong,
}

/// Whether stdin is this process's to read from: where it is the terminal that all were started from, no shell has it, and no other job.
pub fn is_in_front() -> bool {
    tcgetpgrp(stdin()).map_or(true, |front| front == getpgrp())
}

/// Starts a thread that reads stdin and passes on lines until it ends. It is never waited for: nobody can be made to type.
pub(super) fn listen(screen: Screen, lines: mpsc::Sender<Line>) -> io::Result<()> {
    thread::Builder::new()
        .name("terminal keys".to_owned())
        .spawn(move || {
            // That it cannot be read any more is the end of it.
            let _ = read(&screen, &lines);
        })?;
    Ok(())
}

fn read(screen: &Screen, lines: &mpsc::Sender<Line>) -> io::Result<()> {
    let mut splitter = Splitter::default();
    let mut buffer = [0; 4096];
    let mut was_in_front = true;
    loop {
        // Who reads from a terminal in the background is stopped by the system.
        if !is_in_front() {
            was_in_front = false;
            thread::sleep(LOOK);
            continue;
        }
        if !was_in_front {
            was_in_front = true;
            screen.take_again();
        }
        let mut ready = [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)];
        let look = Timespec::try_from(LOOK).map_err(io::Error::other)?;
        match poll(&mut ready, Some(&look)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(why) => return Err(why.into()),
        }
        let read = match rustix::io::read(stdin(), &mut buffer) {
            Ok(0) => break,
            Ok(read) => &buffer[..read],
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(why) => return Err(why.into()),
        };
        let typed = match screen.typed(read) {
            Some(entered) => entered.into_iter().map(Line::Typed).collect(),
            None => splitter.split(read),
        };
        for line in typed {
            if lines.blocking_send(line).is_err() {
                return Ok(());
            }
        }
    }
    if let Some(line) = splitter.rest() {
        let _ = lines.blocking_send(line);
    }
    Ok(())
}

/// Finds lines in bytes, and keeps no more of one than may be in it.
#[derive(Default)]
struct Splitter {
    line: Vec<u8>,
    is_too_long: bool,
}

impl Splitter {
    fn split(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => lines.extend(self.rest().or(Some(Line::Typed(String::new())))),
                _ if self.line.len() < LONGEST => self.line.push(byte),
                _ => self.is_too_long = true,
            }
        }
        lines
    }

    /// What is there of a line, if anything is.
    fn rest(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_too_long) {
            return Some(Line::TooLong);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        (!line.is_empty()).then(|| Line::Typed(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_they_come_and_one_too_long_is_told_once() {
        let typed = |text: &str| Line::Typed(text.to_owned());
        let mut splitter = Splitter::default();
        assert_eq!(splitter.split(b"calc 1"), []);
        assert_eq!(splitter.split(b"+1\r\n\nsta"), [typed("calc 1+1"), typed("")]);
        assert_eq!(splitter.split(b"tus\n"), [typed("status")]);
        for _ in 0..100 {
            assert_eq!(splitter.split(&[b'x'; 4096]), []);
        }
        assert!(splitter.line.len() <= LONGEST);
        assert_eq!(splitter.split(b"\nquit"), [Line::TooLong]);
        assert_eq!((splitter.rest(), splitter.rest()), (Some(typed("quit")), None));
    }
}
