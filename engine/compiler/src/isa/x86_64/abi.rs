//! x86_64: the internal calling convention, on one page.
//!
//! | | |
//! |---|---|
//! | integer arguments | rdi rsi rdx rcx r8 r9 rax r10 |
//! | integer results | rax rdx rcx rdi rsi r8 r9 r10 |
//! | float arguments, results | xmm0 to xmm7 |
//! | further arguments, results | 8-byte slots from \[rsp\] at the call; results above arguments |
//! | rsp after a call | where the results' slots begin: the callee frees the arguments' (`ret n`) |
//! | vmctx | r15; which callees may change it is said below |
//! | callee-saved | rbx r12 r13 r14, rbp (always the frame pointer) |
//! | destroyed by every call | all others: r11 is for no argument, so trampolines and tail calls may use it |
//! | scratch | xmm15: never live across an instruction of VCode |
//!
//! A value is represented in its place as in any register (`isle-rules/contract.isle`): an i32 has its high half
//! zero. Slots hold the whole register.
//!
//! The frame, downwards from the frame pointer: the saved vmctx (if a call changes it), the callee-saved
//! registers in use, spill slots, CLIF's stack slots, the outgoing area at rsp. rsp is a multiple of
//! 16 at every call.
//!
//! **Tail calls.** A function that tail-calls g leaves the stack as its own caller would have left it for g. The
//! address B at which the results' slots begin is fixed: the caller looks for results there, whichever function
//! returns, and functions with the same results use the same slots. So g's arguments end at B, g's return address
//! lies directly below them, and g frees up to B. However long a chain of tail calls is, the stack is at most one
//! frame and the largest argument area deeper than at the first call.
//!
//! If g has no more argument slots than the function, they are within the function's own, which are no longer
//! needed (it loaded its arguments at its entry), and lowering stores arguments directly there. Otherwise they
//! overlap the function's frame: lowering stores them in the outgoing area, and the epilogue (`emit.rs`) copies
//! them up, last first, when it has restored the callee-saved registers and holds return address and saved rbp in a
//! register.
//!
//! **The vmctx.** A function may tail-call a function of another instance. Then r15 has changed when the call
//! returns, and only the caller can restore it. So a call that sets the callee's vmctx (its signature has a `vmctx`
//! parameter) restores r15 from the caller's frame afterwards. Every function must be called in this way unless it
//! *keeps* the vmctx: it makes no tail call with a vmctx parameter, and tail calls only functions that keep it.
//! Which functions of a module do is decided before the first is translated (`translate/tail.rs`); in a module
//! without tail calls all do. Builtins always do: their signatures are not `CallConv::Tail`.

use super::inst::{Call, Callee, Fixed, FuncName, Inst, TailCall};
use super::isle::Isle;
use super::operands::{GprMem, amode};
use super::regs::{self, *};
use crate::abi::{self, AbiRegs, Place, Places, SLOT_SIZE};
use crate::lower::{InstOutput, Lower};
use crate::reg::Reg;
use cranelift_assembler_x64::{self as assembler, inst as asm};
use cranelift_codegen::ir::{ExternalName, FuncRef, Signature, Type, Value};
use cranelift_codegen::isa::CallConv;
use regalloc2::{PReg, RegClass};

const INT_ARGS: [PReg; 8] = [RDI, RSI, RDX, RCX, R8, R9, RAX, R10];
const INT_RESULTS: [PReg; 8] = [RAX, RDX, RCX, RDI, RSI, R8, R9, R10];
const FLOATS: [PReg; 8] = [
    float(0),
    float(1),
    float(2),
    float(3),
    float(4),
    float(5),
    float(6),
    float(7),
];

/// The registers of the convention.
pub const ABI: AbiRegs = AbiRegs {
    int_args: &INT_ARGS,
    int_results: &INT_RESULTS,
    floats: &FLOATS,
};

/// The places of a signature's arguments and results.
pub fn assign(signature: &Signature) -> Places {
    abi::assign(signature, &ABI)
}

/// The offset of incoming slot 0 from the frame pointer: above the saved frame pointer and the return address.
const INCOMING: i32 = 16;

/// A prepared list of places, by its number in [`Isle`]'s lists.
#[derive(Clone, Copy, Debug)]
pub struct PlaceList(pub u32);

