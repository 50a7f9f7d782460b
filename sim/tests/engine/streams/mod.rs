//! Streams, by subject.

mod closing;
mod faults;
mod flow;
mod full;
mod opening;
mod pressure;
mod retransmission;
mod storms;
mod stuck;

use crate::node::{Conn, Do, On, PORT, Rule, on, place, start};
use crate::plans::B;

/// Listens, and does nothing else.
fn listener() -> Vec<Rule> {
    vec![start([Do::Listen(PORT)])]
}

/// Dials `b` at once, and does so as soon as the connection is open.
fn dialler(then: impl Into<Vec<Do>>) -> Vec<Rule> {
    vec![start([Do::Dial(place(B))]), on(On::Opened, then)]
}

fn write(says: &str) -> Do {
    Do::Write(Conn::This, says.to_owned())
}
