//! The abstract values: what is known of the 64 bits of a register or of a slot of the frame.
//!
//! A value is the address of a thing ([`Kind`]) plus a number between two bounds; a plain number is a thing at
//! address 0. The number may have a *name*, a symbol that stands for one integer in one state: `n = scale * name +
//! addend`. Values with one name move together, so what a comparison says about one of them holds for all
//! (`facts.rs`).
//!
//! All operations are exact over the integers: where the machine could wrap around, the result is [`Kind::Any`].

/// The symbol for an integer; 0 is no name.
pub type Name = u32;

/// The function reference that code or a vmctx was loaded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefId {
    /// The one that a named value refers to.
    Named(Name),
    /// The one at this offset in the function's own vmctx.
    Own(i32),
}

/// A float: 64 bits of a vector register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    /// Those with this name.
    Named(Name),
    /// These bits.
    Constant(i64),
}

/// What the number of a value is relative to, or what else the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is known.
    Any,
    /// A number.
    Number,
    /// The vmctx of the function, which may also be the start of its first defined memory.
    Vmctx,
    /// The first byte of a linear memory.
    Heap(u32),
    /// The stack pointer at the function's entry.
    Stack,
    /// The first element of a table.
    Table(u32),
    /// The start of the text.
    Text,
    /// The array of the numbers of types.
    TypeIds,
    /// The array of the addresses of builtins.
    Builtins,
    /// The state of the store.
    Store,
    /// The definition of an imported global.
    Global(u32),
    /// The definition of an imported table.
    TableDefinition(u32),
    /// The definition of an imported memory.
    MemoryDefinition(u32),
    /// The array of values of an entry trampoline.
    Values,
    /// A function reference: null, or the address of a `VMFuncRef`. Its number is 0.
    FuncRef,
    /// The code of a function reference.
    Code(RefId),
    /// The vmctx of a function reference.
    CalleeVmctx(RefId),
    /// The code of a builtin, by its number.
    Builtin(u8),
    /// The number of the type of a function reference.
    TypeIdOf(RefId),
    /// The number of a type of the module.
    TypeId(u32),
    /// The length of a table in elements.
    TableLen(u32),
    /// The length of a memory in bytes.
    MemoryLen(u32),
    /// What a register held at the function's entry.
    Entry(u8),
    /// The address to which the function returns.
    ReturnAddress,
    /// A float of one precision or the other, truncated to a signed integer of 64 bits where what does
    /// not fit becomes negative. If it is clamped, 0 instead of anything negative.
    Truncated {
        /// The float.
        float: Float,
        /// Whether it has double precision.
        double: bool,
        /// Whether negative integers have become 0.
        clamped: bool,
    },
    /// An entry of the jump table at this offset of the text; `hi` is the largest possible index.
    JumpEntry(u32),
    /// A target of the jump table at this offset of the text; `hi` is the largest possible index.
    JumpTarget(u32),
}

/// What is known of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// What the number is relative to.
    pub kind: Kind,
    /// Whether the bits may also be 0 instead.
    pub or_null: bool,
    /// The number is a multiple of 2 to this power.
    pub align: u8,
    /// The factor of the name.
    pub scale: u8,
    /// The name that the number depends on, or 0.
    pub name: Name,
    /// The least number.
    pub lo: i64,
    /// The largest number.
    pub hi: i64,
    /// What is added to the name.
    pub addend: i64,
}

/// The largest number of 32 bits.
pub const MAX32: i64 = u32::MAX as i64;

impl Value {
    /// Nothing is known.
    pub const ANY: Value = Value {
        kind: Kind::Any,
        or_null: false,
        align: 0,
        scale: 1,
        name: 0,
        lo: 0,
        hi: 0,
        addend: 0,
    };

    /// A thing without a number.
    pub const fn of(kind: Kind) -> Value {
        Value {
            kind,
            align: 63,
            ..Value::ANY
        }
    }

    /// A number between two bounds.
    pub fn between(lo: i64, hi: i64) -> Value {
        Value {
            kind: Kind::Number,
            lo,
            hi,
            align: if lo == hi { alignment(lo) } else { 0 },
            ..Value::ANY
        }
    }

    /// A constant.
    pub fn constant(n: i64) -> Value {
        Value::between(n, n)
    }

    /// A number below 2^32.
    pub fn below32() -> Value {
        Value::between(0, MAX32)
    }

    /// A number of so many low bits, at most 32 of them known to be all there is.
    pub fn of_bits(bits: u32) -> Value {
        match bits {
            64.. => Value::ANY,
            _ => Value::between(0, (1 << bits) - 1),
        }
    }

    /// The same thing with another number.
    pub fn at(self, n: i64) -> Value {
        Value {
            lo: n,
            hi: n,
            align: alignment(n),
            name: 0,
            ..self
        }
    }

    /// The number, if the value is one and it is known.
    pub fn as_constant(self) -> Option<i64> {
        (self.kind == Kind::Number && self.lo == self.hi).then_some(self.lo)
    }

