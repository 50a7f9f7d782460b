//! The arguments of the source document: a server takes a port; a client takes the server's address and port; a peer takes its own
//! address, which must be in the list of members.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::config::{Config, MOST_PEERS};
use super::{Hac, HacNode, Role};
use crate::protocol::{Placed, Protocol};
use crate::start::{Outside, Unusable, port};

/// What can be written, and what it does.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("server PORT", "serve at this port of 127.0.0.1, or of --address"),
    (
        "client HOST PORT [OWN_PORT]",
        "join the server at this host and port, from a port of its own, or one that the system has free; by its address and port it is \
         known when it comes back",
    ),
    (
        "peer ADDRESS [PORT] --members FILE",
        "be the one of the file's members that has this address; the file has an address a line, with a port where it is not 7400",
    ),
];

/// Who a node is by its arguments.
pub(super) fn start(
    words: &[String],
    config: Config,
    outside: &dyn Outside,
) -> Result<Placed<HacNode>, Unusable> {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    match plain.as_slice() {
        ["server", own] => {
            let port = port(own)?;
            Ok(placed(
                Role::Server,
                Ipv4Addr::LOCALHOST,
                Config { port, ..config },
            ))
        }
        ["client", host, there] => client(host, port(there)?, None, config, outside),
        ["client", host, there, own] => client(host, port(there)?, Some(port(own)?), config, outside),
        ["peer", own, "--members", file] => peer(own, None, file, config, outside),
        ["peer", own, there, "--members", file] => peer(own, Some(port(there)?), file, config, outside),
        ["peer", _] | ["peer", _, _] => Err(Unusable::new("a peer needs to know the members of its cluster")
            .hint("name the file that lists them: --members FILE")),
        _ => Err(Unusable::form(Hac::NAME, words, WORDS)),
    }
}

fn client(
    host: &str,
    port: u16,
    own_port: Option<u16>,
    config: Config,
    outside: &dyn Outside,
) -> Result<Placed<HacNode>, Unusable> {
    let server = found(outside, host)?;
    let system = |why| Unusable::new(format!("there is no way to {server}: {why}"));
    let own = outside.address_towards(server).map_err(system)?;
    let chosen = own_port.map_or_else(|| outside.free_port(own).map_err(system), Ok)?;
    let config = Config {
        port: chosen,
        server: Some(SocketAddrV4::new(server, port)),
        ..config
    };
    let client = placed(Role::Client, own, config);
    Ok(match own_port {
        Some(_) => client,
        // A port that is another one at each start is nothing to be called by: its data folder knows it by its name.
        None => Placed {
            name: "client".to_owned(),
            ..client
        },
    })
}

fn peer(
    own: &str,
    port: Option<u16>,
    file: &str,
    config: Config,
    outside: &dyn Outside,
) -> Result<Placed<HacNode>, Unusable> {
    let members = members(file, config.port, outside)?;
    // As the list writes it, `10.0.0.1:7101`, or as the source has it: the address, and the port after it.
    let (ip, port) = match (own.parse::<SocketAddrV4>(), port) {
        (Ok(written), None) => (*written.ip(), Some(written.port())),
        _ => (found(outside, own)?, port),
    };
    let is_own = |member: &&SocketAddrV4| *member.ip() == ip && port.is_none_or(|port| member.port() == port);
    let mut candidates = members.iter().filter(is_own);
    let address = match (candidates.next(), candidates.next()) {
        (Some(own), None) => *own,
        (Some(_), Some(_)) => {
            return Err(Unusable::new(format!("{file} has several members at {ip}"))
                .hint(format!("say which: peer {ip} PORT")));
        }
        (None, _) => {
            let shown = port.map_or(ip.to_string(), |port| format!("{ip}:{port}"));
            let listed: Vec<String> = members.iter().take(20).map(SocketAddrV4::to_string).collect();
            return Err(
                Unusable::new(format!("{shown} is not among the members in {file}")).hint(format!(
                    "a peer joins under an address of the list, which has {}",
                    listed.join(", ")
                )),
            );
        }
    };
    let config = Config {
        port: address.port(),
        members: Arc::from(members),
        ..config
    };
    Ok(placed(Role::Peer, ip, config))
}

/// The addresses in a file, one a line; what is behind a `#` is for people.
fn members(file: &str, port: u16, outside: &dyn Outside) -> Result<Vec<SocketAddrV4>, Unusable> {
    let text = outside
        .read(file)
        .map_err(|why| Unusable::new(format!("{file} cannot be read: {why}")))?;
    let mut members = Vec::new();
    for (line, written) in text.lines().enumerate() {
        let word = written.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        let with_port = word.parse::<SocketAddrV4>();
        let alone = word.parse::<Ipv4Addr>().map(|ip| SocketAddrV4::new(ip, port));
        let Ok(member) = with_port.or(alone) else {
            let message = format!("line {} of {file} is not an address: `{word}`", line + 1);
            return Err(
                Unusable::new(message).hint("an address a line, such as `10.0.0.1` or `10.0.0.1:7400`")
            );
        };
        if members.contains(&member) {
            return Err(Unusable::new(format!(
                "line {} of {file} names {member} a second time",
                line + 1
            )));
        }
        if members.len() == MOST_PEERS {
            return Err(
                Unusable::new(format!("{file} names more than {MOST_PEERS} members"))
                    .hint("each peer watches each other"),
            );
        }
        members.push(member);
    }
    if members.is_empty() {
        return Err(Unusable::new(format!("{file} names no members"))
            .hint("an address a line, such as `10.0.0.1:7400`"));
    }
    members.sort_unstable();
    Ok(members)
}

