//! Nodes that are not what was recorded, and nodes that panic.

use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use squall_live::record::Manner;
use squall_live::settings::Settings;
use squall_nodes::recording::{Ended, Happened};
use squall_nodes::{
    ConfigOf, Describe, Input, InvariantKind, Node, NodeRng, Outbox, Placed, Protocol, Span, Time,
};

use crate::rig::{ALL, End, Rig, fly, folder, only, replayed, roomy, settings, told};

/// Says at every tick how many there were, in a packet to itself. `FLAW` is what is wrong with it.
#[derive(Clone, Copy, Debug)]
struct Ticker<const FLAW: u8>;

/// Nothing.
const NONE: u8 = 0;
/// The fifth tick is counted twice.
const COUNTS_TWICE: u8 = 1;
/// It forgets to claim the fifth.
const FORGETS: u8 = 2;
/// It panics over the fifth.
const PANICS: u8 = 3;
/// From the fifth on it sets another alarm.
const OTHER_ALARM: u8 = 4;
/// It says the same in other words.
const OTHER_WORDS: u8 = 5;
/// It panics when it boots.
const PANICS_AT_BOOT: u8 = 6;

#[derive(Clone)]
struct TickerNode<const FLAW: u8> {
    ticks: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Alarm {
    Tick,
    Other,
}

impl squall_nodes::Timer for Alarm {
    fn code(&self) -> u64 {
        *self as u64
    }
}

squall_nodes::facts! {
    /// What a ticker claims.
    enum Ticked {
        /// So many ticks.
        "ticked" => Ticked { ticks: u64 },
    }
}

/// Its form says of itself what it is, which compact forms cannot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
enum Order {
    Set { ticks: u64 },
}

impl<const FLAW: u8> Node for TickerNode<FLAW> {
    type Role = ();
    type Config = ();
    type Command = Order;
    type Answer = ();
    type Timer = Alarm;
    type Fact = Ticked;

    fn boot(_: &(), _: &(), _: Option<&[u8]>, _: NodeRng) -> Self {
        assert!(FLAW != PANICS_AT_BOOT, "it does not boot");
        TickerNode { ticks: 0 }
    }

    fn handle(&mut self, now: Time, input: Input<'_, Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Start => out.bind(9),
            Input::Timer(_) => {
                self.ticks += 1;
                let is_fifth = self.ticks == 5;
                assert!(FLAW != PANICS || !is_fifth, "five is too much");
                if FLAW == COUNTS_TWICE && is_fifth {
                    self.ticks += 1;
                }
                if FLAW != FORGETS || !is_fifth {
                    out.claim(Ticked::Ticked { ticks: self.ticks });
                }
            }
            Input::Command {
                command: Order::Set { ticks },
                ..
            } => self.ticks = *ticks,
            _ => return,
        }
        let mut words = format!("tick {:4}", self.ticks);
        if FLAW == OTHER_WORDS && self.ticks == 5 {
            words = words.replace("tick", "tack");
        }
        let payload = out.payload(words.as_bytes());
        out.send(9, "10.0.0.1:9".parse().expect("it is an address"), payload);
        let alarm = if FLAW == OTHER_ALARM && self.ticks >= 5 {
            Alarm::Other
        } else {
            Alarm::Tick
        };
        out.arm(alarm, now + Span::from_millis(100));
    }
}

impl<const FLAW: u8> Protocol for Ticker<FLAW> {
    const NAME: &'static str = "ticker";
    const ABOUT: &'static str = "counts";
    type Node = TickerNode<FLAW>;

    fn config(_: &str, _: &str) -> ConfigOf<Self> {}

    fn invariants() -> Vec<InvariantKind<Self::Node>> {
        Vec::new()
    }

    fn shortest_timeout((): &()) -> Span {
        Span::from_secs(1)
    }

    fn describer() -> Box<dyn Describe> {
        struct AsText;
        impl Describe for AsText {
            fn datagram(
                &mut self,
                _: std::net::SocketAddrV4,
                _: std::net::SocketAddrV4,
                bytes: &[u8],
            ) -> String {
                String::from_utf8_lossy(bytes).into_owned()
            }
        }
        Box::new(AsText)
    }
}

fn parts<const FLAW: u8>(
    folder: &tempfile::TempDir,
) -> (Vec<Placed<TickerNode<FLAW>>>, Settings<TickerNode<FLAW>>) {
    let placed = vec![Placed {
        name: "t".to_owned(),
        ip: Ipv4Addr::new(10, 0, 0, 1),
        role: (),
        config: (),
    }];
    let settings = settings::<Ticker<FLAW>>(&placed[0], "Standard", roomy(folder));
    (placed, settings)
}

/// Records a second of a ticker that is sound.
fn recorded() -> tempfile::TempDir {
    let folder = folder();
    let (placed, settings) = parts::<NONE>(&folder);
    fly::<Ticker<NONE>>(
        Rig::new(&placed, Span::from_secs(1)),
        &settings,
        0,
        0,
        End::Stopped,
    );
    folder
}

