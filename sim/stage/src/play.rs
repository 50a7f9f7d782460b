//! One run from its first boot to its end: what is due is done, what comes from the hosts is put in order and shown to those who watch.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use squall_live::Line;
use squall_live::line::Counts;
use squall_nodes::{Change, Fact, HostId, Node, Protocol, Span, Time};
use squall_sim::live::{Cause, Stalls, whom};
use squall_sim::outcome::FaultDone;
use squall_sim::plan::Plan;
use squall_sim::timeline;
use squall_sim::timeline::cues::Cues;

use crate::audience::{Audience, Sight};
use crate::changes::{Changes, Made};
use crate::clock;
use crate::crew::{Crew, News};
use crate::door::{Progress, Stage, StageError};
use crate::host::{Act, Begun, Do, Host, Life, Power, Shown, State};
use crate::merge::Merge;
use crate::process::last_words;
use crate::schedule::{Due, Schedule};
use crate::wires::Wires;

/// How long hosts may take to get ready: this, and as much again for each that starts at the same time on one processor.
const READY_WITHIN: Span = Span::from_secs(20);
const READY_WITHIN_EACH: Span = Span::from_millis(200);
/// How long before the first boot the hosts are told of it, with as much for each host.
const GO_AHEAD: Span = Span::from_millis(20);
/// How long the hosts may take to tell what has happened until the end.
const TOLD_WITHIN: Span = Span::from_secs(5);
/// How long they may take to stop in order.
const STOPPED_WITHIN: Span = Span::from_secs(3);
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
    pub(crate) late: Vec<String>,
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
            late: Vec::new(),
            told_progress: Time::ZERO,
        }
    }

    /// Starts every process, and waits until all are ready.
    ///
    /// # Errors
    ///
    /// That one does not get ready, or the run is given up.
    pub(crate) fn get_ready(&mut self) -> Result<(), StageError> {
        for id in self.crew.ids() {
            self.crew.spawn(id)?;
        }
        let of = self.crew.hosts.len();
        let until = clock::now() + READY_WITHIN + READY_WITHIN_EACH * of as u64;
        loop {
            let is_ready = |host: &Host<P::Node>| host.life == Life::Ready;
            let ready = self.crew.hosts.iter().filter(|host| is_ready(host)).count();
            (self.stage.progress)(Progress::Starting { ready, of });
            if ready == of {
                return Ok(());
            }
            self.given_up()?;
            for news in self.crew.wait(clock::now() + LOOK_EVERY) {
                match news {
                    News::Told(id, Line::Ready { .. }) => self.crew.host(id).life = Life::Ready,
                    News::Told(..) | News::Stopped(_) => {}
                    News::Garbled(id, why) => return Err(self.not_ready(id, &why)),
                    News::Ended(id, how) => return Err(self.not_ready(id, &how)),
                }
            }
            if clock::now() > until {
                let late = self.crew.hosts.iter().position(|host| !is_ready(host));
                let late = HostId(late.unwrap_or_default() as u32);
                return Err(self.not_ready(late, "it was not ready in time"));
            }
        }
    }

    fn not_ready(&mut self, id: HostId, why: &str) -> StageError {
        let host = self.crew.host(id);
        StageError::NotReady {
            host: host.name.clone(),
            said: format!("{}, {why}", last_words(&host.log)),
        }
    }

    /// Plays it to its end, and stops the hosts. Says when it ended.
    ///
    /// # Errors
    ///
    /// That it is given up, or what the system says.
    pub(crate) fn run(&mut self) -> Result<Time, StageError> {
        self.go();
        let limit = Time::ZERO + self.plan.limit;
        let end = self.run_until(limit)?;
        self.stop_hosts();
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

    /// Tells the first hosts to boot, all at the same time.
    fn go(&mut self) {
        let hosts = self.crew.hosts.len() as u64;
        self.origin = clock::now() + GO_AHEAD + GO_AHEAD / 20 * hosts;
        for (host, planned) in self.crew.hosts.iter_mut().zip(&self.plan.hosts) {
            if planned.starts == Time::ZERO {
                let act = Act {
                    what: Do::Start(State::Kept),
                    change: 0,
                };
                host.power = Power::On;
                host.shown = Shown::Up;
                host.boots = 1;
                host.doing = Some((act, self.origin));
                host.heard = self.origin;
                host.going_since = self.origin;
                host.go(self.origin);
            }
        }
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
                self.call(entry as usize, nth);
                Ok(())
            }
        }
    }

    /// A call of the workload.
    fn call(&mut self, entry: usize, nth: u64) {
        let work = &self.plan.workload[entry];
        let host = whom(self.seed, entry, work, nth);
        if self.crew.host(host).power == Power::Off {
            return;
        }
        let request = squall_live::Request::Call {
            call: self.next_call,
            command: work.command.clone(),
        };
        self.next_call += 1;
        self.calls[entry] += 1;
        self.crew.host(host).ask(&request);
    }

    /// Goes on with what is to be done to a host.
    pub(crate) fn begin_next(&mut self, id: HostId) -> Result<(), StageError> {
        if let Some(Begun { act, policy }) = self.crew.begin_next(id)?
            && act.what == Do::Continue
        {
            if let Some(number) = policy {
                self.changes.takes_policy(act.change, id, number);
            }
            let at = self.crew.host(id).going_since;
            self.changed(act.change, at, Change::Resumed { host: id });
        }
        Ok(())
    }

    /// The world changed, as part of a change that was announced.
    pub(crate) fn changed(&mut self, change: u64, at: Time, what: Change) {
        let by = self.changes.cause(change).cloned();
        let by = by.unwrap_or_else(|| itself("itself"));
        self.merge.put(at, Sight::Change { change: what, by });
    }

    pub(crate) fn act_done(&mut self, change: u64, at: Time) {
        let made = self.changes.act_done(change, at);
        self.settle(made);
    }

    pub(crate) fn settle(&mut self, made: Vec<Made>) {
        for Made {
            by,
            cause,
            at,
            strikes,
        } in made
        {
            if let Some(kind) = strikes {
                self.merge.put(at, Sight::Struck(kind));
            }
            let change = Change::Settled { by };
            self.merge.put(at, Sight::Change { change, by: cause });
        }
    }

    /// From now on the world may be as it was or as it will be, unless the change takes no time.
    pub(crate) fn unsettle(&mut self, change: u64, by: u32, cause: &Cause, at: Time) {
        if self.changes.takes_time(change) {
            let change = Change::Unsettled { by };
            let by = cause.clone();
            self.merge.put(at, Sight::Change { change, by });
        }
    }

    /// Has something done to a host's process, as part of a change.
    pub(crate) fn act(&mut self, host: HostId, what: Do, change: u64) {
        self.changes.takes_act(change);
        self.crew.host(host).after_all(Act { what, change });
    }

    /// Some host has told nothing for too long.
    fn silent(&mut self, limit: Time) {
        let origin = self.origin;
        let silent = self.crew.hosts.iter().filter(|host| host.holds());
        let Some(last) = silent.min_by_key(|host| host.heard) else {
            return;
        };
        let since = Time::from_nanos(last.heard.since(origin).as_nanos());
        self.cut_short.push(format!(
            "{} has told nothing since {since}, and the run was to end at {limit}",
            last.name
        ));
    }

    /// Stops the hosts in order, so that they tell their last counts; those that cannot be are killed.
    fn stop_hosts(&mut self) {
        for host in &mut self.crew.hosts {
            // Of a process that has ended nobody knows what memory it had.
            host.look_at_taken();
            if host.life == Life::Booted && host.power == Power::On {
                host.ask(&squall_live::Request::Stop);
            }
        }
        let until = clock::now() + STOPPED_WITHIN;
        while clock::now() < until
            && self
                .crew
                .hosts
                .iter()
                .any(|host| host.has_process() && host.life == Life::Booted && host.power == Power::On)
        {
            for news in self.crew.wait(clock::now() + LOOK_EVERY) {
                if let News::Told(id, Line::Mark { counts, .. } | Line::Stopped { counts, .. }) = news {
                    self.crew.host(id).counts = counts;
                }
            }
        }
        self.crew.kill_all();
    }

    /// What became of all datagrams, over all hosts and their lives.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for counts in self.crew.hosts.iter().flat_map(|host| &host.past) {
            sum.sent += counts.sent;
            sum.duplicated += counts.duplicated;
            sum.delivered += counts.delivered;
            sum.lost += counts.lost;
            sum.cut += counts.cut;
            sum.congested += counts.congested;
            sum.too_long += counts.too_long;
            sum.overflowed += counts.overflowed;
            sum.unsent += counts.unsent;
        }
        sum
    }

    fn given_up(&self) -> Result<(), StageError> {
        if self.stage.stop.load(Ordering::Relaxed) {
            return Err(StageError::Stopped);
        }
        Ok(())
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
