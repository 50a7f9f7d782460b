//! Histories: what was asked and answered, and whether that could have been so.
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
