//! The arguments of the source document: a peer takes a name and a port; who starts the cluster takes these and the host and port of each
//! other node, which are to run already.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::config::Config;
use super::wire::{MOST_NODES, is_name};
use super::{Leader, LeaderNode, Role};
use crate::protocol::{Placed, Protocol};
use crate::start::{Outside, Unusable, port};

/// What can be written, and what it does.
pub(super) const WORDS: &[(&str, &str)] = &[
    (
        "peer NAME PORT",
        "wait at this port of 127.0.0.1, or of --address, to be told of the others",
    ),
    (
        "start NAME PORT HOST PORT…",
        "tell the nodes at these hosts and ports, in the order of their numbers, of each other, and lead them; each is to be named as it \
         knows itself",
    ),
];

/// Who a node is by its arguments.
pub(super) fn start(
    words: &[String],
    config: Config,
    outside: &dyn Outside,
) -> Result<Placed<LeaderNode>, Unusable> {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    match plain.as_slice() {
        ["peer", name, own] => placed(Role::Peer, name, Ipv4Addr::LOCALHOST, own, config),
        ["start", name, own, others @ ..] => {
            let others = nodes(others, outside)?;
            let system = |there, why| Unusable::new(format!("there is no way to {there}: {why}"));
            let ip = match others.first() {
                Some(first) => outside
                    .address_towards(*first.ip())
                    .map_err(|why| system(*first.ip(), why))?,
                None => Ipv4Addr::LOCALHOST,
            };
            let placed = placed(Role::Starter, name, ip, own, config)?;
            let me = SocketAddrV4::new(ip, placed.config.port);
            if others.contains(&me) {
                return Err(Unusable::new(format!("{me} is the starter's own address"))
                    .hint("name the other nodes; the starter is the last of the list by itself"));
            }
            let config = Config {
                others: Arc::from(others),
                ..placed.config
            };
            Ok(Placed { config, ..placed })
        }
        _ => Err(Unusable::form(Leader::NAME, words, WORDS)),
    }
}

/// Pairs of a host and a port, each once.
fn nodes(words: &[&str], outside: &dyn Outside) -> Result<Vec<SocketAddrV4>, Unusable> {
    let mut nodes = Vec::new();
    for pair in words.chunks(2) {
        let [host, there] = pair else {
            let last = pair.first().copied().unwrap_or_default();
            return Err(Unusable::new(format!("`{last}` has no port"))
                .hint("each other node is a host and a port: start NAME PORT HOST PORT HOST PORT"));
        };
        let port = port(there)?;
        let ip = outside
            .resolve(host)
            .map_err(|why| Unusable::new(format!("`{host}` is no host that can be found: {why}")))?;
        let node = SocketAddrV4::new(ip, port);
        if nodes.contains(&node) {
            return Err(Unusable::new(format!("{node} is named twice")).hint("each node has one number"));
        }
        if nodes.len() + 1 == MOST_NODES {
            return Err(
                Unusable::new(format!("more than {MOST_NODES} nodes are too many"))
                    .hint("each is connected with each other"),
            );
        }
        nodes.push(node);
    }
    Ok(nodes)
}

