//! `compare --calibrate`: this machine is measured before anything is compared.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use indicatif::ProgressBar;
use squall_nodes::Span;
use squall_sim::machine::Machine;
use squall_sim::runner::Prepared;
use squall_stage::measure::{self, Effort};
use squall_stage::{Links, MOST_ROUNDS, Progress, StageError};

use super::Compared;
use crate::bug::Bug;
use crate::live::staying;
use crate::session::Session;

/// How often it is told that the machine is still being measured, in seconds.
const TOLD_EVERY: u64 = 4;

/// Whether this machine is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calibrated {
    Yes,
    /// It was stopped, which is told.
    Stopped,
    /// A host panicked, which is told.
    Panicked,
}

impl Compared<'_> {
    /// Measures this machine.
    ///
    /// # Errors
    ///
    /// That it could not be measured.
    pub(super) fn calibrate(
        &mut self,
        all: &[Box<dyn Prepared>],
        session: &mut Session<'_>,
    ) -> anyhow::Result<Calibrated> {
        let effort = Effort::default();
        let about = effort.about().as_nanos().div_ceil(1_000_000_000);
        let is_quiet = self.how.says.quiet;
        if !is_quiet {
            session.tell(&format!(
                "measuring what this machine takes, in some {about} seconds"
            ));
            if self.links == Links::Netns {
                session.tell(
                    "note: it is measured over loopback: what the bridge of --netns adds to a datagram is not part of it",
                );
            }
        }
        // A round of boots takes about as long as a second of the rest.
        let bar = session.begin(about + u64::from(MOST_ROUNDS));
        session.doing("this machine");
        let stop = session.surroundings.stop;
        let tells = !is_quiet && !session.has_bar();
        let measured = self.measure(all, effort, stop, &Telling { bar, about, tells }, session);
        session.end();
        match measured? {
            Ok(machine) => {
                self.machine = Some(machine);
                Ok(Calibrated::Yes)
            }
            Err(StageError::Stopped) => {
                session.tell("stopped: this machine was being measured, and nothing was run");
                Ok(Calibrated::Stopped)
            }
            Err(why @ StageError::Panicked { .. }) => {
                let _ = Bug::of_a_host(self.file.name(), &why, session);
                Ok(Calibrated::Panicked)
            }
            Err(why) => Err(why).context("this machine could not be measured"),
        }
    }

    fn measure(
        &self,
        all: &[Box<dyn Prepared>],
        effort: Effort,
        stop: &AtomicBool,
        telling: &Telling,
        session: &mut Session<'_>,
    ) -> anyhow::Result<Result<Machine, StageError>> {
        let Telling { bar, about, tells } = telling;
        let told = RefCell::new((0, session));
        let passes = |passed: Span| {
            let seconds = passed.as_nanos() / 1_000_000_000;
            bar.set_position(seconds.min(*about));
            let (last, session) = &mut *told.borrow_mut();
            if *tells && seconds >= *last + TOLD_EVERY {
                *last = seconds;
                session.tell(&format!("measuring for {seconds} seconds"));
            }
        };
        let machine = match measure::machine(&self.folder, effort, stop, &passes) {
            Ok(machine) => machine,
            Err(why) => return Ok(Err(why)),
        };
        let boots = |progress: Progress| {
            let (_, session) = &mut *told.borrow_mut();
            if let Progress::Booting { done } = progress {
                bar.set_position(about + u64::from(done));
                if *tells && done == 0 {
                    session.tell("measuring how late the hosts boot");
                }
            }
            if let Some(line) = staying(&progress, &session.program, &self.folder) {
                session.tell(&line);
            }
        };
        let stage = self.stage(stop, &boots)?;
        // Whatever the rules, the same processes boot.
        let Some(first) = all.first() else {
            return Ok(Ok(machine));
        };
        let boots = self.staged.boots(self.file, first.rules(), &stage);
        Ok(boots.map(|boots| Machine { boots, ..machine }))
    }
}

/// How it is told how far the measuring is.
struct Telling {
    bar: ProgressBar,
    /// After how many steps of the bar, which are seconds, the hosts boot.
    about: u64,
    /// Whether lines tell it, too.
    tells: bool,
}
