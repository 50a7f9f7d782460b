//! Histories: what was asked and answered, and whether one object that does one thing after the other could have answered so.
//!
//! A protocol that promises that names a sequential object ([`Spec`]) and says how its commands and answers are to be read
//! ([`Reading`]); [`Linearizable`] is then one of its promises like any other:
//!
//! ```
//! use squall_nodes::history::{Kv, KvOp, KvRet, Linearizable, Reading, Told};
//! use squall_nodes::{InvariantKind, Node};
//!
//! /// Of a store whose commands put a number under a name, or get it.
//! fn promise<N: Node<Command = (String, Option<u64>), Answer = Result<Option<u64>, String>>>() -> InvariantKind<N> {
//!     let reading = Reading {
//!         op: |(key, value): &(String, Option<u64>)| Some(match value {
//!             Some(value) => KvOp::Put(key.clone(), *value),
//!             None => KvOp::Get(key.clone()),
//!         }),
//!         ret: |op: &KvOp<String, u64>, answer: &Result<Option<u64>, String>| match (op, answer) {
//!             (KvOp::Get(_), Ok(value)) => Told::Returned(KvRet::Value(*value)),
//!             (_, Ok(_)) => Told::Returned(KvRet::Done),
//!             // It may have been done all the same.
//!             (_, Err(_)) => Told::Unknown,
//!         },
//!     };
//!     Linearizable::kind("linearizable", "the store answers as one would", reading, |_| Kv::new())
//! }
//! ```
//!
//! - [`Spec`]: sequential objects, and three that are often needed: [`Register`], [`Counter`], [`Kv`].
//! - [`Collector`] and [`History`]: a run's calls and answers as plain data; [`Operation`]: the same as calls of an object.
//! - [`check`]: a whole history. [`Online`]: one that is being made, at every answer. Both are exact and bounded, and say so when they could
//!   not find out. They are held against each other, and against every order of small histories, in `nodes/tests/history`,
//!   and against another project's checker in `nodes/tests/oracle`.
//! - [`AnsweredOnce`] and [`AnsweredInQuiet`]: how often calls are answered.
//!
//! [`crate::counter`] is the example: a replicated counter, and two broken ones that are caught.

mod answers;
mod judge;
mod least;
mod online;
mod operation;
mod record;
mod spec;
mod wgl;

pub use answers::{AnsweredInQuiet, AnsweredOnce, Worth};
pub use judge::Linearizable;
pub use online::{Looked, Online};
pub use operation::{Bounds, Ended, Explanation, Finding, Operation, Reading, Told};
pub use record::{Answer, Call, Client, Collector, History, Moment, Room};
pub use spec::{
    Counter, CounterOp, CounterRet, Goes, Kv, KvOp, KvRet, Register, RegisterOp, RegisterRet, Spec,
};
pub use wgl::check;
