//! A stand-in for a protocol, with a server and its clients: all that scenario files can name, and nodes that do nothing.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use squall_nodes::invariant::{Always, Breach, InQuiet, Judged};
use squall_nodes::{
    Describe, Group, Input, InvariantKind, Misfit, Node, NodeRng, Outbox, Placed, Promise, Protocol, Seen,
    Span, Time, Timer, World,
};

squall_nodes::facts! {
    /// What the stand-in's nodes could claim.
    pub(crate) enum StandFact {
        /// A client became a server.
        "promoted" => Promoted,
        /// A client found its server again.
        "rejoined" => Rejoined { epoch: u32 },
        /// A client has not heard from its server.
        "suspected" => Suspected,
    }
}

/// What a host is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The one that serves.
    Server,
    /// One that is served.
    Client,
    /// One that looks on from a place.
    Witness {
        /// The place.
        zone: u32,
    },
}

/// What tunes a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Config {
    /// After how much silence a client gives up on its server.
    pub(crate) client_timeout: Span,
    /// How often it asks again.
    pub(crate) retries: u32,
    /// The share that it samples.
    pub(crate) sample: f64,
    /// Its log.
    pub(crate) log: Log,
    /// How it elects.
    pub(crate) election: Election,
    /// A name, if it has one.
    pub(crate) alias: Option<String>,
}

/// Settings inside settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Log {
    /// Entries.
    pub(crate) depth: u32,
    /// From one flush to the next.
    pub(crate) flush: Span,
}

/// How a server is elected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Election {
    /// The lowest address.
    Lowest,
    /// By votes.
    Votes {
        /// How many it takes.
        quorum: u32,
    },
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// How it stands.
    Status,
    /// A value for a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: u64,
    },
}

/// No alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Never;

impl Timer for Never {
    fn code(&self) -> u64 {
        0
    }
}

/// A node that does nothing.
#[derive(Clone)]
pub(crate) struct StandNode;

impl Node for StandNode {
    type Role = Role;
    type Config = Config;
    type Command = Command;
    type Answer = ();
    type Timer = Never;
    type Fact = StandFact;

    fn boot(_: &Role, _: &Config, _: Option<&[u8]>, _: NodeRng) -> Self {
        StandNode
    }

    fn handle(&mut self, _: Time, _: Input<'_, Self>, _: &mut Outbox<Self>) {}
}

/// The stand-in.
pub(crate) struct Stand;

impl Protocol for Stand {
    const NAME: &'static str = "hac";
    const RULES: &'static [&'static str] = &["Original", "Hardened"];
    const PROFILES: &'static [&'static str] = &["steady", "brisk"];
    const ABOUT: &'static str = "a stand-in";
    type Node = StandNode;

    fn config(profile: &str, _rules: &str) -> Config {
        let client_timeout = if profile == "brisk" {
            Span::from_millis(300)
        } else {
            Span::from_secs(3)
        };
        Config {
            client_timeout,
            retries: 3,
            sample: 0.5,
            log: Log {
                depth: 8,
                flush: Span::from_millis(5),
            },
            election: Election::Lowest,
            alias: None,
        }
    }

    fn assemble(hosts: &mut [Placed<StandNode>]) -> Result<(), Vec<Misfit>> {
        let mut misfits = Vec::new();
        let servers = hosts.iter().filter(|host| host.role == Role::Server).count();
        if servers != 1 {
            let message = format!("a cluster has one server, and this one has {servers}");
            misfits.push(Misfit {
                host: None,
                field: None,
                message,
                hint: None,
            });
        }
        for (index, host) in hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| host.config.retries == 0)
        {
            misfits.push(Misfit {
                host: Some(index),
                field: Some("retries"),
                message: format!("{} would never ask", host.name),
                hint: Some("at least 1".to_owned()),
            });
        }
        if misfits.is_empty() { Ok(()) } else { Err(misfits) }
    }

    fn invariants() -> Vec<InvariantKind<StandNode>> {
        #[derive(Deserialize)]
        struct AtLeast {
            at_least: u32,
        }
        vec![
            InvariantKind::in_quiet(
                "one_server",
                "one server a group",
                |setup| setup.hosts[0].config.client_timeout * 4,
                |_| Fine,
            ),
            InvariantKind::in_quiet(
                "tables_agree",
                "all tables are alike",
                |_| Span::from_secs(2),
                |_| Fine,
            ),
            InvariantKind::always("ids_unique", "no id is given twice", |_| Fine),
            InvariantKind::with("served", "clients are served", |AtLeast { at_least }, _| {
                squall_nodes::Built {
                    invariant: squall_nodes::invariant::always(Served { at_least }),
                    promise: Promise::Always,
                    by_default: Promise::Always,
                }
            })
            .only_if(|_| false),
        ]
    }

    fn shortest_timeout(config: &Config) -> Span {
        config.client_timeout
    }

    fn describer() -> Box<dyn Describe> {
        Box::new(Fine)
    }
}

/// Finds everything as promised.
#[derive(Clone)]
struct Fine;

impl Always<StandNode> for Fine {
    fn judge(&mut self, _: Time, _: &Seen<'_, StandNode>, _: &World) -> Result<Judged, Breach> {
        Ok(Judged::NotConcerned)
    }
}

/// Finds that clients are served, with what it takes.
#[derive(Clone)]
struct Served {
    at_least: u32,
}

impl Always<StandNode> for Served {
    fn judge(&mut self, _: Time, _: &Seen<'_, StandNode>, _: &World) -> Result<Judged, Breach> {
        Ok(if self.at_least == 0 {
            Judged::Yes
        } else {
            Judged::NotConcerned
        })
    }
}

impl InQuiet<StandNode> for Fine {
    fn observe(&mut self, _: Time, _: &Seen<'_, StandNode>, _: &World) -> Judged {
        Judged::NotConcerned
    }

    fn judge(&mut self, _: &Group, _: Time, _: &World) -> Result<Judged, Breach> {
        Ok(Judged::Yes)
    }
}

impl Describe for Fine {
    fn datagram(&mut self, _: SocketAddrV4, _: SocketAddrV4, _: &[u8]) -> String {
        String::new()
    }
}
