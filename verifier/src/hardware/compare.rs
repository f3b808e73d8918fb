//! One encoding: its spec, evaluated on the contents that it is run on, and compared with what came of them.

use super::cases::{Cases, Kind};
use super::listing::{Encoded, Line, Place};
use super::machine::{Batch, DATA, Machine, Outcome, PAGE, WINDOW};
use super::report::Mismatch;
use super::{Done, HardwareError, base_of};
use crate::expr::{ExprId, Sort, Tape, mask};
use crate::path::{LOAD, STORE, Symbolic, SymbolicEvent, TABLE_NAME, TRAP};
use std::fmt::Write as _;

/// The code of the trap that stands in place of a branch's successors.
const END: u8 = 1;
/// The most mismatches that are kept of an encoding.
const KEPT: usize = 2;
/// The most cases of a batch.
const BATCH: usize = 4096;

/// Where the flags are in the flags register, by their names in specs.
const FLAG_BITS: [(&str, u32); 9] = [
    // x86_64 (SDM vol. 1, 3.4.3).
    ("cf", 0),
    ("pf", 2),
    ("zf", 6),
    ("sf", 7),
    ("of", 11),
    // aarch64 (Arm ARM, C5.2, NZCV).
    ("n", 31),
    ("z", 30),
    ("c", 29),
    ("v", 28),
];

fn flag_bit(name: &str) -> u32 {
    let found = FLAG_BITS.iter().find(|(flag, _)| *flag == name);
    found
        .expect("the flags of both instruction sets are listed")
        .1
}

/// The numbers of an event's expressions among the roots of the tape.
#[derive(Debug)]
struct EventRoots {
    kind: String,
    active: usize,
    bytes: u64,
    addr: Option<usize>,
    flags: Option<usize>,
    stored: Option<usize>,
    code: Option<usize>,
    target: Option<usize>,
    brings: Option<ExprId>,
}

/// What a spec says happens.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The code runs to its end.
    Runs,
    /// An access of so many bytes faults, with a trap code.
    Faults(u64, u64, u8),
    /// It traps with a code.
    Traps(u8),
    /// It continues at a successor of this number.
    Branches(u64),
}

/// What signals say (asm-generic/signal.h), by number.
const MEMORY_SIGNALS: [u32; 2] = [11, 7];
const TRAP_SIGNALS: [u32; 3] = [8, 4, 5];

/// One case.
#[derive(Clone, Debug, Default)]
struct Case {
    inputs: Vec<u128>,
    address: u64,
    memory: u128,
    garbage: u64,
}

/// An encoding with its spec.
#[derive(Debug)]
pub struct Instance<'l> {
    line: &'l Line,
    encoded: &'l Encoded,
    symbolic: Symbolic,
    tape: Tape,
    open: Vec<ExprId>,
    requirements: std::ops::Range<usize>,
    facts: std::ops::Range<usize>,
    result: std::ops::Range<usize>,
    events: Vec<EventRoots>,
    places: Vec<Place>,
    base: Option<Place>,
}

impl Symbolic {
    /// Whether what the spec requires of the operands never holds.
    #[must_use]
    pub fn never_required(&self) -> bool {
        let mut requirements = self.requirements.iter();
        requirements.any(|goal| self.dag.as_bool(*goal) == Some(false))
    }
}

impl<'l> Instance<'l> {
    /// An encoding with its spec.
    ///
    /// # Errors
    ///
    /// The spec cannot be evaluated on contents.
    pub fn new(line: &'l Line, encoded: &'l Encoded, symbolic: Symbolic) -> Result<Self, String> {
        let mut roots: Vec<ExprId> = Vec::new();
        let mut range = |list: &mut dyn Iterator<Item = ExprId>| {
            let start = roots.len();
            roots.extend(list);
            start..roots.len()
        };
        let requirements = range(&mut symbolic.requirements.iter().copied());
        let facts = range(&mut symbolic.facts.iter().copied());
        let result = range(&mut symbolic.result.iter().map(|(_, part)| *part));
        let mut events = Vec::new();
        for event in &symbolic.events {
            let mut root =
                |value: Option<ExprId>| value.map(|value| range(&mut [value].into_iter()).start);
            let SymbolicEvent { state, active, .. } = event;
            let bits = event.number("bits").unwrap_or(0);
            events.push(EventRoots {
                kind: state.clone(),
                active: root(Some(*active)).expect("it is given"),
                bytes: u64::try_from(bits / 8).map_err(|_| "an access of no bytes".to_owned())?,
                addr: root(event.field("addr")),
                flags: root(event.field("flags")),
                stored: root(event.field("value")),
                code: root(event.field("code")),
                target: root(event.field("target")),
                brings: event.brings,
            });
        }
        let tape = Tape::new(&symbolic.dag, &roots)
            .ok_or_else(|| "a bit-vector has more than 128 bits".to_owned())?;
        let mut places: Vec<Place> = symbolic.inputs.iter().map(|(place, ..)| *place).collect();
        places.dedup();
        // The pinned register brings what the register holds that is the result.
        if events.iter().any(|event| event.kind == "pinned") {
            places.extend(encoded.result);
        }
        let open = symbolic.open();
        let base = base_of(&line.term);
        let known = ["load", "store", "trap", "control", "pinned"];
        if let Some(event) = events
            .iter()
            .find(|event| !known.contains(&event.kind.as_str()))
        {
            return Err(format!("events of kind `{}` are not executed", event.kind));
        }
        Ok(Self {
            line,
            encoded,
            symbolic,
            tape,
            open,
            requirements,
            facts,
            result,
            events,
            places,
            base,
        })
    }