/// What the replay of a flawed ticker names: input, effect, recorded and replayed.
fn named<const FLAW: u8>() -> (u64, u64, Option<String>, Option<String>) {
    let folder = recorded();
    let replay = replayed::<Ticker<FLAW>>(&only(&folder)).expect("it is a recording");
    let difference = replay.difference.expect("it is another node");
    (
        difference.input,
        difference.effect,
        difference.recorded,
        difference.replayed,
    )
}

/// The ticks are every other input: between them comes the packet that the node sends itself.
const FIFTH: u64 = 11;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_first_effect_that_differs_is_named_whatever_differs() {
    let claim = "claim ticked, with other contents";
    assert_eq!(
        named::<COUNTS_TWICE>(),
        (FIFTH, 1, some(claim), some("claim ticked: Ticked { ticks: 6 }"))
    );
    assert_eq!(
        named::<FORGETS>(),
        (
            FIFTH,
            1,
            some("claim ticked"),
            some("send 9 bytes to 10.0.0.1:9 from port 9: tick    5")
        )
    );
    assert_eq!(
        named::<OTHER_WORDS>(),
        (
            FIFTH,
            2,
            some("send 9 bytes to 10.0.0.1:9 from port 9, with other contents"),
            some("send 9 bytes to 10.0.0.1:9 from port 9: tack    5")
        )
    );
    assert_eq!(
        named::<OTHER_ALARM>(),
        (
            FIFTH,
            3,
            some("arm Tick for +600.000000 ms"),
            some("arm Other for +600.000000 ms")
        )
    );
    assert_eq!(named::<PANICS>(), (FIFTH, 1, some("claim ticked"), some("panic")));
}

#[test]
fn after_a_difference_it_goes_on_as_far_as_the_node_understands_it() {
    let folder = recorded();
    let manner = Manner {
        story: Some(ALL),
        ..Manner::default()
    };
    let (replay, steps) = told::<Ticker<OTHER_ALARM>>(&only(&folder), &manner).expect("it is a recording");
    // The alarms that were recorded from the sixth on are none that it has set.
    let skipped: Vec<u64> = steps
        .iter()
        .filter(|step| step.happened == Happened::Skipped)
        .map(|step| step.input)
        .collect();
    assert_eq!(skipped, [13, 15, 17, 19, 21]);
    assert_eq!(replay.skipped, 5);
    assert_eq!(replay.inputs + replay.skipped, steps.len() as u64);
    assert_eq!(replay.differing, 6);
}

#[test]
fn a_node_that_panicked_is_recorded_up_to_what_it_panicked_over() {
    let folder = folder();
    let (placed, settings) = parts::<PANICS>(&folder);
    let flown = catch_unwind(AssertUnwindSafe(|| {
        fly::<Ticker<PANICS>>(
            Rig::new(&placed, Span::from_secs(1)),
            &settings,
            0,
            0,
            End::Stopped,
        )
    }));
    assert!(flown.is_err());
    let path = only(&folder);
    let replay = replayed::<Ticker<PANICS>>(&path).expect("it is a recording");
    assert_eq!(replay.difference, None);
    assert_eq!((replay.inputs, replay.ended), (FIFTH, Ended::Panicked));
    assert_eq!(replay.panicked.as_deref(), Some("five is too much"));
    // One that is mended does not.
    let replay = replayed::<Ticker<NONE>>(&path).expect("it is a recording");
    let difference = replay.difference.expect("it goes on");
    assert_eq!((difference.input, replay.panicked), (FIFTH, None));
    assert_eq!(difference.recorded.as_deref(), Some("panic"));
    assert_eq!(
        difference.replayed.as_deref(),
        Some("claim ticked: Ticked { ticks: 5 }")
    );
}

#[test]
fn a_node_that_panics_at_its_boot_is_told_nothing() {
    let folder = recorded();
    let replay = replayed::<Ticker<PANICS_AT_BOOT>>(&only(&folder)).expect("it is a recording");
    assert_eq!(
        (replay.inputs, replay.panicked.as_deref()),
        (0, Some("it does not boot"))
    );
    let difference = replay.difference.expect("it was recorded to boot");
    assert_eq!(
        (difference.input, difference.replayed.as_deref()),
        (0, Some("panic"))
    );
}

#[test]
fn a_command_whose_form_describes_itself_is_told_again() {
    let folder = folder();
    let (placed, settings) = parts::<NONE>(&folder);
    let mut rig = Rig::new(&placed, Span::from_secs(1));
    rig.call(Span::from_millis(350), 0, 4, Order::Set { ticks: 40 });
    fly::<Ticker<NONE>>(rig, &settings, 0, 0, End::Stopped);
    let manner = Manner {
        story: Some(ALL),
        ..Manner::default()
    };
    let (replay, steps) = told::<Ticker<NONE>>(&only(&folder), &manner).expect("it is a recording");
    assert_eq!(replay.difference, None);
    assert!(
        steps.iter().any(|step| step.told == "call 4: Set { ticks: 40 }"),
        "{steps:#?}"
    );
}
