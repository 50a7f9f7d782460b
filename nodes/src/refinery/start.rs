//! The arguments that a live node is started with. The source has none; *decided*: a master takes a port, a standby a port and where its
//! master is, a node its id, its type and where its masters are.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::config::Config;
use super::{Refinery, RefineryNode, Role};
use crate::protocol::{Placed, Protocol};
use crate::start::{Outside, Unusable, port};

/// What can be written, and what it does.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("master PORT", "reign at this port of 127.0.0.1, or of --address"),
    (
        "master PORT HOST PORT",
        "reign, and know of a standby at this host and port, which takes over and may have taken over already",
    ),
    (
        "standby PORT HOST PORT",
        "follow the master at this host and port, and reign when it is gone",
    ),
    (
        "node ID TYPE HOST PORT [HOST PORT] [OWN_PORT]",
        "join the master at this host and port, or the standby at the other, and accept those below at a port of its own, or one that \
         the system has free",
    ),
];

/// Who a node is by its arguments.
pub(super) fn start(
    words: &[String],
    config: Config,
    outside: &dyn Outside,
) -> Result<Placed<RefineryNode>, Unusable> {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    match plain.as_slice() {
        ["master", own] => {
            let own = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port(own)?);
            Ok(placed(Role::Master, own, Arc::from([own]), config))
        }
        ["master", own, host, there] => {
            let standby = at(host, there, outside)?;
            let own = SocketAddrV4::new(towards(standby, outside)?, port(own)?);
            Ok(placed(Role::Master, own, Arc::from([own, standby]), config))
        }
        ["standby", own, host, there] => {
            let master = at(host, there, outside)?;
            let own = SocketAddrV4::new(towards(master, outside)?, port(own)?);
            Ok(placed(Role::Standby, own, Arc::from([master, own]), config))
        }
        ["node", id, kind, rest @ ..] => {
            let (masters, own) = match rest {
                [masters @ .., own] if rest.len() % 2 == 1 => (masters, Some(port(own)?)),
                masters => (masters, None),
            };
            let masters: Vec<SocketAddrV4> = match masters {
                [host, there] => vec![at(host, there, outside)?],
                [host, there, second, other] => vec![at(host, there, outside)?, at(second, other, outside)?],
                _ => return Err(Unusable::form(Refinery::NAME, words, WORDS)),
            };
            let ip = towards(masters[0], outside)?;
            let own = match own {
                Some(port) => port,
                None => outside
                    .free_port(ip)
                    .map_err(|why| Unusable::new(format!("there is no port for it: {why}")))?,
            };
            let config = Config {
                id: Some((*id).to_owned()),
                ..config
            };
            let own = SocketAddrV4::new(ip, own);
            Ok(placed(
                Role::Node((*kind).to_owned()),
                own,
                masters.into(),
                config,
            ))
        }
        _ => Err(Unusable::form(Refinery::NAME, words, WORDS)),
    }
}

fn at(host: &str, there: &str, outside: &dyn Outside) -> Result<SocketAddrV4, Unusable> {
    let ip = outside
        .resolve(host)
        .map_err(|why| Unusable::new(format!("`{host}` is no host that can be found: {why}")))?;
    Ok(SocketAddrV4::new(ip, port(there)?))
}

fn towards(there: SocketAddrV4, outside: &dyn Outside) -> Result<Ipv4Addr, Unusable> {
    outside
        .address_towards(*there.ip())
        .map_err(|why| Unusable::new(format!("there is no way to {}: {why}", there.ip())))
}

