//! What the timeline does to the world: as in the simulator at once for those who are told by it, and at the processes as soon as
//! they let it be done.

use std::collections::BTreeMap;

use squall_nodes::{Change, Crash, HostId, Protocol, Time};
use squall_sim::layers::Laid;
use squall_sim::live::Cause;
use squall_sim::plan::{DiskOnRestart, Fault, Layer, Target};

use crate::audience::Sight;
use crate::clock;
use crate::door::{Progress, StageError};
use crate::host::{Act, Do, Power, State};
use crate::play::Play;
use crate::schedule::Due;
use crate::wires::{Laying, TooMany};

impl<P: Protocol> Play<'_, '_, P> {
    /// Makes an entry of the timeline happen, which was to happen at `planned`; `actor` did what triggered it.
    pub(crate) fn strike(
        &mut self,
        step: usize,
        actor: Option<HostId>,
        planned: Time,
    ) -> Result<(), StageError> {
        let plan = self.plan;
        let entry = &plan.timeline[step];
        let now = clock::now();
        let at = self.since_origin(now);
        self.look_at_lateness(&entry.label, now, planned);
        self.faults[step].at.get_or_insert(at);
        if let Fault::Lay(Layer::Cut(cut) | Layer::Flap { cut, .. }) = &entry.fault
            && cut.is_no_ring(actor)
        {
            self.unlaid.push(step);
            return Ok(());
        }
        let by = step as u32;
        let cause = Cause {
            label: entry.label.clone(),
            step: Some(step),
            actor,
        };
        let change = self.changes.begin(by, cause.clone(), now);
        let mut told = Vec::new();
        let affected = match &entry.fault {
            Fault::Crash(Crash::Kill, who) => self.each(who, actor, |play, host| play.kill(host, change))?,
            Fault::Crash(Crash::PowerCut, who) => {
                let hosts = who.iter().filter_map(|target| target.host(actor));
                self.cut_power(hosts, change)?
            }
            Fault::Restart { who, disk } => {
                let state = match disk {
                    DiskOnRestart::Wiped => State::Wiped,
                    // Damaged disks are refused before anything is started.
                    _ => State::Kept,
                };
                self.each(who, actor, |play, host| play.restart(host, state, change))?
            }
            Fault::Pause(who) => self.each(who, actor, |play, host| play.pause(host, change))?,
            Fault::Resume(who) => self.each(who, actor, |play, host| play.resume(host, change))?,
            Fault::Lay(layer) => {
                // What it touches is counted as it does.
                if let Some(laid) = Laid::of(step, layer, self.crew.hosts.len(), actor) {
                    match self.wires.lay(step, actor, laid) {
                        Ok(laying) => told = self.laid(laying, at),
                        Err(TooMany) => self.cut_short.push(format!(
                            "the run was stopped at {at}, when more layers lay over the links than there may; heal them, or lay them \
                             less often"
                        )),
                    }
                }
                0
            }
            Fault::Heal(layer) => self.heal(layer, actor, &mut told),
            Fault::HealAll => {
                let (layers, changes) = self.wires.heal_all();
                told = changes;
                layers
            }
            // Refused before anything is started.
            Fault::Jump { .. } => 0,
        };
        if !told.is_empty() {
            self.rewire(change)?;
        }
        let kind = entry.fault.kind();
        let is_restart = matches!(entry.fault, Fault::Restart { .. });
        if is_restart && affected > 0 {
            self.changes.strikes(change, kind);
        }
        self.unsettle(change, by, &cause, now);
        for change in told {
            let by = cause.clone();
            self.merge.put(now, Sight::Change { change, by });
        }
        self.faults[step].affected += affected;
        if (affected > 0 && !is_restart) || matches!(entry.fault, Fault::Lay(_)) {
            self.merge.put(now, Sight::Struck(kind));
        }
        let label = entry.label.clone();
        (self.stage.progress)(Progress::Fault { at, label });
        Ok(())
    }

    /// A flap turns over, unless it was healed in the meantime.
    pub(crate) fn turn(&mut self, layer: u32, planned: Time) -> Result<(), StageError> {
        let Some(laying) = self.wires.turn(layer) else {
            return Ok(());
        };
        let (by, now) = (laying.step as u32, clock::now());
        let cause = Cause {
            label: self.plan.timeline[laying.step].label.clone(),
            step: Some(laying.step),
            actor: laying.actor,
        };
        self.look_at_lateness(&format!("a turn of {}", cause.label), now, planned);
        let change = self.changes.begin(by, cause.clone(), now);
        let told = self.laid(laying, planned);
        self.rewire(change)?;
        self.unsettle(change, by, &cause, now);
        for change in told {
            let by = cause.clone();
            self.merge.put(now, Sight::Change { change, by });
        }
        Ok(())
    }