/// The values that have been put into the places of a call or return.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// The values that are in registers.
    pub regs: Fixed,
    /// The value that is for the vmctx register.
    pub vmctx: Option<Reg>,
}

/// The kind of call that arguments are for, which decides in which frame their slots are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// An ordinary call: the slots are in this function's outgoing area.
    Call,
    /// A tail call: the slots are where this function's own arguments are, or are copied there by the epilogue.
    TailCall,
}

impl Isle<'_, '_> {
    fn load_slot(&mut self, base: Reg, offset: i32, ty: Type) -> Reg {
        let class = class(ty).expect("lowering has refused types without a register");
        let dst = self.lower.fresh(class);
        let address = amode(base, offset);
        match class {
            RegClass::Int => self.emit(asm::movq_rm::new(dst, GprMem::Mem(address))),
            _ => self.emit(asm::movsd_a_m::new(dst, address)),
        }
        dst
    }

    fn store_slot(&mut self, base: Reg, offset: i32, value: Reg) {
        let address = amode(base, offset);
        match value.class() {
            RegClass::Int => self.emit(asm::movq_mr::new(super::operands::memory(address), value)),
            _ => self.emit(asm::movsd_c_m::new(address, value)),
        }
    }

    /// Puts arguments into the places of a signature.
    pub fn place_args(&mut self, signature: &Signature, args: &[Value], kind: CallKind) -> Placed {
        let places = assign(signature);
        assert_eq!(
            places.params.len(),
            args.len(),
            "CLIF's verifier counts arguments"
        );
        let (base, offset) = match kind {
            CallKind::Call => {
                self.reserve(places.slots * SLOT_SIZE);
                (STACK, 0)
            }
            CallKind::TailCall => match self.tail_rise(&places) {
                rise if rise < 0 => {
                    self.reserve(places.arg_bytes());
                    (STACK, 0)
                }
                rise => (FRAME, INCOMING + rise),
            },
        };
        let mut placed = Placed::default();
        for (&arg, &place) in args.iter().zip(&places.params) {
            let reg = self.reg_of(arg);
            match place {
                Place::Reg(real) => {
                    let reg = self.copied(reg);
                    placed.regs.push((reg, real));
                }
                Place::Slot(slot) => self.store_slot(base, offset + slot as i32 * 8, reg),
                Place::Vmctx => placed.vmctx = Some(reg),
            }
        }
        placed
    }

    fn reserve(&mut self, bytes: u32) {
        self.lower.outgoing_bytes = self.lower.outgoing_bytes.max(bytes);
    }

    /// The number of bytes by which the return address of a tail call's callee is above this function's own.
    fn tail_rise(&self, callee: &Places) -> i32 {
        let own = assign(&self.lower.func.signature);
        own.arg_bytes() as i32 - callee.arg_bytes() as i32
    }

    /// Puts the results of this function into their places.
    pub fn place_results(&mut self, results: &[Value]) -> Placed {
        let places = assign(&self.lower.func.signature);
        let mut placed = Placed::default();
        for (&result, &place) in results.iter().zip(&places.results) {
            let reg = self.reg_of(result);
            match place {
                Place::Reg(real) => {
                    let reg = self.copied(reg);
                    placed.regs.push((reg, real));
                }
                Place::Slot(slot) => self.store_slot(FRAME, INCOMING + slot as i32 * 8, reg),
                Place::Vmctx => unreachable!("no result is a vmctx"),
            }
        }
        placed
    }

