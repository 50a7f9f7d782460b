//! A loss of power, live. What a process has under way its kernel would still see to when it is killed, and tell its peers of: a machine
//! without power says nothing to anybody. So the others cut the host off first; when all that run have, it is killed, and it is cut off
//! until its next life begins.

use std::collections::BTreeMap;

use squall_nodes::{Crash, HostId, Protocol, Time};

use crate::clock;
use crate::door::StageError;
use crate::ground::Plug;
use crate::host::{Act, Do, Power};
use crate::play::Play;

/// Hosts that are to lose power as soon as the others have cut them off.
pub(crate) struct Outage {
    change: u64,
    hosts: Vec<HostId>,
    /// Who has not cut them off yet, and the number of the policy that does.
    waits: BTreeMap<HostId, u64>,
}

impl Outage {
    /// A host has put a policy in force, and with it all that are older.
    fn applied(&mut self, host: HostId, number: u64) {
        if self.waits.get(&host).is_some_and(|waited| *waited <= number) {
            self.waits.remove(&host);
        }
    }
}

impl<P: Protocol> Play<'_, '_, P> {
    /// Hosts lose power together. Says how many of them had any.
    pub(crate) fn cut_power(
        &mut self,
        hosts: impl Iterator<Item = HostId>,
        change: u64,
    ) -> Result<u64, StageError> {
        let mut outage = Outage {
            change,
            hosts: Vec::new(),
            waits: BTreeMap::new(),
        };
        for id in hosts {
            if self.crew.host(id).power == Power::Off {
                continue;
            }
            self.crew.host(id).power = Power::Off;
            self.changes.takes_act(change);
            let what = Do::CutOff;
            let given_up = self.crew.host(id).cut_off_now(Act { what, change });
            self.given_up_at(id, given_up);
            self.crew.ground.plug(id, Plug::Out)?;
            self.wires.plug(id, Plug::Out);
            outage.hosts.push(id);
        }
        let touched = outage.hosts.len() as u64;
        if touched > 0 {
            outage.waits = self.rewire(change)?;
            self.outages.push(outage);
            self.black_out();
        }
        Ok(touched)
    }

    /// A host has put a policy in force, or nobody waits for it any more.
    pub(crate) fn applied(&mut self, id: HostId, number: u64, at: Time) {
        let made = self.changes.applied(id, number, at);
        self.settle(made);
        for outage in &mut self.outages {
            outage.applied(id, number);
        }
        self.black_out();
    }

    /// A host is down or stopped: nobody waits for what it was told.
    pub(crate) fn excuse(&mut self, id: HostId, at: Time) {
        self.applied(id, u64::MAX, at);
    }

    /// What was being done to a host is not any more.
    pub(crate) fn given_up_at(&mut self, id: HostId, given_up: Vec<u64>) {
        let now = clock::now();
        self.excuse(id, now);
        for change in given_up {
            self.act_done(change, now);
        }
    }

    /// Kills those whom everybody has cut off.
    fn black_out(&mut self) {
        for outage in self.outages.extract_if(.., |outage| outage.waits.is_empty()) {
            for id in outage.hosts {
                self.crew.host(id).kill_cut_off(outage.change, Crash::PowerCut);
            }
        }
    }

    /// A host that was cut off is among the others again when its next life is about to begin.
    pub(crate) fn plug_in_before_start(&mut self, id: HostId) -> Result<(), StageError> {
        if let Some(change) = self.crew.host(id).is_about_to_start()
            && self.wires.is_unplugged(id)
        {
            self.crew.ground.plug(id, Plug::In)?;
            self.wires.plug(id, Plug::In);
            self.rewire(change)?;
        }
        Ok(())
    }
}
