//! A progress bar on standard error, shown if a compilation takes more than a second and standard error is a
//! terminal.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use skerry_runtime::Progress;

/// The time for which a compilation shows nothing.
const QUIET: Duration = Duration::from_secs(1);

/// A bar that appears when the time has passed, and that is erased when this value is dropped.
pub(crate) struct Bar {
    start: Instant,
    terminal: bool,
    bar: OnceLock<ProgressBar>,
}

impl Bar {
    pub(crate) fn new() -> Bar {
        Bar {
            start: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            bar: OnceLock::new(),
        }
    }

    /// Notes how far the compilation has come. It can be called from any thread.
    pub(crate) fn update(&self, progress: Progress) {
        if self.terminal && self.start.elapsed() >= QUIET {
            let bar = self.bar.get_or_init(|| {
                let template = "compiling {wide_bar} {percent:>3}% {elapsed}, {eta} left";
                let style = ProgressStyle::with_template(template).expect("the template is right");
                let bar = ProgressBar::new(progress.total as u64).with_elapsed(QUIET);
                bar.with_style(style)
            });
            bar.set_position(progress.done as u64);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_made_only_when_it_is_due() {
        let made = |terminal: bool, passed: Duration| {
            let mut bar = Bar::new();
            bar.terminal = terminal;
            bar.start -= passed;
            bar.update(Progress { done: 1, total: 2 });
            bar.bar.get().map(|bar| (bar.position(), bar.length()))
        };
        assert_eq!(made(true, QUIET), Some((1, Some(2))));
        assert_eq!(made(true, QUIET / 2), None);
        assert_eq!(made(false, QUIET), None);
    }
}
