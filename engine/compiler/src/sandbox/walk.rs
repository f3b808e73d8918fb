//! The walk over one function: its blocks in the order of their addresses, each with the state that holds before it,
//! until no state changes any more.

use super::Refusal;
use super::context::{Context, Published, Role, Summary};
use super::facts::Flags;
use super::machine::{Effect, Flow, Machine};
use super::state::{Names, State};
use super::value::{Kind, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

/// The number of visits of a block after which bounds that still grow are given up.
const PATIENCE: u32 = 3;
/// The number of visits of a block after which the walk is given up; widening ends it long before.
const MOST_VISITS: u32 = 1000;

/// Walks over functions one after another, and reuses its memory.
pub struct Walk<M: Machine> {
    insts: Vec<(u32, M::Inst)>,
    /// The number of the block that begins at each instruction.
    blocks: Vec<u32>,
    states: Vec<Option<(State, u32)>>,
    waiting: BTreeSet<u32>,
}

impl<M: Machine> Default for Walk<M> {
    fn default() -> Self {
        Walk {
            insts: Vec::new(),
            blocks: Vec::new(),
            states: Vec::new(),
            waiting: BTreeSet::new(),
        }
    }
}

/// No block begins at this instruction.
const NONE: u32 = u32::MAX;

/// Where something was refused, and why.
type Refused = (u32, String);

impl<M: Machine> Walk<M> {
    /// Checks a function.
    ///
    /// # Errors
    ///
    /// The first instruction that is not proven to keep inside the sandbox.
    pub fn check(
        &mut self,
        published: &Published<'_>,
        role: Role,
        range: Range<u32>,
    ) -> Result<Summary, Refusal> {
        self.run(published, role, range.clone())
            .map_err(|(at, reason)| {
                let bytes = published.text.get(at as usize..range.end as usize);
                Refusal {
                    function: String::new(),
                    offset: at - range.start.min(at),
                    instruction: M::text(bytes.unwrap_or_default()),
                    reason,
                }
            })
    }

    fn run(
        &mut self,
        published: &Published<'_>,
        role: Role,
        range: Range<u32>,
    ) -> Result<Summary, Refused> {
        self.insts.clear();
        let code_end = M::decode(published.text, range.clone(), &mut self.insts)
            .map_err(|at| (at, "these bytes are no instruction".to_owned()))?;
        let context = Context {
            published,
            registers: M::REGISTERS,
            role,
            range,
            code_end,
            names: Names::default(),
            summary: RefCell::new(Summary {
                insts: self.insts.len(),
                ..Summary::default()
            }),
        };
        self.find_blocks(&context)?;
        let entry = context.entry();
        self.reach(&context, context.range.start, context.range.start, entry)?;
        while let Some(first) = self.waiting.pop_first() {
            self.walk_block(&context, first as usize)?;
        }
        let mut summary = context.summary.into_inner();
        for list in [&mut summary.relies, &mut summary.tail_calls] {
            list.sort_unstable();
            list.dedup();
        }
        Ok(summary)
    }

    /// The number of the instruction that begins at an offset of the text.
    fn inst_at(&self, offset: u32) -> Option<usize> {
        self.insts.binary_search_by_key(&offset, |inst| inst.0).ok()
    }

    /// Marks the instructions at which blocks begin.
    fn find_blocks(&mut self, context: &Context<'_>) -> Result<(), Refused> {
        self.blocks.clear();
        self.blocks.resize(self.insts.len(), NONE);
        self.states.clear();
        self.waiting.clear();
        for number in 0..self.insts.len() {
            let (at, ref inst) = self.insts[number];
            let target = match M::flow(inst) {
                Flow::Jump(target) | Flow::Branch(target) => target,
                _ => continue,
            };
            if !context.range.contains(&target) {
                continue;
            }
            match self.inst_at(target) {
                Some(first) => self.blocks[first] = 0,
                None => return Err((at, "the target is not the start of an instruction".into())),
            }
        }
        for first in &mut self.blocks {
            if *first != NONE {
                *first = self.states.len() as u32;
                self.states.push(None);
            }
        }
        Ok(())
    }

    /// Notes that control can reach an offset in a state.
    fn reach(
        &mut self,
        context: &Context<'_>,
        from: u32,
        target: u32,
        state: State,
    ) -> Result<(), Refused> {
        let Some(first) = self.inst_at(target) else {
            return Err((from, "the target is not the start of an instruction".into()));
        };
        let block = match self.blocks[first] {
            NONE => {
                self.blocks[first] = self.states.len() as u32;
                self.states.push(None);
                self.blocks[first]
            }
            block => block,
        };
        match &mut self.states[block as usize] {
            None => {
                self.states[block as usize] = Some((state, 0));
                self.waiting.insert(first as u32);
            }
            Some((known, visits)) => {
                let funcref = |value: Value| context.is_func_ref(value);
                let widen = *visits > PATIENCE;
                if known.join(&state, widen, &funcref) {
                    self.waiting.insert(first as u32);
                }
            }
        }
        Ok(())
    }

    fn walk_block(&mut self, context: &Context<'_>, first: usize) -> Result<(), Refused> {
        let block = self.blocks[first] as usize;
        let Some((state, visits)) = &mut self.states[block] else {
            return Ok(());
        };
        *visits += 1;
        if *visits > MOST_VISITS {
            return Err((
                self.insts[first].0,
                "the walk over the function does not end".into(),
            ));
        }
        let mut state = state.clone();
        for number in first.. {
            let Some(&(at, ref inst)) = self.insts.get(number) else {
                return Err((
                    context.code_end,
                    "control can leave the end of the code".into(),
                ));
            };
            if number != first && self.blocks[number] != NONE {
                return self.reach(context, at, at, state);
            }
            let stack = state.get(context.registers.stack);
            let effect = M::step(context, &mut state, inst).map_err(|reason| (at, reason))?;
            let returns = matches!(effect, Effect::Return(_));
            if state.get(context.registers.stack) != stack && !returns {
                context
                    .check_stack(&mut state)
                    .map_err(|reason| (at, reason))?;
            }
            match effect {
                Effect::Next => {}
                Effect::Call(target) => {
                    let restored = M::reloads_vmctx(&self.insts[number + 1..]);
                    context
                        .call(&mut state, target, restored)
                        .map_err(|reason| (at, reason))?;
                }
                Effect::Branch(target, flags, condition) => {
                    let mut taken = state.clone();
                    if taken.facts.assume(flags, condition) {
                        self.jump(context, at, target, taken)?;
                    }
                    if !state.facts.assume(flags, condition.invert()) {
                        return Ok(());
                    }
                }
                Effect::Jump(target) => return self.jump(context, at, target, state),
                Effect::JumpTo(target) => return self.jump_to(context, at, target, state),
                Effect::Return(target) => {
                    return context
                        .check_return(&state, target)
                        .map_err(|reason| (at, reason));
                }
                Effect::Trap => return Ok(()),
            }
        }
        Ok(())
    }

    /// A jump to an offset of the text: in the function, or to the start of another one.
    fn jump(
        &mut self,
        context: &Context<'_>,
        at: u32,
        target: u32,
        state: State,
    ) -> Result<(), Refused> {
        // The function can be the callee of its own tail call; a loop over its prologue is none.
        let own = target == context.range.start && target != at;
        match context.range.contains(&target) && !(own && context.is_tail_call(&state)) {
            true => self.reach(context, at, target, state),
            false => {
                let target = Value::of(Kind::Text).at(target.into());
                context
                    .check_tail_call(&state, target)
                    .map_err(|reason| (at, reason))
            }
        }
    }

    /// A jump to an address: along a jump table, back to the caller, or to another function.
    fn jump_to(
        &mut self,
        context: &Context<'_>,
        at: u32,
        target: Value,
        mut state: State,
    ) -> Result<(), Refused> {
        match target.kind {
            Kind::ReturnAddress => context
                .check_return(&state, target)
                .map_err(|reason| (at, reason)),
            Kind::JumpTarget(table) => {
                state.flags = Flags::Unknown;
                let mut targets = BTreeSet::new();
                for index in 0..=target.hi as usize {
                    let entry = table as usize + 4 * index;
                    let bytes = context.published.text.get(entry..entry + 4);
                    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
                    let Some(distance) = bytes.map(i32::from_le_bytes) else {
                        return Err((at, "a jump table is outside the text".into()));
                    };
                    targets.insert(table.wrapping_add_signed(distance));
                }
                for target in targets {
                    self.reach(context, at, target, state.clone())?;
                }
                Ok(())
            }
            _ => context
                .check_tail_call(&state, target)
                .map_err(|reason| (at, reason)),
        }
    }
}
