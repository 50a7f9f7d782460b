//! What the casts of all protocols have in common: addresses that follow from hosts, one rule set, and how what cannot be is told.

use std::net::SocketAddrV4;

use crate::node::Node;
use crate::protocol::{Misfit, Placed};

/// Something that is wrong with a setting.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) field: &'static str,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl Fault {
    pub(crate) fn new(field: &'static str, message: String, hint: &'static str) -> Self {
        Fault { field, message, hint }
    }

    /// Of the host at a place.
    pub(crate) fn of(self, host: usize, name: &str) -> Misfit {
        misfit(host, self.field, format!("{name}: {}", self.message), self.hint)
    }
}

/// Something that is wrong with a setting of a host.
pub(crate) fn misfit(host: usize, field: &'static str, message: String, hint: &str) -> Misfit {
    Misfit {
        host: Some(host),
        field: Some(field),
        message,
        hint: Some(hint.to_owned()),
    }
}

/// The address of a host: its own with the port, unless one is written, which is to be at that host. The port is that of the address then, and
/// none but that may be written beside it; `usual` is the one where none is.
pub(crate) fn settle<N: Node>(
    index: usize,
    host: &mut Placed<N>,
    usual: u16,
    port_and_address: impl FnOnce(&mut N::Config) -> (&mut u16, &mut Option<SocketAddrV4>),
) -> Option<Misfit> {
    let (port, address) = port_and_address(&mut host.config);
    let address = *address.get_or_insert(SocketAddrV4::new(host.ip, *port));
    let written = std::mem::replace(port, address.port());
    if written != address.port() && written != usual {
        let message = format!(
            "the port of {} is {written}, but its address is {address}",
            host.name
        );
        let hint = "write one of the two: the address follows from the host and the port";
        return Some(misfit(index, "port", message, hint));
    }
    (*address.ip() != host.ip).then(|| {
        let (name, ip) = (&host.name, host.ip);
        let message = format!("the address of {name} is {address}, but its host is at {ip}");
        let hint = "leave it out: it follows from the host and the port";
        misfit(index, "address", message, hint)
    })
}

/// The first host that goes by other rules than the first.
pub(crate) fn other_rules<N: Node, R: PartialEq>(
    hosts: &[Placed<N>],
    rules: impl Fn(&N::Config) -> R,
) -> Option<Misfit> {
    let first = hosts.first()?;
    let index = hosts
        .iter()
        .position(|host| rules(&host.config) != rules(&first.config))?;
    let message = format!("{} plays by other rules than {}", hosts[index].name, first.name);
    Some(misfit(index, "rules", message, "a cluster plays by one rule set"))
}
