//! The settings of a replica, the rule sets, and what cannot be.

use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CounterNode;
use crate::protocol::{Misfit, Placed};
use crate::time::Span;

/// Everything that tunes a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By which rules the replica plays. All of a cluster play by the same.
    pub rules: Rules,
    /// The datagram port.
    pub port: u16,
    /// The addresses of all replicas, its own among them, in the same order everywhere: the last has the highest number. Those of the
    /// cluster's hosts in their order when empty.
    pub members: Arc<[SocketAddrV4]>,
    /// Its own address; that of its host, with `port`, when not given.
    pub address: Option<SocketAddrV4>,
    /// How often a leader tells that it is there.
    pub heartbeat: Span,
    /// After how long a silence of the leader the replica with the highest number stands for leader.
    pub timeout: Span,
    /// How much longer each of the others waits than the one with the next higher number.
    pub stagger: Span,
    /// After how long something is sent again that was not answered.
    pub resend: Span,
}

/// The rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rules {
    /// The leader answers when it has counted, and not when a majority has.
    Hasty,
    /// Whoever is asked what the counter stands at answers by what it has itself.
    Local,
    /// Nothing is answered before a majority has it on its disks, reads included.
    Quorum,
}

/// How many replicas a cluster has at most.
pub const MOST_MEMBERS: usize = 9;

impl Config {
    /// The settings of the only profile under a rule set.
    pub(super) fn new(rules: Rules) -> Self {
        Config {
            rules,
            port: 7500,
            members: Arc::from([]),
            address: None,
            heartbeat: Span::from_millis(50),
            timeout: Span::from_millis(300),
            stagger: Span::from_millis(100),
            resend: Span::from_millis(20),
        }
    }

    /// The replica's own number, or why it cannot run.
    pub(super) fn number(&self) -> Result<usize, String> {
        if self.members.len() > MOST_MEMBERS {
            return Err(format!("there are more than {MOST_MEMBERS} members"));
        }
        let own = self
            .address
            .ok_or_else(|| "it does not know its own address".to_owned())?;
        let number = self.members.iter().position(|member| *member == own);
        number.ok_or_else(|| format!("{own} is not among the members"))
    }
}

/// Fills in the members, and complains of what cannot be.
pub(super) fn assemble(hosts: &mut [Placed<CounterNode>]) -> Result<(), Vec<Misfit>> {
    let cast: Arc<[SocketAddrV4]> = hosts
        .iter()
        .map(|host| SocketAddrV4::new(host.ip, host.config.port))
        .collect();
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter_mut().enumerate() {
        if host.config.members.is_empty() {
            host.config.members = Arc::clone(&cast);
        }
        let mut misfit = |field, message, hint: &str| {
            misfits.push(Misfit {
                host: Some(index),
                field: Some(field),
                message,
                hint: Some(hint.to_owned()),
            });
        };
        let own = *host
            .config
            .address
            .get_or_insert(SocketAddrV4::new(host.ip, host.config.port));
        let (name, config) = (&host.name, &host.config);
        if !config.members.contains(&own) {
            let message = format!("{name} is not among the members: it is at {own}");
            misfit(
                "members",
                message,
                "list the addresses of all replicas, the same everywhere",
            );
        }
        if config.members.len() > MOST_MEMBERS {
            let message = format!("{name} has {} members", config.members.len());
            misfit("members", message, "at most 9 replicas make a cluster");
        }
        for (field, span) in [
            ("heartbeat", config.heartbeat),
            ("stagger", config.stagger),
            ("resend", config.resend),
        ] {
            if span.is_zero() {
                let message = format!("the {field} of {name} is no time at all");
                misfit(field, message, "give it a length, such as \"50ms\"");
            }
        }
        if config.timeout <= config.heartbeat {
            let message = format!("{name} gives a leader up sooner than it hears of it again");
            misfit("timeout", message, "make it several times `heartbeat`");
        }
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}
