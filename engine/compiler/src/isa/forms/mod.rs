//! Every form that a rule can emit, as an entry of a listing: the term over its operands, and the bytes that the encoder
//! makes of it. The verifier executes the bytes and compares what they do with the spec of the term.
//!
//! The listing of an instruction set is `isle-rules/<isa>/forms.txt`, which `BLESS=1 cargo test` writes anew; a test here
//! compares it with what the encoder gives. So engine and verifier meet in a file, as they do in the rules, and a change
//! of an encoding is seen in review. The build script lists the terms (`TERMS`), with a call of each; a [`Maker`] makes
//! the operands by their types (those of one instruction set in `isa/<isa>/forms.rs`), passes them to the Rust behind the
//! term, as the rules do, and writes them down as ISLE.
//!
//! An entry is a line of five fields, separated by tabs:
//!
//! | field | meaning |
//! |---|---|
//! | term | the term over its operands: `r3` and `v3` are registers, `flags` the flags, `(mem A F)` memory at A with the trap code F, `#x2a` bits |
//! | result | where the result is: a register, `flags`, `-` for none; of a branch, the register with the name of the target |
//! | bytes | the code, in hexadecimal digits |
//! | writes | the registers that the code writes, the result included |
//! | traps | for each instruction that may trap, its offset and its trap code |
//!
//! `refused` in place of the four last ones says that the Rust behind the term panics at these operands, so the spec must
//! exclude them; a line of a term and `not executed: ..` says why a term has no entry.

mod allocate;
mod choices;
mod maker;

pub use maker::{Maker, Pools};

use super::Isa;
use crate::emit::Emitter;
use crate::emit::code::FunctionCode;
use crate::flags::CpuFeatures;
use crate::vcode::reg::Reg;
use choices::Choices;
use regalloc2::PReg;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::num::NonZeroU8;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The code of the trap behind what stands in place of a successor of a branch.
const END: NonZeroU8 = NonZeroU8::MIN;

/// What listings need of an instruction set.
pub trait Forms: Isa {
    /// The name of the instruction set.
    const NAME: &'static str;
    /// The registers that operands get.
    const POOLS: Pools;
    /// Whether any instruction may change the flags. Else only those whose result they are do.
    const WRITES_FLAGS: bool;
    /// What the operands of one term have to do with each other.
    type Related: Default;
    /// The terms without an entry, each with the reason.
    const NOT_EXECUTED: &'static [(&'static str, &'static str)];
    /// The registers that the encoding of an instruction itself may use.
    fn scratch(inst: &Self::Inst) -> &'static [PReg];
    /// A load of a constant.
    fn constant(dst: Reg, value: u64) -> Self::Inst;
    /// The places of stack slots that code without a frame has.
    fn frame() -> crate::abi::frame::Frame;
}

/// Has a maker make the operands of a term, and applies the term to them.
pub type Apply<I> = fn(&mut Maker<'_, '_, I>);

/// A term that makes instructions: its name, and what applies it.
pub type Term<I> = (&'static str, Apply<I>);

/// One entry: what follows the term.
struct Entry {
    term: String,
    rest: Option<String>,
}

/// All entries of one term, with or without the optional features, with registers of one bank.
fn entries<I: Forms>(
    name: &'static str,
    apply: Apply<I>,
    features: CpuFeatures,
    bank: usize,
) -> Vec<Entry> {
    let mut choices = Choices::default();
    let mut entries = Vec::new();
    loop {
        let mut text = String::new();
        // Some operands are refused by the term, and some by the encoder.
        let rest = catch_unwind(AssertUnwindSafe(|| {
            let made = maker::with_maker(name, features, bank, &mut choices, &mut text, apply);
            let code = Emitter::<I>::frameless(&made.insts, &made.successors, END, I::frame());
            assert!(code.relocs.is_empty(), "{text}: code of its own");
            written(&made.result, &made.writes, &code)
        }));
        let rest = rest.ok();
        // Where the term panics, no register is allocated.
        let mut term = text.replace('%', "");
        let ends = term.matches(')').count();
        term.push_str(&")".repeat(term.matches('(').count() - ends));
        entries.push(Entry { term, rest });
        if !choices.advance() {
            return entries;
        }
    }
}

/// The fields of an entry behind the term.
fn written(result: &str, writes: &BTreeSet<String>, code: &FunctionCode) -> String {
    let bytes = code.code.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take all");
        text
    });
    let writes: Vec<&str> = writes.iter().map(String::as_str).collect();
    let traps: Vec<String> = code
        .traps
        .iter()
        .map(|(offset, code)| format!("{offset}:{code:02x}"))
        .collect();
    let or_none = |list: String| if list.is_empty() { "-".into() } else { list };
    format!(
        "{result}\t{}\t{}\t{}",
        or_none(bytes),
        or_none(writes.join(" ")),
        or_none(traps.join(" "))
    )
}

