//! A story in the virtual world: it goes through `prepare`, as every plan does.

use squall_nodes::latency::Latency;
use squall_nodes::link::{LinkChange, LinkLaw};
use squall_nodes::{Change, Crash, HostId, HostKey, Placed, Span, Time, Tolerance};
use squall_sim::plan::{
    Clock, CutPlan, DiskOnRestart, Expect, Fault as Done, Layer, Network, Plan, PlannedHost, Step, Target,
    Trigger, Work, address_of,
};
use squall_sim::trace::Happening;
use squall_sim::{Prepared, prepare};

use crate::node::{Part, Scripted};
use crate::story::{Fault, Seen, Story, World};

pub(crate) fn play(story: &Story) -> Seen {
    let (outcome, trace) = prepare(plan(story), 0).worker().trace(1);
    let traffic = &outcome.traffic;
    let mut seen = Seen {
        sent: traffic.sent,
        delivered: traffic.delivered,
        cut: traffic.cut,
        lost: traffic.lost,
        duplicated: traffic.duplicated,
        congested: traffic.congested,
        overflowed: traffic.overflowed,
        refused: traffic.too_long,
        turned_away: traffic.streams.turned_away,
        ..Seen::nothing(World::Simulated, story.hosts.len())
    };
    for (phase, number) in story.phases.iter().zip(1..) {
        if phase.faults.contains(&Fault::Heal) {
            let begins = Time::ZERO + story.phase * number;
            seen.healed.push((begins, begins));
        }
    }
    for event in &trace.events {
        if let Happening::World {
            change: Change::Choked { from, to },
            ..
        } = &event.what
        {
            seen.choked.insert((from.index(), to.index()));
        }
        let Some(host) = event.host else { continue };
        let host = host.index();
        match &event.what {
            Happening::Booted { incarnation } => seen.lives[host].push(*incarnation),
            Happening::Fact { says, .. } => seen.says(host, event.at, text_of(says)),
            Happening::Answer { says, .. } => seen.says(host, event.at, format!("answers {says}")),
            Happening::Sent {
                fate: squall_sim::trace::Fate::NoSuchPlace,
                ..
            } => seen.refused += 1,
            _ => {}
        }
    }
    seen
}

/// What stands in a claim, as traces print it.
pub(crate) fn text_of(says: &str) -> String {
    let text = says.strip_prefix("Said { text: \"");
    let text = text.and_then(|text| text.strip_suffix("\" }"));
    text.expect("every claim is a text").replace("\\\"", "\"")
}

fn plan(story: &Story) -> Plan<Scripted> {
    let address = |host: usize| address_of(HostId(host as u32));
    let cast: Vec<_> = story
        .hosts
        .iter()
        .enumerate()
        .map(|(place, (name, _))| ((*name).to_owned(), address(place)))
        .collect();
    let hosts = story.hosts.iter().enumerate().map(|(place, (name, script))| {
        let config = Part {
            cast: cast.clone(),
            script: script.clone(),
        };
        PlannedHost {
            placed: Placed {
                name: (*name).to_owned(),
                ip: address(place),
                role: (),
                config,
            },
            key: HostKey::of(name),
            starts: Time::ZERO,
            clock: Clock::default(),
        }
    });
    let law = story.law.clone();
    let law = law.unwrap_or_else(|| LinkLaw::delaying(Latency::Constant(Span::from_millis(1))));
    let mut plan = Plan {
        scenario: "contract".to_owned(),
        rules: "Standard",
        hosts: hosts.collect(),
        network: Network {
            streams: story.streams,
            ..Network::of(law)
        },
        persist: Latency::Constant(Span::from_millis(10)),
        lateness: None,
        timeline: Vec::new(),
        workload: Vec::new(),
        limit: story.phase * (story.phases.len() as u64 + 3),
        max_events: 10_000_000,
        invariants: Vec::new(),
        measures: Vec::new(),
        expect: Expect::Held,
        tolerated: Tolerance {
            loss: 1.0,
            latency: Span::from_secs(60),
        },
        live_tolerance: Span::ZERO,
    };
    for (phase, number) in story.phases.iter().zip(1u32..) {
        let begins = Time::ZERO + story.phase * u64::from(number);
        for fault in &phase.faults {
            plan.timeline.extend(steps(*fault, begins));
        }
        for host in &phase.calls {
            plan.workload.push(Work {
                first: begins + story.phase / 2,
                interval: None,
                until: Time::MAX,
                of: vec![HostId(*host as u32)],
                command: number,
                label: format!("phase {number}"),
            });
        }
    }
    plan
}

fn steps(fault: Fault, at: Time) -> Vec<Step> {
    let who = |host: usize| vec![Target::Host(HostId(host as u32))];
    let failing = |host| Layer::FailingDisk {
        who: who(host),
        share: 1.0,
    };
    let links = |from, to, change| {
        Done::Lay(Layer::Links {
            from: who(from),
            to: who(to),
            change,
        })
    };
    let faults = match fault {
        Fault::Cut(from, to) => vec![Done::Lay(Layer::Cut(CutPlan::OneWay {
            from: who(from),
            to: who(to),
        }))],
        Fault::Lose(from, to) => {
            let change = LinkChange {
                loss: Some(1.0),
                ..LinkChange::default()
            };
            vec![links(from, to, change)]
        }
        Fault::Delay(from, to, by) => {
            let change = LinkChange {
                latency: Some(Latency::Constant(by)),
                ..LinkChange::default()
            };
            vec![links(from, to, change)]
        }
        Fault::Heal => vec![Done::HealAll],
        Fault::Kill(host) => vec![Done::Crash(Crash::Kill, who(host))],
        Fault::PowerCut(host) => vec![Done::Crash(Crash::PowerCut, who(host))],
        Fault::Start(host) => vec![Done::Restart {
            who: who(host),
            disk: DiskOnRestart::Kept,
        }],
        Fault::Pause(host) => vec![Done::Pause(who(host))],
        Fault::Resume(host) => vec![Done::Resume(who(host))],
        Fault::FailWrite(host) => vec![Done::Lay(failing(host))],
        Fault::Mend(host) => vec![Done::Heal(failing(host))],
    };
    let step = |fault: Done| Step {
        trigger: Trigger::At(at),
        label: fault.kind().to_owned(),
        fault,
    };
    faults.into_iter().map(step).collect()
}
