//! The flight recorder and its replays: what is recorded is lived again to the same effects, and what is not is told.

mod bounds;
mod damage;
mod rig;
mod same;
mod twins;
