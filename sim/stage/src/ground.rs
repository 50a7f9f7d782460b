//! What the hosts of a run stand on: where they are, how their processes are started there, and who makes the cuts between them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use squall_nodes::HostId;

use crate::door::StageError;
use crate::netns::{self, CutWays, Switch};

/// What the hosts of one run stand on. It is made before any host is started, and what it holds is let go when it is dropped.
pub(crate) trait Ground {
    /// The words that come before a program's for it to run on a host. The process that they start becomes the program.
    fn words(&self, host: HostId) -> Vec<OsString>;

    /// Makes these cuts in place of those that there are, or leaves it to the edges of the hosts, as [`cutter`](Ground::cutter) says.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn cut(&mut self, cuts: &[CutWays]) -> Result<(), StageError>;

    /// Takes a host from the network or puts it back, or leaves it to the edges of the others.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn plug(&mut self, host: HostId, plug: Plug) -> Result<(), StageError>;

    /// Who makes the cuts.
    fn cutter(&self) -> Cutter;

    /// How many datagrams each entry of the timeline has dropped here so far. What edges drop is not among them.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn dropped(&self) -> Result<BTreeMap<u32, u64>, StageError>;
}

/// Who makes the cuts between hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cutter {
    /// The edges of the hosts, by their policies.
    Edges,
    /// The ground itself.
    Ground,
}

/// Whether a host is on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plug {
    In,
    Out,
}

/// Loopback addresses in a network that no other run of this machine uses. It takes no privilege.
pub(crate) struct Edge {
    /// The second byte of all addresses.
    network: u8,
    /// Held for as long as the run lasts: whoever wants the same network cannot bind it.
    _claim: UdpSocket,
}

impl Edge {
    /// How many hosts find room.
    pub(crate) const MOST_HOSTS: usize = 60_000;
    /// Where the claim is bound in its network: beyond all hosts.
    const CLAIM: (u8, u8, u16) = (255, 254, 65_535);

    /// Claims a network; `draw` says where the search begins.
    ///
    /// # Errors
    ///
    /// That all are claimed.
    pub(crate) fn claim(draw: u64) -> Result<Self, StageError> {
        let (third, fourth, port) = Self::CLAIM;
        let mut said = None;
        // 127.0 is everyone's.
        for step in 0..255u64 {
            let network = 1 + (draw.wrapping_add(step) % 255) as u8;
            let address = SocketAddrV4::new(Ipv4Addr::new(127, network, third, fourth), port);
            match UdpSocket::bind(address) {
                Ok(claim) => {
                    return Ok(Edge {
                        network,
                        _claim: claim,
                    });
                }
                Err(why) => said = Some(why),
            }
        }
        let why = said.map_or_else(String::new, |why| why.to_string());
        Err(StageError::system(
            "find a network in 127.0.0.0/8 that no other run uses",
            why,
        ))
    }

    /// The address of a host.
    pub(crate) fn address(&self, host: HostId) -> Ipv4Addr {
        // Neither the first address of a block nor the last: people take them for names of networks.
        let [third, fourth] = [host.0 / 250, 1 + host.0 % 250].map(|byte| byte as u8);
        Ipv4Addr::new(127, self.network, third, fourth)
    }
}

impl Ground for Edge {
    fn words(&self, _: HostId) -> Vec<OsString> {
        Vec::new()
    }

    fn cut(&mut self, _: &[CutWays]) -> Result<(), StageError> {
        Ok(())
    }

    fn plug(&mut self, _: HostId, _: Plug) -> Result<(), StageError> {
        Ok(())
    }

    fn cutter(&self) -> Cutter {
        Cutter::Edges
    }

    fn dropped(&self) -> Result<BTreeMap<u32, u64>, StageError> {
        Ok(BTreeMap::new())
    }
}

impl Ground for Switch {
    fn words(&self, host: HostId) -> Vec<OsString> {
        Switch::words(self, host.index())
    }

    fn cut(&mut self, cuts: &[CutWays]) -> Result<(), StageError> {
        Switch::cut(self, cuts)
    }

    fn plug(&mut self, host: HostId, plug: Plug) -> Result<(), StageError> {
        match plug {
            Plug::In => self.plug_in(host.index()),
            Plug::Out => self.unplug(host.index()),
        }
    }

    fn cutter(&self) -> Cutter {
        Cutter::Ground
    }

    fn dropped(&self) -> Result<BTreeMap<u32, u64>, StageError> {
        Switch::dropped(self)
    }
}

/// Where a run's hosts will be, before there is anything.
pub(crate) enum Site {
    /// In a network of loopback addresses that is claimed already.
    Edge(Edge),
    /// In network namespaces that are to be made.
    Netns,
}

impl Site {
    /// The address of a host.
    pub(crate) fn address(&self, host: HostId) -> Ipv4Addr {
        match self {
            Site::Edge(edge) => edge.address(host),
            Site::Netns => netns::address_of(host.index()),
        }
    }

    /// The namespaces that a run of so many hosts will have.
    pub(crate) fn namespaces(&self, run: &str, hosts: usize) -> Vec<String> {
        match self {
            Site::Edge(_) => Vec::new(),
            Site::Netns => netns::names(run, hosts),
        }
    }

    /// Makes the ground. What it makes is to be written down before.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn build(self, run: &str, hosts: usize) -> Result<Box<dyn Ground>, StageError> {
        Ok(match self {
            Site::Edge(edge) => Box::new(edge),
            Site::Netns => Box::new(Switch::build(run, hosts)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_runs_have_networks_of_their_own() {
        let one = Edge::claim(7).unwrap();
        let other = Edge::claim(7).unwrap();
        assert_ne!(one.network, other.network);
        let network = one.network;
        drop(one);
        // Whoever is next may have it, or a process beside this one has taken it.
        let next = Edge::claim(u64::from(network) - 1).unwrap();
        assert_ne!(next.network, other.network);
    }

    #[test]
    fn every_host_has_an_address_of_its_own_apart_from_the_claim() {
        let edge = Edge::claim(1).unwrap();
        let (third, fourth, _) = Edge::CLAIM;
        let mut seen = BTreeSet::from([Ipv4Addr::new(127, edge.network, third, fourth)]);
        for host in 0..Edge::MOST_HOSTS as u32 {
            assert!(seen.insert(edge.address(HostId(host))), "{host}");
        }
        assert!(seen.iter().all(|ip| ip.is_loopback() && ip.octets()[3] > 0));
    }
}
