//! Who is what in a run, as its file has it.

use std::net::SocketAddrV4;

use super::super::{RefineryNode, Role, Trick};
use crate::node::HostId;
use crate::protocol::Setup;
use crate::secret::Secret;

/// The hosts of a run, in their order.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    parts: Vec<Part>,
}

/// What one host is.
#[derive(Clone, Debug)]
struct Part {
    role: Role,
    version: String,
    secret: Secret,
    fan_out: usize,
    /// Where it is to be dialled.
    address: Option<SocketAddrV4>,
    /// Where a node was told that its masters are.
    masters: Vec<SocketAddrV4>,
}

impl Cast {
    pub(super) fn new(setup: &Setup<'_, RefineryNode>) -> Self {
        let part = |host: &crate::protocol::Placed<RefineryNode>| Part {
            role: host.role.clone(),
            version: host.config.version.clone(),
            secret: host.config.secret.clone(),
            fan_out: host.config.fan_out as usize,
            address: host.config.address,
            masters: host.config.masters.to_vec(),
        };
        Cast {
            parts: setup.hosts.iter().map(part).collect(),
        }
    }

    /// How many hosts there are.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The nodes that belong to the cluster.
    pub(super) fn nodes(&self) -> Vec<HostId> {
        let all = (0..self.parts.len()).map(|index| HostId(index as u32));
        all.filter(|host| self.is_node(*host)).collect()
    }

    pub(super) fn is_node(&self, host: HostId) -> bool {
        matches!(self.parts[host.index()].role, Role::Node(_))
    }

    pub(super) fn is_chief(&self, host: HostId) -> bool {
        matches!(self.parts[host.index()].role, Role::Master | Role::Standby)
    }

    pub(super) fn is_honest(&self, host: HostId) -> bool {
        self.is_node(host) || self.is_chief(host)
    }

    /// Whether a host has the version of another.
    pub(super) fn has_version_of(&self, host: HostId, of: HostId) -> bool {
        let is_old = self.parts[host.index()].role == Role::Adversary(Trick::OldVersion);
        !is_old && self.parts[host.index()].version == self.parts[of.index()].version
    }

    /// Whether a host belongs to the cluster of another: it has the secret, and is no adversary.
    pub(super) fn belongs_to(&self, host: HostId, of: HostId) -> bool {
        self.is_honest(host) && self.parts[host.index()].secret == self.parts[of.index()].secret
    }

    pub(super) fn fan_out(&self, host: HostId) -> usize {
        self.parts[host.index()].fan_out
    }

    /// Whether a node would join a host as its master: one that was given other addresses for those of its masters, a node's or nobody's, never
    /// dials it.
    pub(super) fn may_join(&self, node: HostId, chief: HostId) -> bool {
        let address = self.parts[chief.index()].address;
        address.is_some_and(|address| self.parts[node.index()].masters.contains(&address))
            && self.is_chief(chief)
            && self.belongs_to(node, chief)
            && self.has_version_of(node, chief)
    }
}
