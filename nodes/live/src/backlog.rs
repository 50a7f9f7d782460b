//! Lines of a log on their way to whoever reads them: written by a thread of their own, so that a reader who does not read holds nobody up.
//! What waits is bounded in bytes, which a channel of so many lines would not be, and what finds no room is counted, and told as soon as
//! there is some.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes of lines may wait to be written: 256 KiB, some thousand lines.
const MOST: usize = 256 << 10;
/// What a line is counted with besides its bytes.
const CHARGE: usize = 64;

/// Lines that wait to be written. Clones are the same.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Shared>);

/// Whether everything was read in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It was.
    All,
    /// Nobody reads it.
    NotAll,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Lines have come, or all are written.
    changed: Condvar,
    /// Lines that nobody got.
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many found no room, and it was not told.
    untold: u64,
    /// Whether one is being written.
    is_writing: bool,
}

impl Backlog {
    /// Has a thread write lines from now on. It has `told` say how many were lost, on that thread, once there is room to say so: `told` may
    /// well write a line.
    ///
    /// # Errors
    ///
    /// The system has no thread.
    pub fn start(to: impl Write + Send + 'static, told: impl Fn(u64) + Send + 'static) -> io::Result<Self> {
        let backlog = Backlog(Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            lost: AtomicU64::new(0),
        }));
        let shared = Arc::clone(&backlog.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_all(to, told))?;
        Ok(backlog)
    }

    /// How many lines nobody got: they found no room, or could not be written.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, but not for long.
    pub fn finish(&self, patience: Duration) -> Read {
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.0.lock(), patience, is_busy);
        let (waiting, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(waiting);
        match waited.timed_out() {
            true => Read::NotAll,
            false => Read::All,
        }
    }
}

/// Whatever is written at a time is a line.
impl Write for Backlog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        let bytes = line.len() + CHARGE;
        if waiting.bytes + bytes > MOST {
            waiting.untold += 1;
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            waiting.bytes += bytes;
            waiting.lines.push_back(line.to_vec());
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut to: impl Write, told: impl Fn(u64)) {
        loop {
            let idle = |waiting: &mut Waiting| waiting.lines.is_empty();
            let waited = self.changed.wait_while(self.lock(), idle);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            let line = waiting.lines.pop_front().unwrap_or_default();
            waiting.is_writing = true;
            drop(waiting);
            if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                // Who would it be told?
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            let mut waiting = self.lock();
            waiting.bytes -= line.len() + CHARGE;
            let untold = match waiting.bytes <= MOST / 2 {
                true => std::mem::take(&mut waiting.untold),
                false => 0,
            };
            drop(waiting);
            if untold > 0 {
                told(untold);
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(120);

    #[test]
    fn nobody_waits_for_a_reader_who_does_not_read_and_he_is_told_what_he_missed() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let (tell, told) = std::sync::mpsc::channel();
        let mut log =
            Backlog::start(writer, move |lost| tell.send(lost).expect("somebody listens")).expect("a thread");
        // More than the pipe and the backlog hold.
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        const LINES: u64 = 20_000;
        for _ in 0..LINES {
            log.write_all(&line).expect("it takes everything");
        }
        assert_eq!(log.finish(Duration::from_millis(1)), Read::NotAll);
        let lost = log.lost();
        assert!(lost > 0 && lost < LINES, "{lost}");
        let mut read = vec![0; (LINES - lost) as usize * line.len()];
        reader.read_exact(&mut read).expect("it is there");
        assert!(read.chunks(line.len()).all(|found| found == line));
        assert_eq!(log.finish(LONG), Read::All);
        assert_eq!((told.try_iter().sum::<u64>(), log.lost()), (lost, lost));
    }

    #[test]
    fn a_log_that_cannot_be_written_is_lost_line_by_line() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut log = Backlog::start(writer, |_| panic!("nobody would hear it")).expect("a thread");
        for _ in 0..3 {
            log.write_all(b"x\n").expect("it takes everything");
        }
        assert_eq!((log.finish(LONG), log.lost()), (Read::All, 3));
    }
}
