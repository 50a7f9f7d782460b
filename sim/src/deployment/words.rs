//! From the arguments that a protocol's source document has to a deployment.

use std::net::Ipv4Addr;

use squall_nodes::{Misfit, Outside, Protocol, Unusable};

use super::resolve::{Chosen, assembled};
use super::{Bounds, Deployment, Over, Streams};
use crate::scenario::Complaints;

/// Why arguments make no deployment.
#[derive(Debug, thiserror::Error)]
pub enum Unstartable {
    /// What is said beside them is wrong.
    #[error("{0}")]
    Over(Complaints),
    /// They say nothing that the protocol could use.
    #[error("{0}")]
    Words(Unusable),
    /// What they say, the protocol does not take; each with what would be right.
    #[error("{}", .0.iter().map(Unusable::to_string).collect::<Vec<_>>().join("\n"))]
    Misfits(Vec<Unusable>),
}

/// Makes a deployment of a protocol's own arguments, with what is said beside them in its place.
///
/// # Errors
///
/// What is wrong with them, and what would be right.
pub fn of_words<P: Protocol>(
    words: &[String],
    over: &Over,
    outside: &dyn Outside,
) -> Result<Deployment<P>, Unstartable> {
    let chosen = Chosen::of::<P>(over).map_err(Unstartable::Over)?;
    let (rules, profile) = (chosen.rules::<P>(), chosen.profile::<P>());
    let at = At {
        address: over.address,
        outside,
    };
    let placed = P::start(words, P::config(profile, rules), &at).map_err(Unstartable::Words)?;
    let mut deployment = Deployment {
        story: format!("{} {}", P::NAME, words.join(" ")),
        rules,
        profile,
        placed,
        data: None,
        seed: None,
        record: None,
        http: None,
        control: None,
        lines: None,
        bounds: Bounds::default(),
        streams: Streams::default(),
        tls: None,
    };
    chosen.lay_over(&mut deployment).map_err(Unstartable::Over)?;
    let misfits = assembled(&mut deployment);
    if misfits.is_empty() {
        return Ok(deployment);
    }
    let told = misfits
        .into_iter()
        .map(|Misfit { message, hint, .. }| Unusable { message, hint });
    Err(Unstartable::Misfits(told.collect()))
}

/// The outside of a node whose own address is chosen.
struct At<'a> {
    address: Option<Ipv4Addr>,
    outside: &'a dyn Outside,
}

impl Outside for At<'_> {
    fn resolve(&self, host: &str) -> Result<Ipv4Addr, String> {
        self.outside.resolve(host)
    }

    fn address_towards(&self, there: Ipv4Addr) -> Result<Ipv4Addr, String> {
        self.address
            .map_or_else(|| self.outside.address_towards(there), Ok)
    }

    fn free_port(&self, at: Ipv4Addr) -> Result<u16, String> {
        self.outside.free_port(at)
    }

    fn read(&self, path: &str) -> Result<String, String> {
        self.outside.read(path)
    }
}
