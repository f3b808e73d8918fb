//! Traps: the reason why WebAssembly stopped, and the place where it was.

use crate::symbols::{Dwarf, FrameSymbol, locate, shown};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The reason why WebAssembly stopped.
pub use skerry_environ::Trap as TrapCode;

/// A trap: the code, and the frames of WebAssembly at that point.
///
/// Displayed on several lines:
///
/// ```text
/// wasm trap: integer divide by zero
/// wasm backtrace:
///     0:   0x2f - math!div
///                     at math.c:3:10
///     1:   0x41 - math!<function 3>
/// ```
///
/// Names of Rust and C++ are shown as they were written. Files and lines are there if the module has DWARF, which is read when
/// the trap is displayed (see [`Config::wasm_backtrace_details`](crate::Config::wasm_backtrace_details)); a function that
/// was inlined there has a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    code: TrapCode,
    backtrace: Backtrace,
}

impl Trap {
    /// Makes a trap for a host function to raise. The frames of its callers are added when it leaves them.
    pub fn new(code: TrapCode) -> Self {
        Self {
            code,
            backtrace: Backtrace::default(),
        }
    }

    /// The reason why WebAssembly stopped.
    pub fn code(&self) -> TrapCode {
        self.code
    }

    /// The offset in bytes, in the wasm module, of the operator that trapped.
    pub fn wasm_offset(&self) -> Option<u32> {
        self.backtrace.frames.first()?.wasm_offset
    }

    /// The frames of WebAssembly, innermost first.
    pub fn backtrace(&self) -> &Backtrace {
        &self.backtrace
    }

    pub(crate) fn add_backtrace(&mut self, found: Backtrace) {
        if self.backtrace.is_empty() {
            self.backtrace = found;
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm trap: {}", self.code)?;
        if !self.backtrace.is_empty() {
            write!(f, "\n{}", self.backtrace)?;
        }
        Ok(())
    }
}

impl std::error::Error for Trap {}

/// Frames of WebAssembly, innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtrace {
    pub(crate) frames: Vec<Frame>,
    pub(crate) omitted: usize,
}

impl Backtrace {
    /// The frames, innermost first; at most 64.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The number of further frames, outside of those.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether WebAssembly was not running.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Backtrace {
    /// The symbols of each frame, as [`Frame::symbols`] gives them, in one pass over the DWARF of each module.
    pub fn symbols(&self) -> Vec<Vec<FrameSymbol>> {
        let mut symbols = vec![Vec::new(); self.frames.len()];
        let mut done: Vec<&Arc<Dwarf>> = Vec::new();
        for frame in &self.frames {
            let Some(dwarf) = &frame.dwarf else { continue };
            if done.iter().any(|other| Arc::ptr_eq(other, dwarf)) {
                continue;
            }
            done.push(dwarf);
            let of_module = |frame: &Frame| {
                let same = frame.dwarf.as_ref().is_some_and(|d| Arc::ptr_eq(d, dwarf));
                frame.wasm_offset.filter(|_| same)
            };
            let offsets: Vec<Option<u32>> = self.frames.iter().map(of_module).collect();
            for (symbols, found) in symbols.iter_mut().zip(locate(dwarf, &offsets)) {
                symbols.extend(found);
            }
        }
        symbols
    }
}

impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm backtrace:")?;
        let symbols = self.symbols();
        for (index, (frame, symbols)) in self.frames.iter().zip(&symbols).enumerate() {
            write!(f, "\n{index:>5}: ")?;
            frame.write(symbols, f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n       .. and {} more frames", self.omitted)?;
        }
        Ok(())
    }
}

/// One frame of WebAssembly.
#[derive(Clone, Debug)]
pub struct Frame {
    pub(crate) module_name: Option<String>,
    pub(crate) func_index: u32,
    pub(crate) func_name: Option<String>,
    pub(crate) wasm_offset: Option<u32>,
    pub(crate) func_offset: Option<u32>,
    pub(crate) dwarf: Option<Arc<Dwarf>>,
}

/// Frames are equal if they are at the same place of functions with the same names.
impl PartialEq for Frame {
    fn eq(&self, other: &Frame) -> bool {
        let place = |frame: &Frame| (frame.func_index, frame.wasm_offset, frame.func_offset);
        place(self) == place(other)
            && self.module_name == other.module_name
            && self.func_name == other.func_name
    }
}