/// A node that is called by its id, or by what it is and where.
fn placed(
    role: Role,
    own: SocketAddrV4,
    masters: Arc<[SocketAddrV4]>,
    config: Config,
) -> Placed<RefineryNode> {
    let what = match role {
        Role::Standby => "standby",
        _ => "master",
    };
    let name = match &config.id {
        Some(id) => id.clone(),
        None => format!("{what}-{}", own.port()),
    };
    let config = Config {
        port: own.port(),
        masters,
        ..config
    };
    Placed {
        name,
        ip: *own.ip(),
        role,
        config,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Rules;
    use super::*;

    /// A world in which there is what the tests say.
    struct Here;

    impl Outside for Here {
        fn resolve(&self, host: &str) -> Result<Ipv4Addr, String> {
            match host {
                "hall" => Ok(Ipv4Addr::new(10, 0, 0, 9)),
                _ => host.parse().map_err(|_| "nobody knows it".to_owned()),
            }
        }

        fn address_towards(&self, there: Ipv4Addr) -> Result<Ipv4Addr, String> {
            match there.octets() {
                [10, ..] => Ok(Ipv4Addr::new(10, 0, 0, 2)),
                _ => Err("the network is unreachable".to_owned()),
            }
        }

        fn free_port(&self, _: Ipv4Addr) -> Result<u16, String> {
            Ok(40_001)
        }

        fn read(&self, _: &str) -> Result<String, String> {
            Err("no such file".to_owned())
        }
    }

    fn started(words: &str) -> Result<Placed<RefineryNode>, Unusable> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Refinery::start(&words, Config::profile("classic", Rules::Hardened), &Here)
    }

    fn addresses(placed: &Placed<RefineryNode>) -> Vec<String> {
        placed
            .config
            .masters
            .iter()
            .map(SocketAddrV4::to_string)
            .collect()
    }

    #[test]
    fn a_master_takes_a_port_and_perhaps_where_its_standby_is() {
        let master = started("master 7500").expect("a master");
        assert_eq!(
            (master.role.clone(), master.ip, master.config.port),
            (Role::Master, Ipv4Addr::LOCALHOST, 7500)
        );
        assert_eq!(addresses(&master), ["127.0.0.1:7500"]);
        let master = started("master 7500 hall 7501").expect("a master");
        assert_eq!(addresses(&master), ["10.0.0.2:7500", "10.0.0.9:7501"]);
        let standby = started("standby 7501 hall 7500").expect("a standby");
        assert_eq!((standby.role.clone(), standby.config.port), (Role::Standby, 7501));
        assert_eq!(addresses(&standby), ["10.0.0.9:7500", "10.0.0.2:7501"]);
        for placed in [master, standby] {
            assert_eq!(Refinery::assemble(&mut [placed]), Ok(()));
        }
    }

    #[test]
    fn a_node_takes_its_id_its_type_and_where_its_masters_are() {
        let node = started("node n1 crusher hall 7500").expect("a node");
        assert_eq!(
            (node.role.clone(), node.ip),
            (Role::Node("crusher".to_owned()), Ipv4Addr::new(10, 0, 0, 2))
        );
        assert_eq!(
            (node.config.id.as_deref(), node.config.port),
            (Some("n1"), 40_001)
        );
        let node = started("node n1 crusher hall 7500 10.0.0.8 7501 7502").expect("a node");
        assert_eq!(addresses(&node), ["10.0.0.9:7500", "10.0.0.8:7501"]);
        assert_eq!(node.config.port, 7502);
        let alone = started("node n1 crusher hall 7500 7502").expect("a node");
        assert_eq!((alone.config.masters.len(), alone.config.port), (1, 7502));
        assert_eq!(Refinery::assemble(&mut [node]), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_told_with_what_would_be_right() {
        for (words, message) in [
            ("", "refinery wants to know what the node is"),
            ("mistress 7500", "`refinery mistress 7500` is nothing"),
            ("master seven", "`seven` is not a port"),
            (
                "standby 7501 attic 7500",
                "`attic` is no host that can be found: nobody knows it",
            ),
            (
                "standby 7501 11.0.0.1 7500",
                "no way to 11.0.0.1: the network is unreachable",
            ),
            ("node n1 crusher", "is nothing that can be started"),
            ("node n1 crusher hall 7500 attic", "`attic` is not a port"),
            (
                "node n1 crusher hall 7500 attic 7501 hall 7502",
                "is nothing that can be started",
            ),
        ] {
            let refused = started(words).expect_err(words);
            assert!(refused.message.contains(message), "{words}: {refused}");
        }
    }
}
