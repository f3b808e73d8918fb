//! Calls, returns and arguments, as instructions that put values into the places that the ABI gives them. Written once for
//! all instruction sets, over copies of registers and loads and stores of slots.

use super::{Place, Places, SLOT_SIZE, assign};
use crate::clif::names::FuncName;
use crate::isa::Isa;
use crate::lower::context::Isle;
use crate::lower::{InstOutput, Lower};
use crate::vcode::reg::{Fixed, Reg};
use cranelift_codegen::ir::{ExternalName, FuncRef, Signature, Type, Value};
use cranelift_codegen::isa::CallConv;
use regalloc2::PRegSet;

/// The offset of incoming slot 0 from the frame pointer: above the saved frame pointer and the return address.
const INCOMING: i32 = 16;

/// The function that a call goes to.
#[derive(Clone, Copy, Debug)]
pub enum Callee<A> {
    /// A function of this compilation.
    Direct(FuncName),
    /// The function whose address this is.
    Indirect(A),
}

/// A call, with the registers that it reads and writes.
#[derive(Clone, Debug)]
pub struct Call<A> {
    /// The function that is called.
    pub callee: Callee<A>,
    /// The vmctx that the callee needs in its register, if it is not the caller's own.
    pub vmctx: Option<Reg>,
    /// Whether the caller's own vmctx is restored from its frame after the call.
    pub restores_vmctx: bool,
    /// The number of bytes of arguments that the callee frees, and that the caller reserves again.
    pub freed: u32,
    /// The arguments that are passed in registers, each with its register.
    pub uses: Fixed,
    /// The registers in which the callee leaves results, with the virtual ones that get them.
    pub defs: Fixed,
    /// A register that is destroyed. It holds the callee's address, if that is in memory and the vmctx changes
    /// before the call.
    pub temp: Option<Reg>,
    /// The other registers that it destroys.
    pub clobbers: PRegSet,
}

/// A prepared list of places, by its number in the lists of [`Isle`].
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

/// A tail call: a jump to another function after the epilogue.
#[derive(Clone, Debug)]
pub struct TailCall<A> {
    /// The function that is called. Its address is not in memory, and if it is in a register then in the convention's
    /// `tail_callee`, which is one of the uses.
    pub callee: Callee<A>,
    /// The vmctx that the callee needs in its register, if it is not the function's own.
    pub vmctx: Option<Reg>,
    /// The arguments in registers, and the address of an indirect callee.
    pub uses: Fixed,
    /// The number of bytes by which the callee's return address is above the function's own (negative if below).
    pub rise: i32,
    /// The number of bytes of arguments, a multiple of 16, that are in the outgoing area and must be copied to
    /// their places.
    pub copied: u32,
}

impl<I: Isa> Isle<'_, '_, I> {
    fn load_slot(&mut self, base: Reg, offset: i32, ty: Type) -> Reg {
        let class = I::class(ty).expect("lowering has refused types without a register");
        let dst = self.lower.fresh(class);
        self.inst(I::load_slot(dst, base, offset));
        dst
    }

