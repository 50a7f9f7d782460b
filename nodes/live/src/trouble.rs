//! Trouble that comes again and again, told as people want to hear of it: the first time at once, then how often it came at most every few
//! seconds, and when it is over.

use squall_nodes::{Span, Time};

/// From one time that it is told to the next, for as long as it lasts.
const EVERY: Span = Span::from_secs(10);

/// Something that may go wrong each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// When it was told last; nothing while all is well.
    told: Option<Time>,
    /// How often it came since it began.
    count: u64,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// It has begun.
    First,
    /// It lasts, and came so often by now.
    Still(u64),
    /// It is over, and came so often.
    Over(u64),
}

impl Trouble {
    /// It went wrong.
    pub(crate) fn came(&mut self, now: Time) -> Option<Tell> {
        self.count += 1;
        match self.told {
            None => {
                self.told = Some(now);
                Some(Tell::First)
            }
            Some(told) if now >= told + EVERY => {
                self.told = Some(now);
                Some(Tell::Still(self.count))
            }
            Some(_) => None,
        }
    }

    /// It went well.
    pub(crate) fn over(&mut self) -> Option<Tell> {
        self.told.take()?;
        Some(Tell::Over(std::mem::take(&mut self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_at_its_beginning_now_and_then_and_at_its_end() {
        let at = |millis| Time::ZERO + Span::from_millis(millis);
        let mut trouble = Trouble::default();
        assert_eq!(trouble.over(), None);
        let told: Vec<_> = (0..=25_000)
            .filter_map(|millis| trouble.came(at(millis)))
            .collect();
        assert_eq!(told, [Tell::First, Tell::Still(10_001), Tell::Still(20_001)]);
        assert_eq!(trouble.over(), Some(Tell::Over(25_001)));
        assert_eq!(trouble.over(), None);
        // And again, counted anew.
        assert_eq!(trouble.came(at(25_001)), Some(Tell::First));
        assert_eq!(trouble.over(), Some(Tell::Over(1)));
    }
}