    /// Plans the next turn of what is laid, if it is a flap. Returns what those who watch are told.
    fn laid(&mut self, laying: Laying, at: Time) -> Vec<Change> {
        if let Some((layer, next)) = laying.turns {
            self.schedule.put(at + next, Due::Turn(layer));
        }
        laying.changes
    }

    /// Takes away the latest layer that is equal. Returns how many there were: one or none.
    fn heal(&mut self, layer: &Layer, actor: Option<HostId>, told: &mut Vec<Change>) -> u64 {
        // An equal layer may have been laid by any entry.
        let equal = Laid::of(0, layer, self.crew.hosts.len(), actor);
        match equal.and_then(|equal| self.wires.heal(&equal)) {
            Some(changes) => {
                *told = changes;
                1
            }
            None => 0,
        }
    }

    /// Has every host whose links are other ones now put its new policy in force. Says who is to, and the numbers of the policies.
    pub(crate) fn rewire(&mut self, change: u64) -> Result<BTreeMap<HostId, u64>, StageError> {
        let mut told = BTreeMap::new();
        let since = clock::now();
        self.crew.ground.cut(&self.wires.cuts())?;
        let policies = self.wires.policies(self.crew.ground.cutter());
        for (id, mut policy) in self.crew.ids().zip(policies) {
            let host = self.crew.host(id);
            (policy.number, policy.since) = (host.policy.number, host.policy.since);
            if policy == host.policy {
                continue;
            }
            (policy.number, policy.since) = (policy.number + 1, since);
            host.replace_policy(policy);
            // Who is stopped or down is told before it goes on.
            if host.takes_policies() {
                host.tell_policy();
                let number = host.policy.number;
                self.changes.takes_policy(change, id, number);
                told.insert(id, number);
            }
        }
        Ok(told)
    }

    fn kill(&mut self, id: HostId, change: u64) -> Result<Effect, StageError> {
        let host = self.crew.host(id);
        if host.power == Power::Off {
            return Ok(Effect::Nothing);
        }
        host.power = Power::Off;
        self.changes.takes_act(change);
        let what = Do::Kill(Crash::Kill);
        let given_up = self.crew.host(id).kill_now(Act { what, change });
        self.given_up_at(id, given_up);
        Ok(Effect::Touched)
    }

    fn restart(&mut self, id: HostId, state: State, change: u64) -> Result<Effect, StageError> {
        let host = self.crew.host(id);
        // A host that was never switched on has no life to restart.
        if host.power != Power::Off || host.boots == 0 {
            return Ok(Effect::Nothing);
        }
        host.power = Power::On;
        host.boots += 1;
        self.act(id, Do::Start(state), change);
        self.begin_next(id)?;
        Ok(Effect::Touched)
    }

    fn pause(&mut self, id: HostId, change: u64) -> Result<Effect, StageError> {
        let host = self.crew.host(id);
        if host.power != Power::On {
            return Ok(Effect::Nothing);
        }
        host.power = Power::Paused;
        host.look_at_taken();
        self.excuse(id, clock::now());
        self.act(id, Do::Stop, change);
        self.begin_next(id)?;
        Ok(Effect::Touched)
    }

    fn resume(&mut self, id: HostId, change: u64) -> Result<Effect, StageError> {
        let host = self.crew.host(id);
        if host.power != Power::Paused {
            return Ok(Effect::Nothing);
        }
        host.power = Power::On;
        self.act(id, Do::Continue, change);
        self.begin_next(id)?;
        Ok(Effect::Touched)
    }

    /// Does something to each host of a list; returns to how many it made a difference.
    fn each(
        &mut self,
        who: &[Target],
        actor: Option<HostId>,
        mut act: impl FnMut(&mut Self, HostId) -> Result<Effect, StageError>,
    ) -> Result<u64, StageError> {
        let mut touched = 0;
        for host in who.iter().filter_map(|target| target.host(actor)) {
            touched += u64::from(act(self, host)? == Effect::Touched);
        }
        Ok(touched)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Touched,
    Nothing,
}
