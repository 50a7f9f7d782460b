//! The sockets of streams: how they are made, and what the kernel is told of them.
//!
//! Every socket has `SO_LINGER` with a time of zero from the beginning, so that a process that is killed resets its connections, whatever
//! is unread: else the kernel would close them in order, and nobody could tell the death of a node from its good-bye. A connection that is
//! to end in order is shut by hand, and only lets go of that option when all has been done.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use squall_nodes::{Closed, Span};

use crate::settings::Streams;

/// The largest buffer that the kernel can be asked for: it takes the size for a number of 32 bits with a sign.
const MOST_BUFFER: usize = i32::MAX as usize;

/// Opens a port, and accepts connections on it.
pub(super) fn listen(at: SocketAddrV4, settings: &Streams) -> io::Result<TcpListener> {
    let socket = bound(at)?;
    // What is accepted inherits all of it.
    prepare(&socket, settings)?;
    socket.listen(backlog(settings))?;
    Ok(socket.into())
}

/// Takes a port, and does not listen yet.
pub(super) fn bound(at: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    // Connections that were closed a moment ago do not keep the port.
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

/// Accepts no more: whoever dials is refused. The port is kept.
pub(super) fn shut(listener: &TcpListener) -> io::Result<()> {
    SockRef::from(listener).shutdown(Shutdown::Read)
}

/// Accepts again.
pub(super) fn reopen(listener: &TcpListener, settings: &Streams) -> io::Result<()> {
    SockRef::from(listener).listen(backlog(settings))
}

/// The next connection that others have opened; `None` when there is none.
pub(super) fn accept(listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddrV4)>> {
    loop {
        match listener.accept() {
            Ok((socket, SocketAddr::V4(from))) => {
                socket.set_nonblocking(true)?;
                return Ok(Some((socket, from)));
            }
            // A socket of IPv4 hears from nobody else.
            Ok((_, SocketAddr::V6(_))) => {}
            Err(why) => match why.kind() {
                ErrorKind::WouldBlock => return Ok(None),
                // Whoever has dialled is gone already.
                ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                _ => return Err(why),
            },
        }
    }
}

/// Begins to dial, from an address of the host's own.
pub(super) fn dial(from: Ipv4Addr, to: SocketAddrV4, settings: &Streams) -> io::Result<TcpStream> {
    // Those that are about to be forgotten do not use up the ports.
    let socket = bound(SocketAddrV4::new(from, 0))?;
    prepare(&socket, settings)?;
    // The kernel counts the opening among what is to be acknowledged in time; that has a time of its own.
    let patience = settings.user_timeout.max(settings.connect_timeout);
    socket.set_tcp_user_timeout(Some(whole_millis(patience)))?;
    match socket.connect(&to.into()) {
        Err(why) if why.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(why),
        _ => Ok(socket.into()),
    }
}

/// What has become of a dial.
pub(super) enum Dialled {
    NotYet,
    Open,
    /// It was open, and has ended again.
    Lost(Closed),
    /// It was never open.
    Failed(Closed),
}

pub(super) fn dialled(socket: &TcpStream) -> Dialled {
    if let Ok(Some(why)) = socket.take_error() {
        return match why.kind() {
            // Whoever does not listen refuses.
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Dialled::Lost(Closed::Reset),
            _ => Dialled::Failed(ending_of_dial(&why)),
        };
    }
    match (socket.peer_addr(), socket.local_addr()) {
        // A port that is dialled from itself answers itself, and nobody listens there.
        (Ok(peer), Ok(own)) if peer == own => Dialled::Failed(Closed::Refused),
        (Ok(_), _) => Dialled::Open,
        (Err(_), _) => Dialled::NotYet,
    }
}

/// Has the kernel give up what was dialled, and is open, as it does any other connection.
pub(super) fn is_open(socket: &TcpStream, settings: &Streams) {
    let told = SockRef::from(socket).set_tcp_user_timeout(Some(whole_millis(settings.user_timeout)));
    if let Err(why) = told {
        tracing::debug!(%why, "a connection is given up later than it was to be");
    }
}

/// How a dial ended that the kernel gave up.
pub(super) fn ending_of_dial(why: &io::Error) -> Closed {
    match why.kind() {
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Closed::TimedOut,
        _ => Closed::Refused,
    }
}

/// How a connection ended that the kernel says this of.
pub(super) fn ending(why: &io::Error) -> Closed {
    match why.kind() {
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Closed::TimedOut,
        _ => Closed::Reset,
    }
}

/// Has the kernel go on with what it was given when the socket is closed.
pub(super) fn keep_going(socket: &TcpStream) {
    // Without it, what is on its way would be thrown away; and there is nothing that could be done about that.
    let _ = SockRef::from(socket).set_linger(None);
}

/// Has the kernel reset a connection when its socket is closed, whatever it was given.
pub(super) fn throw_away(socket: &TcpStream) {
    // There is nothing that could be done about it.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

fn prepare(socket: &Socket, settings: &Streams) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(whole_millis(settings.user_timeout)))?;
    // The kernel doubles what it is asked for, and never gives more than it may.
    socket.set_recv_buffer_size(settings.receive_buffer.min(MOST_BUFFER))?;
    socket.set_send_buffer_size(settings.send_buffer.min(MOST_BUFFER))
}

fn backlog(settings: &Streams) -> i32 {
    i32::try_from(settings.listen_backlog).unwrap_or(i32::MAX)
}

/// At least a millisecond: none would stand for the kernel's own patience.
fn whole_millis(span: Span) -> Duration {
    Duration::from_millis((span.as_nanos() / 1_000_000).clamp(1, i32::MAX as u64))
}
