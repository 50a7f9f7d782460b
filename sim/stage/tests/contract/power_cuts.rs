//! A host loses its power while connections are open: nobody hears of it but who writes, and he only when he has waited long enough, or
//! when the host is back. Of a host whose node is killed the kernel tells at once.

use squall_nodes::Span;

use crate::conns::{Do, Happens};
use crate::cut_streams::hasty;
use crate::node::Act::{Arm, Conn};
use crate::node::When::{Conn as On, Phase, Timer};
use crate::node::{Act, Rule};
use crate::story::Fault;
use crate::streams::{both, dial, read, say, write};

const A: usize = 0;
const B: usize = 1;

/// What `a` does: it opens a connection in the first phase and writes to it.
fn dialler(more: Vec<Rule>) -> Vec<Rule> {
    let begins = vec![
        Rule(Phase(1), vec![dial()]),
        Rule(On(0, Happens::Opened), vec![write(0, "before ")]),
    ];
    [begins, more].concat()
}

/// What `b` does: it reads.
fn reader(more: Vec<Rule>) -> Vec<Rule> {
    [vec![read(0, "before ", vec![Conn(Do::SayRead(0))])], more].concat()
}

/// Says so when nothing was heard for longer than anybody waits.
fn waits(phase: u32, timer: u64, text: &str) -> Vec<Rule> {
    let begins: Vec<Act> = vec![Arm(timer, Span::from_millis(1_600))];
    vec![Rule(Phase(phase), begins), Rule(Timer(timer), vec![say(text)])]
}

#[test]
fn whoever_writes_to_a_host_without_power_gives_up_when_it_has_waited_long_enough() {
    let writes = Rule(Phase(2), vec![write(0, "meanwhile"), say("written")]);
    hasty(both(dialler(vec![writes]), reader(Vec::new())))
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::PowerCut(B)], &[A], &[(A, "0: closed TimedOut")])
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "written", "0: closed TimedOut"]);
            assert_eq!(seen.said(B), ["0: accepted from a", "read before "]);
        });
}

#[test]
fn whoever_writes_nothing_hears_nothing_and_of_a_reset_when_it_writes_to_the_host_that_is_back() {
    let writes = Rule(Phase(3), vec![write(0, "are you there?")]);
    let script = [waits(2, 1, "nothing"), vec![writes]].concat();
    hasty(both(dialler(script), reader(Vec::new())))
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::PowerCut(B)], &[A], &[(A, "nothing")])
        .phase(&[Fault::Start(B)], &[A], &[(A, "0: closed Reset")])
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "nothing", "0: closed Reset"]);
            assert_eq!(seen.said(B), ["0: accepted from a", "read before "]);
        });
}

#[test]
fn what_was_written_to_a_host_without_power_is_answered_by_a_reset_when_it_is_back_in_time() {
    let writes = Rule(Phase(2), vec![write(0, "meanwhile"), say("written")]);
    both(dialler(vec![writes]), reader(Vec::new()))
        .phases_of(Span::from_secs(2))
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::PowerCut(B)], &[A], &[(A, "written")])
        .phase(&[Fault::Start(B)], &[], &[(A, "0: closed Reset")])
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["0: opened", "written", "0: closed Reset"]);
            assert_eq!(seen.said(B), ["0: accepted from a", "read before "]);
        });
}

#[test]
fn a_reader_that_writes_nothing_never_learns_that_its_writer_has_lost_power_and_is_back() {
    let script = [waits(2, 1, "nothing"), waits(3, 2, "still nothing")].concat();
    hasty(both(dialler(Vec::new()), reader(script)))
        .phase(&[], &[A], &[(B, "read before ")])
        .phase(&[Fault::PowerCut(A)], &[B], &[(B, "nothing")])
        .phase(&[Fault::Start(A)], &[B], &[(B, "still nothing")])
        .holds_of_linux(|seen| {
            assert_eq!(
                seen.said(B),
                ["0: accepted from a", "read before ", "nothing", "still nothing"]
            );
        });
}

#[test]
fn a_host_without_power_answers_no_dial_and_one_that_is_back_does() {
    let dials = [1, 2].map(|phase| Rule(Phase(phase), vec![dial()]));
    hasty(both(dials.to_vec(), Vec::new()))
        .phase(&[Fault::PowerCut(B)], &[A], &[(A, "0: closed TimedOut")])
        .phase(
            &[Fault::Start(B)],
            &[A],
            &[(A, "1: opened"), (B, "0: accepted from a")],
        )
        .holds_of_linux(|seen| {
            assert_eq!(seen.said(A), ["0: closed TimedOut", "1: opened"]);
            assert_eq!(seen.said(B), ["0: accepted from a"]);
        });
}
