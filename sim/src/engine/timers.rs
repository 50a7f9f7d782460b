//! The named timers of one node: looked up by code, moved without growing the queue.
//!
//! A timer has at most one entry in the event queue that counts. Moved later, or taken back, it leaves the entry where it
//! is and looks at its deadline when the entry comes up. Moved earlier, it pushes a new entry and the old one is stale;
//! the engine sweeps the queue when stale entries outweigh the rest. Armed for *never*, it is not armed.

use squall_nodes::{Node, Timer};

/// Never: no deadline, or no entry in the queue.
pub(crate) const NEVER: u64 = u64::MAX;

pub(crate) struct Timers<N: Node> {
    alarms: Vec<Alarm<N::Timer>>,
    /// Places in `alarms`, plus one, by a hash of the code; 0 is empty. Its length is a power of two.
    index: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Alarm<T> {
    timer: T,
    code: u64,
    /// When it goes off; [`NEVER`] when it is not armed.
    deadline: u64,
    /// The time and the ticket of the entry that counts; the time is [`NEVER`] when there is none.
    entry_at: u64,
    ticket: u64,
}

/// What the engine has to do about the queue once a timer was armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Armed {
    /// Nothing: the entry that is there comes up in time.
    Covered,
    /// Push an entry and [`enter`](Timers::enter) it.
    Push,
    /// The same; the entry that was there is stale.
    PushAndForget,
}

/// What an entry that came up is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due<T> {
    /// The timer goes off.
    Fire(T),
    /// The timer was moved: push an entry at this time and [`enter`](Timers::enter) it.
    Later(u64),
    /// The timer was taken back.
    Nothing,
    /// Another entry took this one's place.
    Stale,
}

impl<N: Node> Timers<N> {
    pub(crate) fn new() -> Self {
        Timers {
            alarms: Vec::new(),
            index: Vec::new(),
        }
    }

    /// Forgets all timers. Returns how many entries in the queue are stale by that.
    pub(crate) fn clear(&mut self) -> usize {
        let stale = self.alarms.iter().filter(|alarm| alarm.entry_at != NEVER).count();
        self.alarms.clear();
        self.index.fill(0);
        stale
    }

    /// Arms a timer for `deadline`. The place is what its entry in the queue carries.
    #[inline]
    pub(crate) fn arm(&mut self, timer: N::Timer, deadline: u64) -> (u32, Armed) {
        let place = self.place(timer);
        let alarm = &mut self.alarms[place as usize];
        alarm.deadline = deadline;
        // An entry that there is comes up in time, and what is armed for never needs none: both compare so.
        let todo = if alarm.entry_at <= deadline {
            Armed::Covered
        } else if alarm.entry_at == NEVER {
            Armed::Push
        } else {
            Armed::PushAndForget
        };
        (place, todo)
    }

    /// Takes back a timer.
    pub(crate) fn disarm(&mut self, timer: N::Timer) {
        if let Some(place) = self.find(timer.code()) {
            self.alarms[place as usize].deadline = NEVER;
        }
    }

    /// Notes the entry that was pushed for the timer at `place`.
    #[inline]
    pub(crate) fn enter(&mut self, place: u32, at: u64, ticket: u64) {
        let alarm = &mut self.alarms[place as usize];
        alarm.entry_at = at;
        alarm.ticket = ticket;
    }

    /// Whether the entry with this ticket counts.
    pub(crate) fn counts(&self, place: u32, ticket: u64) -> bool {
        self.alarms
            .get(place as usize)
            .is_some_and(|alarm| alarm.entry_at != NEVER && alarm.ticket == ticket)
    }

    /// Takes the entry of the timer at `place`, which came up at `now`.
    #[inline]
    pub(crate) fn due(&mut self, place: u32, ticket: u64, now: u64) -> Due<N::Timer> {
        if !self.counts(place, ticket) {
            return Due::Stale;
        }
        let alarm = &mut self.alarms[place as usize];
        alarm.entry_at = NEVER;
        match alarm.deadline {
            NEVER => Due::Nothing,
            deadline if deadline > now => Due::Later(deadline),
            _ => {
                alarm.deadline = NEVER;
                Due::Fire(alarm.timer)
            }
        }
    }

    #[inline]
    fn place(&mut self, timer: N::Timer) -> u32 {
        let code = timer.code();
        match self.find(code) {
            Some(place) => {
                debug_assert!(
                    self.alarms[place as usize].timer == timer,
                    "two timers have the code {code}"
                );
                place
            }
            None => self.add(timer, code),
        }
    }

    #[inline]
    fn find(&self, code: u64) -> Option<u32> {
        if self.index.is_empty() {
            return None;
        }
        let mask = self.index.len() - 1;
        let mut bucket = Self::bucket(code, mask);
        loop {
            let place = self.index[bucket].checked_sub(1)?;
            if self.alarms[place as usize].code == code {
                return Some(place);
            }
            bucket = (bucket + 1) & mask;
        }
    }

    fn add(&mut self, timer: N::Timer, code: u64) -> u32 {
        let place = self.alarms.len() as u32;
        self.alarms.push(Alarm {
            timer,
            code,
            deadline: NEVER,
            entry_at: NEVER,
            ticket: 0,
        });
        if self.alarms.len() * 4 > self.index.len() * 3 {
            self.index = vec![0; (self.alarms.len() * 2).next_power_of_two()];
            for place in 0..self.alarms.len() {
                self.insert(place as u32);
            }
        } else {
            self.insert(place);
        }
        place
    }

    fn insert(&mut self, place: u32) {
        let mask = self.index.len() - 1;
        let mut bucket = Self::bucket(self.alarms[place as usize].code, mask);
        while self.index[bucket] != 0 {
            bucket = (bucket + 1) & mask;
        }
        self.index[bucket] = place + 1;
    }

    /// Small codes without gaps fall into buckets of their own.
    fn bucket(code: u64, mask: usize) -> usize {
        (code ^ (code >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)) as usize & mask
    }
}
