//! What a live node has around it for those who run it: signals, pages, a control socket and a log, on a thread of its own with a
//! runtime of its own, so that none of it is ever in the node's way.
//!
//! - `signals`: the first stops the node in order, the second at once.
//! - `http`: who may connect, and for how long; `pages`: which pages there are; `page`: the status for people; `metrics`: for
//!   Prometheus.
//! - `control`: requests over a unix socket; `socket`: the socket's file; `turned_away`: how often somebody was.
//! - `watch`: what is worth a line in the log and is no fact.

mod control;
mod http;
mod metrics;
mod page;
mod pages;
mod signals;
pub(crate) mod socket;
mod turned_away;
mod watch;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use squall_nodes::Node;
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use crate::backlog::Backlog;
use crate::door::Handle;
use crate::error::about_tcp;
use crate::settings::Attendance;
pub use control::LONGEST_LINE;
use socket::Socket;

/// What a node is to have around it.
#[derive(Clone, Debug)]
pub struct Around<N: Node> {
    /// Where pages are served. A port of 0 is one that the system has free.
    pub http: Option<SocketAddr>,
    /// The unix socket on which requests are taken.
    pub control: Option<PathBuf>,
    /// What to ask of the node so that it tells how it stands.
    pub status: Option<N::Command>,
    /// Who attends the node: whoever does has the word on when it stops, and not the terminal that both were started from.
    pub attendance: Attendance,
    /// The log, of which pages and metrics say how much was lost.
    pub log: Option<Backlog>,
}

/// Why something cannot be had around a node.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Pages cannot be served there.
    #[error("pages cannot be served at {at}: {why}")]
    Http {
        /// Where.
        at: SocketAddr,
        /// What the system said.
        why: String,
    },
    /// The control socket cannot be had.
    #[error("{} cannot be the control socket: {why}", path.display())]
    Control {
        /// Its file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The system refused something that the thread needs.
    #[error("could not {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: io::Error,
    },
}

/// The thread around a node. It goes on until it is [closed](Service::close) or dropped.
pub struct Service {
    /// Where pages are served, with the port that there is.
    pub http: Option<SocketAddr>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Removed when everything that was served through it is over.
    socket: Option<Socket>,
}

impl Service {
    /// Opens all that a node is to have around it. Nothing is asked of the node before it runs.
    ///
    /// # Errors
    ///
    /// What cannot be had, and why.
    pub fn open<N: Node>(handle: &Handle<N>, around: Around<N>) -> Result<Self, ServiceError> {
        let Around {
            http,
            control,
            status,
            attendance,
            log,
        } = around;
        let system = |what| move |why| ServiceError::System { what, why };
        let listener = http.map(listen).transpose()?;
        let socket = control.map(Socket::claim).transpose()?;
        let heard = socket
            .as_ref()
            .map(Socket::listener)
            .transpose()
            .map_err(system("listen on the control socket"))?;
        let address = listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()
            .map_err(system("find out the port of the pages"))?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system("make a runtime"))?;
        let inside = runtime.enter();
        // Here and not in the thread, so that no signal comes before it is waited for.
        let signals = signals::Signals::new(attendance).map_err(system("wait for signals"))?;
        let pages = listener
            .map(http::Guests::of)
            .transpose()
            .map_err(system("serve pages"))?;
        let control = heard
            .map(tokio::net::UnixListener::from_std)
            .transpose()
            .map_err(system("serve the control socket"))?;
        drop(inside);
        let (end, ended) = oneshot::channel();
        let (signalled, watched, asked) = (handle.clone(), handle.clone(), handle.clone());
        let asker = pages::Asker::new(handle.clone(), status, log);
        let work = move |runtime: Runtime| {
            runtime.block_on(async move {
                tokio::spawn(signals.pass_on(signalled));
                tokio::spawn(watch::watch(watched));
                if let Some(guests) = pages {
                    tokio::spawn(http::serve(guests, asker.clone()));
                }
                if let Some(listener) = control {
                    tokio::spawn(control::serve(listener, asked, asker));
                }
                // Either way it is over.
                let _ = ended.await;
                // What was answered last has a moment to go out; nobody is waited for.
                tokio::task::yield_now().await;
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        };
        let thread = thread::Builder::new()
            .name("service".to_owned())
            .spawn(move || work(runtime))
            .map_err(system("start a thread"))?;
        Ok(Service {
            http: address,
            end: Some(end),
            thread: Some(thread),
            socket,
        })
    }

    /// Ends it: nothing is served any more, and the socket's file is gone.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A bug in it has been told by the panic itself, and the node has stopped all the same.
            let _ = thread.join();
        }
        drop(self.socket.take());
    }
}

fn listen(at: SocketAddr) -> Result<TcpListener, ServiceError> {
    let listener = TcpListener::bind(at).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|why| ServiceError::Http {
        at,
        why: about_tcp(at, &why),
    })
}
