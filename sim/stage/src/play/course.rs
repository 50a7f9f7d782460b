//! How far changes of the world have come: what is done to hosts for them, and what those who watch are told of it.

use squall_nodes::{Change, HostId, Protocol, Time};
use squall_sim::live::Cause;

use super::{Play, itself};
use crate::audience::Sight;
use crate::changes::Made;
use crate::door::StageError;
use crate::host::{Act, Begun, Do};

impl<P: Protocol> Play<'_, '_, P> {
    /// Goes on with what is to be done to a host.
    pub(crate) fn begin_next(&mut self, id: HostId) -> Result<(), StageError> {
        self.plug_in_before_start(id)?;
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
}
