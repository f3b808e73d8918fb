//! The stages of a function as text, for people and for tests to read.

use crate::emit::code::FunctionCode;
use crate::flags::RegallocAlgorithm;
use crate::function::Observer;
use crate::isa::{Isa, Target, with_isa};
use crate::vcode::{MachInst, Origin, Trace, VCode};
use cranelift_codegen::Context;
use cranelift_codegen::ir::Function;
use regalloc2::Output;
use std::fmt::Write;
use std::ops::Range;

pub mod coverage;
pub mod timing;

/// One function at each stage of its compilation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The CLIF that the translator made.
    pub clif: String,
    /// The CLIF that is lowered, after the mid-end.
    pub clif_opt: String,
    /// The instructions over virtual registers, with the rules they come from.
    pub vcode: String,
    /// The machine instructions.
    pub asm: Vec<AsmLine>,
    /// The algorithm that allocated its registers, which is not always the one of the flags: a function on which the
    /// backtracking allocator would work too long gets the other.
    pub regalloc: RegallocAlgorithm,
    rules: Vec<String>,
}

/// One machine instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsmLine {
    /// The offset in bytes from the start of the function.
    pub offset: u32,
    /// The bytes of the instruction.
    pub bytes: Vec<u8>,
    /// The instruction in AT&T syntax.
    pub text: String,
    /// The rules that made this instruction, if it is the first one that they made; the rule at the root is the
    /// last one. Empty for instructions that the frame and the allocator add.
    pub rules: String,
}

impl Inspection {
    pub(crate) fn new(func: &Function) -> Inspection {
        Inspection {
            clif: func.display().to_string(),
            ..Inspection::default()
        }
    }

    /// The names of the rules that fired, in the order of the code. Rules that emit no instruction are included.
    pub fn fired_rules(&self) -> Vec<&str> {
        // Lowering goes backwards, so the order is reversed.
        self.rules
            .iter()
            .rev()
            .flat_map(|rules| rules.split(", "))
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// The machine code as text, one line for each instruction: offset, bytes, instruction, rules.
    pub fn asm_text(&self) -> String {
        let mut text = String::new();
        for line in &self.asm {
            let bytes: String = line
                .bytes
                .iter()
                .map(|byte| format!("{byte:02x} "))
                .collect();
            let rules = match line.rules.as_str() {
                "" => String::new(),
                rules => format!("; {rules}"),
            };
            let row = format!("{:5x}: {bytes:<31}{:<40} {rules}", line.offset, line.text);
            writeln!(text, "{}", row.trim_end()).expect("strings take all");
        }
        text
    }
}

impl Observer for Inspection {
    fn traces(&self) -> bool {
        true
    }

    fn optimised(&mut self, context: &Context) {
        self.clif_opt = context.func.display().to_string();
    }

    fn lowered<I: Isa>(&mut self, vcode: &VCode<I::Inst>) {
        let trace = vcode.trace.as_ref().expect("inspection traces");
        self.rules = trace
            .rules
            .iter()
            .map(|(rules, _)| rule_names(I::RULES, rules))
            .collect();
        self.vcode = vcode_text(vcode, trace, &self.rules);
    }

    fn allocated(&mut self, algorithm: RegallocAlgorithm, _output: &Output) {
        self.regalloc = algorithm;
    }

    fn encoded<I: Isa>(&mut self, code: &FunctionCode) {
        self.asm = lines(&code.code[..code.code_size as usize], I::disassemble);
        let mut marks = code.marks.iter().peekable();
        let mut last = None;
        for line in &mut self.asm {
            while let Some(&(_, group)) = marks.next_if(|mark| mark.0 <= line.offset) {
                // An instruction without bytes leaves its rules to the next one.
                if marks.peek().is_some_and(|next| next.0 == line.offset) && last != Some(group) {
                    continue;
                }
                if last.replace(group) != Some(group) {
                    line.rules.clone_from(&self.rules[group as usize]);
                }
            }
        }
    }
}

fn rule_names(names: &[&str], rules: &[u16]) -> String {
    let names: Vec<&str> = rules.iter().map(|&rule| names[usize::from(rule)]).collect();
    names.join(", ")
}

fn vcode_text<I: MachInst>(vcode: &VCode<I>, trace: &Trace, rules: &[String]) -> String {
    let mut text = String::new();
    let blocks = |range: std::ops::Range<u32>| {
        let succs: Vec<String> = range
            .map(|edge| {
                let args = vcode.edge_args[edge as usize].clone();
                let args: Vec<String> = args
                    .map(|arg| vcode.args[arg as usize].to_string())
                    .collect();
                format!(
                    "b{}({})",
                    vcode.succs[edge as usize].index(),
                    args.join(", ")
                )
            })
            .collect();
        succs.join(", ")
    };
    for (index, block) in vcode.blocks.iter().enumerate() {
        let params: Vec<String> = block
            .params
            .clone()
            .map(|param| vcode.params[param as usize].to_string())
            .collect();
        let origin = match block.origin {
            Origin::Block(block) => block.to_string(),
            Origin::Edge => "edge".to_string(),
        };
        let cold = if block.cold { " cold" } else { "" };
        writeln!(text, "b{index}({}): ; {origin}{cold}", params.join(", "))
            .expect("strings take all");
        let mut last = None;
        for inst in block.insts.clone() {
            let group = trace.groups[inst as usize];
            if last.replace(group) != Some(group) {
                let from = &trace.rules[group as usize].1;
                writeln!(text, "    ; {from}  {}", rules[group as usize])
                    .expect("strings take all");
            }
            writeln!(text, "    {}", vcode.insts[inst as usize].print()).expect("strings take all");
        }
        if !block.succs.is_empty() {
            writeln!(text, "    -> {}", blocks(block.succs.clone())).expect("strings take all");
        }
    }
    text
}

/// The instructions of machine code, by a disassembler that shares nothing with the encoder.
pub fn disassemble(target: Target, code: &[u8]) -> Vec<AsmLine> {
    with_isa!(target, I => lines(code, I::disassemble))
}

/// Instructions as text, each with the range of its bytes.
type Disassembler = fn(&[u8]) -> Vec<(Range<u32>, String)>;

fn lines(code: &[u8], disassemble: Disassembler) -> Vec<AsmLine> {
    disassemble(code)
        .into_iter()
        .map(|(range, text)| AsmLine {
            offset: range.start,
            bytes: code[range.start as usize..range.end as usize].to_vec(),
            text,
            rules: String::new(),
        })
        .collect()
}
