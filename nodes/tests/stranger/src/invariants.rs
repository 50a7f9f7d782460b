//! What is promised: the lease is held by one worker at a time, and comes to everyone.

use squall_nodes::{Always, Breach, Group, HostId, InQuiet, Judged, Seen, Setup, Span, Time, World};

use crate::lease::{LeaseFact, LeaseNode, Role};

/// At any moment at most one worker holds the lease.
#[derive(Clone, Default)]
pub struct OneHolder {
    /// Who held it last, and until when at the latest.
    holder: Option<(HostId, Time)>,
}

impl Always<LeaseNode> for OneHolder {
    fn judge(&mut self, at: Time, seen: &Seen<'_, LeaseNode>, world: &World) -> Result<Judged, Breach> {
        let Seen::Fact { host, fact, .. } = seen else {
            return Ok(Judged::NotConcerned);
        };
        match fact {
            LeaseFact::Held { until } => {
                if let Some((other, theirs)) = self
                    .holder
                    .filter(|(other, theirs)| other != host && *theirs > at)
                {
                    let (me, other_name) = (world.name(*host), world.name(other));
                    let detail = format!(
                        "{me} began to work at {at}, while {other_name} holds the lease until {theirs}"
                    );
                    return Err(Breach::new(detail, [other, *host]));
                }
                self.holder = Some((*host, *until));
                Ok(Judged::Yes)
            }
            LeaseFact::Returned => {
                self.holder = self.holder.filter(|(holder, _)| holder != host);
                Ok(Judged::NotConcerned)
            }
            LeaseFact::Lent { .. } => Ok(Judged::NotConcerned),
        }
    }
}

/// A worker that can talk to the keeper holds the lease again and again.
#[derive(Clone)]
pub struct EveryWorkerGetsIt {
    bound: Span,
    roles: Vec<Role>,
    /// When each host last began to work.
    began: Vec<Time>,
}

impl EveryWorkerGetsIt {
    /// For a cluster in which everyone's turn comes within `bound`.
    pub fn new(setup: &Setup<'_, LeaseNode>, bound: Span) -> Self {
        EveryWorkerGetsIt {
            bound,
            roles: setup.hosts.iter().map(|host| host.role).collect(),
            began: vec![Time::ZERO; setup.hosts.len()],
        }
    }
}

impl InQuiet<LeaseNode> for EveryWorkerGetsIt {
    fn observe(&mut self, at: Time, seen: &Seen<'_, LeaseNode>, _world: &World) -> Judged {
        if let Seen::Fact {
            host,
            fact: LeaseFact::Held { .. },
            ..
        } = seen
        {
            self.began[host.index()] = at;
        }
        // Waiting is not seen, so there is nothing to judge until somebody has waited for too long.
        Judged::NotConcerned
    }

    fn judge(&mut self, group: &Group, at: Time, world: &World) -> Result<Judged, Breach> {
        let has_role = |host: &HostId, role| self.roles[host.index()] == role;
        let Some(keeper) = group.hosts.iter().find(|host| has_role(host, Role::Keeper)) else {
            return Ok(Judged::NotConcerned);
        };
        for worker in group.hosts.iter().filter(|host| has_role(host, Role::Worker)) {
            let began = self.began[worker.index()];
            if at.since(began) > self.bound {
                let name = world.name(*worker);
                let detail = match began {
                    Time::ZERO => format!("at {at}, {name} has not held the lease once"),
                    _ => format!("at {at}, {name} has not held the lease since {began}"),
                };
                return Err(Breach::new(detail, [*keeper, *worker]));
            }
        }
        Ok(Judged::Yes)
    }
}

/// Within how long everyone's turn comes, once nothing disturbs them.
///
/// A keeper that has just come back waits for one lease. A worker's question gets through after at most `k` tries. Ahead
/// of it are all others at the most, each of which has the lease until it runs out, when its return is lost; and its own
/// turn may be lost once, with every answer in it.
pub fn turn_bound(setup: &Setup<'_, LeaseNode>) -> Span {
    let longest = |of: fn(&crate::config::LeaseConfig) -> Span| {
        setup
            .hosts
            .iter()
            .map(|host| of(&host.config))
            .max()
            .unwrap_or_default()
    };
    let (lease, ask_again) = (longest(|config| config.lease), longest(|config| config.ask_again));
    let turns = setup.hosts.len() as u64;
    let heard = ask_again * u64::from(setup.tolerated.retries()) + setup.tolerated.latency * 2;
    lease + heard + (lease + heard) * turns
}
