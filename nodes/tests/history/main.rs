//! Histories and their checkers, held against each other and against every order that there is ([`orders`]), on histories that are made at
//! random ([`made`]), small ones ([`small`]) and large ones ([`large`]);
//! and what the promises of the counter make of what is seen ([`seen`]).

mod large;
mod made;
mod orders;
mod seen;
mod small;
