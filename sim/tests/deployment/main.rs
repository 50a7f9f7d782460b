//! Files of single live nodes: what is wrong with them, and that what is printed is read as the same.

mod complaints;
mod printed;
