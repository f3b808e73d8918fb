//! The state of the machine before an instruction: what is known of each register, of each 8-byte slot of the frame,
//! of the flags and of names.
//!
//! Locations are kept in shared chunks of sixteen, so that the copy of a state at a branch costs little, and joining two
//! states that differ in few places as well.

use super::facts::{Condition, Facts, Flags};
use super::machine::Registers;
use super::value::{Kind, Name, Value};
use std::cell::Cell;
use std::rc::Rc;

/// Makes names that no value has yet.
#[derive(Debug, Default)]
pub struct Names(Cell<Name>);

impl Names {
    /// A new name.
    pub fn fresh(&self) -> Name {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// The number of locations of a chunk.
const CHUNK: usize = 16;

/// The values of the locations of a chunk.
type Chunk = [Value; CHUNK];

/// What is known before an instruction.
#[derive(Clone, Debug)]
pub struct State {
    /// The registers and then the slots, downwards; nothing is known of a chunk that is `None`.
    chunks: Vec<Option<Rc<Chunk>>>,
    registers: &'static Registers,
    /// The offset from the entry's stack pointer at which the area ends that the function may access, a multiple of 8.
    pub top: i64,
    /// What the flags compare.
    pub flags: Flags,
    /// What is known of names.
    pub facts: Facts,
    /// Whether an address of a memory or table that may move has been loaded since the last call.
    pub movable: bool,
    /// Whether an entry trampoline has written to the array of values.
    pub values_written: bool,
}

impl State {
    /// The state at the entry of a function, before its arguments are known.
    pub fn new(registers: &'static Registers, top: i64) -> State {
        State {
            chunks: vec![None; registers.count.div_ceil(CHUNK)],
            registers,
            top,
            flags: Flags::Unknown,
            facts: Facts::default(),
            movable: false,
            values_written: false,
        }
    }

    fn location(&self, location: usize) -> Value {
        match self.chunks.get(location / CHUNK) {
            Some(Some(chunk)) => chunk[location % CHUNK],
            _ => Value::ANY,
        }
    }

    fn set_location(&mut self, location: usize, value: Value) {
        let index = location / CHUNK;
        if index >= self.chunks.len() {
            if value == Value::ANY {
                return;
            }
            self.chunks.resize(index + 1, None);
        }
        let chunk = &mut self.chunks[index];
        if chunk.is_none() && value == Value::ANY {
            return;
        }
        let chunk = chunk.get_or_insert_with(|| Rc::new([Value::ANY; CHUNK]));
        Rc::make_mut(chunk)[location % CHUNK] = value;
    }

    /// What is known of a register.
    pub fn get(&self, register: u8) -> Value {
        self.location(usize::from(register))
    }

    /// Changes a register.
    pub fn set(&mut self, register: u8, value: Value) {
        self.set_location(usize::from(register), value);
    }

    /// The location of the slot at an offset from the entry's stack pointer, which is below `top`.
    fn slot(&self, offset: i64) -> usize {
        let first = self.registers.count.next_multiple_of(CHUNK);
        first + ((self.top - offset - 1) / 8) as usize
    }

    /// What is known of the 8 bytes at an offset from the entry's stack pointer.
    pub fn get_slot(&self, offset: i64) -> Value {
        match offset % 8 {
            0 => self.location(self.slot(offset)),
            _ => Value::ANY,
        }
    }

    /// Changes `size` bytes at an offset from the entry's stack pointer.
    pub fn set_slot(&mut self, offset: i64, size: i64, value: Value) {
        if offset % 8 == 0 && size == 8 {
            return self.set_location(self.slot(offset), value);
        }
        self.forget_slots(offset, offset + size);
    }

    /// Forgets the slots between two offsets.
    pub fn forget_slots(&mut self, from: i64, to: i64) {
        let mut offset = from.div_euclid(8) * 8;
        while offset < to.min(self.top) {
            self.set_location(self.slot(offset), Value::ANY);
            offset += 8;
        }
    }

    /// Forgets all slots below an offset.
    pub fn forget_below(&mut self, offset: i64) {
        let end = self
            .slot(offset.div_euclid(8) * 8 - 8)
            .max(self.registers.count);
        let whole = end.div_ceil(CHUNK);
        for location in end..(whole * CHUNK).min(self.chunks.len() * CHUNK) {
            self.set_location(location, Value::ANY);
        }
        if self.chunks.len() > whole {
            self.chunks.truncate(whole);
        }
    }

    /// Gives the value of a register a name, if its number can have one, and the bounds that are known of it, and returns
    /// the value.
    pub fn named(&mut self, names: &Names, register: u8) -> Value {
        let value = self.get(register);
        let named = name(names, self.facts.resolve(value));
        if named != value {
            self.set(register, named);
        }
        named
    }

    /// The same for a slot.
    pub fn named_slot(&mut self, names: &Names, offset: i64) -> Value {
        let value = self.get_slot(offset);
        let named = name(names, self.facts.resolve(value));
        if named != value {
            self.set_slot(offset, 8, named);
        }
        named
    }

    /// Forgets the addresses of memories and tables for which `moves` holds.
    pub fn forget_moved(&mut self, moves: impl Fn(Kind) -> bool) {
        if !std::mem::take(&mut self.movable) {
            return;
        }
        for chunk in self.chunks.iter_mut().flatten() {
            if chunk.iter().any(|value| moves(value.kind)) {
                for value in Rc::make_mut(chunk) {
                    if moves(value.kind) {
                        *value = Value::ANY;
                    }
                }
            }
        }
    }

    /// What is known of the value that an instruction selects: `yes` if the condition holds, and else `no`.
    pub fn select(
        &self,
        names: &Names,
        condition: Condition,
        yes: Value,
        no: Value,
    ) -> (Value, Facts) {
        if let Some(value) = self.select_truncated(condition, yes, no) {
            return (value, self.facts.clone());
        }
        let (mut if_yes, mut if_no) = (self.facts.clone(), self.facts.clone());
        let can_be_yes = if_yes.assume(self.flags, condition);
        let can_be_no = if_no.assume(self.flags, condition.invert());
        let (value, source, facts) = match (can_be_yes, can_be_no) {
            (true, false) => return (if_yes.resolve(yes), if_yes),
            (false, true) => return (if_no.resolve(no), if_no),
            _ if yes.as_constant() == Some(0) => (if_no.resolve(no), no, if_no),
            _ if no.as_constant() == Some(0) => (if_yes.resolve(yes), yes, if_yes),
            _ => {
                let joined = if_yes.resolve(yes).join(if_no.resolve(no), false);
                return (joined, self.facts.clone());
            }
        };
        // One of the two is null. What is known of the other one holds for the result unless that is null.
        let mut joined = Value::constant(0).join(value, false);
        let mut known = self.facts.clone();
        if joined.or_null {
            let fresh = names.fresh();
            (joined.name, joined.scale, joined.addend) = (fresh, 1, 0);
            let mut both = facts;
            both.copy_to(fresh, source);
            known.adopt(&both, fresh);
        } else if joined.kind != Kind::FuncRef {
            (joined.name, joined.scale, joined.addend) = (0, 1, 0);
        }
        (joined, known)
    }

    /// The selections by which a float becomes an unsigned integer of 32 bits: 0 instead of a negative integer, and a number
    /// below 2^32 instead of an integer that is not.
    fn select_truncated(&self, condition: Condition, yes: Value, no: Value) -> Option<Value> {
        let Kind::Truncated {
            float,
            double,
            clamped,
        } = no.kind
        else {
            return None;
        };
        match (self.flags, condition) {
            (Flags::Compared(compared, zero, 64), Condition::Negative)
                if compared == no
                    && zero.as_constant() == Some(0)
                    && yes.as_constant() == Some(0) =>
            {
                Some(Value::of(Kind::Truncated {
                    float,
                    double,
                    clamped: true,
                }))
            }
            (
                Flags::With2To32 {
                    float: of,
                    double: as_double,
                },
                Condition::NotBelow,
            ) if clamped && (of, as_double) == (float, double) && yes.is_below32() => {
                Some(Value::below32())
            }
            _ => None,
        }
    }

    /// Keeps what is known in both states. `funcref` says of values that are different whether both are function
    /// references. The result is whether anything was lost.
    pub fn join(&mut self, other: &State, widen: bool, funcref: &dyn Fn(Value) -> bool) -> bool {
        // What the facts say of a name is lost where the values differ, so the values take it over.
        let before = self.facts.clone();
        let mut changed = self.facts.join(&other.facts);
        if self.flags != other.flags && self.flags != Flags::Unknown {
            self.flags = Flags::Unknown;
            changed = true;
        }
        if other.movable && !self.movable {
            self.movable = true;
            changed = true;
        }
        if other.values_written && !self.values_written {
            self.values_written = true;
            changed = true;
        }
        for (index, chunk) in self.chunks.iter_mut().enumerate() {
            let Some(mine) = chunk else { continue };
            let Some(Some(theirs)) = other.chunks.get(index) else {
                changed |= mine.iter().any(|value| *value != Value::ANY);
                *chunk = None;
                continue;
            };
            if Rc::ptr_eq(mine, theirs) {
                continue;
            }
            for at in 0..CHUNK {
                if mine[at] == theirs[at] {
                    continue;
                }
                let (a, b) = (before.resolve(mine[at]), other.facts.resolve(theirs[at]));
                let mut joined = a.join(b, widen);
                if joined.kind == Kind::Any && funcref(a) && funcref(b) {
                    joined = Value::of(Kind::FuncRef);
                }
                if joined != mine[at] {
                    Rc::make_mut(mine)[at] = joined;
                    changed = true;
                }
            }
        }
        changed
    }
}

/// The value with a name, if its number is unknown and has none.
fn name(names: &Names, value: Value) -> Value {
    let unknown = match value.kind {
        Kind::Any | Kind::FuncRef | Kind::TableLen(_) => true,
        Kind::Number => value.lo != value.hi,
        _ => false,
    };
    match unknown && value.name == 0 {
        true => Value {
            name: names.fresh(),
            scale: 1,
            addend: 0,
            ..value
        },
        false => value,
    }
}