    /// The 64 bits as a float, if they can be told from others.
    pub fn as_float(self) -> Option<Float> {
        match self.as_constant() {
            Some(bits) => Some(Float::Constant(bits)),
            None => (self.name != 0).then_some(Float::Named(self.name)),
        }
    }

    /// The value as a plain number, if it is below 2^63.
    pub fn as_number(self) -> Option<Value> {
        match self.kind {
            Kind::Number => Some(self),
            Kind::TypeIdOf(_) | Kind::TypeId(_) => Some(Value::below32()),
            Kind::TableLen(_) => Some(Value {
                name: self.name,
                ..Value::below32()
            }),
            Kind::MemoryLen(_) => Some(Value::between(0, 1 << 32)),
            _ => None,
        }
    }

    /// Whether the value is a number below 2^32.
    pub fn is_below32(self) -> bool {
        self.as_number()
            .is_some_and(|number| number.lo >= 0 && number.hi <= MAX32)
    }

    /// Whether arithmetic on the number is allowed: the value is a number or an address.
    fn is_address(self) -> bool {
        matches!(
            self.kind,
            Kind::Vmctx
                | Kind::Heap(_)
                | Kind::Stack
                | Kind::Table(_)
                | Kind::Text
                | Kind::TypeIds
                | Kind::Builtins
                | Kind::Store
                | Kind::Global(_)
                | Kind::TableDefinition(_)
                | Kind::MemoryDefinition(_)
                | Kind::Values
        )
    }

    /// The sum, as 64 bits.
    pub fn add(self, other: Value) -> Value {
        match (self.kind, other.kind) {
            (Kind::Text, Kind::JumpEntry(table)) => return self.jump_target(table, other),
            (Kind::JumpEntry(table), Kind::Text) => return other.jump_target(table, self),
            _ => {}
        }
        let (a, b) = match (self.as_number(), other.as_number()) {
            (Some(a), Some(b)) => (a, b),
            (None, Some(b)) => (self, b),
            (Some(a), None) => (other, a),
            (None, None) => return Value::ANY,
        };
        // `b` is a number.
        if a.or_null && b.as_constant() == Some(0) {
            return a;
        }
        if a.or_null || !(a.kind == Kind::Number || a.is_address()) {
            return Value::ANY;
        }
        let (Some(lo), Some(hi)) = (a.lo.checked_add(b.lo), a.hi.checked_add(b.hi)) else {
            return Value::ANY;
        };
        let named = match (a.name, b.name) {
            (_, 0) if b.lo == b.hi => a.addend.checked_add(b.lo).map(|add| (a, add)),
            (0, _) if a.lo == a.hi => b.addend.checked_add(a.lo).map(|add| (b, add)),
            _ => None,
        };
        let (name, scale, addend) = named.map_or((0, 1, 0), |(of, add)| {
            (of.name, of.scale, if of.name == 0 { 0 } else { add })
        });
        Value {
            kind: a.kind,
            or_null: false,
            align: a.align.min(b.align),
            scale,
            name,
            lo,
            hi,
            addend,
        }
    }

    /// The sum of the address of a jump table and one of its entries.
    fn jump_target(self, table: u32, entry: Value) -> Value {
        match self.lo == self.hi && self.lo == i64::from(table) {
            true => Value {
                kind: Kind::JumpTarget(table),
                ..entry
            },
            false => Value::ANY,
        }
    }

    /// The sum with a constant.
    pub fn add_constant(self, n: i64) -> Value {
        match n {
            0 => self,
            _ => self.add(Value::constant(n)),
        }
    }

    /// The difference, as 64 bits.
    pub fn sub(self, other: Value) -> Value {
        match other.as_number() {
            Some(n) if n.lo == n.hi && n.lo != i64::MIN => self.add_constant(-n.lo),
            Some(n) if n.lo > i64::MIN => self.add(Value {
                align: n.align,
                ..Value::between(-n.hi, -n.lo)
            }),
            _ => Value::ANY,
        }
    }

    /// The product with 2 to the power `shift`, as 64 bits.
    pub fn shl(self, shift: u32) -> Value {
        if shift == 0 {
            return self;
        }
        let Some(n) = self.as_number().filter(|_| shift <= 32) else {
            return Value::ANY;
        };
        let factor = 1i64 << shift;
        let (Some(lo), Some(hi)) = (n.lo.checked_mul(factor), n.hi.checked_mul(factor)) else {
            return Value::ANY;
        };
        let scale = u64::from(n.scale) << shift;
        let addend = n.addend.checked_mul(factor).filter(|_| scale <= 8);
        Value {
            lo,
            hi,
            align: (n.align + shift as u8).min(63),
            scale: if addend.is_some() { scale as u8 } else { 1 },
            name: if addend.is_some() { n.name } else { 0 },
            addend: if n.name == 0 { 0 } else { addend.unwrap_or(0) },
            ..n
        }
    }

