//! How the runtime watches descriptors for something to read.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What has one descriptor for as long as it lives, so that the runtime never watches another one in its name.
pub(crate) trait OneDescriptor: AsRawFd {}
impl OneDescriptor for OwnedFd {}
impl OneDescriptor for UdpSocket {}

/// Lets the runtime that this is called in watch a descriptor for something to read.
#[expect(
    deprecated,
    reason = "its successor is unsafe, since a type may let go of its descriptor while it is watched; those that are let in here do not"
)]
pub(crate) fn watched<T: OneDescriptor>(descriptor: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}
