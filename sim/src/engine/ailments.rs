//! Layers over hosts: what is wrong with a machine for as long as nobody heals it. Which there are, which a healing takes
//! away, and what they come to for each host. What they do is elsewhere: `slow`, `disk`, `clock`.

use squall_nodes::{Change, DiskState, HostId, Node, Protocol, Span};

use super::MOST_LAYERS;
use super::host::{Barrier, Host, WritePace};
use super::see::By;
use super::{End, Engine};
use crate::draws::Ratio;
use crate::plan::{Clock, Layer, Target};

/// What one layer does to a machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ailment {
    /// Each input takes this much longer.
    Slow(Span),
    /// Each write takes this much longer.
    SlowDisk(Span),
    /// This share of writes fails.
    FailingDisk(Ratio),
    /// The clock is fast by this many millionths.
    Drift(i32),
}

/// The layers over hosts that there are, in the order in which they were laid.
#[derive(Default)]
pub(crate) struct Ailments {
    layers: Vec<Laid>,
    laid: u32,
}

struct Laid {
    number: u32,
    ailment: Ailment,
    /// Over these, ascending, each once.
    hosts: Vec<HostId>,
}

/// A layer as one of its hosts knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over {
    number: u32,
    /// The place in the timeline of what laid it.
    pub(crate) step: u32,
    pub(crate) ailment: Ailment,
}

impl Ailments {
    pub(crate) fn clear(&mut self) {
        self.layers.clear();
        self.laid = 0;
    }

    /// Takes away the latest layer that does the same to the same hosts.
    fn heal(&mut self, ailment: Ailment, hosts: &[HostId]) -> Option<Laid> {
        let equal = |laid: &Laid| laid.ailment == ailment && laid.hosts == hosts;
        let place = self.layers.iter().rposition(equal)?;
        Some(self.layers.remove(place))
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Lays a layer over hosts.
    pub(super) fn ail(&mut self, step: usize, layer: &Layer, actor: Option<HostId>, by: By<'_>) {
        let Some((ailment, who)) = Ailment::of(layer) else {
            return;
        };
        if self.ailments.layers.len() >= MOST_LAYERS {
            self.ended.get_or_insert(End::TooManyLayers);
            return;
        }
        let hosts = resolve(who, actor);
        self.ailments.laid += 1;
        let number = self.ailments.laid;
        let step = step as u32;
        for host in &hosts {
            let over = Over {
                number,
                step,
                ailment,
            };
            self.hosts[host.index()].ailments.push(over);
        }
        for host in &hosts {
            if let Ailment::Slow(_) = ailment {
                // What waits already, waits for this too.
                let waiting = self.hosts[host.index()].held.as_ref();
                self.faults[step as usize].affected += waiting.map_or(0, |held| held.len() as u64);
            }
            self.ailed(*host, ailment, by);
        }
        self.ailments.layers.push(Laid {
            number,
            ailment,
            hosts,
        });
    }

    /// Heals the latest layer over hosts that comes to the same. Returns how many were healed.
    pub(super) fn heal_ailment(&mut self, layer: &Layer, actor: Option<HostId>, by: By<'_>) -> u64 {
        let healed =
            Ailment::of(layer).and_then(|(ailment, who)| self.ailments.heal(ailment, &resolve(who, actor)));
        let Some(Laid {
            number,
            ailment,
            hosts,
        }) = healed
        else {
            return 0;
        };
        for host in &hosts {
            let ailments = &mut self.hosts[host.index()].ailments;
            ailments.retain(|over| over.number != number);
        }
        for host in &hosts {
            self.ailed(*host, ailment, by);
        }
        1
    }

    /// A layer came to lie over a host, or lies there no more: it goes on as those that do say, and everyone is told.
    fn ailed(&mut self, id: HostId, ailment: Ailment, by: By<'_>) {
        if self.is_worn_out() {
            return;
        }
        let host = &mut self.hosts[id.index()];
        match ailment {
            Ailment::Slow(_) => {
                let slow_by = host.slow_by();
                self.set_pace(id, slow_by);
                self.change(
                    Change::Slowed {
                        host: id,
                        by: slow_by,
                    },
                    by,
                );
            }
            Ailment::SlowDisk(_) | Ailment::FailingDisk(_) => self.look_at_disk(id, by),
            Ailment::Drift(_) => {
                let own = self.plan.hosts[id.index()].clock.drift_ppm;
                let ppm = host.drift_ppm(own, |_| true);
                host.drifted_by = host.steps_that_drift(own);
                self.set_rate(id, ppm);
                self.change(Change::Drift { host: id, ppm }, by);
            }
        }
    }
}

impl<P: Protocol> Engine<'_, P> {
    /// Tells everyone how a disk is doing if that is not what they know. A write that a layer has made take longer outlasts it.
    pub(super) fn look_at_disk(&mut self, id: HostId, by: By<'_>) {
        let host = &mut self.hosts[id.index()];
        let state = host.state_of_disk();
        if std::mem::replace(&mut host.disk_state, state) != state {
            self.change(Change::Disk { host: id, state }, by);
        }
    }
}

