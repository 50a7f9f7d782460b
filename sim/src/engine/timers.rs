//! The named timers of one node: looked up by code, moved without growing the queue.
//!
//! Deadlines are on the host's own clock, entries on the queue's.
//!
//! A timer has at most one entry in the event queue that counts. Moved later, it leaves the entry where it is and looks at
//! its deadline when the entry comes up. Moved earlier, it pushes a new entry and the old one is stale. Taken back, its
//! entry is stale until it is armed again for a time that the entry covers. Whoever arms and disarms is told how many entries
//! became stale, so that the engine can sweep the queue when they outweigh the rest. Armed for *never*, it is taken back.
//!
//! A timer that is neither armed nor in the queue keeps its place until places run short; then all such places are given
//! to others, so that a node that names each of its timers only once costs no more than those that are armed at a time.

use squall_nodes::{Node, Timer};

/// Never: no deadline, or no entry in the queue.
pub(crate) const NEVER: u64 = u64::MAX;
/// No event's ticket.
const NOBODYS: u64 = u64::MAX;
/// How long the index is when there is a timer.
const SHORTEST_INDEX: usize = 8;

pub(crate) struct Timers<N: Node> {
    alarms: Vec<Alarm<N::Timer>>,
    /// What it takes to find a timer that is not at the place of its number: apart, to keep hosts together.
    elsewhere: Box<Elsewhere>,
}

#[derive(Default)]
struct Elsewhere {
    /// Places in `alarms` that belong to no timer, and that the index does not know.
    free: Vec<u32>,
    /// Places in `alarms`, plus one, by a hash of the code; 0 is empty. Its length is zero or a power of two.
    index: Vec<u32>,
}

/// Half a line of the processor's cache, where timers are no longer than a number and a word.
#[derive(Clone, Copy)]
struct Alarm<T> {
    timer: T,
    /// When it goes off, on the host's clock; [`NEVER`] when it is not armed.
    deadline: u64,
    /// The queue's time and the ticket of the entry that counts; the time is [`NEVER`] when there is none.
    entry_at: u64,
    /// [`NOBODYS`] where the place belongs to no timer.
    ticket: u64,
}

/// What the engine has to do about the queue once a timer was armed or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upkeep {
    /// Nothing: the entry that is there comes up in time, or there is none and none is needed.
    Nothing,
    /// Push an entry for the timer at this place and [`enter`](Timers::enter) it.
    Push(u32),
    /// The same; the entry that was there is stale.
    PushAndForget(u32),
    /// The entry that is there is stale.
    Forget,
    /// The entry that is there was stale, and counts again.
    Recall,
}

/// What an entry that came up is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due<T> {
    /// The timer goes off.
    Fire(T),
    /// The timer was moved: push an entry for this deadline and [`enter`](Timers::enter) it.
    Later(u64),
    /// The timer was taken back, or another entry took this one's place.
    Stale,
}

impl<N: Node> Timers<N> {
    pub(crate) fn new() -> Self {
        Timers {
            alarms: Vec::new(),
            elsewhere: Box::default(),
        }
    }

    /// Forgets all timers. Returns how many more entries in the queue are stale by that.
    pub(crate) fn clear(&mut self) -> usize {
        let entered = |alarm: &&Alarm<_>| alarm.entry_at != NEVER && alarm.deadline != NEVER;
        let stale = self.alarms.iter().filter(entered).count();
        self.alarms.clear();
        self.elsewhere.free.clear();
        self.elsewhere.index.fill(0);
        stale
    }

    /// Arms a timer for `deadline`, on the host's clock, which is reached when the queue comes to `up`. An entry that comes up later does
    /// not do for it.
    ///
    /// # Panics
    ///
    /// When the node has another timer with the same code: its author has to tell them apart.
    #[inline]
    pub(crate) fn arm(&mut self, timer: N::Timer, deadline: u64, up: u64) -> Upkeep {
        let place = timer.code();
        // A node that begins with its small numbers, in order, has each timer at the place of its number.
        match self.alarms.get_mut(place as usize) {
            Some(alarm) if alarm.timer == timer && alarm.ticket != NOBODYS && deadline != NEVER => {
                alarm.arm(place as u32, deadline, up)
            }
            _ => self.arm_elsewhere(timer, deadline, up),
        }
    }

