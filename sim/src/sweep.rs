//! The sweep: one scenario under many seeds, on many threads, told in the order of the seeds.
//!
//! Threads take seeds in chunks and finish them in any order; what comes of them is folded in seed order, so that a sweep
//! tells the same with any number of threads. No thread may be further ahead of the fold than a fixed number of chunks:
//! memory does not grow with the number of seeds, but for the samples of measures, of which [`KEPT_SAMPLES`] are kept.
//! A share of the runs, which `sample` chooses, is run a second time, so that no sweep is told of nodes that are not
//! deterministic. Nothing here runs an event, reads a clock, or knows a protocol.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use self::sample::Sample;
pub use self::sample::Share;
use crate::gate::Difference;
use crate::outcome::{
    Digest, Failures, FaultOverRuns, InvariantDone, Measured, Outcome, Standing, SweepOutcome, Verdict,
};
use crate::plan::Expect;
use crate::runner::{Prepared, Stopped, Worker};

mod sample;

/// How many samples a sweep keeps of each measure: 32 MiB of them.
pub const KEPT_SAMPLES: usize = 1 << 22;

/// How many reasons for being inconclusive a sweep tells apart; the others are counted as one.
pub const KEPT_DOUBTS: usize = 100;

/// How a sweep is done.
pub struct SweepOptions<'a> {
    /// How many threads; 0 is taken as 1.
    pub jobs: usize,
    /// Once this is true, the runs under way are given up, as if they had not been begun, and no other is begun.
    pub stop: &'a AtomicBool,
    /// Which share of the runs is done a second time and compared. Where there is a share at all, a sweep that is too short to
    /// have such a run rechecks its last.
    pub recheck: Share,
    /// Called after each run, from any thread, with how many are done. Calls of different threads may overtake each other.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Runs a prepared scenario under each of the seeds.
///
/// When it is stopped, what it returns is what a sweep over the seeds from the first up to the first that was not run
/// would have returned, but for [`SweepOutcome::seeds`], which are those asked for, and for the one recheck of a sweep that is
/// short.
///
/// A run that is rechecked is done again at once, on a worker that has no run behind it, while the first one was done on a
/// worker that has all those before it on its thread behind it: what a worker carries from run to run shows, and so does
/// what a node keeps outside of itself.
///
/// # Errors
///
/// The [`Difference`] of a run that did not come out the same again. With several threads, another seed may be the lowest
/// that differs.
///
/// # Panics
///
/// When a run panics: with a [`RunPanicked`], which names the seed. With several threads, another seed may be the lowest
/// that panics.
pub fn sweep(
    prepared: &dyn Prepared,
    seeds: Range<u64>,
    options: &SweepOptions<'_>,
) -> Result<SweepOutcome, Box<Difference>> {
    sweep_all(prepared, seeds.start.into()..seeds.end.into(), options)
}

/// The same for seeds up to and with the last, which may be the greatest that there is.
///
/// # Errors
///
/// As those of [`sweep`].
///
/// # Panics
///
/// As [`sweep`] does.
pub fn sweep_through(
    prepared: &dyn Prepared,
    seeds: RangeInclusive<u64>,
    options: &SweepOptions<'_>,
) -> Result<SweepOutcome, Box<Difference>> {
    let (first, last) = seeds.into_inner();
    sweep_all(prepared, first.into()..u128::from(last) + 1, options)
}

/// The end is one more than a seed may be, so that there is one for every range.
fn sweep_all(
    prepared: &dyn Prepared,
    seeds: Range<u128>,
    options: &SweepOptions<'_>,
) -> Result<SweepOutcome, Box<Difference>> {
    let asked = seeds.end.saturating_sub(seeds.start);
    let jobs = options
        .jobs
        .clamp(1, usize::try_from(asked).unwrap_or(usize::MAX).max(1));
    let field = Field::new(prepared, seeds, jobs, options);
    // A system that has no more threads to give still has this one.
    match (jobs > 1).then(|| rayon::ThreadPoolBuilder::new().num_threads(jobs).build()) {
        Some(Ok(pool)) => drop(pool.broadcast(|_| field.work())),
        Some(Err(_)) | None => field.work(),
    }
    field.finish()
}

/// What a sweep panics with when one of its runs has panicked. The panic's own message has been printed by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPanicked {
    /// The seed of the run.
    pub seed: u64,
    /// The panic's message.
    pub message: String,
}

impl RunPanicked {
    /// Describes a panic that was caught while the run of `seed` was under way.
    pub fn new(seed: u64, payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        RunPanicked { seed, message }
    }
}

