//! How late hosts boot, measured of real processes on the stage that runs are played on.

use squall_live::Line;
use squall_nodes::{HostId, Protocol, Time};
use squall_sim::machine::Boots;

use super::begin::READY_WITHIN;
use super::{LOOK_EVERY, Play};
use crate::clock;
use crate::crew::News;
use crate::door::StageError;
use crate::host::Power;

impl<P: Protocol> Play<'_, '_, P> {
    /// Has all hosts boot at once that do so when the run begins, and then each again, one after the other. All are to be ready.
    ///
    /// # Errors
    ///
    /// That one does not boot, or panics, or that it is given up.
    pub(crate) fn boot_times(&mut self) -> Result<Boots, StageError> {
        self.go();
        let mut all: Vec<HostId> = self.crew.ids().collect();
        all.retain(|id| self.crew.host(*id).power == Power::On);
        let booted = self.hear_boots(all.clone())?;
        let mut boots = Boots {
            first: booted.into_iter().map(|at| at.since(self.origin)).collect(),
            again: Vec::new(),
        };
        for id in all {
            // It is killed, and gone.
            self.crew.host(id).reap();
            let told = clock::now();
            self.crew.spawn(id)?;
            self.crew.host(id).go(Time::ZERO);
            let booted = self.hear_boots(vec![id])?;
            boots.again.extend(booted.into_iter().map(|at| at.since(told)));
        }
        Ok(boots)
    }

    /// Waits until each of these has booted, and says when they did.
    fn hear_boots(&mut self, mut waiting: Vec<HostId>) -> Result<Vec<Time>, StageError> {
        let until = clock::now() + READY_WITHIN;
        let mut booted = Vec::new();
        while let Some(first) = waiting.first() {
            self.given_up()?;
            if clock::now() > until {
                return Err(self.not_ready(*first, "it did not boot in time"));
            }
            for news in self.crew.wait(clock::now() + LOOK_EVERY) {
                match news {
                    News::Told(id, Line::Booted { at, .. }) if waiting.contains(&id) => {
                        waiting.retain(|waiting| *waiting != id);
                        booted.push(at);
                    }
                    News::Told(..) | News::Stopped(_) => {}
                    News::Garbled(id, why) | News::Ended(id, why) => {
                        self.look_for_panic()?;
                        return Err(self.not_ready(id, &why));
                    }
                }
            }
        }
        Ok(booted)
    }
}
