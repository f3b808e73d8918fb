//! Says that a test was left out.

use std::io::Write as _;

/// Says why this test does not test what it should. The harness names a test's thread after it, unless one thread runs
/// all tests.
pub fn skipped(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    let message = format!("\nSKIPPED: {name}: {reason}\n");
    // This is not `eprintln!`, because the test harness would show that for failing tests only.
    std::io::stderr().write_all(message.as_bytes()).unwrap();
}
