//! What an attended node speaks through: lines go out, requests come in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

use squall_nodes::Node;

use crate::door::{Handle, Stop};

/// The longest line that is taken for a request, in bytes: a policy that names ten thousand peers is shorter.
const LONGEST_REQUEST: u64 = 16 << 20;

/// What an attended node speaks through.
pub struct Wires {
    pub(crate) requests: Box<dyn Read + Send>,
    pub(crate) lines: Box<dyn Write + Send>,
    pub(crate) unheard: Unheard,
}

/// Whether there are requests that a node does not know of: they were written, and are not passed on. Known of the stdin of this process
/// alone.
#[derive(Clone, Default)]
pub(crate) struct Unheard {
    pipe: Option<Arc<OwnedFd>>,
    passing: Arc<AtomicBool>,
}

impl Wires {
    /// Requests are read from one, a line of JSON each, and [lines](crate::Line) go to the other, as many as there are at a time in one
    /// write. The end of the requests stops the node at once, and so does a line that cannot be written.
    pub fn new(requests: impl Read + Send + 'static, lines: impl Write + Send + 'static) -> Self {
        Wires {
            requests: Box::new(requests),
            lines: Box::new(lines),
            unheard: Unheard::default(),
        }
    }

    /// The stdin and the stdout of this process, which asks to be killed when the thread ends that has started it.
    ///
    /// # Errors
    ///
    /// They are not open.
    pub fn stdio() -> io::Result<Self> {
        // When that has ended already, so have the requests.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        let wires = Wires::new(
            File::from(io::stdin().as_fd().try_clone_to_owned()?),
            File::from(io::stdout().as_fd().try_clone_to_owned()?),
        );
        Ok(Wires {
            unheard: Unheard {
                pipe: Some(Arc::new(io::stdin().as_fd().try_clone_to_owned()?)),
                ..Unheard::default()
            },
            ..wires
        })
    }
}

impl Unheard {
    /// Whether anything is known of them.
    pub(crate) fn is_known(&self) -> bool {
        self.pipe.is_some()
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        // In this order: what is not there any more is being passed on.
        self.pipe.as_ref().is_some_and(|pipe| {
            rustix::io::ioctl_fionread(pipe).is_ok_and(|bytes| bytes > 0)
                || self.passing.load(Ordering::SeqCst)
        })
    }

    /// Waits until there are more. All that was read is passed on.
    fn wait(&self) -> io::Result<()> {
        self.passing.store(false, Ordering::SeqCst);
        if let Some(pipe) = &self.pipe {
            let mut fds = [PollFd::new(pipe, PollFlags::IN)];
            while let Err(why) = poll(&mut fds, None) {
                if why != rustix::io::Errno::INTR {
                    return Err(why.into());
                }
            }
        }
        self.passing.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// Starts a thread that passes requests on until there are no more, or nobody is there to take them.
pub(crate) fn listen<N: Node>(
    requests: Box<dyn Read + Send>,
    unheard: Unheard,
    handle: Handle<N>,
) -> io::Result<()> {
    thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || {
            if let Err(why) = pass_on(requests, &unheard, &handle) {
                tracing::error!(%why, "requests cannot be read any more");
            }
            unheard.passing.store(false, Ordering::SeqCst);
            handle.stop(Stop::AtOnce);
        })?;
    Ok(())
}

fn pass_on<N: Node>(requests: Box<dyn Read + Send>, unheard: &Unheard, handle: &Handle<N>) -> io::Result<()> {
    let mut requests = BufReader::new(requests);
    let mut line = Vec::new();
    loop {
        line.clear();
        if requests.buffer().is_empty() {
            unheard.wait()?;
        }
        let read = requests
            .by_ref()
            .take(LONGEST_REQUEST)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && read as u64 == LONGEST_REQUEST {
            return Err(io::Error::other(format!(
                "a request is longer than {LONGEST_REQUEST} bytes"
            )));
        }
        match serde_json::from_slice(&line) {
            Ok(request) => {
                if !handle.pass_on(request) {
                    return Ok(());
                }
            }
            Err(why) if line.trim_ascii().is_empty() => drop(why),
            Err(why) => tracing::error!(%why, "a request cannot be read, and is left out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_nodes::Time;
    use squall_nodes::echo::EchoNode;

    use super::*;
    use crate::door::{Ask, door};

    #[test]
    fn requests_are_passed_on_line_by_line_and_their_end_stops_the_node_at_once() {
        let (handle, mut door) = door::<EchoNode>();
        let requests = "{\"ask\":\"go\",\"at\":7}\n\nnonsense\n{\"ask\":\"status\"}\n{\"ask\":\"stop\"}\n\
                        {\"ask\":\"policy\",\"policy\":{\"number\":3,\"law\":null,\"by\":[],\"peers\":{}}}";
        listen(Box::new(requests.as_bytes()), Unheard::default(), handle).unwrap();
        let asked = [door.asked.blocking_recv(), door.asked.blocking_recv()];
        assert!(matches!(&asked[0], Some(Ask::Go { at }) if *at == Time::from_nanos(7)));
        assert!(matches!(&asked[1], Some(Ask::Policy { policy, .. }) if policy.number == 3));
        let stopped = [door.stopped.blocking_recv(), door.stopped.blocking_recv()];
        assert_eq!(stopped, [Some(Stop::InOrder), Some(Stop::AtOnce)]);
    }

    #[test]
    fn a_request_without_end_is_not_kept() {
        let (handle, mut door) = door::<EchoNode>();
        listen(Box::new(io::repeat(b'x')), Unheard::default(), handle).unwrap();
        assert_eq!(door.stopped.blocking_recv(), Some(Stop::AtOnce));
    }
}