fn found(outside: &dyn Outside, host: &str) -> Result<Ipv4Addr, Unusable> {
    outside
        .resolve(host)
        .map_err(|why| Unusable::new(format!("`{host}` is no host that can be found: {why}")))
}

/// A node that is called by what it is and where.
fn placed(role: Role, ip: Ipv4Addr, config: Config) -> Placed<HacNode> {
    let what = match role {
        Role::Server => "server",
        Role::Client => "client",
        Role::Peer => "peer",
    };
    let [.., last] = ip.octets();
    let name = match role {
        Role::Peer => format!("{what}-{last}-{}", config.port),
        Role::Server | Role::Client => format!("{what}-{}", config.port),
    };
    Placed {
        name,
        ip,
        role,
        config,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Rules;
    use super::*;
    use crate::protocol::Protocol;

    /// A world in which there is what the tests say.
    struct Here {
        members: &'static str,
    }

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
                _ => Err("the network is unreachable".to_owned()),
            }
        }

        fn free_port(&self, _: Ipv4Addr) -> Result<u16, String> {
            Ok(40_001)
        }

        fn read(&self, path: &str) -> Result<String, String> {
            match path {
                "members" => Ok(self.members.to_owned()),
                _ => Err("no such file".to_owned()),
            }
        }
    }

    const MEMBERS: &str = "# the basement\n10.0.0.2:7101\n\n10.0.0.1 # the old one\n10.0.0.2:7102\n";

    fn started(words: &str) -> Result<Placed<HacNode>, Unusable> {
        let words: Vec<String> = words
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let config = Config::profile("classic", Rules::Original);
        Hac::start(&words, config, &Here { members: MEMBERS })
    }

    #[test]
    fn a_server_takes_a_port_and_a_client_the_servers_address_and_port() {
        let server = started("server 7101").expect("a server");
        assert_eq!(
            (server.role, server.ip, server.config.port),
            (Role::Server, Ipv4Addr::LOCALHOST, 7101)
        );
        assert_eq!(
            server.config.round,
            Config::profile("classic", Rules::Original).round
        );
        let client = started("client basement 7101").expect("a client");
        assert_eq!(
            (client.role, client.ip, client.config.port),
            (Role::Client, Ipv4Addr::new(10, 0, 0, 2), 40_001)
        );
        assert_eq!(client.config.server, "10.0.0.9:7101".parse().ok());
        assert_eq!(
            started("client basement 7101 7102").map(|client| client.config.port),
            Ok(7102)
        );
    }

    #[test]
    fn a_peer_takes_an_address_of_the_list() {
        let peer = started("peer 10.0.0.1 --members members").expect("a peer");
        assert_eq!(
            (peer.role, peer.ip, peer.config.port),
            (Role::Peer, Ipv4Addr::new(10, 0, 0, 1), 7400)
        );
        assert_eq!(peer.config.members.len(), 3);
        for words in [
            "peer 10.0.0.2 7102 --members members",
            "peer 10.0.0.2:7102 --members members",
        ] {
            assert_eq!(started(words).map(|peer| peer.config.port), Ok(7102));
        }
        let mut alone = [peer];
        assert_eq!(Hac::assemble(&mut alone), Ok(()));
        assert_eq!(alone[0].config.members.len(), 3);
    }

    #[test]
    fn what_cannot_be_is_told_with_what_would_be_right() {
        for (words, message, hint) in [
            ("", "hac wants to know what the node is", "peer ADDRESS"),
            ("servr 7101", "`hac servr 7101` is nothing", "server PORT"),
            ("server", "`hac server` is nothing", "server PORT"),
            ("server seven", "`seven` is not a port", "from 1 to 65535"),
            ("client basement 0", "`0` is not a port", "from 1 to 65535"),
            (
                "client attic 7101",
                "`attic` is no host that can be found: nobody knows it",
                "",
            ),
            (
                "client 11.0.0.1 7101",
                "no way to 11.0.0.1: the network is unreachable",
                "",
            ),
            ("peer 10.0.0.1", "needs to know the members", "--members FILE"),
            (
                "peer 10.0.0.1 --members none",
                "none cannot be read: no such file",
                "",
            ),
            (
                "peer 10.0.0.2 --members members",
                "several members at 10.0.0.2",
                "peer 10.0.0.2 PORT",
            ),
            (
                "peer 10.0.0.3 --members members",
                "10.0.0.3 is not among the members",
                "10.0.0.2:7101",
            ),
            (
                "peer 10.0.0.1 7101 --members members",
                "10.0.0.1:7101 is not among",
                "10.0.0.1:7400",
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

    #[test]
    fn a_list_of_members_that_is_none_is_told_by_its_line() {
        for (members, message) in [
            ("# nobody\n", "names no members"),
            ("10.0.0.1\nten\n", "line 2 of members is not an address: `ten`"),
            (
                "10.0.0.1\n10.0.0.1:7400\n",
                "line 2 of members names 10.0.0.1:7400 a second time",
            ),
        ] {
            let words = ["peer", "10.0.0.1", "--members", "members"].map(str::to_owned);
            let config = Config::profile("brisk", Rules::Hardened);
            let refused = Hac::start(&words, config, &Here { members }).expect_err(members);
            assert!(refused.message.contains(message), "{refused}");
        }
    }
}
