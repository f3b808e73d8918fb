//! The code buffer: bytes, branches between labels, and the tables that go with the code.
//!
//! Branches are not encoded when they are recorded: each is kept as a *site* of no length between the bytes.
//! [`CodeBuffer::finish`] gives every branch its short form, lengthens those that do not reach until none is left
//! (lengths only grow, so this ends), and then copies the bytes with the branches between them. A position is
//! therefore a pair (bytes before it, sites before it), from which the final offset follows in constant time once
//! the lengths are known.

use crate::clif::names::FuncName;
use crate::emit::code::{FunctionCode, Reloc};
use cranelift_codegen::ir::SourceLoc;

/// A label: a place in the code that branches go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub u32);

/// The encoding of branches of an instruction set.
pub trait BranchEncoding: Copy {
    /// The length of the branch in bytes, in its short or long form.
    fn len(self, long: bool) -> u32;
    /// Whether the short form reaches over this distance in bytes, counted from the end of the branch.
    fn short_reaches(self, distance: i64) -> bool;
    /// Appends the branch to `code`. `distance` is in bytes from the end of the branch.
    fn encode(self, long: bool, distance: i32, code: &mut Vec<u8>);
    /// Appends `len` bytes of instructions that have no effect.
    fn pad(len: u32, code: &mut Vec<u8>);
}

/// A position before the lengths of branches are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    bytes: u32,
    sites: u32,
}

#[derive(Clone, Copy, Debug)]
enum SiteKind<B> {
    Branch(B, Label),
    Align(u32),
}

#[derive(Clone, Copy, Debug)]
struct Site<B> {
    bytes: u32,
    kind: SiteKind<B>,
}

/// Collects the code of one function.
#[derive(Debug)]
pub struct CodeBuffer<B> {
    code: Vec<u8>,
    sites: Vec<Site<B>>,
    labels: Vec<Position>,
    traps: Vec<(Position, u8)>,
    locs: Vec<(Position, SourceLoc)>,
    relocs: Vec<(Position, u8, FuncName)>,
    fixups: Vec<(Position, Label)>,
    tables: Vec<(Label, Box<[Label]>)>,
    /// For each label of a table, in order, the distance in bytes of the table from the end of the code.
    table_offsets: Vec<(u32, u32)>,
    table_bytes: u32,
    marks: Vec<(Position, u32)>,
    notes: Vec<(Position, String)>,
    /// The source location of the code that is emitted next.
    pub loc: SourceLoc,
}

/// The number of passes after which all branches become long.
const MAX_PASSES: usize = 16;

const UNBOUND: Position = Position {
    bytes: u32::MAX,
    sites: u32::MAX,
};

impl<B: BranchEncoding> CodeBuffer<B> {
    /// An empty buffer with room for `capacity` bytes and with `labels` labels.
    pub fn new(capacity: usize, labels: usize) -> Self {
        CodeBuffer {
            code: Vec::with_capacity(capacity),
            sites: Vec::new(),
            labels: vec![UNBOUND; labels],
            traps: Vec::new(),
            locs: Vec::new(),
            relocs: Vec::new(),
            fixups: Vec::new(),
            tables: Vec::new(),
            table_offsets: Vec::new(),
            table_bytes: 0,
            marks: Vec::new(),
            notes: Vec::new(),
            loc: SourceLoc::default(),
        }
    }

    /// The current end of the buffer.
    #[inline]
    pub fn position(&self) -> Position {
        Position {
            bytes: self.code.len() as u32,
            sites: self.sites.len() as u32,
        }
    }

    /// Appends bytes to the code.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    /// Makes a label that is not bound yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds a label to the current position.
    pub fn bind(&mut self, label: Label) {
        let position = self.position();
        let old = std::mem::replace(&mut self.labels[label.0 as usize], position);
        assert_eq!(old, UNBOUND, "a label is bound once");
    }

    /// Appends a branch to a label.
    pub fn branch(&mut self, branch: B, target: Label) {
        let bytes = self.code.len() as u32;
        self.sites.push(Site {
            bytes,
            kind: SiteKind::Branch(branch, target),
        });
    }

    /// Pads the code to a multiple of `align` bytes.
    pub fn align(&mut self, align: u32) {
        let bytes = self.code.len() as u32;
        self.sites.push(Site {
            bytes,
            kind: SiteKind::Align(align),
        });
    }

