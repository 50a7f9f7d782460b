//! What a fault does to the world: crashes, restarts, pauses. Layers over links are laid in `layers`.

use squall_nodes::{Change, Crash, HostId, Protocol};

use super::{End, Engine};
use crate::plan::{DiskOnRestart, Fault, Target};

impl<P: Protocol> Engine<'_, P> {
    /// Makes an entry of the timeline happen; `claimant` claimed the fact that triggered it.
    pub(crate) fn strike(&mut self, step: usize, claimant: Option<HostId>) {
        let planned = &self.plan.timeline[step];
        self.faults[step].at.get_or_insert(self.now);
        let label = planned.label.as_str();
        let affected = match &planned.fault {
            Fault::Crash(how, who) => {
                self.each(who, claimant, |engine, host| engine.crash(host, *how, label))
            }
            Fault::Restart { who, disk } => {
                self.each(who, claimant, |engine, host| engine.restart(host, *disk, label))
            }
            Fault::Pause(who) => self.each(who, claimant, |engine, host| engine.pause(host, label)),
            Fault::Resume(who) => self.each(who, claimant, |engine, host| engine.resume(host, label)),
            Fault::Lay(layer) if layer.is_over_links() => {
                self.lay_over_links(step, layer, claimant, label);
                0
            }
            Fault::Heal(layer) if layer.is_over_links() => self.heal_over_links(layer, claimant, label),
            Fault::HealAll => self.heal_all(label),
            Fault::Jump { .. } | Fault::Lay(_) | Fault::Heal(_) => 0,
        };
        self.faults[step].affected += affected;
        if affected > 0 || matches!(planned.fault, Fault::Lay(_)) {
            self.stopwatches
                .fault(self.now, planned.fault.kind(), &self.judge.world);
        }
    }

    /// Does something to each host of a list; returns to how many it made a difference.
    fn each(
        &mut self,
        who: &[Target],
        claimant: Option<HostId>,
        mut act: impl FnMut(&mut Self, HostId) -> Effect,
    ) -> u64 {
        let mut touched = 0;
        for target in who {
            if self.is_worn_out() {
                break;
            }
            if let Some(host) = target.host(claimant)
                && act(self, host) == Effect::Touched
            {
                touched += 1;
            }
        }
        touched
    }

    /// Whether even the rest of a fault would be too much.
    pub(super) fn is_worn_out(&self) -> bool {
        self.ended == Some(End::TooMuchEffort)
    }

    fn crash(&mut self, host: HostId, how: Crash, label: &str) -> Effect {
        if !self.hosts[host.index()].is_up() {
            return Effect::Nothing;
        }
        self.take_down(host);
        self.stopwatches.down(host);
        self.change(Change::Down { host, how }, label);
        Effect::Touched
    }

    fn restart(&mut self, host: HostId, disk: DiskOnRestart, label: &str) -> Effect {
        let machine = &mut self.hosts[host.index()];
        // A host that was never switched on has no life to restart.
        if machine.is_up() || machine.boots == 0 {
            return Effect::Nothing;
        }
        if disk == DiskOnRestart::Wiped {
            machine.disk.contents = None;
            machine.disk.wiped = true;
        }
        let (incarnation, disk) = (machine.boots, machine.disk.at_boot());
        self.boot(host);
        self.change(
            Change::Up {
                host,
                incarnation,
                disk,
            },
            label,
        );
        Effect::Touched
    }

    fn pause(&mut self, host: HostId, label: &str) -> Effect {
        let machine = &mut self.hosts[host.index()];
        if !machine.is_up() || machine.paused.is_some() {
            return Effect::Nothing;
        }
        machine.paused = Some(Box::default());
        self.change(Change::Paused { host }, label);
        Effect::Touched
    }

    fn resume(&mut self, host: HostId, label: &str) -> Effect {
        if self.hosts[host.index()].paused.is_none() {
            return Effect::Nothing;
        }
        self.release_held(host);
        self.change(Change::Resumed { host }, label);
        Effect::Touched
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Touched,
    Nothing,
}

/// The hosts that are meant; where there is no claimant, nobody is.
pub(super) fn hosts(who: &[Target], claimant: Option<HostId>) -> impl Iterator<Item = HostId> + '_ {
    who.iter().filter_map(move |target| target.host(claimant))
}

impl Target {
    /// The host meant; none where there is no claimant.
    fn host(self, claimant: Option<HostId>) -> Option<HostId> {
        match self {
            Target::Host(host) => Some(host),
            Target::Actor => claimant,
        }
    }
}
