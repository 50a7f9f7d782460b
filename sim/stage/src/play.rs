//! One run from its first boot to its end: what is due is done, what comes from the hosts is put in order and shown to those who watch.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use squall_nodes::{Fact, Node, Protocol, Span, Time};
use squall_sim::live::{Cause, Stalls};
use squall_sim::outcome::FaultDone;
use squall_sim::plan::Plan;
use squall_sim::timeline;
use squall_sim::timeline::cues::Cues;

use crate::audience::{Audience, Sight};
use crate::changes::Changes;
use crate::clock;
use crate::crew::Crew;
use crate::door::{Progress, Stage, StageError};
use crate::host::{Do, Host, Power, State};
use crate::merge::Merge;
use crate::outage::Outage;
use crate::schedule::{Due, Schedule};
use crate::wires::Wires;

mod begin;
mod boots;
mod calls;
mod course;
mod end;
mod late;

pub(crate) use late::Lateness;

/// How long the hosts may take to tell what has happened until the end.
const TOLD_WITHIN: Span = Span::from_secs(5);
/// How often it is looked whether the run is to be given up, and told how far it is.
const LOOK_EVERY: Span = Span::from_millis(50);
const TELL_EVERY: Span = Span::from_millis(500);

/// One run.
pub(crate) struct Play<'p, 's, P: Protocol> {
    pub(crate) plan: &'p Plan<P>,
    pub(crate) seed: u64,
    pub(crate) stage: &'p Stage<'s>,
    pub(crate) crew: Crew<P::Node>,
    pub(crate) wires: Wires<'p>,
    pub(crate) audience: Audience<'p, P>,
    pub(crate) schedule: Schedule,
    pub(crate) cues: Cues,
    pub(crate) changes: Changes,
    pub(crate) merge: Merge<Sight<P::Node>>,
    /// When the first hosts boot, on the machine's clock.
    pub(crate) origin: Time,
    pub(crate) faults: Vec<FaultDone>,
    pub(crate) calls: Vec<u64>,
    pub(crate) next_call: u64,
    pub(crate) lines: u64,
    pub(crate) stalls: Stalls,
    /// What the ground and the edges have dropped for each entry of the timeline.
    pub(crate) touched: BTreeMap<u32, u64>,
    /// Why the run was stopped before its end, if it was, or what keeps it from being an answer.
    pub(crate) cut_short: Vec<String>,
    /// Entries of the timeline whose layer would have been no ring.
    pub(crate) unlaid: Vec<usize>,
    /// What came later than is tolerated.
    pub(crate) late: Lateness,
    /// Hosts that are to lose power as soon as the others have cut them off.
    pub(crate) outages: Vec<Outage>,
    told_progress: Time,
}

impl<'p, 's, P: Protocol> Play<'p, 's, P> {
    /// A run that is about to begin.
    pub(crate) fn new(
        plan: &'p Plan<P>,
        seed: u64,
        stage: &'p Stage<'s>,
        crew: Crew<P::Node>,
        wires: Wires<'p>,
        audience: Audience<'p, P>,
    ) -> Self {
        let undone = |step: &squall_sim::plan::Step| FaultDone {
            fault: step.label.clone(),
            at: None,
            affected: 0,
        };
        let mut cues = Cues::new(<<P::Node as Node>::Fact as Fact>::NAMES.len());
        cues.reset(&plan.timeline);
        Play {
            plan,
            seed,
            stage,
            crew,
            wires,
            audience,
            schedule: Schedule::of(plan),
            cues,
            changes: Changes::default(),
            merge: Merge::new(),
            origin: Time::ZERO,
            faults: plan.timeline.iter().map(undone).collect(),
            calls: vec![0; plan.workload.len()],
            next_call: 0,
            lines: 0,
            stalls: Stalls::default(),
            touched: BTreeMap::new(),
            cut_short: Vec::new(),
            unlaid: Vec::new(),
            late: Lateness::default(),
            outages: Vec::new(),
            told_progress: Time::ZERO,
        }
    }

    /// Plays it to its end, and stops the hosts. Says when it ended.
    ///
    /// # Errors
    ///
    /// That it is given up, that a host panicked, or what the system says.
    pub(crate) fn run(&mut self) -> Result<Time, StageError> {
        self.go();
        let limit = Time::ZERO + self.plan.limit;
        let end = self.run_until(limit)?;
        self.stop_hosts();
        self.look_for_panic()?;
        for counts in self.crew.hosts.iter().flat_map(|host| &host.past) {
            for (by, count) in &counts.touched {
                *self.touched.entry(*by).or_default() += count;
            }
        }
        for (by, count) in self.crew.ground.dropped()? {
            *self.touched.entry(by).or_default() += count;
        }
        Ok(end)
    }

