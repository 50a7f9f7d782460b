//! What a fault does to the world: crashes, restarts, pauses, and layers of cuts.

use squall_nodes::{Change, Crash, Cut, HostId, Protocol};

use super::network::Layer;
use super::{End, Engine};
use crate::plan::{CutPlan, DiskOnRestart, Fault, Layer as PlannedLayer, Target};

/// How many layers of cuts may lie over the links at once. Each costs time for every datagram.
pub(crate) const MOST_LAYERS: usize = 1_000;

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
            // What a cut touches is counted datagram by datagram, as it drops them.
            Fault::Lay(PlannedLayer::Cut(plan)) => {
                let cut = self.resolve(plan, claimant);
                self.lay(step, cut, label);
                0
            }
            Fault::Heal(PlannedLayer::Cut(plan)) => {
                let cut = self.resolve(plan, claimant);
                let layer = self.cuts.heal(&cut);
                layer.map_or(0, |layer| self.healed(layer, label))
            }
            Fault::HealAll => {
                let mut layers = 0;
                while !self.is_worn_out()
                    && let Some(layer) = self.cuts.heal_oldest()
                {
                    layers += self.healed(layer, label);
                }
                layers
            }
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
    fn is_worn_out(&self) -> bool {
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

    fn lay(&mut self, step: usize, cut: Cut, label: &str) {
        if self.cuts.len() >= MOST_LAYERS {
            self.ended.get_or_insert(End::TooManyLayers);
            return;
        }
        let layer = self.cuts.lay(step, cut.clone());
        self.change(Change::Cut { layer, cut }, label);
    }

    fn healed(&mut self, layer: Layer, label: &str) -> u64 {
        self.change(Change::Healed { layer: layer.number }, label);
        1
    }

    /// The cut for the hosts that there are. Those that no group names form one more.
    fn resolve(&self, plan: &CutPlan, claimant: Option<HostId>) -> Cut {
        match plan {
            CutPlan::Partition(groups) => {
                let mut group_of = vec![groups.len() as u32; self.hosts.len()];
                for (group, members) in groups.iter().enumerate() {
                    for member in members.iter().filter_map(|target| target.host(claimant)) {
                        group_of[member.index()] = group as u32;
                    }
                }
                Cut::Groups(group_of)
            }
            CutPlan::Bridge { over, sides } => {
                let mut group_of = vec![sides.len() as u32; self.hosts.len()];
                for (group, members) in sides.iter().enumerate() {
                    for member in members.iter().filter_map(|target| target.host(claimant)) {
                        group_of[member.index()] = group as u32;
                    }
                }
                for host in over.iter().filter_map(|target| target.host(claimant)) {
                    group_of[host.index()] = Cut::BRIDGE;
                }
                Cut::Bridge(group_of)
            }
            CutPlan::Ring { hosts, reach } => {
                let mut place = vec![Cut::OUTSIDE; self.hosts.len()];
                let mut len = 0;
                for host in hosts.iter().filter_map(|target| target.host(claimant)) {
                    place[host.index()] = len;
                    len += 1;
                }
                Cut::Ring {
                    place,
                    len,
                    reach: *reach,
                }
            }
            CutPlan::OneWay { from, to } => {
                let marked = |who: &[Target]| {
                    let mut marks = vec![false; self.hosts.len()];
                    for host in who.iter().filter_map(|target| target.host(claimant)) {
                        marks[host.index()] = true;
                    }
                    marks
                };
                Cut::OneWay {
                    from: marked(from),
                    to: marked(to),
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Touched,
    Nothing,
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
