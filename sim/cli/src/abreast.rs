//! Work that is done on several threads, and handed over in order on the thread that asked for it.
//!
//! The pieces are begun in order, so that when it is stopped, what was done has no gaps. Nothing here knows what a piece is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// Pieces of work.
pub(crate) struct Abreast<'a> {
    /// How many pieces there are.
    pub(crate) count: usize,
    /// On how many threads they are done; on the asking thread itself with one.
    pub(crate) jobs: usize,
    /// Once this is true, no other piece is begun. Those under way are handed over as what they come to.
    pub(crate) stop: &'a AtomicBool,
}

impl Abreast<'_> {
    /// Does the pieces from 0 up, and hands over what comes of each as soon as those before it were handed over, until that
    /// breaks off. Returns how many were begun.
    ///
    /// # Errors
    ///
    /// Those of `hand_over`, which break off as well.
    pub(crate) fn each<T: Send, E>(
        &self,
        work: impl Fn(usize) -> T + Sync,
        mut hand_over: impl FnMut(usize, T) -> Result<ControlFlow<()>, E>,
    ) -> Result<usize, E> {
        let next = AtomicUsize::new(0);
        let take = || {
            // Once stopped, nothing is taken at all: what was taken is always done.
            let place = (!self.stop.load(Ordering::Relaxed)).then(|| next.fetch_add(1, Ordering::Relaxed))?;
            (place < self.count).then_some(place)
        };
        thread::scope(|scope| {
            // Results are few and small, so that none has to wait until there is room.
            let (done, results) = mpsc::channel();
            let mut threads = 0;
            while threads < self.jobs.min(self.count) && self.jobs > 1 {
                let (done, work, take) = (done.clone(), &work, &take);
                let body = move || {
                    while let Some(place) = take() {
                        if done.send((place, work(place))).is_err() {
                            // It was broken off: nobody wants the rest.
                            return;
                        }
                    }
                };
                // A system that has no more threads to give still has this one.
                if thread::Builder::new().spawn_scoped(scope, body).is_err() {
                    break;
                }
                threads += 1;
            }
            if threads > 0 {
                drop(done);
                in_order(results, &mut hand_over)
            } else {
                while let Some(place) = take() {
                    if hand_over(place, work(place))?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
        })?;
        Ok(next.into_inner().min(self.count))
    }
}

/// Hands over what comes in, each in its turn.
fn in_order<T, E>(
    results: Receiver<(usize, T)>,
    hand_over: &mut impl FnMut(usize, T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut due = 0;
    let mut early = BTreeMap::new();
    for (place, result) in results {
        early.insert(place, result);
        while let Some(result) = early.remove(&due) {
            if hand_over(due, result)?.is_break() {
                return Ok(());
            }
            due += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Barrier;

    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    #[test]
    fn results_come_in_order_whichever_is_done_first() {
        // The second of each pair is done when the first is still under way: it is what the first waits for.
        let (second_is_done, count) = ([const { AtomicBool::new(false) }; 8], 16);
        let work = |place: usize| {
            let second = &second_is_done[place / 2];
            if place % 2 == 1 {
                second.store(true, Ordering::Release);
            }
            while !second.load(Ordering::Acquire) {
                thread::yield_now();
            }
            place * 10
        };
        let mut got = Vec::new();
        let abreast = Abreast {
            count,
            jobs: 2,
            stop: &NEVER,
        };
        let begun = abreast.each(work, |place, result| {
            got.push((place, result));
            Ok::<_, Infallible>(ControlFlow::Continue(()))
        });
        assert_eq!(begun, Ok(count));
        assert_eq!(
            got,
            (0..count).map(|place| (place, place * 10)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_is_under_way_when_it_is_stopped_is_handed_over() {
        for jobs in [1, 4] {
            let (stop, together) = (AtomicBool::new(false), Barrier::new(jobs));
            let work = |place: usize| {
                // All threads have begun their first piece, and none its second.
                together.wait();
                stop.store(true, Ordering::Relaxed);
                place
            };
            let mut got = Vec::new();
            let begun = Abreast {
                count: 100,
                jobs,
                stop: &stop,
            }
            .each(work, |place, _| {
                got.push(place);
                Ok::<_, Infallible>(ControlFlow::Continue(()))
            });
            assert_eq!(begun, Ok(jobs));
            assert_eq!(got, (0..jobs).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_is_handed_over_once_it_is_broken_off() {
        for jobs in [1, 3] {
            let abreast = Abreast {
                count: 50,
                jobs,
                stop: &NEVER,
            };
            let mut got = Vec::new();
            let failed = abreast.each(
                |place| place,
                |place, _| {
                    got.push(place);
                    if place == 7 {
                        Err("enough")
                    } else {
                        Ok(ControlFlow::Continue(()))
                    }
                },
            );
            assert_eq!((failed, got.len()), (Err("enough"), 8));
            let mut got = Vec::new();
            let broken = abreast.each(
                |place| place,
                |place, _| {
                    got.push(place);
                    Ok::<_, Infallible>(if place == 7 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    })
                },
            );
            assert!(broken.is_ok_and(|begun| (8..=50).contains(&begun)));
            assert_eq!(got, (0..=7).collect::<Vec<_>>());
        }
    }
}
