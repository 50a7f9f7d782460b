//! Histories that are too large for every order: the two checkers say the same, and say so when they could not find out.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use squall_nodes::CallId;
use squall_nodes::history::{
    Bounds, Counter, CounterOp, CounterRet, Ended, Finding, Looked, Online, Operation, Register, RegisterOp,
    RegisterRet, check,
};

use crate::made::{Made, follow, histories};

const CASES: u32 = if cfg!(debug_assertions) { 25 } else { 1_000 };

#[test]
fn both_checkers_say_the_same_of_hundreds_of_calls() {
    let value = 0..50u8;
    let op = prop_oneof![
        1 => Just(RegisterOp::Read),
        1 => value.clone().prop_map(RegisterOp::Write),
    ];
    let ret = value.prop_map(RegisterRet::Value);
    let spec = Register { first: 0 };
    let histories = histories(spec.clone(), 100..=300, 3_000, op, ret);
    let (linearizable, violated) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(crate::made::config(CASES));
    let result = runner.run(&histories, |history: Made<Register<u8>>| {
        let whole = check(&spec, &history, &Bounds::default());
        let mut online = Online::new(spec.clone(), Bounds::default());
        match (whole, follow(&mut online, &history)) {
            (Finding::Linearizable, so_far) => {
                linearizable.set(linearizable.get() + 1);
                prop_assert_eq!(so_far, Ok(Looked::Holds));
            }
            (Finding::Violated(explanation), so_far) => {
                violated.set(violated.get() + 1);
                prop_assert_eq!(so_far, Err(explanation));
            }
            (undecided, _) => return Err(TestCaseError::fail(format!("{undecided:?}"))),
        }
        Ok(())
    });
    result.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(linearizable.get() > CASES / 5 && violated.get() > CASES / 5);
}

/// Calls that are all made before the first of them comes back, and come back in the opposite order.
fn all_at_once(calls: u64) -> Vec<Operation<CounterOp, CounterRet>> {
    let operation = |call| Operation {
        id: CallId(call),
        op: CounterOp::Add(1),
        called: call,
        ended: Ended::Returned {
            at: 2 * calls - call,
            ret: CounterRet::Value(call as i64 + 1),
        },
    };
    (0..calls).map(operation).collect()
}

#[test]
fn a_hundred_calls_at_once_have_one_order_and_it_is_found() {
    let counter = Counter::default();
    let history = all_at_once(100);
    assert_eq!(
        check(&counter, &history, &Bounds::default()),
        Finding::Linearizable
    );
    let mut online = Online::new(counter, Bounds::default());
    assert_eq!(follow(&mut online, &history), Ok(Looked::Holds));
    assert_eq!(online.undecided(), None);
    // Somebody has a value that somebody else has.
    let mut twice = history;
    let (at, ret) = (101, CounterRet::Value(99));
    twice[99].ended = Ended::Returned { at, ret };
    let Finding::Violated(whole) = check(&counter, &twice, &Bounds::default()) else {
        panic!("two calls have counted to the same number");
    };
    assert_eq!(whole.call, CallId(98));
    // While so many calls are open it is not looked at each answer. The look that finds it finds where it was.
    let so_far = follow(&mut Online::new(counter, Bounds::default()), &twice);
    assert_eq!(so_far, Err(whole));
}

#[test]
fn fifty_lost_writes_may_each_have_had_effect_or_not() {
    let register = Register { first: 0u32 };
    let mut history: Vec<Operation<RegisterOp<u32>, RegisterRet<u32>>> = Vec::new();
    for call in 0..50u64 {
        history.push(Operation {
            id: CallId(call),
            op: RegisterOp::Write(call as u32),
            called: call,
            ended: Ended::Unknown,
        });
    }
    // Each of them is seen once, and then never again, since another one came after it.
    for (place, seen) in [40u32, 3, 17, 49, 0, 8].into_iter().enumerate() {
        let called = 100 + 2 * place as u64;
        history.push(Operation {
            id: CallId(called),
            op: RegisterOp::Read,
            called,
            ended: Ended::Returned {
                at: called + 1,
                ret: RegisterRet::Value(seen),
            },
        });
    }
    assert_eq!(
        check(&register, &history, &Bounds::default()),
        Finding::Linearizable
    );
    let mut again = history.clone();
    again.push(Operation {
        id: CallId(200),
        op: RegisterOp::Read,
        called: 200,
        ended: Ended::Returned {
            at: 201,
            ret: RegisterRet::Value(40),
        },
    });
    let Finding::Violated(whole) = check(&register, &again, &Bounds::default()) else {
        panic!("one write cannot have had effect twice");
    };
    assert_eq!(whole.call, CallId(200));
    for (history, broken) in [(history, None), (again, Some(whole))] {
        let mut online = Online::new(register.clone(), Bounds::default());
        assert_eq!(follow(&mut online, &history).err(), broken);
    }
}

#[test]
fn what_takes_too_much_is_undecided_and_not_a_verdict() {
    let history = all_at_once(100);
    let few_steps = Bounds {
        steps: 50,
        ..Bounds::default()
    };
    let little_memory = Bounds {
        configurations: 20,
        ..Bounds::default()
    };
    let counter = Counter::default();
    for (bounds, why) in [
        (few_steps, "it takes more than 50 steps"),
        (little_memory, "more than 20 configurations would have to be kept"),
    ] {
        let undecided = Finding::Undecided { why: why.to_owned() };
        assert_eq!(check(&counter, &history, &bounds), undecided);
        let mut online = Online::new(counter, bounds);
        assert_eq!(follow(&mut online, &history), Ok(Looked::Later));
        assert_eq!(online.undecided(), Some(why));
    }
}

#[test]
fn ten_thousand_calls_in_a_row_overflow_no_stack() {
    let counter = Counter::default();
    let operation = |call: u64| Operation {
        id: CallId(call),
        op: CounterOp::Add(1),
        called: 2 * call,
        ended: Ended::Returned {
            at: 2 * call + 3,
            ret: CounterRet::Value(call as i64 + 1),
        },
    };
    let history: Vec<_> = (0..10_000).map(operation).collect();
    assert_eq!(
        check(&counter, &history, &Bounds::default()),
        Finding::Linearizable
    );
    let mut online = Online::new(counter, Bounds::default());
    assert_eq!(follow(&mut online, &history), Ok(Looked::Holds));
}
