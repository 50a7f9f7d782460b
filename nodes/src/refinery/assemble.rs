//! Whole clusters: what follows of each host from the others, and which casts and settings of them are no cluster.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::Arc;

use super::Role;
use super::config::{Change, Config, MOST_NODES, PORT, Rules, is_type};
use super::wire::{Credential, Epoch, Establish, Link, MAC, Packet};
use crate::cast::{self, misfit};
use crate::node::Node;
use crate::protocol::{Misfit, Placed};
use crate::stream::StreamLaw;

/// Fills in addresses, ids, masters, and what adversaries go by; refuses casts that are no cluster.
pub(super) fn assemble<N>(hosts: &mut [Placed<N>]) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter_mut().enumerate() {
        let misfit = cast::settle(index, host, PORT, |config| {
            (&mut config.port, &mut config.address)
        });
        misfits.extend(misfit);
        host.config.id.get_or_insert_with(|| host.name.clone());
        let faults = host.config.faults().into_iter();
        misfits.extend(faults.map(|fault| fault.of(index, &host.name)));
        if let Role::Node(kind) = &host.role
            && !is_type(kind)
        {
            misfits.push(Misfit {
                host: Some(index),
                field: None,
                message: format!("{}: its type has {} bytes", host.name, kind.len()),
                hint: Some("from 1 to 64".to_owned()),
            });
        }
    }
    assemble_packets(hosts, &mut misfits);
    if let Some(host) = hosts.get(MOST_NODES) {
        misfits.push(Misfit {
            host: Some(MOST_NODES),
            field: None,
            message: format!("{} is one host too many: {MOST_NODES} are the most", host.name),
            hint: Some("a master keeps a connection to each".to_owned()),
        });
    }
    assemble_masters(hosts, &mut misfits);
    assemble_adversaries(hosts);
    let mut ids = BTreeSet::new();
    let honest = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| !matches!(host.role, Role::Adversary(_)));
    // Names are different, so only written ids can be the same.
    if let Some((index, host)) = honest.into_iter().find(|(_, host)| !ids.insert(&host.config.id)) {
        let message = format!("{} has the id of another host", host.name);
        misfits.push(misfit(index, "id", message, "ids are unique; its name is one"));
    }
    misfits.extend(cast::other_rules(hosts, |config| config.rules));
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// Refuses clusters of which a host may not have as many connections as it takes: of those who belong below it, and of the other master. Where
/// strangers have room of their own it has to be beside that, or they could take it from everybody else; and since those who belong here are
/// strangers until they are let in, and may all dial at once, there has to be room for all of them, or they would take it from each other.
pub(super) fn fits<N>(hosts: &[Placed<N>], streams: &StreamLaw) -> Result<(), Vec<Misfit>>
where
    N: Node<Role = Role, Config = Config>,
{
    let is_node = |host: &&Placed<N>| matches!(host.role, Role::Node(_));
    let nodes = hosts.iter().filter(is_node).count() as u64;
    let mut misfits = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let own = match host.role {
            Role::Master | Role::Standby => nodes + host.config.masters.len().saturating_sub(1) as u64,
            Role::Node(_) => nodes.min(host.config.fan_out.into()),
            Role::Adversary(_) => continue,
        };
        let outside = u64::from(host.config.connections);
        let has_slots = host.config.changes().has(Change::Slots);
        let (takes, has) = match has_slots {
            true => (own + outside, u64::from(streams.connections)),
            false => (own, outside.min(streams.connections.into())),
        };
        if has_slots && own > outside {
            let message = format!(
                "{} may be dialled by {own} who belong here at once, and has room for {outside} that have not been let in",
                host.name
            );
            let hint = "fewer nodes, or more `connections` here";
            misfits.push(misfit(index, "connections", message, hint));
            continue;
        }
        if takes <= has {
            continue;
        }
        let strangers = if has_slots {
            format!(", and {outside} of those that have not been let in")
        } else {
            String::new()
        };
        let message = format!(
            "{} may have connections of {own} who belong here{strangers}, and a host takes {has} at most",
            host.name
        );
        let hint = "fewer nodes, other `connections` here, or more `connections` of `streams`";
        misfits.push(misfit(index, "connections", message, hint));
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// Refuses bounds of packets within which somebody of the cluster could not say what lets it in.
fn assemble_packets<N>(hosts: &[Placed<N>], misfits: &mut Vec<Misfit>)
where
    N: Node<Role = Role, Config = Config>,
{
    let longest = hosts
        .iter()
        .filter_map(|host| Some((longest_of_handshake(host)?, &host.name)));
    let Some((bytes, by)) = longest.max() else {
        return;
    };
    for (index, host) in hosts.iter().enumerate() {
        let is_short = (512..bytes).contains(&(host.config.packet as usize));
        if is_short && !matches!(host.role, Role::Adversary(_)) {
            let message = format!(
                "{}: packet is {} bytes, and {by} has to say {bytes} at once to be let in",
                host.name, host.config.packet
            );
            let hint = "a larger one, or a shorter secret, id, version or type";
            misfits.push(misfit(index, "packet", message, hint));
        }
    }
}

/// How many bytes the longest packet has that a host says before it is let in; none, where it does not belong to the cluster.
fn longest_of_handshake<N>(host: &Placed<N>) -> Option<usize>
where
    N: Node<Role = Role, Config = Config>,
{
    let config = &host.config;
    let (kind, link) = match &host.role {
        Role::Node(kind) => (kind.clone(), Link::Node),
        Role::Master | Role::Standby => ("master".to_owned(), Link::Reigning),
        Role::Adversary(_) => return None,
    };
    let address = config.address?;
    let said = Establish {
        id: config.own_id(address),
        version: config.version.clone(),
        kind,
        port: address.port(),
        epoch: match config.rules {
            Rules::Original => Epoch(0),
            Rules::Hardened => Epoch::LAST,
        },
        link,
    };
    let shown = match config.changes().has(Change::Prove) {
        false => Credential::Cert(config.secret.expose().to_owned()),
        true => Credential::Proof([0; MAC]),
    };
    let packets = [Packet::Establish(said), Packet::AuthStart(shown)];
    let lengths = packets.iter().map(|packet| {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        bytes.len()
    });
    lengths.max()
}

fn assemble_masters<N>(hosts: &mut [Placed<N>], misfits: &mut Vec<Misfit>)
where
    N: Node<Role = Role, Config = Config>,
{
    let mut masters = Vec::new();
    for role in [Role::Master, Role::Standby] {
        let mut own = (0..hosts.len()).filter(|index| hosts[*index].role == role);
        masters.extend(own.next().and_then(|index| hosts[index].config.address));
        if let Some(second) = own.next() {
            misfits.push(Misfit {
                host: Some(second),
                field: None,
                message: format!("{} is a second {role:?}", hosts[second].name),
                hint: Some("a cluster has one master and at most one standby".to_owned()),
            });
        }
    }
    let masters: Arc<[SocketAddrV4]> = masters.into();
    for (index, host) in hosts.iter_mut().enumerate() {
        if host.config.masters.is_empty() {
            host.config.masters = masters.clone();
        }
        let known = &host.config.masters;
        let is_own = |master: &SocketAddrV4| Some(*master) == host.config.address;
        let message = match host.role {
            Role::Master => continue,
            Role::Standby if known.len() < 2 || known.iter().all(is_own) => "has no master to follow",
            Role::Node(_) if known.iter().any(is_own) => "has its own address for a master's",
            Role::Node(_) | Role::Adversary(_) if known.is_empty() => "has no master to dial",
            _ => continue,
        };
        let message = format!("{} {message}", host.name);
        let hint = "add a host with role Master, or name addresses here";
        misfits.push(misfit(index, "masters", message, hint));
    }
}

fn assemble_adversaries<N>(hosts: &mut [Placed<N>])
where
    N: Node<Role = Role, Config = Config>,
{
    let victim = hosts.iter().find(|host| matches!(host.role, Role::Node(_)));
    let Some((victim, kind)) = victim.and_then(|host| match &host.role {
        Role::Node(kind) => Some((host.config.clone(), kind.clone())),
        _ => None,
    }) else {
        return;
    };
    let overheard = super::adversary::overheard(&victim, &kind);
    for host in hosts
        .iter_mut()
        .filter(|host| matches!(host.role, Role::Adversary(_)))
    {
        let tricks = &mut host.config.adversary;
        tricks.victim = tricks.victim.take().or_else(|| victim.id.clone());
        if tricks.overheard.is_empty() {
            tricks.overheard = overheard.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::RefineryNode;
    use super::super::wire::MAX_NAME;
    use super::*;
    use crate::secret::Secret;

    /// A cluster of a master, a standby, and nodes of these types.
    fn cluster(rules: Rules, kinds: &[&str], change: impl Fn(&mut Config)) -> Vec<Placed<RefineryNode>> {
        let placed = |index: usize| {
            let mut config = Config::profile("brisk", rules);
            change(&mut config);
            Placed {
                name: format!("h{index}"),
                ip: Ipv4Addr::from(0x0a00_0001 + index as u32),
                role: match index {
                    0 => Role::Master,
                    1 => Role::Standby,
                    _ => Role::Node(kinds[index - 2].to_owned()),
                },
                config,
            }
        };
        (0..kinds.len() + 2).map(placed).collect()
    }

    /// What is said of a cluster of so many nodes, whose hosts take so many connections, so many of them of those not let in.
    fn said(rules: Rules, nodes: usize, connections: u32, outside: u32) -> Vec<String> {
        let mut hosts = cluster(rules, &vec!["crusher"; nodes], |config| {
            config.connections = outside
        });
        assert_eq!(assemble(&mut hosts), Ok(()));
        let streams = StreamLaw {
            connections,
            ..StreamLaw::default()
        };
        let misfits = fits(&hosts, &streams).err().unwrap_or_default();
        misfits.into_iter().map(|misfit| misfit.message).collect()
    }

    #[test]
    fn a_cluster_whose_connections_do_not_fit_is_refused() {
        // Nodes, the other master, and 512 strangers.
        assert_eq!(said(Rules::Hardened, 511, 1_024, 512), Vec::<String>::new());
        let refused = said(Rules::Hardened, 511, 1_023, 512);
        assert_eq!(refused.len(), 2);
        assert_eq!(
            refused[0],
            "h0 may have connections of 512 who belong here, and 512 of those that have not been let in, and a host takes 1023 at \
             most"
        );
        // They may all dial at once.
        let refused = said(Rules::Hardened, 512, 2_000, 512);
        assert_eq!(refused.len(), 2);
        assert_eq!(
            refused[0],
            "h0 may be dialled by 513 who belong here at once, and has room for 512 that have not been let in"
        );
        let most = MOST_NODES as u32;
        assert_eq!(
            said(Rules::Hardened, MOST_NODES - 2, 2 * most, most),
            Vec::<String>::new()
        );
        // A node has three below it.
        assert_eq!(said(Rules::Hardened, 3, 512 + 3, 512).len(), 2);
        // By the original rules all of them count alike.
        assert_eq!(said(Rules::Original, 511, 1_024, 512), Vec::<String>::new());
        assert_eq!(
            said(Rules::Original, 512, 1_024, 512)[0],
            "h0 may have connections of 513 who belong here, and a host takes 512 at most"
        );
    }

    /// Of which host and field a cluster's settings are refused, and why.
    fn refused(mut hosts: Vec<Placed<RefineryNode>>) -> Vec<(Option<usize>, Option<&'static str>, String)> {
        let misfits = assemble(&mut hosts).err().unwrap_or_default();
        let told = |misfit: Misfit| (misfit.host, misfit.field, misfit.message);
        misfits.into_iter().map(told).collect()
    }

    #[test]
    fn a_type_that_no_packet_takes_is_refused_where_it_is_written() {
        let long = "t".repeat(MAX_NAME + 1);
        for (kind, len) in [("", 0), (long.as_str(), 65)] {
            let said = format!("h3: its type has {len} bytes");
            let refused = refused(cluster(Rules::Hardened, &["crusher", kind], |_| ()));
            assert_eq!(refused[..1], [(Some(3), None, said)]);
        }
    }

    #[test]
    fn a_packet_that_is_too_short_for_somebodys_handshake_is_refused() {
        let secret = |bytes: &str, count: usize, packet: u32| {
            let secret = bytes.repeat(count);
            move |config: &mut Config| {
                config.secret = Secret::from(secret.as_str());
                config.packet = packet;
            }
        };
        // The frame of auth:start takes 28 bytes, and what frames a packet is escaped.
        for (bytes, count, takes) in [("x", 600, 628), (";", 600, 3_628)] {
            let enough = cluster(Rules::Original, &["crusher"], secret(bytes, count, takes));
            assert_eq!(refused(enough), []);
            let short = cluster(Rules::Original, &["crusher"], secret(bytes, count, takes - 1));
            let said = format!(
                "h0: packet is {} bytes, and h2 has to say {takes} at once to be let in",
                takes - 1
            );
            assert_eq!(refused(short)[0], (Some(0), Some("packet"), said));
            // A proof is as long whatever the secret.
            let proof = cluster(Rules::Hardened, &["crusher"], secret(bytes, count, 512));
            assert_eq!(refused(proof), []);
        }
        let long = ";".repeat(MAX_NAME);
        let hosts = cluster(Rules::Hardened, &["crusher", &long], |config| config.packet = 512);
        assert_eq!(refused(hosts).len(), 0);
        let hosts = cluster(Rules::Hardened, &["crusher", &long], |config| {
            (config.packet, config.version) = (512, long.clone());
        });
        // Everyone has to take it.
        assert_eq!(refused(hosts).len(), 4);
    }
}
