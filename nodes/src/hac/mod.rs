//! The high-availability cluster.
