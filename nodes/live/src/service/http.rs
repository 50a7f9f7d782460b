//! Who may connect to the pages, and for how long: so many at a time, each for so long, whatever they send or do not send.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use squall_nodes::Node;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::pages::{self, Asker};
use super::turned_away::{TurnedAway, What};

/// How many may be connected at a time. Others wait in the kernel's queue.
const MOST: usize = 128;
/// How long nobody may be that has not asked for anything: who holds many places without asking has them for no longer.
const SILENT: Duration = Duration::from_secs(1);
/// How long each may be: a page takes a moment, and who asks for many connects anew.
const LONGEST: Duration = Duration::from_secs(10);
/// How long nobody is taken when the system has no room for another connection.
const REST: Duration = Duration::from_millis(100);

/// Serves pages until the runtime ends.
pub(super) async fn serve<N: Node>(guests: Guests, asker: Asker<N>) {
    // It never ends by itself: what goes wrong with a guest is the guest's.
    let guests = Guests {
        turned_away: asker.turned_away.clone(),
        ..guests
    };
    let pages = pages::router(asker).layer(middleware::from_fn(heed));
    let _ = axum::serve(guests, pages.into_make_service_with_connect_info::<Asked>()).await;
}

/// Those who connect, a bounded number at a time.
pub(super) struct Guests {
    listener: TcpListener,
    places: Arc<Semaphore>,
    turned_away: TurnedAway,
}

impl Guests {
    /// Takes in those who connect to a listener. Only inside a runtime.
    pub(super) fn of(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Guests {
            listener: TcpListener::from_std(listener)?,
            places: Arc::new(Semaphore::new(MOST)),
            turned_away: TurnedAway::default(),
        })
    }
}

impl Listener for Guests {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    let came = Instant::now();
                    let guest = Guest {
                        stream,
                        came,
                        leaves: Box::pin(tokio::time::sleep_until(came + SILENT)),
                        asked: Asked::default(),
                        stays: false,
                        turned_away: self.turned_away.clone(),
                        _place: place,
                    };
                    return (guest, from);
                }
                Err(_) => tokio::time::sleep(REST).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in good time.
pub(super) struct Guest {
    stream: TcpStream,
    came: Instant,
    asked: Asked,
    /// Whether it may be for longer, since it has asked.
    stays: bool,
    leaves: Pin<Box<Sleep>>,
    turned_away: TurnedAway,
    _place: Option<OwnedSemaphorePermit>,
}

/// Whether a guest has asked for something.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<AtomicBool>);

impl Asked {
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, Guests>> for Asked {
    fn connect_info(stream: IncomingStream<'_, Guests>) -> Self {
        stream.io().asked.clone()
    }
}

/// A whole request has come: whoever has sent it waits for what the node says, however long that takes.
async fn heed(ConnectInfo(asked): ConnectInfo<Asked>, request: Request, next: Next) -> Response {
    asked.note();
    next.run(request).await
}

impl Guest {
    /// An error when its time is over.
    fn poll_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.asked.is_so() && !self.stays {
            self.stays = true;
            let leaves = self.came + LONGEST;
            self.leaves.as_mut().reset(leaves);
        }
        match self.leaves.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // What was no request is answered, too.
        self.asked.note();
        self.poll_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It has been shown out, or has gone before.
        if !self.asked.is_so() && self.leaves.is_elapsed() {
            self.turned_away.count(What::Guest);
        }
    }
}
