//! Walking the frames of compiled code: a chain of frame pointers on the wasm stack.
//!
//! Every compiled function keeps its caller's frame pointer and its return address where its own frame pointer leads
//! ([`CALLER_FP`], [`RETURN_ADDRESS`]); [`super::arch::enter`] starts each activation with a null frame pointer. The walk trusts none of it: each frame must lie in the wasm stack and above the last
//! one, so a broken chain ends the backtrace instead of the process.

use super::arch::{self, CALLER_FP, Exit, RETURN_ADDRESS, SignalState};
use super::code;
use super::context::Activation;
use super::stack::StackBounds;

/// The largest number of frames that a backtrace keeps. The others are only counted.
pub(crate) const MAX_FRAMES: usize = 64;

/// Program counters, innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawBacktrace {
    /// The frames, at most [`MAX_FRAMES`].
    pub frames: Vec<RawFrame>,
    /// The number of further frames.
    pub omitted: usize,
}

/// One frame of compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame {
    /// An address inside the frame's current instruction: the faulting one, or the last byte of a call.
    pub pc: usize,
}

impl RawBacktrace {
    /// Adds the frame that a saved return address leads to.
    fn push_caller(&mut self, saved: usize) {
        self.push(arch::code_address(saved).wrapping_sub(1));
    }

    fn push(&mut self, pc: usize) {
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(RawFrame { pc });
        } else {
            self.omitted += 1;
        }
    }
}

/// The frames of an activation that was left by a fault or an interrupt, then those of the activations around it.
///
/// Interrupts come at any instruction. While a tail call moves its frame, the frame pointer leads to arguments
/// instead of a frame for some instructions; an interrupt there, or at the jump itself, gives frames that are wrong
/// or missing.
pub(super) fn from_fault(
    bounds: &StackBounds,
    state: SignalState,
    activation: &Activation,
) -> RawBacktrace {
    let mut trace = RawBacktrace::default();
    trace.push(state.pc);
    // While a function sets up its frame, and after it has taken it down, the frame pointer is that of its caller.
    let executed = code::executed_in_function(state.pc);
    let code = code::bytes_at(state.pc);
    let word = |place| read(bounds, place);
    if let Some(saved) = arch::frameless_return(&state, executed, code, word) {
        trace.push_caller(saved);
    }
    walk(bounds, state.fp, &mut trace);
    walk_outer(bounds, activation, &mut trace);
    trace
}

/// The frames from a transition from wasm to the host outwards.
pub(super) fn from_exit(
    bounds: &StackBounds,
    exit: &Exit,
    activation: &Activation,
) -> RawBacktrace {
    let mut trace = RawBacktrace::default();
    walk_exit(bounds, exit, &mut trace);
    walk_outer(bounds, activation, &mut trace);
    trace
}

/// The frames of the activations around one that has no frames itself.
pub(super) fn outside_of(bounds: &StackBounds, activation: &Activation) -> RawBacktrace {
    let mut trace = RawBacktrace::default();
    walk_outer(bounds, activation, &mut trace);
    trace
}

fn walk_outer(bounds: &StackBounds, activation: &Activation, trace: &mut RawBacktrace) {
    let mut next = activation.outer();
    while let Some((outer, exit)) = next {
        walk_exit(bounds, exit, trace);
        // SAFETY: outer activations live in suspended frames of `enter` on this thread's host stack.
        next = unsafe { &*outer }.outer();
    }
}

/// The frames of one activation, from the place at which it called out.
fn walk_exit(bounds: &StackBounds, exit: &Exit, trace: &mut RawBacktrace) {
    if let Some(saved) = arch::return_of_exit(exit, |place| read(bounds, place)) {
        trace.push_caller(saved);
    }
    walk(bounds, exit.fp, trace);
}

fn walk(bounds: &StackBounds, mut fp: usize, trace: &mut RawBacktrace) {
    while fp != 0 {
        let word = |distance| read(bounds, fp.wrapping_add(distance));
        let (Some(next), Some(saved)) = (word(CALLER_FP), word(RETURN_ADDRESS)) else {
            return;
        };
        trace.push_caller(saved);
        if next != 0 && next <= fp {
            return;
        }
        fp = next;
    }
}

/// The word at `addr`, if that lies in the usable part of the wasm stack.
pub(super) fn read(bounds: &StackBounds, addr: usize) -> Option<usize> {
    if !addr.is_multiple_of(8) || !bounds.contains(addr, 8) {
        return None;
    }
    // SAFETY: inside the usable part of a mapped stack, which only this thread uses; any bits are a valid word.
    Some(unsafe { std::ptr::with_exposed_provenance::<usize>(addr).read_volatile() })
}
