//! The outside, as arguments of a live node may need it: names, addresses, ports and files of this machine.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};

use squall_nodes::Outside;

/// The longest file that is read, in bytes: 1 MiB.
const LARGEST: u64 = 1 << 20;

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Outside for Machine {
    fn resolve(&self, host: &str) -> Result<Ipv4Addr, String> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        let found = (host, 0).to_socket_addrs().map_err(|why| why.to_string())?;
        let mut addresses = found.filter_map(|found| match found.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        addresses
            .next()
            .ok_or_else(|| "it has no IPv4 address".to_owned())
    }

    fn address_towards(&self, there: Ipv4Addr) -> Result<Ipv4Addr, String> {
        // Nothing is sent: connecting a datagram socket is looking up the way.
        let looked_up = || -> io::Result<IpAddr> {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            // Any port but none.
            socket.connect((there, 9))?;
            Ok(socket.local_addr()?.ip())
        };
        match looked_up() {
            Ok(IpAddr::V4(address)) => Ok(address),
            Ok(IpAddr::V6(_)) => Err("the way there has no IPv4 address".to_owned()),
            Err(why) => Err(why.to_string()),
        }
    }

    fn free_port(&self, at: Ipv4Addr) -> Result<u16, String> {
        let free = || -> io::Result<u16> { Ok(UdpSocket::bind((at, 0))?.local_addr()?.port()) };
        free().map_err(|why| why.to_string())
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
        match read {
            Ok(_) if text.len() as u64 > LARGEST => Err("it is larger than 1 MiB".to_owned()),
            Ok(_) => Ok(text),
            Err(why) => Err(why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_loopback_and_has_free_ports() {
        assert_eq!(Machine.resolve("127.0.0.7"), Ok(Ipv4Addr::new(127, 0, 0, 7)));
        assert_eq!(
            Machine.address_towards(Ipv4Addr::LOCALHOST),
            Ok(Ipv4Addr::LOCALHOST)
        );
        assert!(Machine.free_port(Ipv4Addr::LOCALHOST).is_ok_and(|port| port > 0));
        // An address that no machine has.
        assert!(Machine.free_port(Ipv4Addr::new(192, 0, 2, 1)).is_err());
    }

    #[test]
    fn a_file_is_read_up_to_a_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("members");
        let name = path.to_str().expect("UTF-8");
        assert!(Machine.read(name).is_err_and(|why| why.contains("No such file")));
        std::fs::write(&path, "10.0.0.1\n").expect("a file");
        assert_eq!(Machine.read(name), Ok("10.0.0.1\n".to_owned()));
        std::fs::write(&path, vec![b'x'; (1 << 20) + 1]).expect("a file");
        assert_eq!(Machine.read(name), Err("it is larger than 1 MiB".to_owned()));
    }
}
