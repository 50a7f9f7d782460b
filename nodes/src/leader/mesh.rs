//! The list of all nodes: who has it, and who is told of it.

use std::net::SocketAddrV4;
use std::sync::Arc;

use super::config::Change;
use super::facts::LeaderFact;
use super::peer::Peer;
use super::post::{Errand, Post, What};
use super::wire::{Ack, Listed, Message, Nodes, mark_of_list};
use super::{LeaderNode, Role};
use crate::outbox::Outbox;
use crate::time::Time;

/// All nodes, in the order of their numbers, and what is known of each.
#[derive(Clone)]
pub(super) struct Mesh {
    pub(super) nodes: Arc<[SocketAddrV4]>,
    /// The place of this node; its number is one more.
    pub(super) own: usize,
    /// How many lists this node has gone by before, in this life.
    pub(super) list: u64,
    /// By what it is told from other lists.
    mark: u32,
    told: Vec<Telling>,
    trust: Trust,
}

/// Whether anybody else goes by a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Somebody has told it, and that may be anyone.
    Told,
    /// One of its nodes goes by it, as it has said when it was dialled.
    Shared,
}

/// What is known of another node.
#[derive(Clone, Copy, Debug)]
struct Telling {
    /// Whether it knows all nodes, as far as it has said.
    knows: bool,
    /// Whether it could not be told when it was last tried.
    down: bool,
    /// Whether it was claimed that it goes by another list.
    strays: bool,
}

impl Mesh {
    /// The mesh of these nodes; none when `me` is not among them.
    pub(super) fn of(nodes: Vec<SocketAddrV4>, me: SocketAddrV4) -> Option<Self> {
        let own = nodes.iter().position(|node| *node == me)?;
        let telling = Telling {
            knows: false,
            down: false,
            strays: false,
        };
        Some(Mesh {
            mark: mark_of_list(&nodes),
            trust: Trust::Told,
            told: vec![telling; nodes.len()],
            nodes: nodes.into(),
            own,
            list: 0,
        })
    }

    /// This node's number.
    pub(super) fn number(&self) -> u32 {
        self.own as u32 + 1
    }

    /// The place of a node in the list.
    pub(super) fn place_of(&self, node: SocketAddrV4) -> Option<usize> {
        self.nodes.iter().position(|other| *other == node)
    }

    /// By what it is told from other lists.
    pub(super) fn mark(&self) -> u32 {
        self.mark
    }

    /// The starter, whose list it is.
    fn starter(&self) -> Option<SocketAddrV4> {
        self.nodes.last().copied()
    }

    /// The places of all others.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.own;
        (0..self.nodes.len()).filter(move |place| *place != own)
    }

    /// Whether a node knows all nodes, as far as it has said.
    pub(super) fn knows(&self, place: usize) -> bool {
        self.told[place].knows
    }
}

impl Peer {
    pub(super) fn claim_connected(&self, out: &mut Outbox<LeaderNode>) {
        if let Some(mesh) = &self.mesh {
            out.claim(LeaderFact::Connected {
                number: mesh.number(),
                nodes: mesh.nodes.len() as u32,
            });
        }
    }

    /// Sends a message to the node at a place of the list.
    pub(super) fn send(
        &mut self,
        now: Time,
        to: usize,
        what: What,
        bytes: &Arc<[u8]>,
        out: &mut Outbox<LeaderNode>,
    ) {
        let Some(mesh) = &self.mesh else { return };
        let Some(node) = mesh.nodes.get(to).copied() else {
            return;
        };
        let list = mesh.list;
        let errand = Errand { to, list, what };
        if let Some(given_up) = self.post.send(now, node, errand, bytes.clone(), out) {
            self.on_letter(now, given_up, out);
        }
    }

    /// Whether the starter has still to tell somebody of the list, by the rules of the source.
    pub(super) fn has_nodes_to_tell(&self) -> bool {
        let tells = self.role == Role::Starter && !self.changes.has(Change::Redial);
        let is_untold = |mesh: &Mesh| mesh.others().any(|place| !mesh.knows(place));
        tells && self.mesh.as_ref().is_some_and(is_untold)
    }

    /// The starter tells those of the list whom it has not told yet.
    pub(super) fn tell_nodes(&mut self, now: Time, out: &mut Outbox<LeaderNode>) {
        if !self.has_nodes_to_tell() {
            return;
        }
        let Some(mesh) = &self.mesh else { return };
        let untold: Vec<usize> = mesh.others().filter(|place| !mesh.knows(*place)).collect();
        let bytes = self.encode_nodes();
        for place in untold {
            self.send(now, place, What::Nodes, &bytes, out);
        }
    }

