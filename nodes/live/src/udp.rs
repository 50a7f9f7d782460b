//! The datagram sockets of a live host, and what came in on them and the node has not got.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, cmsg_space, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use squall_nodes::Time;
use tokio::io::unix::AsyncFd;

use crate::clock::{Clocks, monotonic};
use crate::error::{LiveError, about_udp};
use crate::line::Counts;
use crate::watch::watched;

/// The longest payload that a UDP datagram can have over IPv4.
pub(crate) const LONGEST_DATAGRAM: usize = 65_507;
/// How many datagrams are read at a time, of all sockets together. What the node is told by itself comes in between.
const BATCH: usize = 64;
/// How many bytes of them; one more is read while there are fewer.
const BATCH_BYTES: usize = 64 * 1024;
/// Room for the longest datagram, and for a byte more.
const ROOM: usize = LONGEST_DATAGRAM + 1;

/// What the kernel charges for a datagram besides its payload, at the least.
const LEAST_CHARGE: usize = 768;

/// The largest buffer that the kernel can be asked for: it takes the size for a number of 32 bits with a sign.
const MOST_BUFFER: usize = i32::MAX as usize;

/// Room for what the kernel says of a datagram besides: when it came in.
const SAID: usize = cmsg_space::<TimeSpec>();

/// The open ports of a host, and its inbox.
pub(crate) struct Sockets {
    ip: Ipv4Addr,
    /// How many bytes the kernel is to keep for each socket.
    buffer: usize,
    open: Vec<Socket>,
    /// The socket that is read first the next time, so that a flood on one port starves no other.
    first: usize,
    inbox: Inbox,
    /// How many datagrams the kernel had dropped when it was asked last.
    dropped: u64,
}

struct Socket {
    port: u16,
    socket: AsyncFd<UdpSocket>,
    state: State,
    /// Whatever is read next came in after this.
    since: Time,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There may be something to read.
    Full,
    /// There was nothing, and nobody has waited since.
    Dry,
}

/// Datagrams that were read, and that the node gets next.
struct Inbox {
    /// All of them, one behind the other.
    bytes: Vec<u8>,
    /// How much of it is used.
    used: usize,
    letters: Vec<Letter>,
    /// How many of them the node got.
    taken: usize,
}

/// A datagram in the inbox.
#[derive(Clone, Copy)]
pub(crate) struct Letter {
    pub(crate) port: u16,
    pub(crate) from: SocketAddrV4,
    /// When the kernel took it in. A host that did not run meanwhile finds it here, with the time as it was.
    pub(crate) received: Time,
    start: usize,
    len: usize,
}

impl Sockets {
    /// Sockets are bound to `ip`, and the kernel keeps `buffer` bytes for each, or as many as it can count.
    pub(crate) fn new(ip: Ipv4Addr, buffer: usize) -> Self {
        Sockets {
            ip,
            buffer: buffer.min(MOST_BUFFER),
            open: Vec::new(),
            first: 0,
            inbox: Inbox {
                bytes: vec![0; BATCH_BYTES + ROOM],
                used: 0,
                letters: Vec::with_capacity(BATCH),
                taken: 0,
            },
            dropped: 0,
        }
    }

    /// Opens a port, unless it is open. Must be called inside a runtime.
    pub(crate) fn bind(&mut self, port: u16) -> Result<(), LiveError> {
        if self.find(port).is_some() {
            return Ok(());
        }
        self.open(port).map_err(|why| {
            let at = SocketAddrV4::new(self.ip, port);
            let why = about_udp(at, &why);
            LiveError::Port { at, why }
        })
    }

    /// Forgets what has come in on the open ports until now.
    pub(crate) fn forget(&mut self) {
        // No more than so many are in a buffer. Where there are fewer, it is read until it is empty, with what comes in meanwhile: the node
        // has not booted before this is over.
        let most = self.buffer / LEAST_CHARGE;
        let mut room = [0; 1];
        for socket in &self.open {
            let read = |_: &usize| match socket.socket.get_ref().recv_from(&mut room) {
                Ok(_) => true,
                Err(why) => why.kind() != ErrorKind::WouldBlock,
            };
            (0..=most).take_while(read).for_each(drop);
        }
        // Nor is it told what the kernel dropped.
        if let Err(why) = self.dropped_by_kernel() {
            tracing::debug!(%why, "the kernel does not say what it has dropped");
        }
    }

