//! Who may connect to the pages, and for how long: so many at a time, each for so long, whatever they send or do not send.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
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
    let _ = axum::serve(guests, pages::router(asker)).await;
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
                        has_asked: false,
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
    /// Whether it was answered something: it has asked for it then.
    has_asked: bool,
    leaves: Pin<Box<Sleep>>,
    turned_away: TurnedAway,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guest {
    /// An error when its time is over.
    fn poll_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
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
        if !self.has_asked {
            self.has_asked = true;
            let leaves = self.came + LONGEST;
            self.leaves.as_mut().reset(leaves);
        }
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
        if !self.has_asked && self.leaves.is_elapsed() {
            self.turned_away.count(What::Guest);
        }
    }
}