    /// Puts arguments into the places of a signature.
    pub fn place_args(&mut self, signature: &Signature, args: &[Value], kind: CallKind) -> Placed {
        let places = assign(signature, &I::CONVENTION.regs);
        assert_eq!(
            places.params.len(),
            args.len(),
            "CLIF's verifier counts arguments"
        );
        let (base, offset) = match kind {
            CallKind::Call => {
                self.reserve(places.slots * SLOT_SIZE);
                (I::CONVENTION.stack, 0)
            }
            CallKind::TailCall => match self.tail_rise(&places) {
                rise if rise < 0 => {
                    self.reserve(places.arg_bytes());
                    (I::CONVENTION.stack, 0)
                }
                rise => (I::CONVENTION.frame, INCOMING + rise),
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
                Place::Slot(slot) => self.inst(I::store_slot(base, offset + slot as i32 * 8, reg)),
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
        let own = assign(&self.lower.func.signature, &I::CONVENTION.regs);
        own.arg_bytes() as i32 - callee.arg_bytes() as i32
    }

    /// Puts the results of this function into their places.
    pub fn place_results(&mut self, results: &[Value]) -> Placed {
        let places = assign(&self.lower.func.signature, &I::CONVENTION.regs);
        let mut placed = Placed::default();
        for (&result, &place) in results.iter().zip(&places.results) {
            let reg = self.reg_of(result);
            match place {
                Place::Reg(real) => {
                    let reg = self.copied(reg);
                    placed.regs.push((reg, real));
                }
                Place::Slot(slot) => self.inst(I::store_slot(
                    I::CONVENTION.frame,
                    INCOMING + slot as i32 * 8,
                    reg,
                )),
                Place::Vmctx => unreachable!("no result is a vmctx"),
            }
        }
        placed
    }

    /// Emits a call whose arguments are in their places, and takes the results from their places.
    pub fn emit_call(
        &mut self,
        signature: &Signature,
        callee: Callee<I::Callee>,
        placed: Placed,
    ) -> InstOutput {
        let places = assign(signature, &I::CONVENTION.regs);
        let mut clobbers = I::call_clobbers();
        let mut defs = Fixed::new();
        self.lower.call_results.clear();
        let root = self.lower.root().expect("calls are roots");
        let results = self.lower.func.dfg.inst_results(root);
        for ((place, param), &value) in places.results.iter().zip(&signature.returns).zip(results) {
            let class =
                I::class(param.value_type).expect("lowering has refused types without a register");
            let reg = self.lower.fresh(class);
            self.lower.call_results.push(reg);
            if let Place::Reg(real) = *place
                && self.lower.is_wanted(value)
            {
                defs.push((reg, real));
                clobbers.remove(real);
            }
        }
        let vmctx = placed.vmctx.filter(|&reg| reg != I::CONVENTION.vmctx);
        let in_memory =
            matches!(&callee, Callee::Indirect(address) if I::callee_in_memory(address));
        let temp = (in_memory && vmctx.is_some()).then(|| self.int());
        let keeps_vmctx = signature.call_conv != CallConv::Tail && vmctx.is_none();
        let restores_vmctx = placed.vmctx.is_some() && !keeps_vmctx;
        self.lower.has_calls = true;
        self.lower.changes_vmctx |= restores_vmctx;
        self.inst(I::call(Call {
            callee,
            vmctx,
            restores_vmctx,
            freed: places.arg_bytes(),
            uses: placed.regs,
            defs,
            temp,
            clobbers,
        }));
        for (index, (place, param)) in places.results.iter().zip(&signature.returns).enumerate() {
            if let Place::Slot(slot) = *place {
                let reg = self.load_slot(I::CONVENTION.stack, slot as i32 * 8, param.value_type);
                self.lower.call_results[index] = reg;
            }
        }
        InstOutput::Call
    }

    /// Emits a tail call whose arguments are in their places.
    pub fn emit_tail_call(
        &mut self,
        signature: &Signature,
        callee: Callee<I::Callee>,
        placed: Placed,
    ) {
        let places = assign(signature, &I::CONVENTION.regs);
        let mut uses = placed.regs;
        let callee = match callee {
            Callee::Direct(_) => callee,
            Callee::Indirect(address) => {
                // The address must be in a register that is still valid when the frame and the callee-saved
                // registers are gone.
                let address = I::callee_reg(self, address);
                let real = I::CONVENTION.tail_callee;
                uses.push((address, real));
                Callee::Indirect(I::callee_in_reg(Reg::from_real(real)))
            }
        };
        let rise = self.tail_rise(&places);
        self.inst(I::tail_call(TailCall {
            callee,
            vmctx: placed.vmctx.filter(|&reg| reg != I::CONVENTION.vmctx),
            uses,
            rise,
            copied: if rise < 0 { places.arg_bytes() } else { 0 },
        }));
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
pub fn take_args<I: Isa>(lower: &mut Lower<'_, I>, args: &[(Value, Reg)]) {
    let func = lower.func;
    let places = assign(&func.signature, &I::CONVENTION.regs);
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
    isle.inst(I::args(defs));
    for (&(value, reg), &place) in args.iter().zip(&places.params) {
        match place {
            Place::Slot(slot) if isle.lower.is_wanted(value) => {
                let loaded = isle.load_slot(
                    I::CONVENTION.frame,
                    INCOMING + slot as i32 * 8,
                    func.dfg.value_type(value),
                );
                isle.lower.alias(reg, loaded);
            }
            Place::Vmctx if isle.lower.is_wanted(value) => {
                isle.inst(I::mov(reg, I::CONVENTION.vmctx));
            }
            _ => {}
        }
    }
}
