//! The functions of the runtime that compiled code calls.
//!
//! Compiled code loads the address of a builtin from the array that the vmctx header points
//! to (entry number = [`Builtin::index`], 8 bytes each) and calls it by the internal calling
//! convention with its own vmctx. The runtime's trampoline switches to the host's stack and calls
//! `extern "C" fn(vmctx, arguments..) -> result`. A builtin that traps does not return.
//!
//! Of the arguments, `I32` and `I64` are integers; indices of tables, memories and segments are `I32` constants;
//! addresses, element indices, lengths and deltas are `I64`, zero-extended from 32 bits; references are `I64`
//! words; sizes are in pages for memories, in elements for tables.

/// The type of a parameter or result of a builtin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltinType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer, reference or address.
    I64,
}

macro_rules! builtins {
    ($($(#[$doc:meta])* $variant:ident $name:ident($($param:ident: $ty:ident),*) $(-> $result:ident)?;)*) => {
        /// A function of the runtime that compiled code calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Builtin {
            $($(#[$doc])* $variant,)*
        }

        impl Builtin {
            /// Every builtin, in the order of the array that the vmctx points to.
            pub const ALL: &'static [Builtin] = &[$(Builtin::$variant,)*];
            /// The number of builtins.
            pub const COUNT: usize = Self::ALL.len();

            /// The name, as shown in disassembly.
            pub fn name(self) -> &'static str {
                match self {
                    $(Builtin::$variant => stringify!($name),)*
                }
            }

            /// The parameters after the vmctx.
            pub fn params(self) -> &'static [BuiltinType] {
                match self {
                    $(Builtin::$variant => &[$(BuiltinType::$ty),*],)*
                }
            }

            /// The result, if there is one.
            pub fn result(self) -> Option<BuiltinType> {
                match self {
                    $(Builtin::$variant => [$(BuiltinType::$result)?].first().copied(),)*
                }
            }
        }

        /// Calls the macro `$macro` with the table of all builtins, one line for each: `Variant name(param: TYPE,
        /// ..) -> TYPE;`.
        #[macro_export]
        macro_rules! for_each_builtin {
            ($macro:ident) => {
                $macro! { $($variant $name($($param: $ty),*) $(-> $result)?;)* }
            };
        }
    };
}

builtins! {
    /// Calls the host function that owns the vmctx. `values` is the address of an array of 16-byte values, which
    /// holds the arguments and then the results.
    HostCall host_call(values: I64);
    /// Grows a memory by `delta` pages. The result is the old size in pages, or -1 if that is not possible.
    MemoryGrow memory_grow(memory: I32, delta: I64) -> I64;
    /// Does `memory.copy`, or traps with `MemoryOutOfBounds` before anything is written.
    MemoryCopy memory_copy(dst_memory: I32, src_memory: I32, dst: I64, src: I64, len: I64);
    /// Does `memory.fill` with the low byte of `value`.
    MemoryFill memory_fill(memory: I32, dst: I64, value: I32, len: I64);
    /// Does `memory.init` from a data segment.
    MemoryInit memory_init(memory: I32, segment: I32, dst: I64, src: I64, len: I64);
    /// Does `data.drop`: the segment has length 0 afterwards.
    DataDrop data_drop(segment: I32);
    /// Grows a table by `delta` elements with the value `init`. The result is the old size in elements, or -1 if
    /// that is not possible.
    TableGrow table_grow(table: I32, init: I64, delta: I64) -> I64;
    /// Does `table.fill`, or traps with `TableOutOfBounds` before anything is written.
    TableFill table_fill(table: I32, dst: I64, value: I64, len: I64);
    /// Does `table.copy`.
    TableCopy table_copy(dst_table: I32, src_table: I32, dst: I64, src: I64, len: I64);
    /// Does `table.init` from an element segment.
    TableInit table_init(table: I32, segment: I32, dst: I64, src: I64, len: I64);
    /// Does `elem.drop`: the segment has length 0 afterwards.
    ElemDrop elem_drop(segment: I32);
}

impl Builtin {
    /// The number of the entry in the array that the vmctx points to.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The offset in bytes of the entry in the array that the vmctx points to.
    pub fn array_offset(self) -> i32 {
        8 * self as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_positions() {
        for (position, builtin) in Builtin::ALL.iter().enumerate() {
            assert_eq!(builtin.index(), position);
        }
        assert_eq!(Builtin::MemoryGrow.result(), Some(BuiltinType::I64));
        assert_eq!(Builtin::DataDrop.result(), None);
    }
}