    /// A logical shift of 64 bits to the right.
    pub fn shr(self, shift: u32) -> Value {
        match self.as_number() {
            _ if shift == 0 => self,
            _ if shift > 63 => Value::ANY,
            Some(n) if n.lo >= 0 => Value::between(n.lo >> shift, n.hi >> shift),
            _ => Value::between(0, (u64::MAX >> shift) as i64),
        }
    }

    /// The conjunction, as 64 bits.
    pub fn and(self, other: Value) -> Value {
        let positive = |value: Value| value.as_number().filter(|n| n.lo >= 0).map(|n| n.hi);
        match (positive(self), positive(other)) {
            (Some(a), Some(b)) => Value::between(0, a.min(b)),
            (Some(a), None) | (None, Some(a)) => Value::between(0, a),
            (None, None) => Value::ANY,
        }
    }

    /// A disjunction or exclusive one, as 64 bits.
    pub fn or(self, other: Value) -> Value {
        match (self.as_number(), other.as_number()) {
            (Some(a), Some(b)) if a.lo >= 0 && b.lo >= 0 => {
                let bits = 64 - (a.hi | b.hi).leading_zeros();
                Value::between(0, ((1u64 << bits) - 1) as i64)
            }
            _ => Value::ANY,
        }
    }

    /// The product, as 64 bits.
    pub fn mul(self, other: Value) -> Value {
        match (self.as_number(), other.as_number()) {
            (Some(a), Some(b)) if a.lo >= 0 && b.lo >= 0 => match a.hi.checked_mul(b.hi) {
                Some(hi) => Value::between(a.lo * b.lo, hi),
                None => Value::ANY,
            },
            _ => Value::ANY,
        }
    }

    /// The low 32 bits, with zeros above.
    pub fn low32(self) -> Value {
        match self.kind {
            Kind::Number if self.lo >= 0 && self.hi <= MAX32 => self,
            Kind::TypeIdOf(_) | Kind::TypeId(_) => self,
            // A table has fewer than 2^32 elements.
            Kind::TableLen(_) => self.as_number().unwrap_or(Value::below32()),
            Kind::Number if self.lo == self.hi => Value::constant(i64::from(self.lo as u32)),
            _ => Value::below32(),
        }
    }

    /// So many low bits, with zeros above.
    pub fn low(self, bits: u32) -> Value {
        match self.kind {
            _ if bits >= 64 => self,
            _ if bits == 32 => self.low32(),
            Kind::Number if self.lo >= 0 && self.hi < 1 << bits => self,
            Kind::Number if self.lo == self.hi => Value::constant(self.lo & ((1 << bits) - 1)),
            _ => Value::of_bits(bits),
        }
    }

    /// So many low bits, with copies of the highest of them above.
    pub fn signed(self, bits: u32) -> Value {
        let half = 1i64 << (bits.min(63) - 1);
        match self.kind {
            _ if bits >= 64 => self,
            Kind::Number if self.lo >= 0 && self.hi < half => self,
            Kind::Number if self.lo == self.hi => {
                Value::constant(self.lo << (64 - bits) >> (64 - bits))
            }
            _ => Value::between(-half, half - 1),
        }
    }

    /// What is known of bits that are one value or the other. `widen` makes bounds that grow give up soon, so that
    /// loops end.
    pub fn join(self, other: Value, widen: bool) -> Value {
        if self == other {
            return self;
        }
        let null = |value: Value| value.as_constant() == Some(0);
        let nullable = |value: Value| matches!(value.kind, Kind::Vmctx | Kind::Heap(_));
        let (a, b) = match (self.kind == other.kind, self.as_number(), other.as_number()) {
            (true, ..) => (self, other),
            _ if null(self) && other.kind == Kind::FuncRef => return other,
            _ if null(other) && self.kind == Kind::FuncRef => return self,
            _ if null(self) && nullable(other) => (
                Value {
                    or_null: true,
                    ..other
                },
                other,
            ),
            _ if null(other) && nullable(self) => (
                Value {
                    or_null: true,
                    ..self
                },
                self,
            ),
            (false, Some(a), Some(b)) => (a, b),
            _ => return Value::ANY,
        };
        let (lo, hi) = match (b.lo < a.lo, b.hi > a.hi) {
            (false, false) => (a.lo, a.hi),
            _ if !widen => (a.lo.min(b.lo), a.hi.max(b.hi)),
            (false, true) if a.lo >= 0 && b.hi <= MAX32 => (a.lo, MAX32),
            (true, false) if b.lo >= 0 => (0, a.hi),
            (true, true) if b.lo >= 0 && b.hi <= MAX32 => (0, MAX32),
            _ => return Value::ANY,
        };
        let same = (a.name, a.scale, a.addend) == (b.name, b.scale, b.addend);
        Value {
            kind: a.kind,
            or_null: a.or_null || b.or_null,
            align: a.align.min(b.align),
            scale: if same { a.scale } else { 1 },
            name: if same { a.name } else { 0 },
            lo,
            hi,
            addend: if same { a.addend } else { 0 },
        }
    }
}

/// The power of 2 that a number is a multiple of.
fn alignment(n: i64) -> u8 {
    n.trailing_zeros().min(63) as u8
}
