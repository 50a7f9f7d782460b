//! One live node from its start to its end.

use std::net::SocketAddrV4;

use squall_nodes::{Node, Outbox, Time, Unwitnessed, Witness, drive};
use tokio::runtime::{self, Runtime};

use crate::clock::monotonic;
use crate::disk::{Found, Opened, Owner};
use crate::door::{Door, Stop};
use crate::error::LiveError;
use crate::host::{Host, Parts};
use crate::line::Counts;
use crate::rehearsal::{First, NOTHING_TO_SECURE, rehearse};
use crate::settings::{Attendance, Settings};
use crate::status::Gauge;
use crate::stream::{Tls, may_listen};
use crate::teller::Teller;
use crate::udp::Sockets;
use crate::wires::{Unheard, Wires, listen};

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
    /// A node of these settings is to begin this life, if nothing speaks against it: what the recorder needs for that is taken and tried out,
    /// and nothing of it is changed. It comes once, before everything else, or never.
    ///
    /// # Errors
    ///
    /// [`LiveError::Recorder`]: it cannot be had. The node does not boot then.
    fn prepare(&mut self, settings: &Settings<N>, incarnation: u32) -> Result<(), LiveError> {
        let _ = (settings, incarnation);
        Ok(())
    }

    /// The node is about to boot. It comes once, before all that the node is told.
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
    mut door: Door<N>,
    recorder: &mut impl Recorder<N>,
) -> Result<Ended, LiveError> {
    let opened = Opened::of(settings.data.as_deref(), Owner::of(&settings))?;
    recorder.prepare(&settings, opened.found.incarnation)?;
    let seed = match settings.seed {
        Some(seed) => seed,
        None => drawn().map_err(LiveError::system("draw a seed from the system"))?,
    };
    let mut unheard = Unheard::default();
    let attendant = match settings.attendance {
        Attendance::Alone => door.listener.take(),
        Attendance::Attended { .. } => {
            let wires = match door.wires.take() {
                Some(wires) => wires,
                None => Wires::stdio().map_err(LiveError::system("speak through stdin and stdout"))?,
            };
            unheard = wires.unheard;
            listen(wires.requests, unheard.clone(), door.asker.clone())
                .map_err(LiveError::system("start a thread"))?;
            Some(wires.lines)
        }
    };
    let teller = Teller::new(attendant, settings.lines.as_deref())?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(LiveError::system("start the runtime of the node"))?;
    let sockets = bound_ahead(&settings, seed, &opened.found, &runtime)?;
    let tls = settings.streams.tls.as_ref();
    let tls = tls
        .map(|files| Tls::read(files, settings.placed.ip))
        .transpose()?;
    // Only now: whatever it cannot have, it has not lived for.
    let disk = opened.begin()?;
    let mut host = Host::new(Parts {
        settings,
        door,
        teller,
        unheard,
        runtime,
        sockets,
        tls,
        disk,
        seed,
        gauge: recorder.gauge(),
    })?;
    if host.await_go() {
        let recorded = recorder.boots(&Boot {
            settings: &host.settings,
            incarnation: host.found.incarnation,
            seed,
            disk: host.found.state.as_deref(),
            at: monotonic(),
        });
        match recorded {
            Err(why) => host.fail(why),
            Ok(()) => {
                host.boot();
                drive(&mut host, &mut Outbox::new(), recorder);
                recorder.stopped(monotonic());
            }
        }
    }
    host.end()
}

/// The sockets that the node asks for first. What comes in on them before it boots is not for it.
fn bound_ahead<N: Node>(
    settings: &Settings<N>,
    seed: u64,
    found: &Found,
    runtime: &Runtime,
) -> Result<Sockets, LiveError> {
    let ip = settings.placed.ip;
    let mut sockets = Sockets::new(ip, settings.bounds.inbox);
    let First {
        ports,
        listens,
        connects,
        not_live,
    } = rehearse(&settings.placed, seed, found, monotonic());
    if settings.streams.tls.is_some() && !connects {
        tracing::warn!("{NOTHING_TO_SECURE}");
    }
    if let Some(what) = not_live {
        return Err(LiveError::NotLive { what });
    }
    for port in listens {
        may_listen(SocketAddrV4::new(ip, port))?;
    }
    let _inside = runtime.enter();
    for port in ports {
        sockets.bind(port)?;
    }
    Ok(sockets)
}

/// A number that nobody knows before.
fn drawn() -> rustix::io::Result<u64> {
    let mut bytes = [0; 8];
    // So few come all at once.
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u64::from_le_bytes(bytes))
}