impl Eq for Frame {}

impl Frame {
    /// The name of the module from its name section.
    pub fn module_name(&self) -> Option<&str> {
        self.module_name.as_deref()
    }

    /// The index of the function in its module.
    pub fn func_index(&self) -> u32 {
        self.func_index
    }

    /// The name of the function from the name section of its module, or else one that it is exported under. It may be
    /// mangled: see [`demangle`](crate::demangle).
    pub fn func_name(&self) -> Option<&str> {
        self.func_name.as_deref()
    }

    /// The offset in bytes of the frame's current operator from the start of the module.
    pub fn wasm_offset(&self) -> Option<u32> {
        self.wasm_offset
    }

    /// The offset in bytes of the frame's current operator from the start of the function's body.
    pub fn func_offset(&self) -> Option<u32> {
        self.func_offset
    }
}

impl Frame {
    /// The functions at the frame's place according to the module's DWARF: the one that the operator is from, then
    /// those that it was inlined into. It is empty if the module has no DWARF, or none for this place.
    ///
    /// The DWARF is read anew each time; [`Backtrace::symbols`] reads it once for all frames.
    pub fn symbols(&self) -> Vec<FrameSymbol> {
        let found = self.dwarf.as_ref();
        let found = found.and_then(|dwarf| locate(dwarf, &[self.wasm_offset]).pop());
        found.unwrap_or_default()
    }

    /// Writes the frame on one line, and two for each of its symbols.
    fn write(&self, symbols: &[FrameSymbol], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wasm_offset {
            Some(offset) => write!(f, "{:>#8x} - ", offset)?,
            None => write!(f, "{:>8} - ", "?")?,
        }
        write!(
            f,
            "{}!",
            shown(self.module_name.as_deref().unwrap_or("<unknown>"))
        )?;
        let own = match &self.func_name {
            Some(name) => shown(name),
            None => format!("<function {}>", self.func_index),
        };
        let Some(last) = symbols.len().checked_sub(1) else {
            return f.write_str(&own);
        };
        for (index, symbol) in symbols.iter().enumerate() {
            if index > 0 {
                write!(f, "\n{:15} - ", "")?;
            }
            match (&symbol.name, index == last) {
                (_, true) => f.write_str(&own)?,
                (Some(name), false) => write!(f, "{} (inlined)", shown(name))?,
                (None, false) => f.write_str("<unknown> (inlined)")?,
            }
            let Some(file) = &symbol.file else { continue };
            write!(f, "\n{:20}at {}", "", shown(file))?;
            for number in [symbol.line, symbol.column].iter().map_while(|n| *n) {
                write!(f, ":{number}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(&self.symbols(), f)
    }
}

/// A name from a module, in a form that is safe to print: characters that control a terminal or end a line are
/// escaped.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    if !name.contains(char::is_control) {
        return name.into();
    }
    let escape = |char: char| match char.is_control() {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    };
    name.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_as_people_expect() {
        let frame = |func_index, func_name: Option<&str>, wasm_offset| Frame {
            module_name: Some("math".to_string()),
            func_index,
            func_name: func_name.map(str::to_string),
            wasm_offset,
            func_offset: None,
            dwarf: None,
        };
        let mut trap = Trap::new(TrapCode::IntegerDivisionByZero);
        assert_eq!(trap.to_string(), "wasm trap: integer divide by zero");
        let frames = vec![frame(1, Some("div"), Some(0x2f)), frame(3, None, None)];
        trap.add_backtrace(Backtrace { frames, omitted: 2 });
        assert_eq!(
            trap.to_string(),
            "wasm trap: integer divide by zero\n\
             wasm backtrace:\n    0:     0x2f - math!div\n    1:        ? - math!<function 3>\n       .. and 2 more frames"
        );
        assert_eq!(trap.wasm_offset(), Some(0x2f));
        let hostile = frame(1, Some("é\x1b[2J\nx"), None).to_string();
        assert!(hostile.ends_with("math!é\\u{1b}[2J\\nx"), "{hostile}");
    }
}
