//! Code memory: publishing machine code (W^X) and finding it again by program counter.
//!
//! The signal handler must find out which code an instruction belongs to without locks or allocation. So all
//! published code is listed in an immutable sorted snapshot behind one atomic pointer; publishing or dropping code
//! replaces the snapshot under a mutex that only ordinary code takes. A replaced snapshot is freed once no reader
//! uses it.

use super::arch;
use super::file::Bytes;
use super::mmap::Mapping;
use super::trusted_file::TrustedFile;
use memmap2::Mmap;
use rustix::mm::MprotectFlags;
use skerry_environ::{Trap, TrapTable};
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The machine code of one module (or of trampolines), executable and listed for the signal handler until it is dropped.
#[derive(Debug)]
pub(crate) struct CodeMemory {
    home: Home,
    tables: Box<CodeTables>,
}

/// The memory that machine code is in.
#[derive(Debug)]
enum Home {
    /// Memory to which it was copied.
    Memory(Mapping),
    /// A mapping of an artifact.
    File(Mmap),
}

/// The tables in which the signal handler and backtraces look up code. Offsets are in bytes from the start of the
/// text.
#[derive(Debug, Default)]
struct CodeTables {
    /// The length of the text in bytes.
    len: usize,
    /// The instructions that may trap.
    traps: TrapTable<Bytes>,
    /// The starts of functions, sorted.
    starts: Box<[u32]>,
}

impl CodeMemory {
    /// Copies `text` into executable memory. `traps` and `starts` (the starts of functions) contain offsets into
    /// it. If it was compiled with [protected branches](skerry_compiler::Flags::branch_protection), `branches_protected` has the
    /// processor check them.
    ///
    /// # Errors
    /// What the operating system answers, typically `ENOMEM`.
    pub(crate) fn publish(
        text: &[u8],
        traps: TrapTable<Bytes>,
        starts: impl IntoIterator<Item = u32>,
        branches_protected: bool,
    ) -> std::io::Result<Self> {
        let mapping = Mapping::reserve(text.len())?;
        mapping.make_writable(0, mapping.len())?;
        // SAFETY: the mapping is at least as long as `text`, was just made writable, and is not shared yet.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), mapping.base(), text.len()) };
        let more = match branches_protected {
            true => arch::checked_branches(),
            false => MprotectFlags::empty(),
        };
        mapping.make_executable(0, mapping.len(), more)?;
        // SAFETY: as above; all of it can still be read, and nobody writes to it any more.
        arch::publish_code(unsafe { std::slice::from_raw_parts(mapping.base(), text.len()) });
        mapping.base().expose_provenance();
        Ok(Self::listed(
            Home::Memory(mapping),
            text.len(),
            traps,
            starts,
        ))
    }

    /// Like [`CodeMemory::publish`], but maps the part `text` of a file, which starts on a page. If the file may
    /// not be executed, its code is copied.
    ///
    /// # Errors
    /// What the operating system answers, typically `ENOMEM`.
    pub(crate) fn map(
        file: &TrustedFile,
        text: Range<usize>,
        traps: TrapTable<Bytes>,
        starts: impl IntoIterator<Item = u32>,
        branches_protected: bool,
    ) -> std::io::Result<Self> {
        if text.is_empty() {
            return Self::publish(&[], traps, starts, false);
        }
        match file.map_executable(&text, branches_protected) {
            Ok(mapping) => {
                // What a mapping shows of a file is made visible by the kernel, page by page, but not to threads that are running.
                arch::publish_code(&[]);
                mapping.as_ptr().expose_provenance();
                Ok(Self::listed(Home::File(mapping), text.len(), traps, starts))
            }
            Err(_) => Self::publish(&file[text], traps, starts, branches_protected),
        }
    }

    fn listed(
        home: Home,
        len: usize,
        traps: TrapTable<Bytes>,
        starts: impl IntoIterator<Item = u32>,
    ) -> Self {
        let mut starts: Box<[u32]> = starts.into_iter().collect();
        starts.sort_unstable();
        let tables = Box::new(CodeTables { len, traps, starts });
        let code = Self { home, tables };
        registry_update(|ranges| {
            let range = code.range();
            let at = ranges.partition_point(|r| r.start < range.start);
            ranges.insert(at, range);
        });
        code
    }

    fn base(&self) -> *const u8 {
        match &self.home {
            Home::Memory(mapping) => mapping.base(),
            Home::File(mapping) => mapping.as_ptr(),
        }
    }

    /// The machine code.
    pub(crate) fn text(&self) -> &[u8] {
        // SAFETY: `len` bytes are mapped and readable as long as this value lives, and nobody writes them.
        unsafe { std::slice::from_raw_parts(self.base(), self.len()) }
    }

    /// The trap table.
    pub(crate) fn traps(&self) -> &TrapTable<Bytes> {
        &self.tables.traps
    }

    fn range(&self) -> CodeRange {
        let start = self.start();
        CodeRange {
            start,
            end: start + self.len(),
            tables: &raw const *self.tables,
        }
    }

    /// The address of the first byte.
    pub(crate) fn start(&self) -> usize {
        self.base().addr()
    }

    /// The length of the text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.tables.len
    }

    /// The address of the byte at `offset`.
    ///
    /// # Panics
    /// If that is outside the text.
    pub(crate) fn address(&self, offset: u32) -> *const u8 {
        assert!(
            (offset as usize) < self.len(),
            "code offsets lie inside the text"
        );
        self.base().wrapping_add(offset as usize)
    }

    /// The offset of an address inside the text.
    pub(crate) fn offset_of(&self, pc: usize) -> Option<u32> {
        let offset = pc.checked_sub(self.start())?;
        (offset < self.len()).then_some(offset as u32)
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        let start = self.start();
        registry_update(|ranges| ranges.retain(|r| r.start != start));
    }
}