    /// The list as a message.
    pub(super) fn encode_nodes(&self) -> Arc<[u8]> {
        let nodes = self.mesh.iter().flat_map(|mesh| mesh.nodes.iter());
        let listed = |(number, address): (u32, &SocketAddrV4)| Listed {
            number,
            address: *address,
        };
        Post::encode(&Message::Nodes(Nodes {
            from: self.me,
            nodes: (1..).zip(nodes).map(listed).collect(),
            term: self.term_to_send(self.own_term()),
        }))
    }

    /// A node has answered: it is there, and has said whether it waits for the list, and by which it goes.
    pub(super) fn learn_whether_told(
        &mut self,
        errand: Errand,
        ack: Option<&Ack>,
        out: &mut Outbox<LeaderNode>,
    ) {
        let redials = self.changes.has(Change::Redial);
        let Some(mesh) = &mut self.mesh else { return };
        let Some(telling) = mesh.told.get_mut(errand.to) else {
            return;
        };
        let node = mesh.nodes[errand.to];
        telling.down = false;
        let waits = ack.is_some_and(|ack| ack.waits);
        let list = ack.and_then(|ack| ack.list);
        let strays = list.is_some_and(|list| list != mesh.mark);
        if list == Some(mesh.mark) {
            mesh.trust = Trust::Shared;
        }
        if ack.is_some() && std::mem::replace(&mut telling.strays, strays) != strays && strays {
            out.claim(LeaderFact::AnotherList { node });
        }
        if (waits || strays) && redials {
            telling.knows = false;
        } else if !waits && !telling.knows {
            telling.knows = true;
            if errand.what == What::Nodes {
                out.claim(LeaderFact::Told { node });
            }
        }
    }

    /// Whether who answers goes by another list, so that numbers in its terms are of other nodes.
    pub(super) fn strays(&self, ack: &Ack) -> bool {
        let own = self.mesh.as_ref().map(Mesh::mark);
        ack.list.is_some() && ack.list != own
    }

    /// A node could not be told of the list. It is tried again.
    pub(super) fn on_untold(&mut self, to: usize, out: &mut Outbox<LeaderNode>) {
        let Some(mesh) = &mut self.mesh else { return };
        let Some(telling) = mesh.told.get_mut(to) else {
            return;
        };
        if !std::mem::replace(&mut telling.down, true) {
            let node = mesh.nodes[to];
            out.claim(LeaderFact::NodeDown { node });
        }
    }

    /// Whether a list is believed that somebody tells of. A starter goes by its own arguments. Who knows a list believes another of its starter
    /// alone, under `Hardened`; or of any starter, if nobody has shown to go by the one that it knows, and nobody leads by it: anyone may
    /// have told that.
    fn is_believed(&self, from: SocketAddrV4, starter: Option<SocketAddrV4>) -> bool {
        let is_starters = starter == Some(from);
        self.role == Role::Peer
            && match &self.mesh {
                None => true,
                Some(mesh) if self.is_hardened() && (mesh.trust == Trust::Shared || self.follows()) => {
                    is_starters && mesh.starter() == Some(from)
                }
                Some(_) => is_starters,
            }
    }

    /// Somebody tells of all nodes.
    pub(super) fn on_nodes(&mut self, now: Time, message: Nodes, out: &mut Outbox<LeaderNode>) {
        let nodes: Vec<SocketAddrV4> = message.nodes.iter().map(|node| node.address).collect();
        let is_known = self.mesh.as_ref().is_some_and(|mesh| *mesh.nodes == *nodes);
        let is_own = self.mesh.is_none() || nodes.last() == Some(&message.from);
        if self.role == Role::Peer && is_own && !nodes.contains(&self.me) {
            return self.count_unlisted(message.from, out);
        }
        let is_told = is_known && self.role == Role::Peer;
        if !is_told && !self.is_believed(message.from, nodes.last().copied()) {
            // Nor is its term: numbers in it are of other nodes.
            return;
        }
        if !is_known {
            let Some(mut mesh) = Mesh::of(nodes, self.me) else {
                return;
            };
            mesh.list = self.mesh.as_ref().map_or(0, |mesh| mesh.list + 1);
            self.mesh = Some(mesh);
            self.renumber();
            self.forget_lanes();
            self.save(out);
            self.claim_connected(out);
            self.expect_a_leader(now, out);
        }
        if self.is_hardened() {
            self.on_heartbeat(now, message.from, message.term, out);
        } else {
            if is_known {
                self.claim_connected(out);
            }
            self.begin_anew(now, out);
        }
    }

    /// A list does not have this node, which somebody has put on it under another address, or not at all. It is claimed at 1, 2, 4, 8, …
    fn count_unlisted(&mut self, from: SocketAddrV4, out: &mut Outbox<LeaderNode>) {
        self.unlisted += 1;
        if self.unlisted.is_power_of_two() {
            let count = self.unlisted;
            out.claim(LeaderFact::NotListed { from, count });
        }
    }
}
