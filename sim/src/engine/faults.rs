//! What a fault does to the world: crashes, restarts, pauses, jumps of clocks. Layers over links are laid in `layers`, those over
//! hosts in `ailments`.

use squall_nodes::{Change, Crash, HostId, Protocol, Span};

use super::host::Power;
use super::see::By;
use super::{End, Engine};
use crate::plan::{DiskOnRestart, Fault, Layer, Target};

impl<P: Protocol> Engine<'_, P> {
    /// Makes an entry of the timeline happen; `actor` did what triggered it.
    pub(crate) fn strike(&mut self, step: usize, actor: Option<HostId>) {
        let planned = &self.plan.timeline[step];
        self.faults[step].at.get_or_insert(self.now);
        if let Fault::Lay(Layer::Cut(cut) | Layer::Flap { cut, .. }) = &planned.fault
            && cut.is_no_ring(actor)
        {
            self.unlaid.push(step);
            return;
        }
        let by = By::step(step, &planned.label, actor);
        let affected = match &planned.fault {
            Fault::Crash(how, who) => self.each(who, actor, |engine, host| engine.crash(host, *how, by)),
            Fault::Restart { who, disk } => {
                self.each(who, actor, |engine, host| engine.restart(host, *disk, by))
            }
            Fault::Pause(who) => self.each(who, actor, |engine, host| engine.pause(host, by)),
            Fault::Resume(who) => self.each(who, actor, |engine, host| engine.resume(host, by)),
            // What a layer touches is counted as it does: by datagrams, inputs and writes.
            Fault::Lay(layer) if layer.is_over_links() => {
                self.lay_over_links(step, layer, actor, by);
                0
            }
            Fault::Lay(layer) => {
                self.ail(step, layer, actor, by);
                0
            }
            Fault::Heal(layer) if layer.is_over_links() => self.heal_over_links(layer, actor, by),
            Fault::Heal(layer) => self.heal_ailment(layer, actor, by),
            Fault::HealAll => self.heal_all(by),
            Fault::Jump { who, by: forward } => {
                self.each(who, actor, |engine, host| engine.jump(host, *forward, by))
            }
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
        actor: Option<HostId>,
        mut act: impl FnMut(&mut Self, HostId) -> Effect,
    ) -> u64 {
        let mut touched = 0;
        for target in who {
            if self.is_worn_out() {
                break;
            }
            if let Some(host) = target.host(actor)
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

    fn crash(&mut self, host: HostId, how: Crash, by: By<'_>) -> Effect {
        if !self.hosts[host.index()].is_up() {
            return Effect::Nothing;
        }
        self.take_down(host);
        if how == Crash::PowerCut {
            self.hosts[host.index()].power = Power::Off;
        }
        self.drop_streams(host, how);
        self.stopwatches.down(host);
        self.change(Change::Down { host, how }, by);
        Effect::Touched
    }

    fn restart(&mut self, host: HostId, disk: DiskOnRestart, by: By<'_>) -> Effect {
        let machine = &mut self.hosts[host.index()];
        // A host that was never switched on has no life to restart.
        if machine.is_up() || machine.boots == 0 {
            return Effect::Nothing;
        }
        let incarnation = machine.boots;
        let (found, effect) = self.replace_disk(host, disk);
        self.boot(host);
        self.change(
            Change::Up {
                host,
                incarnation,
                disk: found,
            },
            by,
        );
        effect
    }

    fn pause(&mut self, host: HostId, by: By<'_>) -> Effect {
        let machine = &self.hosts[host.index()];
        if !machine.is_up() || machine.is_paused() {
            return Effect::Nothing;
        }
        self.stop(host);
        self.change(Change::Paused { host }, by);
        Effect::Touched
    }

    fn resume(&mut self, host: HostId, by: By<'_>) -> Effect {
        if !self.hosts[host.index()].is_paused() {
            return Effect::Nothing;
        }
        self.go_on(host);
        self.change(Change::Resumed { host }, by);
        Effect::Touched
    }

    fn jump(&mut self, host: HostId, forward: Span, by: By<'_>) -> Effect {
        self.put_forward(host, forward);
        self.change(Change::Jumped { host, by: forward }, by);
        if self.hosts[host.index()].is_up() {
            Effect::Touched
        } else {
            Effect::Nothing
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Touched,
    Nothing,
}
