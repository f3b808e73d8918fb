//! Memory images: the content that active data segments give to a module's memories, computed when it is compiled.
//!
//! Data segments are copied in their order, and one that does not fit traps after the earlier ones were copied. So
//! the images hold a prefix of the segments: as many as are known to fit. An instance then begins with the images,
//! and copies what is left, in order, with all checks.

use skerry_environ::{
    ConstExpr, ConstOp, DataSegment, DefinedMemoryIndex, ElementSegment, EntityRef, MemoryImage,
    MemoryType, Module, SegmentMode,
};
use std::ops::Range;

/// Images begin and end at multiples of this many bytes of memory, which is a page of the host.
const ALIGN: u64 = 4096;

/// Up to this total size in bytes, images may have any number of holes (zeros between segments). Beyond it at most
/// half of their bytes may be in holes.
const ALWAYS_FINE: u64 = 4 << 20;

/// The images of a module's memories.
#[derive(Debug, Default)]
pub(crate) struct Images {
    pub(crate) images: Vec<MemoryImage>,
    pub(crate) bytes: Vec<u8>,
    /// The number of data segments before the first active one that is in no image. It includes passive ones.
    pub(crate) segments: usize,
}

/// Takes the bytes of active data segments out of a module and puts them into images.
pub(crate) fn images(module: &mut Module) -> Images {
    let defined = module.memories.len() - module.imported_memories;
    let mut extents = vec![Extent::default(); defined];
    // The limit is on all memories together, so that a module cannot become much larger by having many of them.
    let (mut len, mut filled) = (0, 0);
    let mut images = Images::default();
    for segment in module.data.values() {
        if segment.mode != SegmentMode::Passive {
            let Some((memory, range)) = known_place(module, segment) else {
                break;
            };
            let old = &extents[memory.index()];
            let bytes = range.end - range.start;
            let grown = old.with(range);
            let new_len = len - old.len() + grown.len();
            if new_len > ALWAYS_FINE && new_len / 2 > filled + bytes {
                break;
            }
            (len, filled) = (new_len, filled + bytes);
            extents[memory.index()] = grown;
        }
        images.segments += 1;
    }
    for (index, extent) in extents.into_iter().enumerate() {
        let memory = DefinedMemoryIndex::new(index);
        let bytes = image(module, memory, &extent, images.segments);
        images.push(memory, extent.start, &bytes);
    }
    if !may_be_read_before_dropped(module) {
        for segment in module.data.values_mut().take(images.segments) {
            if segment.mode != SegmentMode::Passive {
                segment.bytes = Box::default();
            }
        }
    }
    images
}

/// Whether code may ask for the bytes of an active data segment that is not dropped yet, by `memory.init`. Where an
/// element segment traps, the functions that earlier ones have put into an imported table outlive the
/// instantiation.
fn may_be_read_before_dropped(module: &Module) -> bool {
    let into_import = |segment: &ElementSegment| matches!(segment.mode, SegmentMode::Active { target, .. } if target.index() < module.imported_tables);
    module.elements.values().any(into_import)
}

/// The part of a memory that segments are copied to.
#[derive(Clone, Debug, Default)]
struct Extent {
    start: u64,
    end: u64,
    /// Whether a segment that is not empty is in it.
    used: bool,
}

impl Extent {
    fn with(&self, range: Range<u64>) -> Extent {
        if range.is_empty() {
            return self.clone();
        }
        let start = range.start - range.start % ALIGN;
        Extent {
            start: if self.used {
                self.start.min(start)
            } else {
                start
            },
            end: self.end.max(range.end.next_multiple_of(ALIGN)),
            used: true,
        }
    }

    fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// The memory and the range of bytes that an active segment is copied to, if the memory is the module's own and the
/// offset is known and in bounds.
fn known_place(module: &Module, segment: &DataSegment) -> Option<(DefinedMemoryIndex, Range<u64>)> {
    let SegmentMode::Active { target, offset } = &segment.mode else {
        return None;
    };
    let memory = module.defined_memory(*target)?;
    let start = constant(offset)?;
    let end = start + segment.bytes.len() as u64;
    let size = module.memories[*target]
        .minimum
        .checked_mul(MemoryType::PAGE_SIZE)?;
    (end <= size).then_some((memory, start..end))
}

/// The value of an `i32` expression that consists of constants.
fn constant(expr: &ConstExpr) -> Option<u64> {
    let known = expr.ops().iter().all(|op| {
        !matches!(
            op,
            ConstOp::GlobalGet(_) | ConstOp::RefFunc(_) | ConstOp::RefNull
        )
    });
    let value = known.then(|| expr.evaluate(|_| 0, |_| 0))?;
    Some(u64::from(value as u32))
}

/// The bytes of a memory over `extent`.
fn image(module: &Module, memory: DefinedMemoryIndex, extent: &Extent, segments: usize) -> Vec<u8> {
    let mut bytes = vec![0; (extent.end - extent.start) as usize];
    for segment in module.data.values().take(segments) {
        if let Some((target, range)) = known_place(module, segment)
            && target == memory
            && !range.is_empty()
        {
            let start = (range.start - extent.start) as usize;
            bytes[start..][..segment.bytes.len()].copy_from_slice(&segment.bytes);
        }
    }
    bytes
}

impl Images {
    /// Adds an image of `bytes`, which are at `offset` in the memory, without the pages of zeros at either end.
    fn push(&mut self, memory: DefinedMemoryIndex, offset: u64, bytes: &[u8]) {
        let page = ALIGN as usize;
        let filled = |page: &[u8]| page.iter().any(|&byte| byte != 0);
        let Some(first) = bytes.chunks(page).position(filled) else {
            return;
        };
        let last = bytes.chunks(page).rposition(filled).unwrap_or(first);
        let bytes = &bytes[first * page..(last + 1) * page];
        self.images.push(MemoryImage {
            memory,
            offset: offset + first as u64 * ALIGN,
            start: self.bytes.len() as u64,
            len: bytes.len() as u64,
        });
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::translate_module;

    fn images_of(text: &str) -> (Module, Images) {
        let wasm = wat::parse_str(text).unwrap();
        let mut module = translate_module(&wasm).unwrap().module;
        let images = images(&mut module);
        (module, images)
    }

    #[test]
    fn later_segments_overwrite_and_pages_of_zeros_are_left_out() {
        let (module, images) = images_of(
            r#"(module (memory 2)
                (data (i32.const 0x2ffe) "abcd")
                (data "passive")
                (data (i32.const 0x3000) "XY")
                (data (i32.const 0x8000) "\00\00"))"#,
        );
        assert_eq!(images.segments, 4);
        let [image] = &images.images[..] else {
            panic!("{images:?}")
        };
        assert_eq!((image.offset, image.start, image.len), (0x2000, 0, 0x2000));
        assert_eq!(&images.bytes[0xffe..0x1003], b"abXY\0");
        let kept: Vec<usize> = module
            .data
            .values()
            .map(|segment| segment.bytes.len())
            .collect();
        assert_eq!(kept, [0, 7, 0, 0]);
    }

    #[test]
    fn images_end_before_the_first_segment_that_may_trap() {
        let stops = [
            r#"(data (i32.const 0xffff) "ab")"#,
            r#"(data (global.get 0) "ab")"#,
            r#"(data 1 (i32.const -1) "")"#,
        ];
        for stop in stops {
            let (module, images) = images_of(&format!(
                r#"(module (import "" "" (global i32)) (memory 1) (memory 0)
                    (data (i32.const 1) "x") {stop} (data (i32.const 2) "y"))"#
            ));
            assert_eq!(
                (images.segments, &images.bytes[..3]),
                (1, &b"\0x\0"[..]),
                "{stop}"
            );
            assert_eq!(&*module.data.values().last().unwrap().bytes, b"y");
        }
        let (_, images) =
            images_of(r#"(module (import "" "" (memory 1)) (data (i32.const 1) "x"))"#);
        assert_eq!((images.segments, images.images.len()), (0, 0));
    }

    #[test]
    fn bytes_stay_where_functions_may_outlive_a_failed_instantiation() {
        let kept = |fields: &str| {
            let (module, images) = images_of(&format!(
                r#"(module (import "" "" (table 1 funcref)) (table 1 funcref) (memory 1) (func)
                    {fields} (data (i32.const 1) "xyz"))"#
            ));
            assert_eq!((images.segments, &images.bytes[1..4]), (1, &b"xyz"[..]));
            module.data.values().last().unwrap().bytes.len()
        };
        assert_eq!(kept("(elem (i32.const 0) 0)"), 3);
        assert_eq!(
            kept("(elem (table 1) (i32.const 0) func 0) (elem func 0)"),
            0
        );
    }

    #[test]
    fn far_apart_segments_are_copied() {
        let (_, images) = images_of(
            r#"(module (memory 0x4000) (memory 1)
                (data (i32.const 0) "x") (data 1 (i32.const 5) "z") (data (i32.const 0x30000000) "y"))"#,
        );
        assert_eq!(
            (images.segments, images.images.len(), images.bytes.len()),
            (2, 2, 0x2000)
        );
    }

    #[test]
    fn many_memories_make_no_large_image_of_holes() {
        let one = |index: usize| {
            format!("(data {index} (i32.const 0) \"x\") (data {index} (i32.const 0x2fffff) \"y\")")
        };
        let data: String = (0..50).map(one).collect();
        let (_, images) = images_of(&format!("(module {} {data})", "(memory 48)".repeat(50)));
        assert!(images.segments > 0);
        assert!(images.bytes.len() as u64 <= ALWAYS_FINE);
    }
}
