//! Lives a recorded life again: the same node, told the same inputs at the same times, and what it asks for held against what was
//! recorded.
//!
//! - Here: from a file to a node that is ready to be told; `flight`: from entries to what it is told; `compare`: what it asks for, held
//!   against what was recorded.
//!
//! The loop is [`drive`](squall_nodes::drive), as everywhere: a recording is one more [`Transport`](squall_nodes::Transport), which performs an effect by comparing it. After the
//! first difference the node is told on what was recorded, as far as that makes sense to it: an alarm goes off only if it has set it,
//! and of writes and connections it hears only if it has begun them.

mod compare;
mod flight;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use squall_nodes::recording::{Difference, Ended, Pilot, Replay, Step, as_text, unpack};
use squall_nodes::{ConfigOf, Data, HostKey, Ids, Node, NodeRng, Protocol};

use super::door::{Manner, ReplayError};
use super::frame::{Frames, Next};
use super::head::Head;
use super::rules;
use super::words::Words;
use flight::{Flight, Place, Recorded, Until};

/// Replays a recording of `P`. See [`Replays::replay`](super::Replays::replay).
///
/// # Errors
///
/// See [`ReplayError`].
pub fn replay<P: Protocol>(
    path: &Path,
    manner: &Manner,
    told: &mut dyn FnMut(Step) -> ControlFlow<()>,
) -> Result<Replay, ReplayError> {
    let (head, frames) = Head::read(path)?;
    if head.protocol != P::NAME {
        return Err(ReplayError::OtherProtocol {
            recorded: head.protocol,
            asked: P::NAME,
        });
    }
    let unreadable = |what| move |why| ReplayError::Head { what, why };
    let role = unpack::<<P::Node as Node>::Role>(&head.role).map_err(unreadable("role"))?;
    let recorded = unpack::<<P::Node as Node>::Config>(&head.config).map_err(unreadable("settings"))?;
    let life = Life::<P> {
        path,
        head: &head,
        role: &role,
        recorded: &recorded,
    };
    let config = match &manner.rules {
        Some(to) => {
            let there = P::RULES;
            if !there.contains(&to.as_str()) {
                return Err(ReplayError::NoSuchRules {
                    protocol: P::NAME,
                    asked: to.clone(),
                    there,
                });
            }
            rules::under::<P>(&recorded, &head.rules, to).map_err(ReplayError::Settings)?
        }
        None => recorded.clone(),
    };
    let config = rules::with::<P>(config, &manner.set).map_err(ReplayError::Settings)?;
    let is_changed = manner.rules.is_some() || !manner.set.is_empty();
    let timers = if is_changed {
        life.timers()
    } else {
        BTreeMap::new()
    };
    let (came, _) = life.again(frames, &config, Until::End, timers, manner, told)?;
    Ok(came)
}

/// A life that was recorded.
struct Life<'a, P: Protocol> {
    path: &'a Path,
    head: &'a Head,
    role: &'a <P::Node as Node>::Role,
    recorded: &'a ConfigOf<P>,
}

impl<P: Protocol> Life<'_, P> {
    /// The names of the timers that the node armed when it was recorded, by their codes: with other settings it may never arm them. They
    /// are learned by living its life again as it was. What is not known of them stays a code.
    fn timers(&self) -> BTreeMap<u64, String> {
        let Ok((_, frames)) = Head::read(self.path) else {
            return BTreeMap::new();
        };
        let (manner, nobody) = (Manner::default(), &mut |_| ControlFlow::Continue(()));
        let lived = self.again(
            frames,
            self.recorded,
            Until::Panic,
            BTreeMap::new(),
            &manner,
            nobody,
        );
        lived.map(|(_, timers)| timers).unwrap_or_default()
    }

    /// Lives it again with these settings: what comes of it, and all names of timers that are known then.
    fn again(
        &self,
        frames: Frames,
        config: &ConfigOf<P>,
        until: Until,
        timers: BTreeMap<u64, String>,
        manner: &Manner,
        told: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<(Replay, BTreeMap<u64, String>), ReplayError> {
        let Life { path, head, role, .. } = *self;
        let came = Replay {
            rules: manner.rules.clone().unwrap_or_else(|| head.rules.clone()),
            pilot: pilot(head, role, self.recorded),
            inputs: 0,
            effects: 0,
            last: head.booted,
            ended: Ended::Open,
            difference: None,
            differing: 0,
            skipped: 0,
            panicked: None,
        };
        let boot = || {
            let rng = NodeRng::new(head.seed, HostKey::of(&head.name), head.incarnation);
            P::Node::boot(role, config, head.disk.as_deref(), rng)
        };
        let node = match catch_unwind(AssertUnwindSafe(boot)) {
            Ok(node) => node,
            Err(panic) => return Ok((boot_panicked(path, frames, came, said(panic))?, timers)),
        };
        let mut flight = Flight {
            path,
            frames,
            node,
            ids: Ids::default(),
            incarnation: head.incarnation,
            until,
            timers: BTreeMap::new(),
            begun: BTreeSet::new(),
            number: 0,
            now: head.booted,
            recorded: Recorded::Nothing,
            command: None,
            scratch: Vec::new(),
            words: Words {
                describer: P::describer(),
                ip: head.ip,
                booted: head.booted,
                timers,
            },
            manner,
            told,
            came,
            error: None,
            place: Place::Outside,
        };
        flight.run();
        match flight.error {
            Some(error) => Err(error),
            None => Ok((flight.came, flight.words.timers)),
        }
    }
}

/// What comes of a node that panics when it boots: it is as recorded if nothing was recorded that it was told.
fn boot_panicked(path: &Path, mut frames: Frames, came: Replay, said: String) -> Result<Replay, ReplayError> {
    let next = frames.read().map_err(|why| ReplayError::Io {
        path: path.to_owned(),
        why,
    })?;
    let difference = matches!(next, Next::Frame(_)).then(|| Difference {
        input: 0,
        at: came.last,
        told: "boot".to_owned(),
        effect: 1,
        recorded: None,
        replayed: Some(PANIC.to_owned()),
    });
    Ok(Replay {
        differing: u64::from(difference.is_some()),
        difference,
        panicked: Some(said),
        ..came
    })
}

/// What stands in place of effects where there was a panic.
const PANIC: &str = "panic";

fn pilot<R: Data, C: Data>(head: &Head, role: &R, config: &C) -> Pilot {
    Pilot {
        version: head.version.clone(),
        build: head.build,
        protocol: head.protocol.clone(),
        rules: head.rules.clone(),
        name: head.name.clone(),
        ip: head.ip,
        role: as_text(role),
        config: as_text(config),
        incarnation: head.incarnation,
        seed: head.seed,
        disk: head.disk.as_ref().map(|disk| disk.len() as u64),
        booted: head.booted,
    }
}

/// What a panic said.
fn said(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("nothing that can be shown").to_owned()
}
