//! Constant tables: tables that no code can write after instantiation, such as those of C and Rust programs.
//!
//! The functions that their elements refer to are known before any instance exists. So the elements are in the
//! vmctx, next to the func refs, where compiled code addresses them without loading a base or a length, and where
//! the instances that live in one slot one after another find them filled.
//!
//! A table of functions is constant if only the module has it (it is not exported), if no function writes or grows it, if all
//! its active segments are known, and known to fit, and if they leave it neither very large nor mostly empty. A module that
//! imports a table has none: an instantiation that fails at one segment may have left functions of the instance in the
//! imported table already, which see that later segments were not copied.

use super::module::FunctionBody;
use skerry_environ::{
    ConstExpr, ConstOp, DefinedFuncIndex, DefinedTableIndex, ElementItems, ElementSegment,
    EntityIndex, FuncIndex, Module, PrimaryMap, SegmentMode, TableIndex, ValType,
};
use std::collections::{BTreeMap, HashSet};
use wasmparser::{BinaryReaderError, Operator};

/// The largest number of elements that the constant tables of a module may have together. They take 512 KiB of the
/// vmctx.
const MAX_ELEMENTS: u64 = 1 << 16;
/// The number of elements up to which a constant table may have any number of nulls. Larger ones must be at least
/// half filled.
const ALWAYS_FINE: usize = 64;

type Tables = BTreeMap<DefinedTableIndex, Box<[Option<FuncIndex>]>>;

/// Finds the constant tables of a module, and takes their elements out of its segments.
pub(super) fn constant_tables(
    module: &mut Module,
    bodies: &PrimaryMap<DefinedFuncIndex, FunctionBody<'_>>,
) {
    let mut tables = candidates(module);
    for body in bodies.values() {
        if tables.is_empty() {
            return;
        }
        if may_write(body.body.as_bytes(), module.tables.len()) {
            // A body that cannot be read is refused by the translation.
            let _ = remove_written(module, body, &mut tables);
        }
    }
    let constant: HashSet<TableIndex> = tables.keys().map(|&t| module.table_index(t)).collect();
    for segment in module.elements.values_mut() {
        if matches!(&segment.mode, SegmentMode::Active { target, .. } if constant.contains(target))
        {
            segment.items = ElementItems::Functions(Box::default());
        }
    }
    module.constant_tables = tables;
}

/// The tables that are constant unless a function writes them.
fn candidates(module: &Module) -> Tables {
    let mut tables = Tables::new();
    if module.imported_tables > 0 {
        return tables;
    }
    let exports = module.exports.iter();
    let exported: HashSet<EntityIndex> = exports.map(|export| export.index).collect();
    let mut room = MAX_ELEMENTS;
    for (index, init) in &module.table_initializers {
        let table = module.table_index(index);
        let ty = module.tables[table];
        let left = room.checked_sub(ty.minimum);
        let hidden = !exported.contains(&EntityIndex::Table(table));
        if let (ValType::FuncRef, None, Some(left), true) = (ty.element, init, left, hidden) {
            room = left;
            tables.insert(index, vec![None; ty.minimum as usize].into());
        }
    }
    for segment in module.elements.values() {
        let SegmentMode::Active { target, offset } = &segment.mode else {
            continue;
        };
        let Some(elements) = module
            .defined_table(*target)
            .and_then(|table| tables.get_mut(&table))
        else {
            continue;
        };
        if copy(segment, offset, elements).is_none() {
            remove(module, &mut tables, *target);
        }
    }
    tables.retain(|_, elements| {
        let filled = elements.iter().flatten().count();
        elements.len() <= ALWAYS_FINE.max(2 * filled)
    });
    tables
}

fn remove(module: &Module, tables: &mut Tables, table: TableIndex) {
    if let Some(table) = module.defined_table(table) {
        tables.remove(&table);
    }
}

/// Copies a segment. The result is `None` if its content or whether it fits is not known.
fn copy(
    segment: &ElementSegment,
    offset: &ConstExpr,
    elements: &mut [Option<FuncIndex>],
) -> Option<()> {
    let [ConstOp::Const(offset)] = offset.ops() else {
        return None;
    };
    let start = usize::try_from(*offset).ok()?;
    let end = start.checked_add(segment.items.len())?;
    let places = elements.get_mut(start..end)?;
    match &segment.items {
        ElementItems::Functions(functions) => {
            for (place, &function) in places.iter_mut().zip(functions) {
                *place = Some(function);
            }
        }
        ElementItems::Expressions(exprs) => {
            for (place, expr) in places.iter_mut().zip(exprs) {
                *place = reference(expr)?;
            }
        }
    }
    Some(())
}

/// The function that an expression refers to, if that is known; the inner `None` is null.
fn reference(expr: &ConstExpr) -> Option<Option<FuncIndex>> {
    match expr.ops() {
        [ConstOp::RefNull] => Some(None),
        [ConstOp::RefFunc(function)] => Some(Some(*function)),
        _ => None,
    }
}

/// Whether a body may contain an instruction that writes one of `tables` tables, which is so if it has the bytes of
/// one. LEB128 begins with the low seven bits, however long it is.
fn may_write(body: &[u8], tables: usize) -> bool {
    body.windows(2).any(|pair| match (pair[0], pair[1] & 0x7f) {
        // The opcode of table.set.
        (0x26, table) => usize::from(table) < tables,
        // The opcodes of table.init, table.copy, table.grow and table.fill.
        (0xfc, opcode) => matches!(opcode, 12 | 14 | 15 | 17),
        _ => false,
    })
}

