//! `compare --calibrate`: this machine is measured before anything is compared.

use std::cell::RefCell;

use anyhow::Context as _;
use squall_nodes::Span;
use squall_sim::machine::Machine;
use squall_sim::runner::Prepared;
use squall_stage::StageError;
use squall_stage::measure::{self, Effort};

use super::Compared;
use crate::session::Session;

/// How often it is told that the machine is still being measured, in seconds.
const TOLD_EVERY: u64 = 4;

impl Compared<'_> {
    /// Measures this machine; returns whether it is measured, which it is not when that was stopped.
    pub(super) fn calibrate(
        &mut self,
        all: &[Box<dyn Prepared>],
        session: &mut Session<'_>,
    ) -> anyhow::Result<bool> {
        let effort = Effort::default();
        let about = effort.about().as_nanos().div_ceil(1_000_000_000);
        let is_quiet = self.how.says.quiet;
        if !is_quiet {
            session.tell(&format!(
                "measuring what this machine takes, in some {about} seconds"
            ));
        }
        let bar = session.begin(about);
        session.doing("this machine");
        let stop = session.surroundings.stop;
        let tells = !is_quiet && !session.has_bar();
        let measured = {
            let told = RefCell::new((0, &mut *session));
            let tell = |passed: Span| {
                let seconds = passed.as_nanos() / 1_000_000_000;
                bar.set_position(seconds.min(about));
                let (last, session) = &mut *told.borrow_mut();
                if tells && seconds >= *last + TOLD_EVERY {
                    *last = seconds;
                    session.tell(&format!("measuring for {seconds} seconds"));
                }
            };
            measure::machine(&self.folder, effort, stop, &tell)
        };
        session.end();
        let boots = |rules| {
            let stage = self.stage(stop, &|_| ())?;
            anyhow::Ok(self.staged.boots(self.file, rules, &stage))
        };
        let machine = match (measured, all.first()) {
            // Whatever the rules, the same processes boot.
            (Ok(machine), Some(first)) => boots(first.rules())?.map(|boots| Machine { boots, ..machine }),
            (measured, _) => measured,
        };
        match machine {
            Ok(machine) => {
                self.machine = Some(machine);
                Ok(true)
            }
            Err(StageError::Stopped) => {
                session.tell("stopped: this machine was being measured, and nothing was run");
                Ok(false)
            }
            Err(why) => Err(why).context("this machine could not be measured"),
        }
    }
}
