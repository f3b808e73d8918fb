//! Real registers for the instructions of one term: each virtual register gets one of its own, but for those that an
//! instruction reads and overwrites, and what an instruction demands.

use super::maker::Pools;
use crate::vcode::MachInst;
use crate::vcode::reg::{OperandVisitor, Reg};
use regalloc2::{PReg, RegClass};
use std::collections::BTreeMap;

/// The virtual registers that need the same real one, by a representative of each, and which real one some need.
#[derive(Default)]
struct Ties {
    parent: BTreeMap<u32, Reg>,
    real: BTreeMap<u32, PReg>,
    written: Vec<Reg>,
    order: Vec<Reg>,
}

fn key(reg: Reg) -> u32 {
    reg.as_virtual().expect("it is virtual").vreg() as u32
}

impl Ties {
    fn root(&self, reg: Reg) -> Reg {
        match self.parent.get(&key(reg)) {
            Some(&parent) => self.root(parent),
            None => reg,
        }
    }

    fn see(&mut self, reg: Reg) {
        if reg.as_virtual().is_some() && !self.order.contains(&reg) {
            self.order.push(reg);
        }
    }

    fn need(&mut self, reg: Reg, real: PReg) {
        self.see(reg);
        let root = key(self.root(reg));
        let old = self.real.insert(root, real);
        assert!(old.is_none_or(|old| old == real), "it needs one register");
    }
}

impl OperandVisitor for Ties {
    fn read(&mut self, reg: &mut Reg) {
        self.see(*reg);
    }
    fn read_any(&mut self, reg: &mut Reg) {
        self.see(*reg);
    }
    fn write(&mut self, reg: &mut Reg) {
        self.see(*reg);
        self.written.push(*reg);
    }
    fn write_early(&mut self, reg: &mut Reg) {
        self.write(reg);
    }
    fn read_write(&mut self, read: &mut Reg, write: &mut Reg) {
        self.see(*read);
        self.see(*write);
        self.written.push(*write);
        let (a, b) = (self.root(*read), self.root(*write));
        if a != b {
            self.parent.insert(key(b), a);
            if let Some(real) = self.real.remove(&key(b)) {
                self.need(a, real);
            }
        }
    }
    fn fixed_read(&mut self, reg: &mut Reg, real: PReg) {
        self.need(*reg, real);
    }
    fn fixed_write(&mut self, reg: &mut Reg, real: PReg) {
        self.need(*reg, real);
        self.written.push(*reg);
    }
}

/// What puts the real registers in.
struct Replace<'a>(&'a BTreeMap<u32, PReg>);

impl Replace<'_> {
    fn put(&self, reg: &mut Reg) {
        if reg.as_virtual().is_some() {
            *reg = Reg::from_real(self.0[&key(*reg)]);
        }
    }
}

impl OperandVisitor for Replace<'_> {
    fn read(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn read_any(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn write(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn write_early(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn read_write(&mut self, read: &mut Reg, write: &mut Reg) {
        self.put(read);
        self.put(write);
    }
    fn fixed_read(&mut self, reg: &mut Reg, _: PReg) {
        self.put(reg);
    }
    fn fixed_write(&mut self, reg: &mut Reg, _: PReg) {
        self.put(reg);
    }
}

/// The real registers of an allocation.
pub struct Allocated {
    /// By the number of the virtual register.
    pub real: BTreeMap<u32, PReg>,
    /// The registers that are written.
    pub written: Vec<PReg>,
}

impl Allocated {
    /// The real register of a virtual or real one.
    pub fn of(&self, reg: Reg) -> PReg {
        match reg.as_real() {
            Some(real) => real,
            None => self.real[&key(reg)],
        }
    }
}

/// Puts real registers of a bank into instructions. `more` are registers that get one although no instruction has them.
pub fn allocate<I: MachInst>(
    insts: &mut [I],
    more: &[Reg],
    pools: &Pools,
    bank: usize,
) -> Allocated {
    let mut ties = Ties::default();
    for inst in insts.iter_mut() {
        inst.visit_operands(&mut ties);
    }
    for &reg in more {
        ties.see(reg);
    }
    let mut taken: Vec<PReg> = ties.real.values().copied().collect();
    let mut real = BTreeMap::new();
    for &reg in &ties.order {
        let root = ties.root(reg);
        let place = *ties.real.entry(key(root)).or_insert_with(|| {
            let pool = match reg.class() {
                RegClass::Int => pools.int[bank],
                _ => pools.vec[bank],
            };
            let free = pool.iter().find(|reg| !taken.contains(reg));
            *free.expect("a bank has enough registers")
        });
        taken.push(place);
        real.insert(key(reg), place);
    }
    for inst in insts {
        inst.visit_operands(&mut Replace(&real));
    }
    let written = ties.written.iter().map(|reg| match reg.as_real() {
        Some(real) => real,
        None => real[&key(*reg)],
    });
    let written = written.collect();
    Allocated { real, written }
}
