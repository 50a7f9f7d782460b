//! One live node, from its start to its end, seen from outside: the door, the lines, and what goes wrong.

mod attended;
mod clerk;
mod disk;
mod door;
mod start;
mod status;