    fn accesses_memory(&self) -> bool {
        self.events.iter().any(|event| event.addr.is_some())
    }

    /// Runs `share` cases and compares each.
    ///
    /// # Errors
    ///
    /// The executor ends.
    pub fn run(&mut self, machine: &mut Machine, share: usize) -> Result<Done, HardwareError> {
        let mut done = Done::default();
        if self.symbolic.never_required() {
            return Ok(done);
        }
        let hash = blake3::hash(self.line.text.as_bytes());
        let seed = u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"));
        let kinds = self.places.iter().filter(|place| **place != Place::Flags);
        let kinds = kinds.map(|place| match place {
            Place::Vec(_) => Kind::Vec,
            _ => Kind::Int,
        });
        let mut cases = Cases::new(kinds.collect(), seed);
        // Where nothing differs from case to case, a few of them are enough to see that nothing depends on the rest.
        while done.cases < share && done.excluded < 20 * share + 1000 {
            let mut list = Vec::new();
            while list.len() < BATCH.min(share - done.cases) && done.excluded < 20 * share + 1000 {
                let case = self.make(&mut cases);
                match self.is_required(&case) {
                    true => list.push(case),
                    false => done.excluded += 1,
                }
            }
            if list.is_empty() {
                break;
            }
            let batch = self.batch(&list, seed ^ done.cases as u64);
            let outcomes = machine.run(&batch, &self.line.text)?;
            done.cases += list.len();
            for (case, outcome) in list.iter().zip(&outcomes) {
                done.interrupted += usize::from(outcome.signal != 0);
                if let Err(what) = self.compare(case, outcome)
                    && done.mismatches.len() < KEPT
                {
                    let inputs = self.describe(case);
                    let of_line = Mismatch::of(self.line, &what);
                    done.mismatches.push(Mismatch { inputs, ..of_line });
                }
            }
        }
        if !self.says_something() {
            let what = "the spec says nothing of what it does";
            done.mismatches.push(Mismatch::of(self.line, what));
        }
        Ok(done)
    }

    /// Whether anything is compared.
    fn says_something(&self) -> bool {
        let open_result = self
            .symbolic
            .result
            .iter()
            .all(|(_, part)| self.open.contains(part));
        !open_result || !self.events.is_empty() || !self.facts.is_empty()
    }

    fn make(&mut self, cases: &mut Cases) -> Case {
        let mut case = Case::default();
        let mut contents = cases.contents().into_iter();
        for place in &self.places {
            case.inputs.push(match place {
                Place::Flags => cases.flags().into(),
                _ => contents.next().expect("there is one for each"),
            });
        }
        if !self.accesses_memory() {
            return case;
        }
        case.memory = cases.memory();
        case.garbage = cases.garbage();
        let event = self.events.iter().find(|event| event.addr.is_some());
        let event = event.expect("there is an access");
        let (bytes, addr) = (event.bytes, event.addr.expect("it has one"));
        // The base is what makes the address the chosen one, whatever else is added to it.
        let base = self
            .places
            .iter()
            .position(|place| Some(*place) == self.base);
        if let Some(base) = base {
            case.address = cases.address(bytes);
            case.inputs[base] = 0;
            self.set(&case);
            self.tape.run();
            let rest = self.tape.root(addr) as u64;
            case.inputs[base] = case.address.wrapping_sub(rest).into();
        }
        self.set(&case);
        self.tape.run();
        case.address = self.tape.root(addr) as u64;
        case
    }

