//! A find that the engine itself keeps away, `scenarios/hac/found_told_too_late.ron`: what a node asks for between the failure of a
//! write and the news of it is dropped. In a twin of the engine that lets it out, as it once did, the file breaks its promise.

use std::path::Path;

use squall_nodes::hac::{Hac, HacNode};
use squall_nodes::{Delivery, Effects, HostId, Outbox, Time, Transport, Unwitnessed, drive};

use crate::engine::Engine;
use crate::scenario::{ScenarioFile, resolve};

/// The engine, in which a node may speak as soon as its write has failed, whether it knows or not.
struct Talkative<'e, 'p>(&'e mut Engine<'p, Hac>);

impl Transport<HacNode> for Talkative<'_, '_> {
    fn receive(&mut self) -> Option<Delivery<'_, HacNode>> {
        self.0.receive()
    }

    fn perform(&mut self, host: HostId, now: Time, effects: Effects<'_, HacNode>) {
        let barrier = &mut self.0.hosts[host.index()].barrier;
        if barrier.as_ref().is_some_and(|barrier| barrier.has_failed()) {
            *barrier = None;
        }
        self.0.perform(host, now, effects);
    }
}

/// The promise that the file breaks with its own seed.
fn broken(run: impl FnOnce(&mut Engine<'_, Hac>)) -> Option<String> {
    let name = "scenarios/hac/found_told_too_late.ron";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let text = std::fs::read_to_string(path).expect("the file is in the library");
    let file = ScenarioFile::parse(name, text).expect("the file is a scenario");
    let plan = resolve::<Hac>(&file, "Hardened").expect("the file is a plan");
    let placed: Vec<_> = plan.hosts.iter().map(|host| host.placed.clone()).collect();
    let mut engine = Engine::new(&plan, &placed);
    engine.reset(file.seed(), None);
    run(&mut engine);
    engine
        .judge
        .violation
        .clone()
        .map(|violation| violation.invariant)
}

#[test]
fn what_is_said_before_a_node_is_told_that_its_write_failed_would_break_a_promise() {
    assert_eq!(
        broken(|engine| drive(engine, &mut Outbox::new(), &mut Unwitnessed)),
        None
    );
    let broken = broken(|engine| drive(&mut Talkative(engine), &mut Outbox::new(), &mut Unwitnessed));
    assert_eq!(broken.as_deref(), Some("hac.epoch_grows"));
}
