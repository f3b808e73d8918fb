//! The theorem: makes the goals that must be proven from the two logs of a path and the promise of its term.
//!
//! With `G(r)` = "record r is active and no trap of its log comes before it":
//!
//! - **events**: the other records (loads, stores, calls, control) are paired one to one in their order;
//!   of each pair the kinds are the same, `G` is the same, and under `G` every field is the same (of a
//!   stored value the low `bits` bits). A record without partner has a false `G`.
//! - **trap**: some trap is active on one side exactly if one is on the other, and then the first active
//!   traps have the same code.
//! - **value**: unless a trap is active, each clause of the promise holds.
//!
//! If all goals hold, both sides make the same sequence of active events and then trap alike or go on
//! with the promised value. Loads on both sides may share a variable when the same number of stores
//! precedes them: by induction over the order, those stores were proven equal without it.

use crate::expr::ExprId;
use crate::path::{Eval, Path, Promise, STORE, TRAP, uncovered};
use crate::value::Value;

/// Something that must follow from all assumptions of a path.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The fact that must hold.
    pub goal: ExprId,
    /// The name of the goal: `value`, `trap`, or the kind of an event.
    pub label: String,
}

/// An event of one side.
struct Event {
    record: usize,
    guard: ExprId,
}

/// The events of one side, with traps and others apart.
struct Side {
    events: Vec<Event>,
    traps: Vec<(ExprId, ExprId)>,
}

/// The goals of a path.
///
/// # Errors
///
/// The specs do not describe a record well enough to compare it.
pub fn goals(path: &mut Path<'_, '_>, promise: &Promise) -> Eval<Vec<Goal>> {
    let source_log: Vec<usize> = path.sunk.0.iter().chain(&path.source.0).copied().collect();
    let machine_log = path.machine.0.clone();
    let source = side(path, &source_log)?;
    let machine = side(path, &machine_log)?;
    let mut goals = Vec::new();
    let trapped = trap_goals(path, &source, &machine, &mut goals)?;
    event_goals(path, &source, &machine, &mut goals)?;
    for &clause in &promise.clauses {
        let goal = path.dag.or(trapped, clause);
        goals.push(Goal {
            goal,
            label: "value".to_owned(),
        });
    }
    goals.retain(|goal| path.dag.as_bool(goal.goal) != Some(true));
    Ok(goals)
}

fn side(path: &mut Path<'_, '_>, log: &[usize]) -> Eval<Side> {
    let mut side = Side {
        events: Vec::new(),
        traps: Vec::new(),
    };
    let mut alive = path.dag.bool(true);
    for &record in log {
        let active = path.active(record)?;
        if path.state_name(record) == TRAP {
            let code = path.record_field(record, "code")?;
            let Value::BitVec(code, _) = code else {
                return uncovered("the field `code` of a trap is not bits");
            };
            side.traps.push((active, code));
            let quiet = path.dag.not(active);
            alive = path.dag.and(alive, quiet);
        } else {
            let guard = path.dag.and(active, alive);
            side.events.push(Event { record, guard });
        }
    }
    Ok(side)
}

/// Adds the goals about traps. Returns whether the replaced instruction traps.
fn trap_goals(
    path: &mut Path<'_, '_>,
    source: &Side,
    machine: &Side,
    goals: &mut Vec<Goal>,
) -> Eval<ExprId> {
    let dag = &mut path.dag;
    let mut any = |traps: &[(ExprId, ExprId)]| {
        let mut result = dag.bool(false);
        for &(active, _) in traps {
            result = dag.or(result, active);
        }
        result
    };
    let (source_traps, machine_traps) = (any(&source.traps), any(&machine.traps));
    let same = dag.eq(source_traps, machine_traps);
    goals.push(Goal {
        goal: same,
        label: "trap".to_owned(),
    });
    if let (Some(a), Some(b)) = (first_code(path, source)?, first_code(path, machine)?) {
        let same = path.equal_values(&Value::BitVec(a, None), &Value::BitVec(b, None))?;
        let goal = path.dag.implies(source_traps, same);
        goals.push(Goal {
            goal,
            label: "trap code".to_owned(),
        });
    }
    Ok(source_traps)
}

/// The code of the first active trap, if a trap is possible at all.
fn first_code(path: &mut Path<'_, '_>, side: &Side) -> Eval<Option<ExprId>> {
    let Some(&(_, mut code)) = side.traps.last() else {
        return Ok(None);
    };
    for &(active, earlier) in side.traps.iter().rev().skip(1) {
        if path.dag.sort(earlier) != path.dag.sort(code) {
            return uncovered("trap codes of different widths");
        }
        code = path.dag.ite(active, earlier, code);
    }
    Ok(Some(code))
}

fn event_goals(
    path: &mut Path<'_, '_>,
    source: &Side,
    machine: &Side,
    goals: &mut Vec<Goal>,
) -> Eval<()> {
    let count = source.events.len().max(machine.events.len());
    for index in 0..count {
        match (source.events.get(index), machine.events.get(index)) {
            (Some(a), Some(b)) if path.state_name(a.record) == path.state_name(b.record) => {
                let state = path.state_name(a.record).to_owned();
                let same = path.dag.eq(a.guard, b.guard);
                goals.push(Goal {
                    goal: same,
                    label: state.clone(),
                });
                field_goals(path, a, b, &state, goals)?;
            }
            (a, b) => {
                for event in a.into_iter().chain(b) {
                    let label = format!("{} without partner", path.state_name(event.record));
                    let goal = path.dag.not(event.guard);
                    goals.push(Goal { goal, label });
                }
            }
        }
    }
    Ok(())
}

fn field_goals(
    path: &mut Path<'_, '_>,
    a: &Event,
    b: &Event,
    state: &str,
    goals: &mut Vec<Goal>,
) -> Eval<()> {
    let both = path.dag.and(a.guard, b.guard);
    let fields = path.records[a.record].fields.clone();
    for (field, _) in fields {
        if *field == *"active" {
            continue;
        }
        let x = path.record_field(a.record, &field)?;
        let y = path.record_field(b.record, &field)?;
        let same = if state == STORE && *field == *"value" {
            stored_equal(path, a, b, &x, &y)?
        } else {
            path.equal_values(&x, &y)?
        };
        let goal = path.dag.implies(both, same);
        goals.push(Goal {
            goal,
            label: format!("{state} {field}"),
        });
    }
    Ok(())
}

/// Equality of stored values, of which the low `bits` bits count.
fn stored_equal(
    path: &mut Path<'_, '_>,
    a: &Event,
    b: &Event,
    x: &Value,
    y: &Value,
) -> Eval<ExprId> {
    let width_a = path.record_field(a.record, "bits")?;
    let width_b = path.record_field(b.record, "bits")?;
    match (width_a, width_b, x, y) {
        (Value::Int(wa), Value::Int(wb), Value::BitVec(x, _), Value::BitVec(y, _))
            if wa == wb && path.dag.width(*x) == path.dag.width(*y) =>
        {
            let full = path.dag.width(*x);
            if wa < 1 || wa > i128::from(full) {
                return uncovered(format!("{wa} bits of a {full}-bit value are stored"));
            }
            let width = u32::try_from(wa).expect("checked above");
            let x = path.dag.extract(width - 1, 0, *x);
            let y = path.dag.extract(width - 1, 0, *y);
            Ok(path.dag.eq(x, y))
        }
        // That the widths are equal is a goal of its own; here the whole values are compared.
        _ => path.equal_values(x, y),
    }
}
