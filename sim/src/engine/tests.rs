//! What no run shows from outside: that the queue stays short whatever nodes and invariants do with time, what is held back, and what
//! ends a run.

mod alarms;
mod ends;
mod held;
mod room_of_timers;
mod short_queue;
mod streams;
mod untold;
mod wear;
