//! WebAssembly's binary format, as far as the bombs need it: with `wasm-encoder` their bytes would not be seen.

/// Types of values.
pub const I32: u8 = 0x7f;
/// 64-bit integers.
pub const I64: u8 = 0x7e;
/// 64-bit floats.
pub const F64: u8 = 0x7c;

/// An unsigned LEB128.
pub fn unsigned(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A signed LEB128.
pub fn signed(mut number: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        let rest = if byte & 0x40 == 0 { 0 } else { -1 };
        if number == rest {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A vector: its length and its items.
pub fn vector(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let (mut count, mut bytes) = (0, Vec::new());
    for item in items {
        count += 1;
        bytes.extend(item);
    }
    [unsigned(count), bytes].concat()
}

/// A function type.
pub fn func_type(params: &[u8], results: &[u8]) -> Vec<u8> {
    let list = |types: &[u8]| [unsigned(types.len() as u64), types.to_vec()].concat();
    [vec![0x60], list(params), list(results)].concat()
}

/// The body of a function with `locals` locals of one type.
pub fn body(locals: u32, ty: u8, code: &[u8]) -> Vec<u8> {
    let mut bytes = match locals {
        0 => vec![0],
        _ => [vec![1], unsigned(locals.into()), vec![ty]].concat(),
    };
    bytes.extend_from_slice(code);
    bytes.push(0x0b);
    [unsigned(bytes.len() as u64), bytes].concat()
}

/// `local.get`.
pub fn get(local: u32) -> Vec<u8> {
    [vec![0x20], unsigned(local.into())].concat()
}

/// `local.set`.
pub fn set(local: u32) -> Vec<u8> {
    [vec![0x21], unsigned(local.into())].concat()
}

/// `i64.const`.
pub fn i64_const(value: i64) -> Vec<u8> {
    [vec![0x42], signed(value)].concat()
}

/// `i32.const`.
pub fn i32_const(value: i32) -> Vec<u8> {
    [vec![0x41], signed(value.into())].concat()
}

/// `call`.
pub fn call(function: u32) -> Vec<u8> {
    [vec![0x10], unsigned(function.into())].concat()
}

/// `local += 1` for an `i64`.
pub fn step(local: u32) -> Vec<u8> {
    [get(local), vec![0x42, 1, 0x7c], set(local)].concat()
}

/// What `part` gives for each number below `count`, one after another.
pub fn each(count: u32, part: impl FnMut(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).map(part).collect::<Vec<_>>().concat()
}

/// A section.
pub fn section(id: u8, content: Vec<u8>) -> Vec<u8> {
    [vec![id], unsigned(content.len() as u64), content].concat()
}

/// A module: sections by number, each at most once.
#[derive(Default)]
pub struct Bytes(std::collections::BTreeMap<u8, Vec<u8>>);

impl Bytes {
    /// A module of functions: their types, the type of each, their bodies.
    pub fn functions(
        types: impl IntoIterator<Item = Vec<u8>>,
        functions: impl IntoIterator<Item = u32>,
        bodies: impl IntoIterator<Item = Vec<u8>>,
    ) -> Bytes {
        let functions = functions.into_iter().map(|ty| unsigned(ty.into()));
        Bytes::default()
            .with(1, vector(types))
            .with(3, vector(functions))
            .with(10, vector(bodies))
    }

    /// With this section.
    pub fn with(mut self, id: u8, content: Vec<u8>) -> Bytes {
        self.0.insert(id, section(id, content));
        self
    }

    /// With one memory of a page.
    pub fn memory(self) -> Bytes {
        self.with(5, vec![1, 0, 1])
    }

    /// All of it.
    pub fn finish(self) -> Vec<u8> {
        let header = b"\0asm\x01\0\0\0".to_vec();
        // The table of sections is in the order of their numbers, but for custom sections, which stand at the end.
        let (custom, known): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|(id, _)| *id == 0);
        let sections = known.into_iter().chain(custom).flat_map(|(_, bytes)| bytes);
        header.into_iter().chain(sections).collect()
    }
}
