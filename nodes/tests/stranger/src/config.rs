//! The settings of a node, and what is asked of a cluster of them.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use squall_nodes::{Misfit, Placed, Span};

use crate::lease::{LeaseNode, Role};

/// The settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseConfig {
    /// By which rules it plays.
    pub rules: Rules,
    /// The port of every node.
    pub port: u16,
    /// How long the thing is lent.
    pub lease: Span,
    /// How long a worker needs it; shorter than the lease.
    pub work: Span,
    /// From one question of a worker to its next.
    pub ask_again: Span,
    /// Where the keeper is. Found by itself.
    pub keeper: SocketAddrV4,
    /// How many workers there are. Counted by itself; the keeper's queue is as long.
    pub workers: u32,
}

/// What kind of keeper there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rules {
    /// It lends at once when it is back from a crash.
    Hasty,
    /// It lends to whoever came last.
    Unfair,
    /// It lends to whoever came first, and when all that it may have lent in a former life has run out.
    Sound,
}

impl LeaseConfig {
    /// The settings by default.
    pub fn new(rules: Rules) -> Self {
        LeaseConfig {
            rules,
            port: 4600,
            lease: Span::from_millis(500),
            work: Span::from_millis(200),
            ask_again: Span::from_millis(50),
            keeper: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            workers: 0,
        }
    }
}

/// Tells every host where the keeper is, and refuses clusters that cannot work.
pub fn assemble(hosts: &mut [Placed<LeaseNode>]) -> Result<(), Vec<Misfit>> {
    let keepers: Vec<usize> = (0..hosts.len())
        .filter(|host| hosts[*host].role == Role::Keeper)
        .collect();
    let mut misfits: Vec<Misfit> = hosts
        .iter()
        .enumerate()
        .flat_map(|(host, placed)| misfits_of(host, placed))
        .collect();
    match keepers[..] {
        [_] => {}
        [] => misfits.push(Misfit {
            host: None,
            field: None,
            message: "nobody is the keeper".to_owned(),
            hint: Some("give one host `role: Keeper`".to_owned()),
        }),
        [_, second, ..] => misfits.push(Misfit {
            host: Some(second),
            field: None,
            message: format!("`{}` is a second keeper", hosts[second].name),
            hint: Some("what two keepers lend is not one thing".to_owned()),
        }),
    }
    if !misfits.is_empty() {
        return Err(misfits);
    }
    let keeper = SocketAddrV4::new(hosts[keepers[0]].ip, hosts[keepers[0]].config.port);
    let workers = hosts.len() as u32 - 1;
    for host in hosts {
        host.config.keeper = keeper;
        host.config.workers = workers;
    }
    Ok(())
}

fn misfits_of(host: usize, placed: &Placed<LeaseNode>) -> Vec<Misfit> {
    let config = &placed.config;
    let misfit = |field, message: &str, hint: String| Misfit {
        host: Some(host),
        field: Some(field),
        message: message.to_owned(),
        hint: Some(hint),
    };
    let mut misfits = Vec::new();
    if config.work >= config.lease {
        let hint = format!("less than the lease, which is {}", config.lease);
        misfits.push(misfit("work", "the work takes longer than the lease", hint));
    }
    if config.ask_again.is_zero() {
        misfits.push(misfit(
            "ask_again",
            "a worker that never waits asks for ever",
            "such as \"50ms\"".to_owned(),
        ));
    }
    misfits
}