    /// Emits a call whose arguments are in their places, and takes the results from their places.
    pub fn emit_call(
        &mut self,
        signature: &Signature,
        callee: Callee,
        placed: Placed,
    ) -> InstOutput {
        let places = assign(signature);
        let mut clobbers = regs::call_clobbers();
        let mut defs = Fixed::new();
        self.lower.call_results.clear();
        let root = self.lower.root().expect("calls are roots");
        let results = self.lower.func.dfg.inst_results(root);
        for ((place, param), &value) in places.results.iter().zip(&signature.returns).zip(results) {
            let class =
                class(param.value_type).expect("lowering has refused types without a register");
            let reg = self.lower.fresh(class);
            self.lower.call_results.push(reg);
            if let Place::Reg(real) = *place
                && self.lower.is_wanted(value)
            {
                defs.push((reg, real));
                clobbers.remove(real);
            }
        }
        let vmctx = placed.vmctx.filter(|&reg| reg != VMCTX);
        let in_memory = matches!(callee, Callee::Indirect(assembler::GprMem::Mem(_)));
        let temp = (in_memory && vmctx.is_some()).then(|| self.gpr());
        let keeps_vmctx = signature.call_conv != CallConv::Tail && vmctx.is_none();
        let restores_vmctx = placed.vmctx.is_some() && !keeps_vmctx;
        self.lower.has_calls = true;
        self.lower.changes_vmctx |= restores_vmctx;
        self.inst(Inst::Call(Box::new(Call {
            callee,
            vmctx,
            restores_vmctx,
            freed: places.arg_bytes(),
            uses: placed.regs,
            defs,
            temp,
            clobbers,
        })));
        for (index, (place, param)) in places.results.iter().zip(&signature.returns).enumerate() {
            if let Place::Slot(slot) = *place {
                let reg = self.load_slot(STACK, slot as i32 * 8, param.value_type);
                self.lower.call_results[index] = reg;
            }
        }
        InstOutput::Call
    }

    /// Emits a tail call whose arguments are in their places.
    pub fn emit_tail_call(&mut self, signature: &Signature, callee: Callee, placed: Placed) {
        let places = assign(signature);
        let mut uses = placed.regs;
        let callee = match callee {
            Callee::Direct(_) => callee,
            Callee::Indirect(address) => {
                // The address must be in a register that is still valid when the frame and the callee-saved
                // registers are gone.
                let address = match address {
                    assembler::GprMem::Gpr(reg) => self.copied(reg),
                    assembler::GprMem::Mem(_) => {
                        let loaded = self.gpr();
                        self.emit(asm::movq_rm::new(loaded, address));
                        loaded
                    }
                };
                uses.push((address, R11));
                Callee::Indirect(assembler::GprMem::Gpr(Reg::from_real(R11)))
            }
        };
        let rise = self.tail_rise(&places);
        self.inst(Inst::TailCall(Box::new(TailCall {
            callee,
            vmctx: placed.vmctx.filter(|&reg| reg != VMCTX),
            uses,
            rise,
            copied: if rise < 0 { places.arg_bytes() } else { 0 },
        })));
    }

    /// The name of a function of this compilation.
    pub fn func_name(&self, func: FuncRef) -> FuncName {
        let dfg = &self.lower.func.dfg;
        match dfg.ext_funcs[func].name {
            ExternalName::User(name) => {
                let name = &self.lower.func.params.user_named_funcs()[name];
                FuncName {
                    namespace: name.namespace,
                    index: name.index,
                }
            }
            ref other => {
                unreachable!("only functions of this compilation are called, not {other:?}")
            }
        }
    }
}

/// Takes the arguments of this function from their places.
pub fn take_args(lower: &mut Lower<'_, Inst>, args: &[(Value, Reg)]) {
    let func = lower.func;
    let places = assign(&func.signature);
    lower.freed_bytes = places.arg_bytes();
    let mut defs = Fixed::new();
    let mut isle = Isle::new(lower);
    for (&(value, reg), &place) in args.iter().zip(&places.params) {
        if let Place::Reg(real) = place
            && isle.lower.is_wanted(value)
        {
            defs.push((reg, real));
        }
    }
    isle.inst(Inst::Args(Box::new(defs)));
    for (&(value, reg), &place) in args.iter().zip(&places.params) {
        match place {
            Place::Slot(slot) if isle.lower.is_wanted(value) => {
                let loaded = isle.load_slot(
                    FRAME,
                    INCOMING + slot as i32 * 8,
                    func.dfg.value_type(value),
                );
                isle.lower.alias(reg, loaded);
            }
            Place::Vmctx if isle.lower.is_wanted(value) => {
                isle.inst(Inst::Move {
                    dst: reg,
                    src: VMCTX,
                });
            }
            _ => {}
        }
    }
}

/// The class of the register that a type needs; `None` if the type has no register.
pub fn class(ty: Type) -> Option<RegClass> {
    match ty.bits() {
        8 | 16 | 32 | 64 if ty.is_int() => Some(RegClass::Int),
        32 | 64 if ty.is_float() => Some(RegClass::Float),
        _ => None,
    }
}
