//! Streams over real sockets: live nodes on threads of their own that speak TCP with each other, and with peers of no such manners.

mod barrier;
mod floods;
mod limits;
mod policies;
mod record;
mod rig;
mod talks;
mod tls;