    /// Notes that the instruction that begins here may trap with `code`.
    pub fn trap(&mut self, code: u8) {
        self.traps.push((self.position(), code));
        self.mark_loc();
    }

    /// Notes that the instruction that begins here belongs to the current source location.
    pub fn mark_loc(&mut self) {
        if !self.loc.is_default() {
            self.locs.push((self.position(), self.loc));
        }
    }

    /// Notes that the code that begins here comes from this group of the trace.
    pub fn mark(&mut self, group: u32) {
        self.marks.push((self.position(), group));
    }

    /// Notes that the code that begins here is meant to be this instruction.
    pub fn note(&mut self, text: String) {
        self.notes.push((self.position(), text));
    }

    /// Notes that what comes next refers to a function, in a way that the instruction set numbers.
    pub fn reloc(&mut self, kind: u8, func: FuncName) {
        self.relocs.push((self.position(), kind, func));
    }

    /// Notes that the next four bytes are the distance from their end to a label.
    pub fn fixup(&mut self, label: Label) {
        self.fixups.push((self.position(), label));
    }

    /// Appends a table behind the code. For each target it holds the distance of the target from the table.
    pub fn table(&mut self, targets: Box<[Label]>) -> Label {
        let label = self.label();
        self.table_offsets.push((label.0, self.table_bytes));
        self.table_bytes += targets.len() as u32 * 4;
        self.tables.push((label, targets));
        label
    }

    /// Chooses the lengths of branches and puts everything together.
    pub fn finish(mut self) -> FunctionCode {
        self.align_tables();
        let lengths = self.relax();
        // `ends[n]` is the total length of the first n sites.
        let at = |position: Position| position.bytes + lengths.before(position.sites);
        let mut code =
            Vec::with_capacity(self.code.len() + lengths.before(self.sites.len() as u32) as usize);
        let mut copied = 0;
        for (index, site) in self.sites.iter().enumerate() {
            code.extend_from_slice(&self.code[copied..site.bytes as usize]);
            copied = site.bytes as usize;
            match site.kind {
                SiteKind::Branch(branch, target) => {
                    let end = code.len() as u32 + lengths.of(index);
                    let target = at(self.labels[target.0 as usize]) + self.table_offset(target);
                    let distance = target as i32 - end as i32;
                    branch.encode(lengths.long[index], distance, &mut code);
                }
                SiteKind::Align(_) => B::pad(lengths.of(index), &mut code),
            }
        }
        code.extend_from_slice(&self.code[copied..]);
        let code_size = code.len() as u32;
        for (label, targets) in &self.tables {
            let table = code.len() as u32;
            debug_assert_eq!(
                table,
                at(self.labels[label.0 as usize]) + self.table_offset(*label)
            );
            for target in targets {
                let distance = at(self.labels[target.0 as usize]) as i32 - table as i32;
                code.extend_from_slice(&distance.to_le_bytes());
            }
        }
        for &(position, label) in &self.fixups {
            let from = at(position) as usize;
            let target = at(self.labels[label.0 as usize]) + self.table_offset(label);
            let addend = i32::from_le_bytes(code[from..from + 4].try_into().expect("four bytes"));
            let distance = target as i32 - (from as i32 + 4) + addend;
            code[from..from + 4].copy_from_slice(&distance.to_le_bytes());
        }
        FunctionCode {
            code,
            code_size,
            traps: self
                .traps
                .iter()
                .map(|&(position, code)| (at(position), code))
                .collect(),
            addrmap: self
                .locs
                .iter()
                .map(|&(position, loc)| (at(position), loc.bits()))
                .collect(),
            relocs: self
                .relocs
                .iter()
                .map(|&(position, kind, target)| Reloc {
                    offset: at(position),
                    kind,
                    target,
                })
                .collect(),
            listing: self
                .notes
                .iter()
                .map(|(position, text)| (at(*position), text.clone()))
                .collect(),
            marks: self
                .marks
                .iter()
                .map(|&(position, group)| (at(position), group))
                .collect(),
        }
    }

    /// Pads the code so that the tables behind it are aligned.
    fn align_tables(&mut self) {
        if self.tables.is_empty() {
            return;
        }
        self.align(4);
        let end = self.position();
        for (label, _) in &self.tables {
            self.labels[label.0 as usize] = end;
        }
    }