    fn arm_elsewhere(&mut self, timer: N::Timer, deadline: u64, up: u64) -> Upkeep {
        if deadline == NEVER {
            return self.disarm(timer);
        }
        let place = match self.find(timer) {
            Some(place) => place,
            None => self.add(timer),
        };
        self.alarms[place as usize].arm(place, deadline, up)
    }

    /// When the timer at the first place goes off; [`NEVER`] when there is none.
    pub(crate) fn first_deadline(&self) -> u64 {
        self.alarms.first().map_or(NEVER, |alarm| alarm.deadline)
    }

    /// When the timer at `place` goes off, on the host's clock; [`NEVER`] when it is not armed.
    pub(crate) fn deadline(&self, place: u32) -> u64 {
        self.alarms
            .get(place as usize)
            .map_or(NEVER, |alarm| alarm.deadline)
    }

    /// Takes back a timer.
    ///
    /// # Panics
    ///
    /// As [`arm`](Self::arm).
    pub(crate) fn disarm(&mut self, timer: N::Timer) -> Upkeep {
        let Some(place) = self.find(timer) else {
            return Upkeep::Nothing;
        };
        let alarm = &mut self.alarms[place as usize];
        let was_armed = std::mem::replace(&mut alarm.deadline, NEVER) != NEVER;
        if was_armed && alarm.entry_at != NEVER {
            Upkeep::Forget
        } else {
            Upkeep::Nothing
        }
    }

    /// Notes the entry that was pushed for the timer at `place`.
    #[inline]
    pub(crate) fn enter(&mut self, place: u32, at: u64, ticket: u64) {
        let alarm = &mut self.alarms[place as usize];
        alarm.entry_at = at;
        alarm.ticket = ticket;
    }

    /// Whether the entry with this ticket still has a use. If not, it is to be dropped: the timer does without it from now on.
    pub(crate) fn keeps(&mut self, place: u32, ticket: u64) -> bool {
        let Some(alarm) = self.entered(place, ticket) else {
            return false;
        };
        if alarm.deadline == NEVER {
            alarm.entry_at = NEVER;
        }
        alarm.deadline != NEVER
    }

    /// Takes the entry of the timer at `place`, which came up at `now` on the host's clock.
    #[inline]
    pub(crate) fn due(&mut self, place: u32, ticket: u64, now: u64) -> Due<N::Timer> {
        let Some(alarm) = self.entered(place, ticket) else {
            return Due::Stale;
        };
        alarm.entry_at = NEVER;
        match alarm.deadline {
            NEVER => Due::Stale,
            deadline if deadline > now => Due::Later(deadline),
            _ => {
                alarm.deadline = NEVER;
                Due::Fire(alarm.timer)
            }
        }
    }

    /// Whether the entry with this ticket makes the timer at `place` go off at `now` on the host's clock.
    pub(crate) fn is_due(&self, place: u32, ticket: u64, now: u64) -> bool {
        self.alarms
            .get(place as usize)
            .is_some_and(|alarm| alarm.entry_at != NEVER && alarm.ticket == ticket && alarm.deadline <= now)
    }

    /// Whether the timer at `place` is armed.
    pub(crate) fn is_armed(&self, place: u32) -> bool {
        self.alarms
            .get(place as usize)
            .is_some_and(|alarm| alarm.deadline != NEVER)
    }

    /// The armed timers whose entries come up too late, with the queue's time at which they are to. `up` says when the queue
    /// comes to a deadline.
    pub(crate) fn late(&self, up: impl Fn(u64) -> u64) -> Vec<(u32, u64)> {
        let late = |(place, alarm): (usize, &Alarm<_>)| {
            let entered = alarm.deadline != NEVER && alarm.entry_at != NEVER;
            let up = if entered { up(alarm.deadline) } else { NEVER };
            (entered && up < alarm.entry_at).then_some((place as u32, up))
        };
        self.alarms.iter().enumerate().filter_map(late).collect()
    }