    /// Gives the inputs to the tape, and what loads bring.
    fn set(&mut self, case: &Case) {
        for (place, part, variable) in &self.symbolic.inputs {
            let number = self.places.iter().position(|other| other == place);
            let content = case.inputs[number.expect("each is an input")];
            let value = match place {
                Place::Flags => content >> flag_bit(part) & 1,
                _ => content,
            };
            self.tape.set(*variable, value);
        }
        for event in &self.events {
            let Some(brings) = event.brings else {
                continue;
            };
            let value = match event.kind.as_str() {
                // Beyond the bytes of the access there is anything.
                LOAD => {
                    let bits = u32::try_from(event.bytes * 8).expect("few bits");
                    let garbage = u128::from(case.garbage).checked_shl(bits).unwrap_or(0);
                    (case.memory & mask(bits) | garbage) & u128::from(u64::MAX)
                }
                "pinned" => *case.inputs.last().expect("the pinned register is an input"),
                _ => continue,
            };
            self.tape.set(brings, value);
        }
    }

    fn is_required(&mut self, case: &Case) -> bool {
        if self.requirements.is_empty() {
            return true;
        }
        self.set(case);
        self.tape.run();
        self.requirements
            .clone()
            .all(|root| self.tape.root(root) != 0)
    }

    fn batch(&self, cases: &[Case], seed: u64) -> Batch {
        let mut batch = Batch {
            code: self.encoded.code.clone(),
            inputs: self.places.clone(),
            outputs: self.encoded.result.into_iter().collect(),
            window: self.accesses_memory(),
            may_change: self.encoded.writes.clone(),
            seed,
            cases: cases.len(),
            contents: Vec::new(),
        };
        for case in cases {
            for (&place, &content) in self.places.iter().zip(&case.inputs) {
                batch.put(place, content);
            }
            if batch.window {
                batch.put_window(case.address, case.memory);
            }
        }
        batch
    }

    fn compare(&mut self, case: &Case, outcome: &Outcome) -> Result<(), String> {
        self.set_open(false);
        self.set(case);
        self.tape.run();
        let low: Vec<u128> = self
            .result
            .clone()
            .map(|root| self.tape.root(root))
            .collect();
        let (end, window) = self.expected(case);
        self.check_end(&end, outcome)?;
        if let Some(changed) = outcome.changed.first() {
            return Err(match changed {
                Some(place) => {
                    format!("{place} changes, which is neither the result nor overwritten")
                }
                None => "memory changes beyond the 16 bytes from the address on".to_owned(),
            });
        }
        if self.accesses_memory() && outcome.window != window {
            return Err(format!(
                "memory from {:#x} on is {}, and by the spec {}",
                case.address,
                hex(&outcome.window),
                hex(&window)
            ));
        }
        if end != End::Runs || self.symbolic.result.is_empty() {
            return Ok(());
        }
        self.check_result(case, &low, outcome.outputs[0])
    }

    /// Gives all bits that the spec leaves open one value.
    fn set_open(&mut self, ones: bool) {
        for variable in &self.open {
            let value = match (ones, self.symbolic.dag.sort(*variable)) {
                (false, _) => 0,
                (true, Sort::Bool) => 1,
                (true, Sort::BitVec(width)) => mask(width.min(128)),
            };
            self.tape.set(*variable, value);
        }
    }

    /// What the spec says happens, and what is in the window afterwards, by the last run of the tape.
    fn expected(&self, case: &Case) -> (End, [u8; WINDOW]) {
        let bytes = case.memory.to_le_bytes();
        let mut window = [0; WINDOW];
        for (index, byte) in window.iter_mut().enumerate() {
            let inside = is_data(case.address.wrapping_add(index as u64), 1);
            *byte = if inside { bytes[index] } else { 0 };
        }
        for event in &self.events {
            if self.tape.root(event.active) == 0 {
                continue;
            }
            let of = |root: Option<usize>| self.tape.root(root.expect("the kind has this field"));
            match event.kind.as_str() {
                LOAD | STORE => {
                    let address = of(event.addr) as u64;
                    if !is_data(address, event.bytes) {
                        let code = of(event.flags) as u8;
                        return (End::Faults(address, event.bytes, code), window);
                    }
                    if event.kind == STORE {
                        let stored = of(event.stored).to_le_bytes();
                        let offset = address.wrapping_sub(case.address) as usize;
                        for (index, value) in stored[..event.bytes as usize].iter().enumerate() {
                            if let Some(byte) = window.get_mut(offset.wrapping_add(index)) {
                                *byte = *value;
                            }
                        }
                    }
                }
                TRAP => return (End::Traps(of(event.code) as u8), window),
                "control" => return (End::Branches(of(event.target) as u64), window),
                _ => {}
            }
        }
        (End::Runs, window)
    }