    /// The distance of a table from the end of the code, in bytes; 0 for labels that are not of a table.
    fn table_offset(&self, label: Label) -> u32 {
        match self
            .table_offsets
            .binary_search_by_key(&label.0, |table| table.0)
        {
            Ok(found) => self.table_offsets[found].1,
            Err(_) => 0,
        }
    }

    fn relax(&self) -> Lengths {
        let mut lengths = Lengths {
            ends: vec![0; self.sites.len()],
            long: vec![false; self.sites.len()],
        };
        for pass in 0.. {
            let mut total = 0;
            for (index, site) in self.sites.iter().enumerate() {
                total += match site.kind {
                    SiteKind::Branch(branch, _) => branch.len(lengths.long[index]),
                    SiteKind::Align(align) => {
                        (site.bytes + total).next_multiple_of(align) - (site.bytes + total)
                    }
                };
                lengths.ends[index] = total;
            }
            let mut changed = false;
            for (index, site) in self.sites.iter().enumerate() {
                let SiteKind::Branch(branch, target) = site.kind else {
                    continue;
                };
                if lengths.long[index] {
                    continue;
                }
                let position = self.labels[target.0 as usize];
                assert_ne!(
                    position, UNBOUND,
                    "every label that is branched to is bound"
                );
                let end = i64::from(site.bytes + lengths.ends[index]);
                let target =
                    position.bytes + lengths.before(position.sites) + self.table_offset(target);
                let distance = i64::from(target) - end;
                // Lengthening a branch or two in each pass can go on for long, so in the last pass all become long.
                if pass == MAX_PASSES || !branch.short_reaches(distance) {
                    lengths.long[index] = true;
                    changed = true;
                }
            }
            if !changed {
                return lengths;
            }
        }
        unreachable!("lengths only grow")
    }
}

struct Lengths {
    /// For each site, the total length of the sites up to and including it.
    ends: Vec<u32>,
    long: Vec<bool>,
}

impl Lengths {
    /// The total length of the first `sites` sites.
    fn before(&self, sites: u32) -> u32 {
        match sites {
            0 => 0,
            sites => self.ends[sites as usize - 1],
        }
    }

    fn of(&self, index: usize) -> u32 {
        self.ends[index] - self.before(index as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Jump;

    impl BranchEncoding for Jump {
        fn len(self, long: bool) -> u32 {
            if long { 5 } else { 2 }
        }
        fn short_reaches(self, distance: i64) -> bool {
            i8::try_from(distance).is_ok()
        }
        fn encode(self, long: bool, distance: i32, code: &mut Vec<u8>) {
            match long {
                true => {
                    code.push(0xe9);
                    code.extend_from_slice(&distance.to_le_bytes());
                }
                false => code.extend_from_slice(&[0xeb, distance as i8 as u8]),
            }
        }
        fn pad(len: u32, code: &mut Vec<u8>) {
            code.resize(code.len() + len as usize, 0x90);
        }
    }

    fn jump_over(filler: usize) -> FunctionCode {
        let mut buffer = CodeBuffer::<Jump>::new(0, 1);
        buffer.branch(Jump, Label(0));
        buffer.put(&vec![0x90; filler]);
        buffer.bind(Label(0));
        buffer.trap(7);
        buffer.put(&[0x0f, 0x0b]);
        buffer.finish()
    }

    #[test]
    fn branches_are_short_exactly_where_they_reach() {
        let short = jump_over(127);
        assert_eq!(
            (&short.code[..2], short.traps[0].0),
            (&[0xeb, 127][..], 129)
        );
        let long = jump_over(128);
        assert_eq!(
            (&long.code[..5], long.traps[0].0),
            (&[0xe9, 128, 0, 0, 0][..], 133)
        );
    }

    #[test]
    fn tables_hold_distances_from_themselves() {
        let mut buffer = CodeBuffer::<Jump>::new(0, 1);
        let table = buffer.table(Box::new([Label(0), Label(0)]));
        buffer.fixup(table);
        buffer.put(&[0; 4]);
        buffer.bind(Label(0));
        buffer.put(&[0x90]);
        let code = buffer.finish().code;
        assert_eq!(code.len(), 16);
        assert_eq!(code[0..4], 4i32.to_le_bytes(), "the table begins at 8");
        assert_eq!(code[8..12], (-4i32).to_le_bytes());
        assert_eq!(code[12..16], (-4i32).to_le_bytes());
    }
}
