//! How a run begins: its processes are started, and the first hosts boot all at the same time.

use squall_live::Line;
use squall_nodes::{HostId, Protocol, Span, Time};

use super::{LOOK_EVERY, Play, itself};
use crate::clock;
use crate::crew::News;
use crate::door::{Progress, StageError};
use crate::host::{Act, Do, Host, Life, Power, Shown, State};
use crate::process::last_words;

/// How long hosts may take to get ready: this, and as much again for each that starts at the same time on one processor.
pub(super) const READY_WITHIN: Span = Span::from_secs(20);
const READY_WITHIN_EACH: Span = Span::from_millis(200);
/// How long before the first boot the hosts are told of it, with as much for each host.
const GO_AHEAD: Span = Span::from_millis(20);

impl<P: Protocol> Play<'_, '_, P> {
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

    pub(super) fn not_ready(&mut self, id: HostId, why: &str) -> StageError {
        let host = self.crew.host(id);
        StageError::NotReady {
            host: host.name.clone(),
            said: format!("{}, {why}", last_words(&host.log)),
        }
    }

    /// Tells the first hosts to boot, all at the same time. Until the last of them has, nobody is judged as if it had.
    pub(super) fn go(&mut self) {
        let hosts = self.crew.hosts.len() as u64;
        self.origin = clock::now() + GO_AHEAD + GO_AHEAD / 20 * hosts;
        let starts = self.plan.hosts.iter().map(|planned| planned.starts);
        let firsts = starts.clone().filter(|starts| *starts == Time::ZERO).count();
        let Some(first) = starts.into_iter().position(|starts| starts == Time::ZERO) else {
            return;
        };
        // A number that no entry of the timeline has, and no host that starts later.
        let by = (self.plan.timeline.len() + first) as u32;
        let cause = itself("start");
        let change = self.changes.begin(by, cause.clone(), self.origin);
        for _ in 0..firsts {
            self.changes.takes_act(change);
        }
        self.unsettle(change, by, &cause, self.origin);
        for (host, planned) in self.crew.hosts.iter_mut().zip(&self.plan.hosts) {
            if planned.starts == Time::ZERO {
                let act = Act {
                    what: Do::Start(State::Kept),
                    change,
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
}
