//! What hac promises, by name, each with its bound as a formula of the settings.
//!
//! [`always`] holds the promises of every moment; the rest is promised in quiet. [`standing`] is what all of them know of
//! who serves and who follows whom, [`acquaintance`] what they know of who has heard of whom.

mod acquaintance;
mod always;
mod bounds;
mod ids_unique;
mod one_server;
mod peers_agree;
mod standing;
mod status_true;
mod tables_agree;

use std::net::SocketAddrV4;

use super::{HacNode, Role};
use crate::protocol::{InvariantKind, Setup};
use crate::seen::DiskAtBoot;
use crate::world::World;

use always::{EpochGrows, HeardGrows, IdsGrantedOnce};
use bounds::Terms;
use ids_unique::IdsUnique;
use one_server::OneServer;
use peers_agree::PeersAgree;
use status_true::StatusTrue;
use tables_agree::TablesAgree;

/// Every promise, those of every moment first.
pub(super) fn all() -> Vec<InvariantKind<HacNode>> {
    vec![
        InvariantKind::always(
            "ids_granted_once",
            "a server that has given an id to one address gives it to no other in the same epoch, and nobody else joins it under that id",
            IdsGrantedOnce::new,
        )
        .only_if(has_servers),
        InvariantKind::always(
            "heard_grows",
            "the number of rounds that a node was heard in never goes down in the tables that one node holds in one epoch",
            HeardGrows::new,
        )
        .only_if(has_servers),
        InvariantKind::always(
            "epoch_grows",
            "a node that has accepted the epoch of a server never goes back to a lower one",
            EpochGrows::new,
        )
        .only_if(has_servers),
        InvariantKind::in_quiet(
            "one_server",
            "among nodes that can all reach each other and of which somebody could tell the others, exactly one serves, and everyone who has joined, is the server of the settings or can reach it, follows it",
            |setup| Terms::of(setup).one_server(),
            OneServer::new,
        )
        .only_if(has_servers),
        InvariantKind::in_quiet(
            "ids_unique",
            "no two nodes that can reach each other, and of which somebody could tell the others, go by the same id",
            |setup| Terms::of(setup).one_server(),
            IdsUnique::new,
        )
        .only_if(has_servers),
        InvariantKind::in_quiet(
            "status_true",
            "the server holds those for alive who have joined it and can reach it, and nobody else",
            |setup| Terms::of(setup).status_true(),
            StatusTrue::new,
        )
        .only_if(has_servers),
        InvariantKind::in_quiet(
            "tables_agree",
            "tables of one round are equal wherever they are held, and everyone who has joined holds a recent one",
            |setup| Terms::of(setup).tables_agree(),
            TablesAgree::new,
        )
        .only_if(has_servers),
        InvariantKind::in_quiet(
            "peers_agree",
            "peers that can all reach each other hold each other for alive, and everyone else for dead",
            |setup| Terms::of(setup).peers_agree(),
            PeersAgree::new,
        )
        .only_if(has_peers),
    ]
}

/// The host at an address by its name; the address where no host is.
fn name_at(addr: SocketAddrV4, world: &World) -> String {
    match world.host_at(*addr.ip()) {
        Some(host) => world.name(host).to_owned(),
        None => addr.to_string(),
    }
}

/// Whether a host that boots with such a disk may be without what it had written there: a new life, as far as promises
/// rest on the disk. What a stale disk still has cannot be told from outside. Where nothing was ever written, nothing was lost.
fn loses(disk: DiskAtBoot) -> bool {
    match disk {
        DiskAtBoot::Fresh | DiskAtBoot::Kept => false,
        DiskAtBoot::Wiped | DiskAtBoot::Stale | DiskAtBoot::Torn | DiskAtBoot::Corrupt => true,
    }
}

fn has_servers(setup: &Setup<'_, HacNode>) -> bool {
    setup.hosts.iter().any(|host| host.role != Role::Peer)
}

fn has_peers(setup: &Setup<'_, HacNode>) -> bool {
    setup.hosts.iter().any(|host| host.role == Role::Peer)
}
