//! The reasons for which Wasm code stops, their codes, and the specification's messages.
//!
//! A code is one non-zero byte, and it is the same byte everywhere: in CLIF (as the raw
//! byte of a `TrapCode`), in the trap table of compiled code and in the runtime. The five
//! traps that CLIF's own instructions raise have the codes that CLIF reserves for them (251
//! to 255); a test in `engine/compiler` compares the two.

use core::fmt;
use core::num::NonZeroU8;

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $message:literal;)*) => {
        /// The reason why Wasm code stopped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Trap {
            $($(#[$doc])* $name = $code,)*
        }

        impl Trap {
            /// Every trap, in the order of the codes.
            pub const ALL: &'static [Trap] = &[$(Trap::$name,)*];

            /// The trap with this code, if there is one.
            pub fn from_code(code: u8) -> Option<Trap> {
                match code {
                    $($code => Some(Trap::$name),)*
                    _ => None,
                }
            }

            /// The message of the specification's test suite for this trap.
            pub fn message(self) -> &'static str {
                match self {
                    $(Trap::$name => $message,)*
                }
            }
        }
    };
}

traps! {
    /// The `unreachable` instruction.
    Unreachable = 1, "unreachable";
    /// A table instruction accesses elements outside the table or the element segment.
    TableOutOfBounds = 2, "out of bounds table access";
    /// A `call_indirect` has an index outside the table.
    UndefinedElement = 3, "undefined element";
    /// A `call_indirect` goes through a null element.
    IndirectCallToNull = 4, "uninitialized element";
    /// A `call_indirect` finds a function of another type.
    BadSignature = 5, "indirect call type mismatch";
    /// A reference is null where an object is needed.
    NullReference = 6, "null reference";
    /// The host stopped the code, by an interrupt handle or a deadline.
    Interrupted = 7, "interrupted";
    /// The code has used up the fuel of its store.
    OutOfFuel = 8, "all fuel consumed by WebAssembly";
    /// There is no room left on the Wasm stack.
    StackOverflow = 251, "call stack exhausted";
    /// The result of an integer division or conversion does not fit its type.
    IntegerOverflow = 252, "integer overflow";
    /// A memory instruction accesses bytes outside the memory or the data segment.
    MemoryOutOfBounds = 253, "out of bounds memory access";
    /// An integer is divided by zero.
    IntegerDivisionByZero = 254, "integer divide by zero";
    /// A NaN is converted to an integer.
    BadConversionToInteger = 255, "invalid conversion to integer";
}

impl Trap {
    /// The code of this trap, which is the raw byte of CLIF's `TrapCode`.
    pub fn code(self) -> NonZeroU8 {
        NonZeroU8::new(self as u8).expect("no trap has code 0")
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Trap {}

#[cfg(test)]
mod tests {
    use super::Trap;

    #[test]
    fn codes_round_trip() {
        for &trap in Trap::ALL {
            assert_eq!(Trap::from_code(trap.code().get()), Some(trap));
        }
        assert_eq!(Trap::from_code(0), None);
        assert_eq!(
            (0..=255).filter_map(Trap::from_code).count(),
            Trap::ALL.len()
        );
    }
}
