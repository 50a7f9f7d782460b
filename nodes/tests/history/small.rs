//! Small histories: both checkers say what trying every order says, where it breaks, and what could be there by then.

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use squall_nodes::history::{
    Bounds, Counter, CounterOp, CounterRet, Explanation, Finding, Goes, Kv, KvOp, KvRet, Looked, Online,
    Register, RegisterOp, RegisterRet, Spec, check,
};

use crate::made::{Made, follow, histories};
use crate::orders::broken;

const CASES: u32 = if cfg!(debug_assertions) { 500 } else { 20_000 };

#[test]
fn registers_are_judged_as_by_every_order() {
    let value = 0..3u8;
    let op = prop_oneof![
        2 => Just(RegisterOp::Read),
        2 => value.clone().prop_map(RegisterOp::Write),
        1 => (value.clone(), value.clone()).prop_map(|(from, to)| RegisterOp::Swap { from, to }),
    ];
    let ret = prop_oneof![
        3 => value.prop_map(RegisterRet::Value),
        1 => Just(RegisterRet::Done),
        1 => any::<bool>().prop_map(RegisterRet::Swapped),
    ];
    let spec = Register { first: 0 };
    agree(&spec, histories(spec.clone(), 1..=6, 80_000, op, ret));
}

#[test]
fn counters_are_judged_as_by_every_order() {
    counters(Goes::Anywhere);
}

#[test]
fn counters_that_only_go_up_are_judged_as_by_every_order() {
    counters(Goes::Up);
}

fn counters(goes: Goes) {
    let op = prop_oneof![
        1 => Just(CounterOp::Read),
        2 => (0..3i64).prop_map(CounterOp::Add),
    ];
    let ret = prop_oneof![
        9 => (0..7i64).prop_map(CounterRet::Value),
        1 => Just(CounterRet::Done),
    ];
    let spec = Counter { first: 0, goes };
    agree(&spec, histories(spec, 1..=6, 80_000, op, ret));
}

#[test]
fn stores_are_judged_as_by_every_order_of_each_key() {
    let (key, value) = (0..2u8, 0..3u8);
    let slot = || proptest::option::of(0..3u8);
    let op = prop_oneof![
        3 => key.clone().prop_map(KvOp::Get),
        3 => (key.clone(), value).prop_map(|(key, value)| KvOp::Put(key, value)),
        1 => key.clone().prop_map(KvOp::Delete),
        1 => (key, slot(), slot()).prop_map(|(key, from, to)| KvOp::Swap { key, from, to }),
    ];
    let ret = prop_oneof![
        3 => slot().prop_map(KvRet::Value),
        1 => Just(KvRet::Done),
        1 => any::<bool>().prop_map(KvRet::Swapped),
    ];
    agree(&Kv::new(), histories(Kv::new(), 1..=6, 80_000, op, ret));
}

/// Holds both checkers against every order, in histories of which a good share is linearizable and a good share is not.
fn agree<S: Spec>(spec: &S, histories: impl Strategy<Value = Made<S>>) {
    let (linearizable, violated) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(crate::made::config(CASES));
    let result = runner.run(&histories, |history| {
        let whole = check(spec, &history, &Bounds::default());
        let so_far = follow(&mut Online::new(spec.clone(), Bounds::default()), &history);
        match broken(spec, &history) {
            None => {
                linearizable.set(linearizable.get() + 1);
                prop_assert_eq!(whole, Finding::Linearizable);
                prop_assert_eq!(so_far, Ok(Looked::Holds));
            }
            Some(broken) => {
                violated.set(violated.get() + 1);
                let Finding::Violated(explanation) = whole else {
                    return Err(TestCaseError::fail(format!("{whole:?}")));
                };
                prop_assert_eq!(explanation.call, broken.at);
                let told: BTreeSet<String> = explanation.states.iter().cloned().collect();
                prop_assert!(!explanation.more_states && told.len() < Explanation::STATES);
                prop_assert_eq!(told, broken.states);
                prop_assert_eq!(so_far, Err(explanation));
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|wrong| panic!("{wrong}"));
    // What is held against nothing but one of the two says nothing.
    for share in [linearizable.get(), violated.get()] {
        assert!(
            share > CASES / 10,
            "{} linearizable, {} violated",
            linearizable.get(),
            violated.get()
        );
    }
}