    fn run_until(&mut self, limit: Time) -> Result<Time, StageError> {
        loop {
            self.given_up()?;
            let now = self.since_origin(clock::now());
            self.make_happen(clock::now(), limit)?;
            for id in self.crew.ids() {
                self.begin_next(id)?;
            }
            let watermark = self.crew.watermark();
            self.show(watermark, limit);
            if self.audience.is_satisfied() {
                return Ok(limit);
            }
            if !self.cut_short.is_empty() {
                return Ok(now.min(limit));
            }
            if self.lines > self.plan.max_events {
                self.cut_short.push(format!(
                    "the run was stopped after {} lines of its hosts, at {now}; raise max_events, lower limit, or take fewer hosts",
                    self.lines
                ));
                continue;
            }
            if self.since_origin(watermark) >= limit {
                return Ok(limit);
            }
            if now > limit + TOLD_WITHIN {
                self.silent(limit);
                continue;
            }
            self.tell_progress(now, limit);
            let next = self.schedule.next().filter(|next| *next <= limit);
            let next = next.map_or(Time::MAX, |next| self.origin + next.since(Time::ZERO));
            let news = self.crew.wait(next.min(clock::now() + LOOK_EVERY));
            for news in news {
                self.take(news)?;
            }
        }
    }

    /// Everything that is due by a time of the machine's clock happens; before the origin nothing is.
    fn make_happen(&mut self, now: Time, limit: Time) -> Result<(), StageError> {
        if now < self.origin {
            return Ok(());
        }
        let now = self.since_origin(now).min(limit);
        while let Some((at, due)) = self.schedule.take(now, self.plan) {
            self.happen(at, due)?;
        }
        Ok(())
    }

    /// What has been told for sure is shown to those who watch, up to the end.
    fn show(&mut self, watermark: Time, limit: Time) {
        while let Some((at, sight)) = self.merge.take(watermark) {
            let at = self.since_origin(at);
            if at > limit || self.audience.is_satisfied() {
                return;
            }
            self.audience.see(at, &sight);
        }
        self.audience.pass(self.since_origin(watermark).min(limit));
    }

    /// Something is due.
    fn happen(&mut self, at: Time, due: Due) -> Result<(), StageError> {
        match due {
            Due::Planned(timeline::Due::Boot(host)) => {
                let now = clock::now();
                let label = format!("the start of {}", self.crew.host(host).name);
                self.look_at_lateness(&label, now, at);
                let number = (self.plan.timeline.len() as u32) + host.0;
                let cause = itself("start");
                let change = self.changes.begin(number, cause.clone(), now);
                let boots = self.crew.host(host);
                boots.power = Power::On;
                boots.boots += 1;
                self.act(host, Do::Start(State::Kept), change);
                self.unsettle(change, number, &cause, now);
                self.begin_next(host)
            }
            Due::Planned(timeline::Due::Step(step)) => self.strike(step as usize, None, at),
            Due::Triggered(step, actor) => self.strike(step as usize, Some(actor), at),
            Due::Turn(layer) => self.turn(layer, at),
            Due::Planned(timeline::Due::Call(entry, nth)) => {
                self.call(entry as usize, nth, at);
                Ok(())
            }
        }
    }

    pub(super) fn given_up(&self) -> Result<(), StageError> {
        if self.stage.stop.load(Ordering::Relaxed) {
            return Err(StageError::Stopped);
        }
        Ok(())
    }

    /// A host that has panicked ends the run, whatever it has come to.
    pub(crate) fn look_for_panic(&self) -> Result<(), StageError> {
        let panicked = |host: &Host<P::Node>| {
            Some(StageError::Panicked {
                host: host.name.clone(),
                said: host.panic.clone()?,
            })
        };
        match self.crew.hosts.iter().find_map(panicked) {
            Some(panicked) => Err(panicked),
            None => Ok(()),
        }
    }

    fn tell_progress(&mut self, now: Time, until: Time) {
        if now.since(self.told_progress) >= TELL_EVERY {
            self.told_progress = now;
            (self.stage.progress)(Progress::Playing { now, until });
        }
    }

    /// A time of the machine's clock as a time of the run.
    pub(crate) fn since_origin(&self, at: Time) -> Time {
        Time::ZERO + at.since(self.origin)
    }
}

#[cfg(test)]
mod tests;

/// What happens by itself.
pub(crate) fn itself(label: &str) -> Cause {
    Cause {
        label: label.to_owned(),
        step: None,
        actor: None,
    }
}