/// A range of code in the snapshot.
#[derive(Clone, Copy, Debug)]
struct CodeRange {
    start: usize,
    end: usize,
    tables: *const CodeTables,
}

type Snapshot = Vec<CodeRange>;

static CURRENT: AtomicPtr<Snapshot> = AtomicPtr::new(std::ptr::null_mut());
static READERS: AtomicUsize = AtomicUsize::new(0);
static REPLACED: Mutex<Vec<Retired>> = Mutex::new(Vec::new());

/// A snapshot that was replaced, but that a reader may still use.
struct Retired(*mut Snapshot);
// SAFETY: a retired snapshot is immutable and owned by this value alone; `CodeRange`'s pointers are not followed.
unsafe impl Send for Retired {}

fn registry_update(change: impl FnOnce(&mut Snapshot)) {
    let mut replaced = REPLACED.lock().unwrap_or_else(PoisonError::into_inner);
    let old = CURRENT.load(Ordering::Acquire);
    let mut new = match old.is_null() {
        true => Vec::new(),
        // SAFETY: the current snapshot is freed only below, by a later holder of the mutex that is held here.
        false => unsafe { (*old).clone() },
    };
    change(&mut new);
    CURRENT.store(Box::into_raw(Box::new(new)), Ordering::SeqCst);
    if !old.is_null() {
        replaced.push(Retired(old));
    }
    // A reader announces itself before it loads `CURRENT` (both `SeqCst`): if none is announced after the store
    // above, every later reader sees the new snapshot.
    if READERS.load(Ordering::SeqCst) == 0 {
        for Retired(snapshot) in replaced.drain(..) {
            // SAFETY: it came from `Box::into_raw`, is in the list once, and no reader can hold it.
            drop(unsafe { Box::from_raw(snapshot) });
        }
    }
}

/// Calls `f` with the tables of the code that contains `pc` and the offset of `pc` in it. It is async-signal-safe
/// if `f` is.
fn lookup<R>(pc: usize, f: impl FnOnce(&CodeTables, u32) -> R) -> Option<R> {
    READERS.fetch_add(1, Ordering::SeqCst);
    let snapshot = CURRENT.load(Ordering::SeqCst);
    let result = if snapshot.is_null() {
        None
    } else {
        // SAFETY: not freed while this reader is announced (see `registry_update`).
        let ranges = unsafe { &*snapshot };
        let index = ranges.partition_point(|r| r.end <= pc);
        ranges.get(index).filter(|r| r.start <= pc).map(|range| {
            // SAFETY: `pc` is being executed or on the stack of the calling thread, so its code is alive and with it the
            // boxed tables, which never move.
            f(unsafe { &*range.tables }, (pc - range.start) as u32)
        })
    };
    READERS.fetch_sub(1, Ordering::SeqCst);
    result
}

/// The entry of the trap table for the instruction at `pc`: `None` if `pc` is not in compiled code, `Some(None)` if
/// the instruction has no entry. It is async-signal-safe.
pub(super) fn trap_at(pc: usize) -> Option<Option<Trap>> {
    lookup(pc, |tables, offset| tables.traps.get(offset))
}

/// The bytes of compiled code from `pc` on, with zeros after its end; `None` if `pc` is not in compiled code.
pub(super) fn bytes_at<const N: usize>(pc: usize) -> Option<[u8; N]> {
    lookup(pc, |tables, offset| {
        let mut bytes = [0; N];
        let len = N.min(tables.len - offset as usize);
        // SAFETY: these bytes are in code that is alive (see `lookup`), and all of it is readable.
        let code =
            unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(pc), len) };
        bytes[..len].copy_from_slice(code);
        bytes
    })
}

/// The number of bytes of its function that are before `pc`; `None` if `pc` is not in a function of compiled code.
pub(super) fn executed_in_function(pc: usize) -> Option<usize> {
    lookup(pc, |tables, offset| {
        let after = tables.starts.partition_point(|&start| start <= offset);
        after
            .checked_sub(1)
            .map(|index| (offset - tables.starts[index]) as usize)
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traps(entries: impl IntoIterator<Item = (u32, Trap)>) -> TrapTable<Bytes> {
        TrapTable::new(entries).map_bytes(Bytes::Owned)
    }

    #[test]
    fn published_code_is_found_until_it_is_dropped() {
        let text = [0x90u8, 0x0f, 0x0b, 0xc3];
        let code = CodeMemory::publish(&text, traps([(1, Trap::Unreachable)]), [0], false).unwrap();
        let start = code.start();
        assert_eq!(trap_at(start), Some(None));
        assert_eq!(trap_at(start + 1), Some(Some(Trap::Unreachable)));
        assert_eq!(trap_at(start + 4), None);
        assert_eq!(executed_in_function(start + 3), Some(3));
        assert_eq!(code.offset_of(start + 3), Some(3));
        assert_eq!(code.offset_of(start + 4), None);
        drop(code);
        assert_eq!(trap_at(start + 1), None);
    }

    #[test]
    fn lookups_race_with_publishing() {
        let text = [0x0fu8, 0x0b];
        let publish =
            || CodeMemory::publish(&text, traps([(0, Trap::Unreachable)]), [0], false).unwrap();
        let kept = publish();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        drop(publish());
                    }
                });
            }
            for _ in 0..50_000 {
                assert_eq!(trap_at(kept.start()), Some(Some(Trap::Unreachable)));
            }
        });
    }
}
