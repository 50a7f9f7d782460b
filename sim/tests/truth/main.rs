//! Whether the virtual network does what its laws say: runs through the public path, held against theory.
//!
//! Where chance is in it, a comparison with a law has a level of significance of 10⁻⁶ ([`statistics::LEVEL`]), or about that where
//! its bound rests on the central limit theorem; those of [`queues`] have one that was found by trying, and is said there. Were its
//! seed drawn anew each time, one comparison in so many would fail with an engine without a flaw, and a function that makes
//! several of them fails with the sum of their levels at most. Seeds are fixed, so a test passes always or never: a failure after
//! a change of the engine is a flaw of the change, with that certainty. What passes shows that the law is not far off; how
//! far it could be and not be found is told by the checks of power: each test is asked about laws that are a few percent off as
//! well, and has to reject them.

mod node;
mod statistics;

mod latencies;
mod queues;
mod shares;
