//! The thread that writes the durable file, so that a slow disk keeps a node from nothing but what has to wait for it.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::Written;
use super::folder::Folder;

/// The thread that writes the durable file. It has the folder, so that nobody else gets that while it writes.
pub(crate) struct Writer {
    writes: SyncSender<Vec<u8>>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(mut folder: Folder, done: mpsc::Sender<Written>) -> io::Result<Self> {
        let (writes, taken) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || write_all(&mut folder, &taken, &done))?;
        Ok(Writer { writes, thread })
    }

    /// Hands over what is to be written. The write before is done, so it waits for nobody.
    pub(super) fn write(&self, bytes: Vec<u8>) {
        // The thread is there as long as this: it ends when the channel does.
        let _ = self.writes.send(bytes);
    }

    /// Ends the thread; waits for that, or leaves it to finish what it writes.
    pub(super) fn close(self, waiting_for: bool) {
        drop(self.writes);
        if waiting_for {
            // It panics for nobody.
            let _ = self.thread.join();
        }
    }
}

fn write_all(folder: &mut Folder, taken: &Receiver<Vec<u8>>, done: &mpsc::Sender<Written>) {
    while let Ok(bytes) = taken.recv() {
        let written = folder
            .persist(&bytes)
            .map_err(|why| format!("{}: {why}", folder.state().display()));
        if done.blocking_send(written).is_err() {
            return;
        }
    }
}