    fn check_end(&self, end: &End, outcome: &Outcome) -> Result<(), String> {
        let seen = match outcome.signal {
            0 => "it runs to its end".to_owned(),
            signal => format!(
                "signal {signal} at offset {}, address {:#x}",
                outcome.offset, outcome.fault_address
            ),
        };
        let differs = |says: String| Err(format!("{seen}, and by the spec {says}"));
        let listed = |code: u8| self.encoded.traps.contains(&(outcome.offset, code));
        match *end {
            End::Runs if outcome.signal == 0 => Ok(()),
            End::Runs => differs("it runs to its end".to_owned()),
            End::Faults(address, bytes, code) => {
                // A processor does not say at which address beyond those that it has an access faults.
                let at = outcome.fault_address.wrapping_sub(address) < bytes || address >= 1 << 47;
                match MEMORY_SIGNALS.contains(&outcome.signal) && at && listed(code) {
                    true => Ok(()),
                    false => differs(format!(
                        "an access of {bytes} bytes at {address:#x} faults, with the trap code {code:#x}"
                    )),
                }
            }
            End::Traps(code) => match TRAP_SIGNALS.contains(&outcome.signal) && listed(code) {
                true => Ok(()),
                false => differs(format!("it traps with the code {code:#x}")),
            },
            End::Branches(target) => {
                let successor = self.successor(target);
                let at_end = TRAP_SIGNALS.contains(&outcome.signal) && listed(END);
                match at_end && successor == Some(outcome.outputs[0] as u64) {
                    true => Ok(()),
                    false => Err(format!(
                        "{seen}, with {:#x} for a target, and by the spec it is {successor:x?}",
                        outcome.outputs[0]
                    )),
                }
            }
        }
    }

    /// The successor that a target names: itself, or an entry of the table.
    fn successor(&self, target: u64) -> Option<u64> {
        if self.symbolic.table.is_empty() {
            return Some(target);
        }
        let named = target >> 33 == u64::from(TABLE_NAME);
        let index = target & ((1 << 33) - 1);
        let entry = self.symbolic.table.get(usize::try_from(index).ok()?);
        entry.copied().filter(|_| named)
    }

    fn check_result(&mut self, case: &Case, low: &[u128], seen: u128) -> Result<(), String> {
        let high: Vec<u128> = if self.open.is_empty() {
            low.to_vec()
        } else {
            self.set_open(true);
            self.tape.run();
            self.result
                .clone()
                .map(|root| self.tape.root(root))
                .collect()
        };
        let parts = self.symbolic.result.clone();
        let seen_part = |name: &str, part: ExprId| match self.symbolic.dag.sort(part) {
            Sort::Bool => seen >> flag_bit(name) & 1,
            Sort::BitVec(width) => seen & mask(width),
        };
        for (number, (name, part)) in parts.iter().enumerate() {
            let seen = seen_part(name, *part);
            let (low, high) = (low[number], high[number]);
            let defined = !(low ^ high);
            if seen & defined != low & defined {
                let name = if name.is_empty() { "the result" } else { name };
                let open = if low == high {
                    String::new()
                } else {
                    format!(" (open: {:#x})", low ^ high)
                };
                return Err(format!(
                    "{name} is {seen:#x}, and by the spec {low:#x}{open}"
                ));
            }
        }
        if self.facts.is_empty() {
            return Ok(());
        }
        // What the spec says of a value that it does not define must hold of the value that was seen.
        self.set_open(false);
        for (name, part) in &parts {
            let seen = match self.symbolic.dag.sort(*part) {
                Sort::Bool => seen >> flag_bit(name) & 1,
                Sort::BitVec(width) => seen & mask(width),
            };
            if self.open.contains(part) {
                self.tape.set(*part, seen);
            }
        }
        self.set(case);
        self.tape.run();
        match self.facts.clone().all(|root| self.tape.root(root) != 0) {
            true => Ok(()),
            false => Err(format!(
                "the result is {seen:#x}, of which a fact of the spec does not hold"
            )),
        }
    }

    fn describe(&self, case: &Case) -> String {
        let mut out = String::new();
        for (place, content) in self.places.iter().zip(&case.inputs) {
            write!(out, "{place}={content:#x} ").expect("strings take all");
        }
        if self.accesses_memory() {
            let bytes = hex(&case.memory.to_le_bytes());
            write!(out, "memory from {:#x} on: {bytes}", case.address).expect("strings take all");
        }
        out.trim_end().to_owned()
    }
}

/// Whether so many bytes are all in the page that code may access.
fn is_data(address: u64, bytes: u64) -> bool {
    address.wrapping_sub(DATA) <= PAGE - bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take all");
        text
    })
}