    fn open(&mut self, port: u16) -> io::Result<()> {
        let socket = UdpSocket::bind(SocketAddrV4::new(self.ip, port))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let options = socket2::SockRef::from(&socket);
        // The kernel doubles what it is asked for, and never gives more than it may.
        if options.recv_buffer_size()? != self.buffer {
            options.set_recv_buffer_size(self.buffer / 2)?;
            let given = options.recv_buffer_size()?;
            if given < self.buffer {
                tracing::warn!(
                    port,
                    asked = self.buffer,
                    given,
                    "the kernel keeps fewer bytes for the inbox than it is asked to"
                );
            }
        }
        self.open.push(Socket {
            port,
            socket: watched(socket)?,
            state: State::Full,
            since: monotonic(),
        });
        Ok(())
    }

    /// The ports that are open, in the order in which they were opened.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.open.iter().map(|socket| socket.port)
    }

    /// The addresses that they are bound to, in that order: where the system was to choose a port, with the one that it has chosen.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let address = |socket: &Socket| socket.socket.get_ref().local_addr().ok();
        self.open.iter().filter_map(address)
    }

    fn find(&self, port: u16) -> Option<&Socket> {
        self.open.iter().find(|socket| socket.port == port)
    }

    /// Whether a datagram can be sent at all; counts it if not.
    #[inline]
    pub(crate) fn admits(&self, port: u16, to: SocketAddrV4, len: usize, counts: &mut Counts) -> bool {
        if len > LONGEST_DATAGRAM {
            counts.too_long += 1;
            return false;
        }
        let cannot_be = to.port() == 0 || to.ip().is_unspecified() || to.ip().is_multicast();
        if cannot_be || self.find(port).is_none() {
            counts.unsent += 1;
            return false;
        }
        true
    }

    /// Hands a datagram to the kernel, which may refuse it.
    #[inline]
    pub(crate) fn send(&self, port: u16, to: SocketAddrV4, bytes: &[u8], counts: &mut Counts) {
        let Some(socket) = self.find(port) else {
            counts.unsent += 1;
            return;
        };
        // The kernel may say of one that was sent before that nobody was there, once: then it has not looked at this one.
        for _ in 0..2 {
            match socket.socket.get_ref().send_to(bytes, to) {
                Ok(_) => return,
                Err(why) if why.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        counts.unsent += 1;
    }

    /// The next datagram of the inbox.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Letter> {
        let letter = *self.inbox.letters.get(self.inbox.taken)?;
        self.inbox.taken += 1;
        Some(letter)
    }

    /// What a datagram says that was taken last.
    #[inline]
    pub(crate) fn bytes_of(&self, letter: Letter) -> &[u8] {
        &self.inbox.bytes[letter.start..][..letter.len]
    }

    /// When the next datagram of the inbox came in; nothing when it is empty.
    #[inline]
    pub(crate) fn first(&self) -> Option<Time> {
        self.inbox
            .letters
            .get(self.inbox.taken)
            .map(|letter| letter.received)
    }

    /// Whatever is read next came in after this.
    pub(crate) fn read_until(&self) -> Time {
        let since = self.open.iter().map(|socket| socket.since);
        since.min().unwrap_or(Time::MAX)
    }

    /// Fills the inbox, once it is empty, with a batch of what has come in, from all sockets in turn, and puts it in the order in which
    /// the kernel took it in. Whether there is anything to take.
    pub(crate) fn fill(&mut self) -> bool {
        let inbox = &mut self.inbox;
        if inbox.taken < inbox.letters.len() {
            return true;
        }
        inbox.letters.clear();
        (inbox.used, inbox.taken) = (0, 0);
        let sockets = self.open.len();
        let begun = Clocks::read();
        let mut dry = 0;
        let mut turn = self.first;
        while dry < sockets && inbox.has_room() {
            let socket = &mut self.open[turn % sockets];
            turn += 1;
            if socket.state == State::Full && socket.read(inbox, begun) {
                dry = 0;
            } else {
                dry += 1;
            }
        }
        self.first = if sockets == 0 { 0 } else { turn % sockets };
        inbox.letters.sort_by_key(|letter| letter.received);
        !inbox.letters.is_empty()
    }

    /// Forgets what the runtime knows of sockets that were read to the end: it is from before. To be called when a wait begins.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        for socket in &self.open {
            if socket.state == State::Dry
                && let Poll::Ready(ready) = socket.socket.poll_read_ready(cx)
            {
                ready?.clear_ready();
            }
        }
        Ok(())
    }

    /// Whether there may be something to read.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        let mut any = Poll::Pending;
        for socket in &self.open {
            if let Poll::Ready(ready) = socket.socket.poll_read_ready(cx) {
                ready?.retain_ready();
                any = Poll::Ready(());
            }
        }
        Ok(any)
    }

    /// Looks at every socket the next time. To be called when a wait is over: whatever it was for, anything may have come in.
    pub(crate) fn waited(&mut self) {
        for socket in &mut self.open {
            socket.state = State::Full;
        }
    }

    /// How many datagrams the kernel has dropped since it was asked last, since the buffers of the sockets were full.
    pub(crate) fn dropped_by_kernel(&mut self) -> io::Result<u64> {
        let mut inodes = BTreeSet::new();
        for socket in &self.open {
            let stat = rustix::fs::fstat(socket.socket.get_ref().as_fd())?;
            inodes.insert(stat.st_ino);
        }
        if inodes.is_empty() {
            return Ok(0);
        }
        let table = std::fs::read_to_string("/proc/self/net/udp")?;
        let dropped: u64 = table.lines().filter_map(|line| drops_in(line, &inodes)).sum();
        let since = dropped.saturating_sub(self.dropped);
        self.dropped = self.dropped.max(dropped);
        Ok(since)
    }
}