    /// For how many timers there is room without asking for more.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.alarms.len()
    }

    /// How many buckets are looked at to find a timer, at most.
    #[cfg(test)]
    pub(crate) fn longest_search(&self) -> usize {
        let index = &self.elsewhere.index;
        let occupied = |(bucket, place): (usize, &u32)| {
            let alarm = &self.alarms[place.checked_sub(1)? as usize];
            let home = self.elsewhere.bucket(alarm.timer.code());
            Some((bucket.wrapping_sub(home) & (index.len() - 1)) + 1)
        };
        index.iter().enumerate().filter_map(occupied).max().unwrap_or(0)
    }

    /// The timer at `place`, if the entry with this ticket is its entry.
    #[inline]
    fn entered(&mut self, place: u32, ticket: u64) -> Option<&mut Alarm<N::Timer>> {
        self.alarms
            .get_mut(place as usize)
            .filter(|alarm| alarm.entry_at != NEVER && alarm.ticket == ticket)
    }

    fn find(&self, timer: N::Timer) -> Option<u32> {
        let index = &self.elsewhere.index;
        if index.is_empty() {
            return None;
        }
        let code = timer.code();
        let mut bucket = self.elsewhere.bucket(code);
        loop {
            let place = index[bucket].checked_sub(1)?;
            let there = self.alarms[place as usize].timer;
            if there.code() == code {
                assert!(
                    there == timer,
                    "two timers have the code {code}: {there:?} and {timer:?}"
                );
                return Some(place);
            }
            bucket = (bucket + 1) & (index.len() - 1);
        }
    }

    fn add(&mut self, timer: N::Timer) -> u32 {
        let Elsewhere { free, index } = &*self.elsewhere;
        if (self.alarms.len() - free.len() + 1) * 4 > index.len() * 3 {
            self.make_room();
        }
        let alarm = Alarm {
            timer,
            deadline: NEVER,
            entry_at: NEVER,
            ticket: 0,
        };
        let place = match self.elsewhere.free.pop() {
            Some(place) => {
                self.alarms[place as usize] = alarm;
                place
            }
            None => {
                if self.alarms.len() == self.alarms.capacity() {
                    // Many hosts have a few timers each: room for half as many more, not for as many again.
                    self.alarms.reserve_exact(self.alarms.len() / 2 + 2);
                }
                self.alarms.push(alarm);
                self.alarms.len() as u32 - 1
            }
        };
        self.elsewhere.insert(timer.code(), place);
        place
    }

    /// Takes the places of idle timers, and makes the index longer if more than half of it is in use even so. It never becomes
    /// shorter, so that there is a quarter of its length to add before the next time, whatever was taken back.
    fn make_room(&mut self) {
        let Elsewhere { free, index } = &mut *self.elsewhere;
        free.clear();
        for (place, alarm) in (0..).zip(&mut self.alarms) {
            if alarm.deadline == NEVER && alarm.entry_at == NEVER {
                alarm.ticket = NOBODYS;
                free.push(place);
            }
        }
        let used = self.alarms.len() - free.len();
        let length = ((used + 1) * 2).next_power_of_two();
        index.fill(0);
        index.resize(length.max(index.len()).max(SHORTEST_INDEX), 0);
        for (place, alarm) in (0..).zip(&self.alarms) {
            if alarm.ticket != NOBODYS {
                self.elsewhere.insert(alarm.timer.code(), place);
            }
        }
    }
}

impl Elsewhere {
    fn insert(&mut self, code: u64, place: u32) {
        let mask = self.index.len() - 1;
        let mut bucket = self.bucket(code);
        while self.index[bucket] != 0 {
            bucket = (bucket + 1) & mask;
        }
        self.index[bucket] = place + 1;
    }

    /// The golden ratio spreads codes over the high bits, wherever in the code it is that they differ; small codes without
    /// gaps it spreads evenly. The index has at least two buckets.
    #[inline]
    fn bucket(&self, code: u64) -> usize {
        let bits = self.index.len().trailing_zeros();
        (code.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - bits)) as usize
    }
}

impl<T: Timer> Alarm<T> {
    #[inline]
    fn arm(&mut self, place: u32, deadline: u64, up: u64) -> Upkeep {
        // Without a deadline, the entry that there may be is counted as stale already.
        let was_armed = std::mem::replace(&mut self.deadline, deadline) != NEVER;
        match (self.entry_at <= up, was_armed) {
            (true, true) => Upkeep::Nothing,
            (true, false) => Upkeep::Recall,
            (false, true) => Upkeep::PushAndForget(place),
            (false, false) => Upkeep::Push(place),
        }
    }
}
