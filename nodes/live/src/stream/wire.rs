//! How the bytes of a connection go over its socket: as they are, or through TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use rustls::Connection;
use squall_nodes::Closed;

use super::socket::ending;
use super::tls::{self, Strangers};

/// How many bytes TLS keeps that the socket has not taken.
const MOST_UNSENT: usize = 64 * 1024;

/// How the bytes of a connection go over its socket.
pub(super) enum Wire {
    /// As they are.
    Plain,
    /// Through TLS.
    Tls(Box<Session>),
}

/// One connection's TLS.
pub(super) struct Session {
    tls: Connection,
    peer: Ipv4Addr,
    strangers: Strangers,
    /// Whether there is nothing to be read from the socket any more.
    ended: bool,
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// So many bytes.
    Bytes(usize),
    /// Nothing, until there is more.
    Nothing,
    /// The peer has closed after its last byte.
    End,
    /// The connection is broken.
    Broken(Closed),
}

/// How far a handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shaken {
    /// It goes on when there is more.
    NotYet,
    /// Both know each other.
    Done,
    /// It has failed.
    Failed,
}

impl Wire {
    /// Reads into `room`.
    pub(super) fn read(&mut self, socket: &TcpStream, room: &mut [u8]) -> Came {
        match self {
            Wire::Plain => read_plain(socket, room),
            Wire::Tls(session) => session.read(socket, room),
        }
    }

    /// Writes as much as there is room for; `None` when there is no room.
    pub(super) fn write(&mut self, socket: &TcpStream, bytes: &[u8]) -> Result<Option<usize>, Closed> {
        match self {
            Wire::Plain => taken((&*socket).write(bytes)),
            Wire::Tls(session) => session.write(socket, bytes),
        }
    }

    /// Hands what is left to the socket. Whether that is all.
    pub(super) fn flush(&mut self, socket: &TcpStream) -> Result<bool, Closed> {
        match self {
            Wire::Plain => Ok(true),
            Wire::Tls(session) => session.flush(socket),
        }
    }

    /// Says that nothing is written after what was. Whether that has been handed to the socket.
    pub(super) fn shut(&mut self, socket: &TcpStream) -> Result<bool, Closed> {
        if let Wire::Tls(session) = self {
            session.tls.send_close_notify();
            if !session.flush(socket)? {
                return Ok(false);
            }
        }
        socket.shutdown(Shutdown::Write).map_err(|why| ending(&why))?;
        Ok(true)
    }

    /// Goes on with the handshake.
    pub(super) fn shake(&mut self, socket: &TcpStream) -> Shaken {
        match self {
            Wire::Plain => Shaken::Done,
            Wire::Tls(session) => session.shake(socket),
        }
    }
}

impl Session {
    /// With a peer at an address.
    pub(super) fn new(mut tls: Connection, peer: Ipv4Addr, strangers: Strangers) -> Self {
        tls.set_buffer_limit(Some(MOST_UNSENT));
        Session {
            tls,
            peer,
            strangers,
            ended: false,
        }
    }

