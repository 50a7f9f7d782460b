//! One live node from its start to its end.

use squall_nodes::{Node, Time, Unwitnessed, Witness};

use crate::door::{Door, Stop};
use crate::error::LiveError;
use crate::line::Counts;
use crate::settings::Settings;
use crate::status::Gauge;

/// Everything that a node is made of when it boots: fed the same inputs, it asks for the same effects again.
pub struct Boot<'a, N: Node> {
    /// Its settings; `placed` has its name, role and config.
    pub settings: &'a Settings<N>,
    /// Its life, counted from 0.
    pub incarnation: u32,
    /// The seed of its stream, which is `NodeRng::new(seed, HostKey::of(name), incarnation)`.
    pub seed: u64,
    /// What it finds on its disk.
    pub disk: Option<&'a [u8]>,
    /// When, on the machine's monotonic clock.
    pub at: Time,
}

/// A witness that is told when a node boots and when it has stopped: a flight recorder.
pub trait Recorder<N: Node>: Witness<N> {
    /// The node is about to boot. It comes once, before everything else.
    ///
    /// # Errors
    ///
    /// [`LiveError::Recorder`]: it cannot be recorded. The node does not boot then.
    fn boots(&mut self, boot: &Boot<'_, N>) -> Result<(), LiveError>;

    /// Where it shows how it is doing.
    fn gauge(&self) -> Gauge;

    /// The node has stopped in order, or at once. A node that is killed says nothing.
    fn stopped(&mut self, at: Time);
}

impl<N: Node> Recorder<N> for Unwitnessed {
    fn boots(&mut self, _: &Boot<'_, N>) -> Result<(), LiveError> {
        Ok(())
    }

    fn gauge(&self) -> Gauge {
        Gauge::default()
    }

    fn stopped(&mut self, _: Time) {}
}

/// How a node has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As it was told to, or at once when it was told to stop in order and its writes took too long.
    pub how: Stop,
    /// What became of its datagrams.
    pub counts: Counts,
}

/// Runs one live node until it is told to stop. It blocks; everything that the node does is done on this thread, but for writing
/// its durable file.
///
/// # Errors
///
/// It could not start, or it had to stop: [`LiveError`] says why.
pub fn run<N: Node>(
    settings: Settings<N>,
    door: Door<N>,
    recorder: &mut impl Recorder<N>,
) -> Result<Ended, LiveError> {
    let _ = (settings, door, recorder);
    Err(LiveError::NotLive { what: "anything" })
}
