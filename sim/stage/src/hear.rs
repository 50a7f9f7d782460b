//! What the hosts of a run tell: it is put in order for those who watch, and what it means for the run is done.

use squall_live::Line;
use squall_nodes::{Change, Crash, DiskAtBoot, Fact, HostId, Node, Protocol, Span, Time};
use squall_sim::timeline::cues::Deed;

use crate::audience::Sight;
use crate::clock;
use crate::crew::News;
use crate::door::{Progress, StageError};
use crate::host::{Act, Do, Life, Power, Shown, State};
use crate::play::{Play, itself};
use crate::process::last_words;
use crate::schedule::Due;

impl<P: Protocol> Play<'_, '_, P> {
    /// Something came from a host.
    pub(crate) fn take(&mut self, news: News<P::Node>) -> Result<(), StageError> {
        match news {
            News::Told(id, line) => self.told(id, line),
            News::Garbled(id, why) => {
                let name = &self.crew.host(id).name;
                self.cut_short
                    .push(format!("{name} wrote a line that is none of a live node: {why}"));
                Ok(())
            }
            News::Stopped(id) => {
                let host = self.crew.host(id);
                if let Some((act, since)) = host.done(|what| what == Do::Stop) {
                    host.life = Life::Stopped;
                    let at = since.max(host.heard);
                    self.changed(act.change, at, Change::Paused { host: id });
                    self.act_done(act.change, clock::now());
                }
                self.begin_next(id)
            }
            News::Ended(id, how) => self.ended(id, &how),
        }
    }

    /// A host told something.
    fn told(&mut self, id: HostId, line: Line<P::Node>) -> Result<(), StageError> {
        self.lines += 1;
        let host = self.crew.host(id);
        let at = line.at().unwrap_or(host.heard);
        host.heard = host.heard.max(at);
        match line {
            Line::Ready { .. } => {}
            Line::Booted {
                incarnation, disk, ..
            } => {
                self.booted(id, at, incarnation, disk);
                self.begin_next(id)?;
            }
            Line::Fact { fact, .. } => {
                let index = fact.index();
                self.merge.put(at, Sight::Fact { host: id, fact });
                self.claimed(id, index, at);
            }
            // The stage is who called, and has told that when it did.
            Line::Call { .. } => {}
            Line::Answer { call, answer, .. } => {
                self.merge.put(
                    at,
                    Sight::Answer {
                        host: id,
                        call,
                        answer,
                    },
                );
            }
            Line::Applied { policy, .. } => {
                self.applied(id, policy, at);
            }
            Line::Choked { from, .. } => self.upset(at, self.wires.choked(from, id)),
            Line::Straggled { from, .. } => self.upset(at, self.wires.straggled(from, id)),
            Line::Stuck { with, .. } => {
                if let Some(from) = self.wires.stuck_with(with) {
                    self.crew.host(id).stuck.insert(from);
                    self.upset(at, Some(Change::StreamStuck { from, to: id }));
                }
            }
            Line::Flows { with, .. } => {
                if let Some(from) = self.wires.stuck_with(with)
                    && self.crew.host(id).stuck.remove(&from)
                {
                    self.upset(at, Some(Change::StreamFlows { from, to: id }));
                }
            }
            Line::Stalled { by, .. } => self.stalled(id, at, by),
            Line::Mark { counts, .. } | Line::Stopped { counts, .. } => host.counts = counts,
        }
        self.gone_on(id, at);
        Ok(())
    }

    /// A host claimed a fact. What that triggers is counted from the claim, however late it is heard of.
    fn claimed(&mut self, id: HostId, fact: usize, at: Time) {
        let mut triggered = Vec::new();
        self.cues
            .note(&self.plan.timeline, id, Deed::Claimed(fact), &mut triggered);
        let at = self.since_origin(at);
        for now in triggered {
            self.schedule
                .put(at + now.after, Due::Triggered(now.step, now.actor));
        }
    }