/// The term over its operands, with all registers and constants alike.
fn skeleton(term: &str) -> String {
    let words = term.split(' ').map(|word| {
        let bare = word.trim_end_matches(')');
        let kind = match bare.as_bytes() {
            [b'r' | b'v', b'0'..=b'9', ..] => &bare[..1],
            [b'#', ..] => "#",
            _ => bare,
        };
        format!("{kind}{}", &word[bare.len()..])
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The listing of an instruction set.
pub fn listing<I: Forms>(terms: &[Term<I>]) -> String {
    let target = super::Target::named(I::NAME).expect("it has a back end");
    let mut out = format!(
        "# Every form that a rule of {} can emit, as the engine encodes it (engine/compiler/src/isa/forms/mod.rs has the format).\n\
         # BLESS=1 cargo test --workspace --lib -- forms writes it anew; cargo verify --hardware executes it.\n",
        I::NAME
    );
    for &(name, apply) in terms {
        if let Some((_, reason)) = I::NOT_EXECUTED.iter().find(|(term, _)| *term == name) {
            writeln!(out, "{name}\tnot executed: {reason}").expect("strings take all");
            continue;
        }
        // With all features first, then those encodings without them that are others.
        let mut seen = BTreeSet::new();
        let sets = [CpuFeatures::all(target), CpuFeatures::baseline(target)];
        for (features, all) in sets.into_iter().zip([true, false]) {
            let banks = [0, 1].map(|bank| entries(name, apply, features, bank));
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for entry in &banks[0] {
                *counts.entry(skeleton(&entry.term)).or_default() += 1;
            }
            let [first, second] = banks;
            for (number, (a, b)) in first.into_iter().zip(second).enumerate() {
                // A form with few entries gets both banks of registers; of others, each entry has one of them.
                let few = counts[&skeleton(&a.term)] <= 3;
                let kept = match (few, number % 2) {
                    (true, _) => vec![a, b],
                    (false, 0) => vec![a],
                    (false, _) => vec![b],
                };
                for Entry { term, rest } in kept {
                    let line = match rest {
                        Some(rest) => format!("{term}\t{rest}"),
                        // Without its features every instruction of an extension is refused.
                        None if all => format!("{term}\trefused"),
                        None => continue,
                    };
                    if seen.insert(line.clone()) {
                        writeln!(out, "{line}").expect("strings take all");
                    }
                }
            }
        }
    }
    out
}

/// Compares a listing with its file, or writes that anew.
fn check<I: Forms>(terms: &[Term<I>]) {
    // The terms refuse some operands, which is no news.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let made = std::panic::catch_unwind(|| listing::<I>(terms));
    std::panic::set_hook(hook);
    let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../isle-rules")
        .join(I::NAME)
        .join("forms.txt");
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &made).expect("the listing is writable");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = made.lines().zip(kept.lines()).find(|(a, b)| a != b);
    assert!(
        made == kept,
        "{} is not what the encoder gives (BLESS=1 writes it anew); it first differs at {differs:?}",
        file.display()
    );
    println!("{} lines", made.lines().count());
}

/// Both instruction sets in one test, because it replaces the hook that reports panics.
#[test]
fn the_listings_of_forms_are_what_the_encoder_gives() {
    check::<super::X86_64>(super::x86_64::forms::TERMS);
    check::<super::Aarch64>(super::aarch64::forms::TERMS);
}