/// How a sweep stands to what the file expects.
impl SweepOutcome {
    /// How the sweep stands to what the file expects.
    pub fn standing(&self) -> Standing {
        if self.as_expected {
            return Standing::AsExpected;
        }
        let contradicted = match &self.expect {
            Expect::Held => self.violated > 0,
            Expect::Violated(names) => self
                .violations()
                .any(|failures| !names.contains(&failures.signature)),
        };
        match contradicted {
            false if self.inconclusive > 0 || self.runs == 0 => Standing::Unknown,
            _ => Standing::Otherwise,
        }
    }

    /// The failures that are violations, most often first.
    pub fn violations(&self) -> impl Iterator<Item = &Failures> {
        self.failures
            .iter()
            .filter(|failures| !failures.signature.starts_with(INCONCLUSIVE))
    }

    /// Whether fewer runs were done than asked for.
    pub fn was_stopped(&self) -> bool {
        self.runs < self.asked()
    }

    /// How many runs were asked for; of more than 2⁶⁴ − 1, so many.
    pub fn asked(&self) -> u64 {
        let asked = self.seeds.1.saturating_sub(self.seeds.0.into());
        u64::try_from(asked).unwrap_or(u64::MAX)
    }

    /// The seeds of the runs that were done: the first, and the one after the last.
    pub fn done(&self) -> (u64, u128) {
        (self.seeds.0, u128::from(self.seeds.0) + u128::from(self.runs))
    }
}

const INCONCLUSIVE: &str = "inconclusive: ";

/// The seeds of a sweep, and the threads' common state.
struct Field<'a> {
    prepared: &'a dyn Prepared,
    options: &'a SweepOptions<'a>,
    seeds: Range<u128>,
    sample: Sample,
    /// How many seeds a chunk has, but for the last.
    chunk: u64,
    /// How many chunks may be taken and not folded.
    window: u64,
    done: AtomicU64,
    ledger: Mutex<Ledger>,
    folded: Condvar,
}

struct Ledger {
    /// The next chunk to take.
    next: u64,
    /// The next chunk to fold.
    due: u64,
    /// Chunks that are done before their turn.
    early: BTreeMap<u64, Vec<Done>>,
    fold: Fold,
    /// Why there will be no outcome; of several reasons, that of the lowest seed.
    trouble: Option<Trouble>,
}

/// What came of a seed.
struct Done {
    outcome: Outcome,
    times: Times,
}

/// How often a seed was run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    Twice,
}

/// Why nothing came of a seed.
enum Undone {
    /// It was stopped on the way.
    Stopped,
    Differs(Box<Difference>),
}

impl From<Stopped> for Undone {
    fn from(_: Stopped) -> Undone {
        Undone::Stopped
    }
}

/// What ends a sweep without an outcome.
enum Trouble {
    Panicked(RunPanicked),
    Differs(Box<Difference>),
}

impl Trouble {
    fn seed(&self) -> u64 {
        match self {
            Trouble::Panicked(panicked) => panicked.seed,
            Trouble::Differs(difference) => difference.seed,
        }
    }
}

impl<'a> Field<'a> {
    /// Large chunks spare the lock, small ones end together.
    const LARGEST_CHUNK: u64 = 64;

    fn new(
        prepared: &'a dyn Prepared,
        seeds: Range<u128>,
        jobs: usize,
        options: &'a SweepOptions<'a>,
    ) -> Self {
        let jobs = jobs as u64;
        let asked = seeds.end.saturating_sub(seeds.start);
        Field {
            prepared,
            options,
            sample: Sample::of(&seeds, options.recheck),
            seeds,
            chunk: u64::try_from(asked / u128::from(jobs * 16))
                .unwrap_or(u64::MAX)
                .clamp(1, Self::LARGEST_CHUNK),
            window: jobs * 4,
            done: AtomicU64::new(0),
            ledger: Mutex::new(Ledger {
                next: 0,
                due: 0,
                early: BTreeMap::new(),
                fold: Fold::default(),
                trouble: None,
            }),
            folded: Condvar::new(),
        }
    }