    fn read(&mut self, socket: &TcpStream, room: &mut [u8]) -> Came {
        let mut read = 0;
        loop {
            match self.tls.reader().read(&mut room[read..]) {
                // The peer has said that nothing comes any more; or there is no room.
                Ok(0) if read == 0 => return Came::End,
                Ok(0) => return Came::Bytes(read),
                Ok(more) => {
                    read += more;
                    continue;
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => {}
                // It ended without a word: somebody else may have cut it off.
                Err(_) if read == 0 => return Came::Broken(Closed::Reset),
                Err(_) => return Came::Bytes(read),
            }
            match self.take_in(socket) {
                Came::Bytes(_) => {
                    // It may have made something to say.
                    if let Err(how) = self.flush(socket) {
                        return Came::Broken(how);
                    }
                }
                _ if read > 0 => return Came::Bytes(read),
                Came::End => return Came::Broken(Closed::Reset),
                other => return other,
            }
        }
    }

    /// Takes in what the socket has. `End`: there is nothing more to take in.
    fn take_in(&mut self, socket: &TcpStream) -> Came {
        if self.ended {
            return Came::End;
        }
        match self.tls.read_tls(&mut &*socket) {
            Ok(0) => {
                self.ended = true;
                // It knows by this that it ended without a word, if it did.
                let _ = self.tls.process_new_packets();
                Came::End
            }
            Ok(read) => match self.tls.process_new_packets() {
                Ok(_) => Came::Bytes(read),
                Err(why) => {
                    self.strangers.tell(self.peer, socket, &tls::in_words(&why));
                    // It says why, if the peer still listens.
                    let _ = self.flush(socket);
                    Came::Broken(Closed::Reset)
                }
            },
            Err(why) if why.kind() == ErrorKind::WouldBlock => Came::Nothing,
            Err(why) if why.kind() == ErrorKind::Interrupted => Came::Bytes(0),
            Err(why) => Came::Broken(ending(&why)),
        }
    }

    fn write(&mut self, socket: &TcpStream, bytes: &[u8]) -> Result<Option<usize>, Closed> {
        // What it keeps goes out first, so that it keeps no more than it may.
        if !self.flush(socket)? {
            return Ok(None);
        }
        let written = self.tls.writer().write(bytes).map_err(|why| ending(&why))?;
        self.flush(socket)?;
        Ok((written > 0).then_some(written))
    }

    fn flush(&mut self, socket: &TcpStream) -> Result<bool, Closed> {
        while self.tls.wants_write() {
            if taken(self.tls.write_tls(&mut &*socket))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn shake(&mut self, socket: &TcpStream) -> Shaken {
        loop {
            // Before the ticket goes out, by which a client knows that it was let in.
            if !self.tls.is_handshaking() && !self.is_who_it_says(socket) {
                return Shaken::Failed;
            }
            if self.flush(socket).is_err() {
                return Shaken::Failed;
            }
            if self.is_admitted() {
                return Shaken::Done;
            }
            match self.take_in(socket) {
                Came::Bytes(_) => {}
                Came::Nothing => return Shaken::NotYet,
                Came::End | Came::Broken(_) => return Shaken::Failed,
            }
        }
    }

    /// Whether the certificate of a client is for the address that it comes from. That of a server was held against the one that was
    /// dialled.
    fn is_who_it_says(&self, socket: &TcpStream) -> bool {
        let Connection::Server(server) = &self.tls else {
            return true;
        };
        let shown = server.peer_certificates().and_then(<[_]>::first);
        match shown.map(|certificate| tls::is_for(certificate, self.peer)) {
            Some(Ok(())) => true,
            Some(Err(why)) => {
                self.strangers.tell(self.peer, socket, &tls::in_words(&why));
                false
            }
            None => {
                self.strangers.tell(self.peer, socket, "it shows no certificate");
                false
            }
        }
    }

    /// Whether the peer has let this side in. In TLS 1.3 a client that has said all it has to does not know yet whether its certificate is
    /// taken; it does when the server sends something of its own, a ticket at the latest.
    fn is_admitted(&mut self) -> bool {
        if self.tls.is_handshaking() {
            return false;
        }
        match &mut self.tls {
            Connection::Server(_) => true,
            Connection::Client(client) => {
                client.tls13_tickets_received() > 0
                    || client
                        .process_new_packets()
                        .is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
        }
    }
}

fn read_plain(mut socket: &TcpStream, room: &mut [u8]) -> Came {
    loop {
        return match socket.read(room) {
            Ok(0) => Came::End,
            Ok(read) => Came::Bytes(read),
            Err(why) if why.kind() == ErrorKind::WouldBlock => Came::Nothing,
            Err(why) if why.kind() == ErrorKind::Interrupted => continue,
            Err(why) => Came::Broken(ending(&why)),
        };
    }
}

/// How much of a write was taken; `None` when there was no room.
fn taken(written: io::Result<usize>) -> Result<Option<usize>, Closed> {
    match written {
        Ok(0) => Ok(None),
        Ok(written) => Ok(Some(written)),
        Err(why) if why.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(why) if why.kind() == ErrorKind::Interrupted => Ok(Some(0)),
        Err(why) => Err(ending(&why)),
    }
}
