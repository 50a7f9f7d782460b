//! Histories and their checkers, held against each other and against every order that there is ([`orders`]), on histories that are made at
//! random ([`made`]), small ones and large ones ([`large`]).

mod large;
mod made;
mod orders;
mod small;