/// Removes the tables that a function writes.
fn remove_written(
    module: &Module,
    body: &FunctionBody<'_>,
    tables: &mut Tables,
) -> Result<(), BinaryReaderError> {
    let mut operators = body.body.get_operators_reader()?;
    while !operators.eof() {
        let table = match operators.read()? {
            Operator::TableSet { table }
            | Operator::TableGrow { table }
            | Operator::TableFill { table }
            | Operator::TableInit { table, .. } => table,
            Operator::TableCopy { dst_table, .. } => dst_table,
            _ => continue,
        };
        // The body is not validated yet.
        if (table as usize) < module.tables.len() {
            remove(module, tables, TableIndex::from_u32(table));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::translate::translate_module;
    use skerry_environ::{FuncIndex, Module};

    fn module(imports: &str, fields: &str) -> Module {
        let text = format!("(module {imports} (func $f (export \"f\")) (func $g) {fields})");
        let wasm = wat::parse_str(text).expect("the test is well-formed");
        translate_module(&wasm).expect("the test is valid").module
    }

    /// The elements of the constant tables of a module with these fields.
    fn constant(fields: &str) -> Vec<Vec<Option<u32>>> {
        let number = |func: &Option<FuncIndex>| func.map(FuncIndex::as_u32);
        let tables = module("", fields).constant_tables;
        let tables = tables.values();
        tables
            .map(|elements| elements.iter().map(number).collect())
            .collect()
    }

    #[test]
    fn segments_are_laid_over_each_other_and_emptied() {
        let fields = "(table 5 9 funcref) (elem (i32.const 1) $f $f $f)
             (elem (i32.const 2) funcref (ref.func $g) (ref.null func)) (elem $kept func $g)";
        assert_eq!(
            constant(fields),
            [[None, Some(0), Some(1), None, None]],
            "the later segment wins"
        );
        let lengths = module("", fields).elements;
        let lengths: Vec<_> = lengths.values().map(|e| e.items.len()).collect();
        assert_eq!(lengths, [0, 0, 1]);
    }

    #[test]
    fn whoever_can_write_a_table_makes_it_variable() {
        let table = "(table $a 2 funcref) (elem (i32.const 0) $f)";
        assert_eq!(constant(table).len(), 1);
        let reading = "(func (result i32) (drop (table.get $a (i32.const 0)))
            (call_indirect (i32.const 1)) (table.size $a))";
        assert_eq!(constant(&format!("{table} {reading}")).len(), 1);
        for writing in [
            "(export \"t\" (table $a))",
            "(func (table.set $a (i32.const 0) (ref.null func)))",
            "(func (drop (table.grow $a (ref.null func) (i32.const 0))))",
            "(func (table.fill $a (i32.const 0) (ref.null func) (i32.const 0)))",
            "(func (table.copy $a $a (i32.const 0) (i32.const 0) (i32.const 0)))",
            "(elem $e func $f) (func (table.init $a $e (i32.const 0) (i32.const 0) (i32.const 0)))",
        ] {
            assert!(
                constant(&format!("{table} {writing}")).is_empty(),
                "{writing}"
            );
        }
        // The other tables stay constant.
        let other = "(table $b 1 funcref) (func (table.copy $b $a (i32.const 0) (i32.const 0) (i32.const 0)))";
        assert_eq!(constant(&format!("{table} {other}")), [[Some(0), None]]);
    }

    /// Fields with `{N}` for a list of N functions.
    fn full(fields: &str) -> String {
        let Some((before, rest)) = fields.split_once('{') else {
            return fields.to_string();
        };
        let (count, after) = rest.split_once('}').expect("it ends");
        let functions = "$f ".repeat(count.parse().expect("a number"));
        format!("{before}func {functions}{after}")
    }

    #[test]
    fn what_is_not_known_is_not_constant() {
        for (import, fields) in [
            ("(table 1 funcref)", "(table 1 funcref)"),
            (
                "(global $g i32)",
                "(table 1 funcref) (elem (global.get $g) $f)",
            ),
            (
                "(global $g funcref)",
                "(table 1 funcref) (elem (i32.const 0) funcref (global.get $g))",
            ),
            ("(func)", "(table 1 funcref) (elem (i32.const 1) $f)"),
            ("(func)", "(table 1 funcref) (elem (i32.const -1) $f)"),
            ("(func)", "(table 1 externref)"),
            ("(func)", "(table 65 funcref)"),
            ("(func)", "(table 67 funcref) (elem (i32.const 9) {33})"),
            (
                "(func)",
                "(table 65537 funcref) (elem (i32.const 0) {65537})",
            ),
        ] {
            let module = module(&format!("(import \"m\" \"i\" {import})"), &full(fields));
            assert!(module.constant_tables.is_empty(), "{import} {fields}");
        }
        for (len, filled) in [(64, 0), (66, 33), (65536, 65536)] {
            let fields = format!("(table {len} funcref) (elem (i32.const 0) {{{filled}}})");
            assert_eq!(constant(&full(&fields))[0].len(), len);
        }
    }
}