impl Ailment {
    /// What a layer does, and to whom; none for one that lies over links.
    fn of(layer: &Layer) -> Option<(Ailment, &[Target])> {
        match layer {
            Layer::Slow { who, by } => Some((Ailment::Slow(*by), who)),
            Layer::SlowDisk { who, by } => Some((Ailment::SlowDisk(*by), who)),
            Layer::FailingDisk { who, share } => Some((Ailment::FailingDisk(Ratio::new(*share)), who)),
            Layer::Drift { who, ppm } => Some((Ailment::Drift(*ppm), who)),
            Layer::Cut(_) | Layer::Flap { .. } | Layer::Links { .. } => None,
        }
    }
}

impl<N: Node> Host<N> {
    /// How long each of its inputs takes.
    fn slow_by(&self) -> Span {
        let spans = self.ailments.iter().map(|over| match over.ailment {
            Ailment::Slow(by) => by,
            _ => Span::ZERO,
        });
        spans.fold(Span::ZERO, |sum, by| sum + by)
    }

    fn state_of_disk(&self) -> DiskState {
        let ails = |over: &Over| matches!(over.ailment, Ailment::SlowDisk(_) | Ailment::FailingDisk(_));
        let slowed = |barrier: &Barrier<N>| barrier.pace == WritePace::Slowed;
        if self.ailments.iter().any(ails) || self.barrier.as_deref().is_some_and(slowed) {
            DiskState::Ailing
        } else {
            DiskState::Sound
        }
    }

    /// The steps without whose layers its clock would go at another rate, each once.
    fn steps_that_drift(&self, own: i32) -> Vec<u32> {
        let ppm = self.drift_ppm(own, |_| true);
        let drifts = self
            .ailments
            .iter()
            .filter(|over| matches!(over.ailment, Ailment::Drift(_)));
        let mut steps: Vec<u32> = drifts.map(|over| over.step).collect();
        steps.sort_unstable();
        steps.dedup();
        steps.retain(|step| self.drift_ppm(own, |over| over.step != *step) != ppm);
        steps
    }

    /// By how many millionths its clock is fast, whose own drift is `own`, under some of the layers.
    fn drift_ppm(&self, own: i32, counts: impl Fn(&Over) -> bool) -> i32 {
        let layers = self
            .ailments
            .iter()
            .filter(|over| counts(over))
            .map(|over| match over.ailment {
                Ailment::Drift(ppm) => i64::from(ppm),
                _ => 0,
            });
        let sum = i64::from(own) + layers.sum::<i64>();
        sum.clamp(Clock::SLOWEST_PPM.into(), Clock::FASTEST_PPM.into()) as i32
    }
}

/// The hosts meant, ascending, each once.
fn resolve(who: &[Target], actor: Option<HostId>) -> Vec<HostId> {
    let mut hosts: Vec<HostId> = who.iter().filter_map(|target| target.host(actor)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