fn placed(
    role: Role,
    name: &str,
    ip: Ipv4Addr,
    own: &str,
    config: Config,
) -> Result<Placed<LeaderNode>, Unusable> {
    if !is_name(name) {
        return Err(
            Unusable::new(format!("`{name}` is no name")).hint("up to 32 letters, digits, `-`, `_` and `.`")
        );
    }
    let port = port(own)?;
    Ok(Placed {
        name: name.to_owned(),
        ip,
        role,
        config: Config {
            name: name.to_owned(),
            port,
            ..config
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::config::Rules;
    use super::*;

    /// A world in which there is one other host.
    struct Here;

    impl Outside for Here {
        fn resolve(&self, host: &str) -> Result<Ipv4Addr, String> {
            match host {
                "basement" => Ok(Ipv4Addr::new(10, 0, 0, 9)),
                _ => host.parse().map_err(|_| "nobody knows it".to_owned()),
            }
        }

        fn address_towards(&self, there: Ipv4Addr) -> Result<Ipv4Addr, String> {
            match there.octets() {
                [10, ..] => Ok(Ipv4Addr::new(10, 0, 0, 2)),
                [127, ..] => Ok(Ipv4Addr::LOCALHOST),
                _ => Err("the network is unreachable".to_owned()),
            }
        }

        fn free_port(&self, _: Ipv4Addr) -> Result<u16, String> {
            Err("nobody asks for one".to_owned())
        }

        fn read(&self, _: &str) -> Result<String, String> {
            Err("no such file".to_owned())
        }
    }

    fn started(words: &str) -> Result<Placed<LeaderNode>, Unusable> {
        let words: Vec<String> = words
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        Leader::start(&words, Config::profile("classic", Rules::Original), &Here)
    }

    #[test]
    fn a_peer_takes_a_name_and_a_port_and_waits() {
        let peer = started("peer bob 7101").expect("a peer");
        assert_eq!((peer.name.as_str(), peer.role), ("bob", Role::Peer));
        assert_eq!((peer.ip, peer.config.port), (Ipv4Addr::LOCALHOST, 7101));
        let mut alone = [peer];
        assert_eq!(Leader::assemble(&mut alone), Ok(()));
        assert_eq!(alone[0].config.address, "127.0.0.1:7101".parse().ok());
        assert_eq!(alone[0].config.name, "bob");
    }

    #[test]
    fn who_starts_the_cluster_takes_the_others_and_is_the_last_of_them() {
        let starter = started("start alice 7100 basement 7101 10.0.0.9 7102").expect("a starter");
        assert_eq!(starter.ip, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(starter.role, Role::Starter);
        let others: Vec<String> = starter
            .config
            .others
            .iter()
            .map(SocketAddrV4::to_string)
            .collect();
        assert_eq!(others, ["10.0.0.9:7101", "10.0.0.9:7102"]);
        let mut alone = [starter];
        assert_eq!(Leader::assemble(&mut alone), Ok(()));
        assert_eq!(alone[0].config.others.len(), 2);
        let nobody = started("start alice 7100").expect("a starter of nobody");
        assert_eq!((nobody.ip, nobody.config.others.len()), (Ipv4Addr::LOCALHOST, 0));
    }

    #[test]
    fn what_cannot_be_is_told_with_what_would_be_right() {
        for (words, message, hint) in [
            ("", "leader wants to know what the node is", "peer NAME PORT"),
            ("peer bob", "`leader peer bob` is nothing", "peer NAME PORT"),
            ("peer bob seven", "`seven` is not a port", "from 1 to 65535"),
            ("peer b!b 7101", "`b!b` is no name", "32 letters"),
            ("start alice 7100 basement", "`basement` has no port", "HOST PORT"),
            (
                "start alice 7100 attic 7101",
                "`attic` is no host that can be found: nobody knows it",
                "",
            ),
            (
                "start alice 7100 11.0.0.1 7101",
                "no way to 11.0.0.1: the network is unreachable",
                "",
            ),
            (
                "start alice 7100 basement 7101 10.0.0.9 7101",
                "10.0.0.9:7101 is named twice",
                "one number",
            ),
            (
                "start alice 7100 127.0.0.1 7100",
                "127.0.0.1:7100 is the starter's own address",
                "the last of the list",
            ),
        ] {
            let refused = started(words).expect_err(words);
            assert!(refused.message.contains(message), "{words}: {refused}");
            let hinted = refused.hint.unwrap_or_default();
            assert!(
                hinted.contains(hint) && hint.is_empty() == hinted.is_empty(),
                "{words}: {hinted}"
            );
        }
    }
}