impl Socket {
    /// Reads a datagram into the inbox. Whether there was one. `begun` is from when the inbox began to be filled.
    fn read(&mut self, inbox: &mut Inbox, begun: Clocks) -> bool {
        // The kernel says of datagrams that were sent that nobody was there: of each once, and the rest can be read.
        for _ in 0..BATCH {
            let mut said = [0; SAID];
            let mut room = [IoSliceMut::new(&mut inbox.bytes[inbox.used..][..ROOM])];
            let fd = self.socket.get_ref().as_raw_fd();
            match recvmsg::<SockaddrIn>(fd, &mut room, Some(&mut said), MsgFlags::empty()) {
                Ok(read) => {
                    // A socket of IPv4 hears from nobody else.
                    let Some(from) = read.address else { continue };
                    let stamp = read.cmsgs().ok().and_then(|mut said| said.find_map(stamp_in));
                    // The wall clock may have been set meanwhile, and some say nothing: it came in after all that was read before.
                    let received = stamp.map_or(Time::MAX, |stamp| begun.on_monotonic(stamp));
                    self.since = received.clamp(self.since, monotonic().max(self.since));
                    inbox.letters.push(Letter {
                        port: self.port,
                        from: from.into(),
                        received: self.since,
                        start: inbox.used,
                        len: read.bytes,
                    });
                    inbox.used += read.bytes;
                    return true;
                }
                Err(Errno::EAGAIN) => {
                    self.state = State::Dry;
                    self.since = self.since.max(begun.monotonic);
                    return false;
                }
                Err(_) => {}
            }
        }
        false
    }
}

/// When the kernel took a datagram in, on the wall clock in nanoseconds, if this says so.
fn stamp_in(said: ControlMessageOwned) -> Option<u64> {
    let ControlMessageOwned::ScmTimestampns(stamp) = said else {
        return None;
    };
    let (seconds, nanos) = (
        u64::try_from(stamp.tv_sec()).ok()?,
        u64::try_from(stamp.tv_nsec()).ok()?,
    );
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

impl Inbox {
    fn has_room(&self) -> bool {
        self.letters.len() < BATCH && self.used < BATCH_BYTES
    }
}

/// What a line of the kernel's table of UDP sockets says of how many datagrams were dropped, if it is about one of these sockets.
fn drops_in(line: &str, inodes: &BTreeSet<u64>) -> Option<u64> {
    let mut columns = line.split_ascii_whitespace();
    let inode: u64 = columns.nth(9)?.parse().ok()?;
    let drops = columns.last()?.parse().ok()?;
    inodes.contains(&inode).then_some(drops)
}

#[cfg(test)]
mod tests;