    /// What each thread does: takes chunks and runs their seeds until there are none left.
    fn work(&self) {
        let mut worker = None;
        while let Some((number, seeds)) = self.take() {
            let worker = worker.get_or_insert_with(|| self.prepared.worker());
            let mut all = Vec::with_capacity((seeds.end - seeds.start) as usize);
            // What is below the end is a seed.
            for seed in seeds.map(|seed| seed as u64) {
                match catch_unwind(AssertUnwindSafe(|| self.run(worker.as_mut(), seed))) {
                    Ok(Ok(done)) => all.push(done),
                    Ok(Err(Undone::Stopped)) => break,
                    Ok(Err(Undone::Differs(difference))) => {
                        return self.give_up(Trouble::Differs(difference));
                    }
                    Err(payload) => {
                        let panicked = RunPanicked::new(seed, payload.as_ref());
                        return self.give_up(Trouble::Panicked(panicked));
                    }
                }
                (self.options.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
            }
            self.hand_in(number, all);
        }
    }

    /// Runs a seed, and once more if it is in the sample. The two are one piece of work: a sweep that is stopped has
    /// rechecked what a shorter one would have.
    fn run(&self, worker: &mut dyn Worker, seed: u64) -> Result<Done, Undone> {
        let stop = self.options.stop;
        let outcome = worker.run_until(seed, stop)?;
        if !self.sample.has(seed) {
            return Ok(Done {
                outcome,
                times: Times::Once,
            });
        }
        // A worker that is kept for rechecks would have the same runs behind it where all runs are rechecked, and carry the
        // same from one to the next.
        let again = self.prepared.worker().run_until(seed, stop)?;
        match Difference::seen_by(worker, self.prepared, &outcome, &again) {
            None => Ok(Done {
                outcome,
                times: Times::Twice,
            }),
            Some(difference) => Err(Undone::Differs(difference)),
        }
    }

    /// The seeds of a chunk; none of one behind the last.
    fn chunk(&self, number: u64) -> Range<u128> {
        let first = self.seeds.start + u128::from(number) * u128::from(self.chunk);
        first..(first + u128::from(self.chunk)).min(self.seeds.end)
    }

    fn take(&self) -> Option<(u64, Range<u128>)> {
        let mut ledger = self.ledger();
        loop {
            let seeds = self.chunk(ledger.next);
            if seeds.is_empty() || self.is_stopped() || ledger.trouble.is_some() {
                return None;
            }
            if ledger.next - ledger.due < self.window {
                let number = ledger.next;
                ledger.next += 1;
                return Some((number, seeds));
            }
            // Whoever has the chunk that is due is not waiting here, and will hand it in or give up.
            ledger = self.folded.wait(ledger).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hand_in(&self, number: u64, all: Vec<Done>) {
        let mut ledger = self.ledger();
        ledger.early.insert(number, all);
        while let Some(all) = {
            let due = ledger.due;
            ledger.early.remove(&due)
        } {
            let seeds = self.chunk(ledger.due);
            let cut_short = seeds.start + (all.len() as u128) < seeds.end;
            for done in all {
                ledger.fold.rechecked += u64::from(done.times == Times::Twice);
                ledger.fold.add(done.outcome);
            }
            if cut_short {
                // The sweep was stopped in this chunk: it stays due, so that nothing behind the gap is ever folded.
                break;
            }
            ledger.due += 1;
        }
        self.folded.notify_all();
    }

    fn give_up(&self, trouble: Trouble) {
        let mut ledger = self.ledger();
        let is_lowest = |other: &Trouble| trouble.seed() < other.seed();
        if ledger.trouble.as_ref().is_none_or(is_lowest) {
            ledger.trouble = Some(trouble);
        }
        self.folded.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Runs happen outside the lock: what panics inside it is a bug that the pool passes on by itself.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(self) -> Result<SweepOutcome, Box<Difference>> {
        let ledger = self.ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
        match ledger.trouble {
            None => Ok(ledger.fold.finish(self.prepared, self.seeds)),
            Some(Trouble::Differs(difference)) => Err(difference),
            Some(Trouble::Panicked(panicked)) => resume_unwind(Box::new(panicked)),
        }
    }
}

/// The outcomes of the runs so far, in seed order, in little memory.
#[derive(Default)]
struct Fold {
    runs: u64,
    rechecked: u64,
    held: u64,
    violated: u64,
    inconclusive: u64,
    digest: Xxh3,
    failures: BTreeMap<String, Tally>,
    /// The doubts that are told apart.
    doubts: BTreeSet<String>,
    measures: Vec<Measured>,
    samples_left_out: u64,
    faults: Vec<FaultOverRuns>,
    invariants: Vec<InvariantDone>,
}

struct Tally {
    count: u64,
    first_seed: u64,
}

impl Fold {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.digest.update(&outcome.digest.0.to_le_bytes());
        match outcome.verdict {
            Verdict::Held => self.held += 1,
            Verdict::Violated => self.violated += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
        }
        // A reason that is told twice of a run is still one, and so are those that share a line.
        for signature in self.signatures(&outcome) {
            let tally = self.failures.entry(signature).or_insert(Tally {
                count: 0,
                first_seed: outcome.seed,
            });
            tally.count += 1;
        }
        for (nth, measured) in outcome.measures.into_iter().enumerate() {
            self.add_measured(nth, measured);
        }
        for (nth, done) in outcome.faults.into_iter().enumerate() {
            if nth == self.faults.len() {
                self.faults.push(FaultOverRuns {
                    fault: done.fault,
                    runs: 0,
                    affected: 0,
                });
            }
            self.faults[nth].runs += u64::from(done.at.is_some());
            self.faults[nth].affected = self.faults[nth].affected.saturating_add(done.affected);
        }
        for (nth, done) in outcome.invariants.into_iter().enumerate() {
            match self.invariants.get_mut(nth) {
                Some(sum) => {
                    sum.judged = sum.judged.saturating_add(done.judged);
                    sum.undecided = sum.undecided.take().or(done.undecided);
                }
                None => self.invariants.push(done),
            }
        }
    }

    /// What kept a run from holding: the promise that was broken, or all its doubts.
    fn signatures(&mut self, outcome: &Outcome) -> BTreeSet<String> {
        match (outcome.verdict, &outcome.violation) {
            (Verdict::Held, _) => BTreeSet::new(),
            (Verdict::Violated, Some(violation)) => BTreeSet::from([violation.invariant.clone()]),
            (Verdict::Violated, None) | (Verdict::Inconclusive, _) if outcome.doubts.is_empty() => {
                BTreeSet::from([self.doubt("no reason given")])
            }
            (Verdict::Violated, None) | (Verdict::Inconclusive, _) => {
                outcome.doubts.iter().map(|doubt| self.doubt(doubt)).collect()
            }
        }
    }

    /// What a doubt is counted as.
    fn doubt(&mut self, doubt: &str) -> String {
        let signature = format!("{INCONCLUSIVE}{doubt}");
        if self.doubts.contains(&signature) {
            return signature;
        }
        if self.doubts.len() == KEPT_DOUBTS {
            return format!("{INCONCLUSIVE}another reason");
        }
        self.doubts.insert(signature.clone());
        signature
    }

    fn add_measured(&mut self, nth: usize, mut measured: Measured) {
        match self.measures.get_mut(nth) {
            Some(sum) => {
                let room = KEPT_SAMPLES - sum.samples.len();
                self.samples_left_out += measured.samples.len().saturating_sub(room) as u64;
                sum.samples.extend(measured.samples.drain(..).take(room));
                sum.unfinished = sum.unfinished.saturating_add(measured.unfinished);
            }
            None => {
                self.samples_left_out += measured.samples.len().saturating_sub(KEPT_SAMPLES) as u64;
                measured.samples.truncate(KEPT_SAMPLES);
                self.measures.push(measured);
            }
        }
    }

    fn finish(self, prepared: &dyn Prepared, seeds: Range<u128>) -> SweepOutcome {
        let mut failures: Vec<Failures> = self
            .failures
            .into_iter()
            .map(|(signature, Tally { count, first_seed })| Failures {
                signature,
                count,
                first_seed,
            })
            .collect();
        failures.sort_by_key(|failures| (std::cmp::Reverse(failures.count), failures.first_seed));
        let mut outcome = SweepOutcome {
            scenario: prepared.scenario().to_owned(),
            rules: prepared.rules(),
            seeds: (seeds.start as u64, seeds.end),
            runs: self.runs,
            rechecked: self.rechecked,
            held: self.held,
            violated: self.violated,
            inconclusive: self.inconclusive,
            as_expected: false,
            expect: prepared.expect().clone(),
            failures,
            digest: Digest(self.digest.digest128()),
            measures: self.measures,
            samples_left_out: self.samples_left_out,
            faults: self.faults,
            invariants: self.invariants,
        };
        let meets = match &outcome.expect {
            Expect::Held => outcome.violated == 0,
            Expect::Violated(names) => {
                outcome.violated > 0
                    && outcome
                        .violations()
                        .all(|failures| names.contains(&failures.signature))
            }
        };
        outcome.as_expected = meets && outcome.inconclusive == 0 && outcome.runs > 0;
        outcome
    }
}

#[cfg(test)]
mod tests;
