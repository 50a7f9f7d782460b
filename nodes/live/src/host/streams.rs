//! What a host does about connections: what the node asks for waits behind the barrier, and what happens to them is handed to the node.

use std::net::SocketAddrV4;

use squall_nodes::{ConnId, Node, Time};

use super::Host;
use super::take::{Due, For};
use crate::barrier::Waiting;
use crate::door::Stop;
use crate::line::Counts;
use crate::stream::cannot_listen;

impl<N: Node> Host<N> {
    pub(super) fn listen(&mut self, port: u16) {
        if self.barrier.is_open() {
            self.listen_now(port);
        } else {
            self.barrier.wait(Waiting::Listen { port });
        }
    }

    pub(super) fn listen_now(&mut self, port: u16) {
        self.flush();
        let opened = {
            let _inside = self.runtime.enter();
            self.streams.listen(port)
        };
        if let Err(why) = opened {
            let at = SocketAddrV4::new(self.settings.placed.ip, port);
            self.fail(cannot_listen(at, &why));
        }
    }

    pub(super) fn dial(&mut self, conn: ConnId, to: SocketAddrV4) {
        if self.barrier.is_open() {
            self.dial_now(conn, to);
        } else {
            if self.barrier.is_writing() {
                self.streams.dials_later(conn, to);
            }
            self.barrier.wait(Waiting::Dial { conn, to });
        }
    }

    pub(super) fn dial_now(&mut self, conn: ConnId, to: SocketAddrV4) {
        self.flush();
        let now = self.tick();
        let _inside = self.runtime.enter();
        self.streams.dial(conn, to, now, &mut self.edge, &mut self.counts);
    }

    pub(super) fn write(&mut self, conn: ConnId, bytes: &[u8]) {
        if self.barrier.is_open() {
            self.write_now(conn, bytes);
        } else {
            let bytes = bytes.to_vec();
            self.barrier.wait(Waiting::Write { conn, bytes });
        }
    }

    #[inline]
    pub(super) fn write_now(&mut self, conn: ConnId, bytes: &[u8]) {
        self.flush();
        let now = self.tick();
        self.streams
            .write(conn, bytes, now, &mut self.edge, &mut self.counts);
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        if self.barrier.is_open() {
            self.close_now(conn);
        } else if self.barrier.is_writing() {
            self.streams.closes_later(conn);
            self.barrier.wait(Waiting::Close { conn });
        } else {
            self.streams.break_off(conn);
        }
    }

    pub(super) fn close_now(&mut self, conn: ConnId) {
        self.flush();
        let now = self.tick();
        self.streams.close(conn, now);
    }

    /// The next thing that happens to a connection.
    pub(super) fn next_of_streams(&mut self) -> Option<Due<N>> {
        let next = self.streams.next(self.now, &mut self.edge, &mut self.counts);
        self.tell_upsets();
        let (conn, what) = next?;
        Some(Due::Stream(conn, what))
    }

    /// Does what is due about connections.
    pub(super) fn expire_streams(&mut self) {
        self.streams.expire(self.now, &mut self.edge, &mut self.counts);
    }

    /// Closes all connections in order, and waits until their peers have all of it, but no longer than until a time.
    pub(super) fn end_streams(&mut self, until: Time) {
        self.streams.close_all(self.now);
        while !self.streams.are_gone() && self.tick() < until {
            self.expire_streams();
            // Of those that are being closed, the node is told nothing.
            while self.streams.has_turns() {
                self.streams.next(self.now, &mut self.edge, &mut self.counts);
            }
            if !self.streams.are_gone() {
                self.wait(For::Streams, until.min(self.streams.next_deadline()));
            }
            if self.failed.is_some() || self.ending.take() == Some(Stop::AtOnce) {
                return;
            }
        }
    }

    /// What became of datagrams and connections so far.
    pub(super) fn counted(&mut self) -> Counts {
        self.counts.streams = self.streams.counts();
        self.counts.under_way = self.edge.held();
        self.counts.clone()
    }
}