    /// A host's node has booted. It may be told to be killed by now.
    fn booted(&mut self, id: HostId, at: Time, incarnation: u32, disk: DiskAtBoot) {
        let host = self.crew.host(id);
        host.life = Life::Booted;
        host.incarnation = incarnation;
        let started = host.done(|what| matches!(what, Do::Start(_)));
        let change = started.map_or(0, |(act, _)| act.change);
        let disk = match host.state {
            State::Wiped => DiskAtBoot::Wiped,
            State::Kept => disk,
        };
        let shown = std::mem::replace(&mut host.shown, Shown::Up);
        let booted = Sight::Booted {
            host: id,
            incarnation,
        };
        self.merge.put(at, booted);
        // The first hosts are up when the run begins.
        if shown == Shown::Down {
            let up = Change::Up {
                host: id,
                incarnation,
                disk,
            };
            self.changed(change, at, up);
        }
        if started.is_some() {
            self.act_done(change, at);
        }
    }

    /// A host that was let go on has, once it tells something.
    fn gone_on(&mut self, id: HostId, at: Time) {
        let host = self.crew.host(id);
        if let Some((act, since)) = host.doing
            && act.what == Do::Continue
            && at >= since
        {
            host.doing = None;
            self.act_done(act.change, at);
        }
    }

    /// A link has dropped a datagram or kept it for too long. Addresses that are no host's concern nobody.
    fn upset(&mut self, at: Time, change: Option<Change>) {
        if let Some(change) = change {
            let by = itself("link");
            self.merge.put(at, Sight::Change { change, by });
        }
    }

    /// A host was kept from running, though nobody paused it.
    fn stalled(&mut self, id: HostId, at: Time, by: Span) {
        let host = self.crew.host(id);
        if at - by < host.going_since || host.power == Power::Paused {
            return;
        }
        self.stalls.add(by);
        // What others said while it did not run is disturbed as well: it is known of that only now, and nothing that came after has
        // been shown to anybody, since everyone waits for what this host has to tell.
        for at in [at - by, at] {
            let change = Change::Stalled { host: id, by };
            let by = itself("the machine");
            self.merge.put(at, Sight::Change { change, by });
        }
    }

    /// A host's process has ended: as it was to, or by itself.
    fn ended(&mut self, id: HostId, how: &str) -> Result<(), StageError> {
        let now = clock::now();
        let host = self.crew.host(id);
        let (name, heard) = (host.name.clone(), host.heard);
        host.life = Life::Nothing;
        // Nobody waits any more at its side.
        let stuck = std::mem::take(&mut host.stuck);
        // Whoever is up when the run begins goes down, booted or not.
        let shown = std::mem::replace(&mut host.shown, Shown::Down);
        let (killed, since, act) = match host.doing.take() {
            Some((
                act @ Act {
                    what: Do::Kill(crash),
                    ..
                },
                since,
            )) => (Some(crash), since, Some(act)),
            Some((act, since)) => (None, since, Some(act)),
            None => (None, heard, None),
        };
        for from in stuck {
            self.upset(since.max(heard), Some(Change::StreamFlows { from, to: id }));
        }
        if shown == Shown::Up {
            let down = Change::Down {
                host: id,
                how: killed.unwrap_or(Crash::Kill),
            };
            let change = act.map_or(0, |act| act.change);
            self.changed(change, since.max(heard), down);
        }
        if let Some(act) = act {
            self.act_done(act.change, now);
        }
        self.excuse(id, now);
        // Killed or not: what is wrong with the node is no part of the story.
        self.look_for_panic()?;
        if killed.is_some() {
            return self.begin_next(id);
        }
        let said = last_words(&self.crew.host(id).log);
        let at = self.since_origin(now);
        self.cut_short
            .push(format!("{name} went down by itself at {at} ({how}): {said}"));
        (self.stage.progress)(Progress::Lost { host: id, said });
        Ok(())
    }
}

/// When a line says that it was written.
trait At {
    fn at(&self) -> Option<Time>;
}

impl<N: Node> At for Line<N> {
    fn at(&self) -> Option<Time> {
        match self {
            Line::Ready { .. } => None,
            Line::Booted { at, .. }
            | Line::Fact { at, .. }
            | Line::Call { at, .. }
            | Line::Answer { at, .. }
            | Line::Applied { at, .. }
            | Line::Choked { at, .. }
            | Line::Straggled { at, .. }
            | Line::Stuck { at, .. }
            | Line::Flows { at, .. }
            | Line::Stalled { at, .. }
            | Line::Mark { at, .. }
            | Line::Stopped { at, .. } => Some(*at),
        }
    }
}
