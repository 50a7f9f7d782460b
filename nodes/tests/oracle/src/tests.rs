//! Squall's checkers and the other project's say the same of histories that are made at random: of a register as the other project has
//! it, and of Squall's own objects.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use squall_nodes::history::{
    Bounds, Counter, CounterOp, CounterRet, Ended, Finding, Goes, Kv, KvOp, KvRet, Looked, Online, Operation,
    Register, RegisterOp, RegisterRet, Spec, check,
};
use stateright::semantics::register as theirs;

use crate::made::{Made, config, follow, histories};
use crate::{Whole, is_linearizable};

const CASES: u32 = if cfg!(debug_assertions) { 2_000 } else { 50_000 };

#[test]
fn a_register_of_theirs() {
    let op = prop_oneof![Just(RegisterOp::Read), (0..3u8).prop_map(RegisterOp::Write)];
    let ret = prop_oneof![
        3 => (0..3u8).prop_map(RegisterRet::Value),
        1 => Just(RegisterRet::Done),
    ];
    let spec = Register { first: 0 };
    let made = histories(spec.clone(), 1..=9, 60_000, op, ret);
    agree(&spec, made, |history| {
        let history: Vec<_> = history.iter().map(as_theirs).collect();
        is_linearizable(theirs::Register(0), &history)
    });
}

/// An operation on a register, without one that replaces, in the other project's words.
fn as_theirs(
    operation: &Operation<RegisterOp<u8>, RegisterRet<u8>>,
) -> Operation<theirs::RegisterOp<u8>, theirs::RegisterRet<u8>> {
    let op = match operation.op {
        RegisterOp::Read => theirs::RegisterOp::Read,
        RegisterOp::Write(value) => theirs::RegisterOp::Write(value),
        RegisterOp::Swap { .. } => unreachable!("none is made"),
    };
    let ended = match operation.ended {
        Ended::Returned { at, ref ret } => Ended::Returned {
            at,
            ret: match *ret {
                RegisterRet::Value(value) => theirs::RegisterRet::ReadOk(value),
                RegisterRet::Done => theirs::RegisterRet::WriteOk,
                RegisterRet::Swapped(_) => unreachable!("none is made"),
            },
        },
        Ended::Refused { at } => Ended::Refused { at },
        Ended::Unknown => Ended::Unknown,
    };
    Operation {
        id: operation.id,
        op,
        called: operation.called,
        ended,
    }
}

#[test]
fn a_register_that_replaces() {
    let op = prop_oneof![
        2 => Just(RegisterOp::Read),
        2 => (0..3u8).prop_map(RegisterOp::Write),
        2 => (0..3u8, 0..3u8).prop_map(|(from, to)| RegisterOp::Swap { from, to }),
    ];
    let ret = prop_oneof![
        2 => (0..3u8).prop_map(RegisterRet::Value),
        1 => any::<bool>().prop_map(RegisterRet::Swapped),
    ];
    let spec = Register { first: 0 };
    whole(spec.clone(), histories(spec, 1..=9, 60_000, op, ret));
}

#[test]
fn counters() {
    for goes in [Goes::Anywhere, Goes::Up] {
        let op = prop_oneof![
            1 => Just(CounterOp::Read),
            2 => (0..3i64).prop_map(CounterOp::Add),
        ];
        let ret = (0..9i64).prop_map(CounterRet::Value);
        let spec = Counter { first: 0, goes };
        whole(spec, histories(spec, 1..=8, 60_000, op, ret));
    }
}

#[test]
fn a_store_is_judged_by_its_parts_as_it_is_as_a_whole() {
    let slot = || proptest::option::of(0..3u8);
    let op = prop_oneof![
        3 => (0..3u8).prop_map(KvOp::Get),
        3 => (0..3u8, 0..3u8).prop_map(|(key, value)| KvOp::Put(key, value)),
        1 => (0..3u8).prop_map(KvOp::Delete),
        1 => (0..3u8, slot(), slot()).prop_map(|(key, from, to)| KvOp::Swap { key, from, to }),
    ];
    let ret = prop_oneof![
        3 => slot().prop_map(KvRet::Value),
        1 => Just(KvRet::Done),
        1 => any::<bool>().prop_map(KvRet::Swapped),
    ];
    whole(Kv::new(), histories(Kv::new(), 1..=9, 60_000, op, ret));
}

fn whole<S: Spec>(spec: S, made: impl Strategy<Value = Made<S>>) {
    agree(&spec, made, |history| {
        is_linearizable(Whole::new(spec.clone()), history)
    });
}

/// Holds both checkers against the other project's, in histories of which a good share is linearizable and a good share is not.
fn agree<S: Spec>(spec: &S, made: impl Strategy<Value = Made<S>>, theirs: impl Fn(&Made<S>) -> bool) {
    let (linearizable, violated) = (Cell::new(0u32), Cell::new(0u32));
    let result = TestRunner::new(config(CASES)).run(&made, |history| {
        let is_linearizable = theirs(&history);
        let of = if is_linearizable { &linearizable } else { &violated };
        of.set(of.get() + 1);
        let whole = check(spec, &history, &Bounds::default());
        let so_far = follow(&mut Online::new(spec.clone(), Bounds::default()), &history);
        match is_linearizable {
            true => {
                prop_assert_eq!(whole, Finding::Linearizable);
                prop_assert_eq!(so_far, Ok(Looked::Holds));
            }
            false => {
                prop_assert!(matches!(whole, Finding::Violated(_)), "{:?}", whole);
                prop_assert!(so_far.is_err(), "{:?}", so_far);
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|wrong| panic!("{wrong}"));
    for share in [linearizable.get(), violated.get()] {
        assert!(
            share > CASES / 10,
            "{} linearizable, {} violated",
            linearizable.get(),
            violated.get()
        );
    }
}
