//! The counter's behaviour where packets were made up ([`forged`]), in the small world of [`world`].

mod forged;
mod world;
