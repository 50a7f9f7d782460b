//! What came later than it was to: a fault, a turn of a flap or a call that is later than is tolerated makes another story of it.

use squall_nodes::{Protocol, Span, Time};

use super::Play;

/// What came later than is tolerated.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    /// In the order in which each was late first.
    found: Vec<Late>,
}

/// One entry of the timeline or the workload.
#[derive(Debug)]
struct Late {
    label: String,
    /// How often it was late.
    times: u64,
    /// How late at most.
    most: Span,
}

impl<P: Protocol> Play<'_, '_, P> {
    /// Something happens now, by the machine's clock, that was to happen at `planned`, by the run's.
    pub(crate) fn look_at_lateness(&mut self, label: &str, now: Time, planned: Time) {
        let late = self.since_origin(now).since(planned);
        if late > self.plan.live_tolerance {
            self.late.note(label, late);
        }
    }
}

impl Lateness {
    /// What is to be told of it, a sentence for each entry.
    pub(crate) fn told(self) -> impl Iterator<Item = String> {
        self.found.into_iter().map(|late| late.told())
    }

    fn note(&mut self, label: &str, by: Span) {
        match self.found.iter_mut().find(|late| late.label == label) {
            Some(late) => {
                late.times += 1;
                late.most = late.most.max(by);
            }
            None => self.found.push(Late {
                label: label.to_owned(),
                times: 1,
                most: by,
            }),
        }
    }
}

impl Late {
    fn told(&self) -> String {
        let Late { label, times, most } = self;
        // Nobody needs it to the nanosecond.
        let most = Span::from_millis(most.as_nanos().div_ceil(1_000_000));
        let late = match times {
            1 => format!("{label} came {most} later than it was to"),
            times => format!("{label} came later than it was to {times} times, {most} at most"),
        };
        format!("{late}, since the machine had other work to do")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_again_and_again_is_told_once_with_the_worst_of_it() {
        let mut late = Lateness::default();
        let us = Span::from_micros;
        late.note("kill(a)", us(200_500));
        late.note("the call status of a", us(300_000));
        late.note("the call status of a", us(900_000));
        late.note("the call status of a", us(700_000));
        assert_eq!(
            late.told().collect::<Vec<_>>(),
            [
                "kill(a) came 201ms later than it was to, since the machine had other work to do",
                "the call status of a came later than it was to 3 times, 900ms at most, since the machine had other work to do",
            ]
        );
    }
}
