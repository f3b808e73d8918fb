//! What holds at the borders of functions: entry, calls, returns and tail calls.

use super::context::{Context, Role};
use super::layout::index;
use super::signature::Place;
use super::state::State;
use super::value::{Kind, Value};
use skerry_environ::{Builtin, FuncIndex, TableIndex, TypeIndex, ValType, vmctx};

/// The largest distance of the stack pointer below the entry's, in bytes: less than the guard below the stack, of which a
/// call touches a page at the end of each frame. Frames have at most 512 KiB, and some for saved registers.
pub const MAX_DEPTH: i64 = (512 << 10) + 4096;

impl Context<'_> {
    /// The state at the entry of the function.
    pub fn entry(&self) -> State {
        let registers = self.registers;
        let signature = self.signature(self.role.ty());
        let incoming = match self.role {
            Role::Entry(_) => 0,
            _ => signature.bytes,
        };
        let mut state = State::new(registers, registers.pushed + incoming);
        for &register in registers.saved {
            state.set(register, Value::of(Kind::Entry(register)));
        }
        state.set(registers.stack, Value::of(Kind::Stack));
        match registers.link {
            Some(link) => state.set(link, Value::of(Kind::ReturnAddress)),
            None => state.set_slot(0, 8, Value::of(Kind::ReturnAddress)),
        }
        if let Role::Entry(_) = self.role {
            state.set(registers.vmctx, Value::of(Kind::Entry(registers.vmctx)));
            for (&register, value) in registers.int_args.iter().zip(self.host_callee()) {
                state.set(register, value);
            }
            return state;
        }
        state.set(registers.vmctx, Value::of(Kind::Vmctx));
        for &(ty, place) in &signature.params {
            self.put(&mut state, place, registers.pushed, self.any_of(ty));
        }
        state
    }

    /// Changes the place of an argument or result, whose slots begin at an offset from the entry's stack pointer.
    fn put(&self, state: &mut State, place: Place, slots: i64, value: Value) {
        match place {
            Place::Register(register) => state.set(register, value),
            Place::Slot(slot) => state.set_slot(slots + 8 * slot, 8, value),
        }
    }

    /// Checks that values are in their places.
    fn check_places(
        &self,
        state: &State,
        places: &[(ValType, Place)],
        slots: i64,
        what: &str,
    ) -> Result<(), String> {
        for (number, &(ty, place)) in places.iter().enumerate() {
            let value = match place {
                Place::Register(register) => state.get(register),
                Place::Slot(slot) => state.get_slot(slots + 8 * slot),
            };
            if !self.is_of(state.facts.resolve(value), ty) {
                return Err(format!("{what} {number} is not proven to be an {ty}"));
            }
        }
        Ok(())
    }

    /// The offset of the stack pointer from the entry's.
    fn stack(&self, state: &State) -> Result<i64, String> {
        let value = state.get(self.registers.stack);
        match value.kind {
            Kind::Stack if value.lo == value.hi => Ok(value.lo),
            _ => Err("the stack pointer is not known".into()),
        }
    }

    /// Checks the stack pointer after an instruction, and forgets what is below it.
    pub fn check_stack(&self, state: &mut State) -> Result<(), String> {
        let stack = self.stack(state)?;
        if stack < -MAX_DEPTH {
            return Err(format!("the frame is larger than {MAX_DEPTH} bytes"));
        }
        if stack > state.top {
            return Err("the stack pointer is above the function's frame and arguments".into());
        }
        state.forget_below(stack);
        Ok(())
    }

    fn is_own_vmctx(&self, state: &State) -> bool {
        let vmctx = state.get(self.registers.vmctx);
        vmctx == Value::of(Kind::Vmctx)
    }

    /// Checks a call and does to the state what the callee does. `restored` says that the vmctx register is
    /// overwritten next.
    pub fn call(&self, state: &mut State, target: Value, restored: bool) -> Result<(), String> {
        let stack = self.stack(state)?;
        if (stack + self.registers.pushed) % 16 != 0 {
            return Err("the stack is not aligned to 16 bytes at the call".into());
        }
        if let Kind::Builtin(number) = target.kind {
            return self.call_builtin(state, Builtin::ALL[usize::from(number)]);
        }
        let (ty, keeps) = self.callee(state, target, !restored)?;
        let signature = self.signature(ty);
        self.check_places(state, &signature.params, stack, "argument")?;
        if stack + signature.bytes > 0 {
            return Err(
                "the callee's arguments and results are not in the function's frame".into(),
            );
        }
        self.after_call(state, keeps);
        state.forget_slots(stack, stack + signature.bytes);
        state.set(
            self.registers.stack,
            Value::of(Kind::Stack).at(stack + signature.arg_bytes),
        );
        for &(ty, place) in &signature.results {
            self.put(state, place, stack, self.any_of(ty));
        }
        state.forget_below(stack + signature.arg_bytes);
        Ok(())
    }

    /// The type of the function at an address, and whether the vmctx register is kept by it. Checks the vmctx that it is
    /// given.
    fn callee(
        &self,
        state: &State,
        target: Value,
        relies: bool,
    ) -> Result<(TypeIndex, bool), String> {
        match target.kind {
            Kind::Text if target.lo == target.hi => {
                let start = u32::try_from(target.lo).ok();
                let found = start.and_then(|start| self.published.starts.get(&start));
                let Some(&function) = found else {
                    return Err("the target is not the start of a function".into());
                };
                if !self.is_own_vmctx(state) {
                    return Err("a function of the module is called with another vmctx".into());
                }
                if relies {
                    self.summary.borrow_mut().relies.push(function);
                }
                Ok((self.module().functions[function].ty, relies))
            }
            Kind::Code(id) => {
                let known = state.facts.type_of(id).map(index::<TypeIndex>);
                let Some(ty) = known.or(self.own_type(id)) else {
                    return Err("the type of the callee was not checked".into());
                };
                let vmctx = state.get(self.registers.vmctx);
                match vmctx.kind {
                    Kind::CalleeVmctx(same) if same == id => Ok((ty, false)),
                    _ => Err("the callee is not given its own vmctx".into()),
                }
            }
            _ => Err("the target is not proven to be the code of a function".into()),
        }
    }

    /// Forgets what a callee may change.
    fn after_call(&self, state: &mut State, keeps_vmctx: bool) {
        let registers = self.registers;
        let vmctx = state.get(registers.vmctx);
        for register in 0..registers.count as u8 {
            if !registers.saved.contains(&register) && register != registers.stack {
                state.set(register, Value::ANY);
            }
        }
        if keeps_vmctx {
            state.set(registers.vmctx, vmctx);
        }
        state.flags = super::facts::Flags::Unknown;
        state.forget_moved(|kind| match kind {
            Kind::Heap(memory) => self.memory_moves(memory),
            Kind::Table(table) => self.table_moves(table),
            _ => false,
        });
    }

    fn call_builtin(&self, state: &mut State, builtin: Builtin) -> Result<(), String> {
        if !self.is_own_vmctx(state) {
            return Err("a builtin is not given the vmctx".into());
        }
        let args: Vec<Value> = self
            .registers
            .int_args
            .iter()
            .take(builtin.params().len())
            .map(|&register| state.facts.resolve(state.get(register)))
            .collect();
        for (number, value) in args.iter().enumerate() {
            // All arguments but references and addresses are numbers of 32 bits.
            let other = matches!(
                (builtin, number),
                (Builtin::HostCall, 0) | (Builtin::TableGrow, 1) | (Builtin::TableFill, 2)
            );
            if !other && !value.is_below32() {
                let name = builtin.name();
                return Err(format!(
                    "argument {number} of {name} is not proven to be an i32"
                ));
            }
        }
        self.check_builtin(state, builtin, &args)?;
        self.after_call(state, true);
        if let Builtin::HostCall = builtin {
            self.take_host_results(state, args[0]);
        }
        let stack = self.stack(state)?;
        state.forget_below(stack);
        Ok(())
    }

    /// Checks the arguments that a builtin takes on trust: numbers of memories and tables, references, and addresses.
    fn check_builtin(&self, state: &State, builtin: Builtin, args: &[Value]) -> Result<(), String> {
        let module = self.module();
        let below = |arg: usize, count: usize| {
            let known = args[arg].as_constant();
            match known.is_some_and(|n| (n as u64) < count as u64) {
                true => Ok(()),
                false => Err(format!(
                    "argument {arg} of {} is no valid index",
                    builtin.name()
                )),
            }
        };
        let element = |arg: usize, value: usize| {
            below(arg, module.tables.len())?;
            let table = args[arg].as_constant().unwrap_or(0) as u32;
            let ty = module.tables[index::<TableIndex>(table)].element;
            match self.is_of(args[value], ty) {
                true => Ok(()),
                false => Err(format!("{} gets a value that is no {ty}", builtin.name())),
            }
        };
        let (memories, tables) = (module.memories.len(), module.tables.len());
        match builtin {
            Builtin::HostCall => self.check_host_values(state, args[0]),
            Builtin::MemoryGrow | Builtin::MemoryFill => below(0, memories),
            Builtin::MemoryCopy => below(0, memories).and(below(1, memories)),
            Builtin::MemoryInit => below(0, memories).and(below(1, module.data.len())),
            Builtin::DataDrop => below(0, module.data.len()),
            Builtin::TableGrow => element(0, 1),
            Builtin::TableFill => element(0, 2),
            Builtin::TableCopy => below(0, tables).and(below(1, tables)),
            Builtin::TableInit => below(0, tables).and(below(1, module.elements.len())),
            Builtin::ElemDrop => below(0, module.elements.len()),
        }
    }

    /// The size in bytes of the values of a host call.
    fn host_bytes(&self) -> i64 {
        let ty = &self.module().types[self.role.ty()];
        (ty.array_slots() * vmctx::VALUE_SLOT_SIZE) as i64
    }

    fn check_host_values(&self, state: &State, values: Value) -> Result<(), String> {
        let Role::Host(ty) = self.role else {
            return Err("only the trampoline of a host function calls the host".into());
        };
        let stack = self.stack(state)?;
        if values.kind != Kind::Stack
            || values.lo != values.hi
            || values.lo % 8 != 0
            || values.lo < stack
            || values.lo + self.host_bytes() > 0
        {
            return Err("the host's values are not in the function's frame".into());
        }
        for (slot, &ty) in self.module().types[ty].params.iter().enumerate() {
            let offset = values.lo + (slot * vmctx::VALUE_SLOT_SIZE) as i64;
            let value = state.facts.resolve(state.get_slot(offset));
            if ty == ValType::FuncRef && !self.is_func_ref(value) {
                return Err(format!(
                    "argument {slot} of the host is not proven to be a funcref"
                ));
            }
        }
        Ok(())
    }

    fn take_host_results(&self, state: &mut State, values: Value) {
        state.forget_slots(values.lo, values.lo + self.host_bytes());
        let types = &self.module().types[self.role.ty()].results;
        for (slot, &ty) in types.iter().enumerate() {
            // Above an i32 are bits that say nothing.
            if ty == ValType::FuncRef {
                let offset = values.lo + (slot * vmctx::VALUE_SLOT_SIZE) as i64;
                state.set_slot(offset, 8, self.any_of(ty));
            }
        }
    }

    /// Checks that callee-saved registers are as they were at the entry.
    fn check_saved(&self, state: &State) -> Result<(), String> {
        for &register in self.registers.saved {
            if state.get(register) != Value::of(Kind::Entry(register)) {
                return Err(format!("callee-saved register {register} is not restored"));
            }
        }
        Ok(())
    }

    /// Checks a return to an address, at which the stack pointer is already the caller's.
    pub fn check_return(&self, state: &State, target: Value) -> Result<(), String> {
        if target != Value::of(Kind::ReturnAddress) {
            return Err("the function does not return to its caller".into());
        }
        self.check_saved(state)?;
        let signature = self.signature(self.role.ty());
        let pushed = self.registers.pushed;
        let (freed, vmctx) = match self.role {
            Role::Entry(_) => (0, Kind::Entry(self.registers.vmctx)),
            _ => (signature.arg_bytes, Kind::Vmctx),
        };
        if state.get(self.registers.vmctx) != Value::of(vmctx) {
            return Err("the vmctx register is not what it was at the entry".into());
        }
        let stack = self.stack(state)?;
        if stack != pushed + freed {
            return Err(format!(
                "the stack pointer is {} bytes off at the return",
                stack - pushed - freed
            ));
        }
        match self.role {
            Role::Entry(_) => Ok(()),
            _ => self.check_places(state, &signature.results, pushed, "result"),
        }
    }

    /// Whether a jump to the function's own start is a tail call: its frame is gone.
    pub fn is_tail_call(&self, state: &State) -> bool {
        self.stack(state) == Ok(0) && self.check_saved(state).is_ok()
    }

    /// Checks a jump to another function.
    pub fn check_tail_call(&self, state: &State, target: Value) -> Result<(), String> {
        if !matches!(self.role, Role::Function(_)) {
            return Err("a trampoline makes no tail call".into());
        }
        let (ty, _) = self.callee(state, target, false)?;
        self.check_saved(state)?;
        let (own, callee) = (self.signature(self.role.ty()), self.signature(ty));
        if own
            .results
            .iter()
            .map(|result| result.0)
            .ne(callee.results.iter().map(|r| r.0))
        {
            return Err("the tail-called function has other results".into());
        }
        let stack = self.stack(state)?;
        if stack != own.arg_bytes - callee.arg_bytes {
            return Err("the stack pointer is not where the tail-called function needs it".into());
        }
        let return_address = match self.registers.link {
            Some(link) => state.get(link),
            None => state.get_slot(stack),
        };
        if return_address != Value::of(Kind::ReturnAddress) {
            return Err("the tail-called function would not return to the caller".into());
        }
        let slots = stack + self.registers.pushed;
        self.check_places(state, &callee.params, slots, "argument")?;
        let mut summary = self.summary.borrow_mut();
        match target.kind {
            Kind::Text => {
                let function: FuncIndex = self.published.starts[&(target.lo as u32)];
                summary.tail_calls.push(function);
            }
            _ => summary.leaves = true,
        }
        Ok(())
    }
}
