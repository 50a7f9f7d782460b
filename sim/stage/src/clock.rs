//! The machine's monotonic clock, which the processes of a run share: the one that live nodes go by.

pub(crate) use squall_live::clock::monotonic as now;
