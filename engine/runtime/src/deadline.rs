//! Deadlines of stores: one thread of the process waits for the next of all.

use crate::error::{Error, Result};
use crate::vm::context::VMStoreContext;
use crate::vm::interrupt::{DEADLINE, block_signals};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A deadline of a store; dropped, it is taken back, also if it has passed and was not honoured.
pub(crate) struct Deadline {
    context: Arc<VMStoreContext>,
    /// `None` for one that is too far away to ever come.
    key: Option<Key>,
}

/// When, and the number that tells deadlines of the same instant apart.
type Key = (Instant, u64);

#[derive(Default)]
struct Deadlines {
    waiting: BTreeMap<Key, Arc<VMStoreContext>>,
    next: u64,
    /// The process whose thread waits for them: a child of `fork` has no other thread than the one that called it.
    watched_by: Option<u32>,
}

static DEADLINES: Mutex<Deadlines> = Mutex::new(Deadlines {
    waiting: BTreeMap::new(),
    next: 0,
    watched_by: None,
});
/// The earliest deadline is another one.
static EARLIER: Condvar = Condvar::new();

/// Bytes of stack of the thread that watches: it calls nothing deep.
const STACK: usize = 64 << 10;

fn lock() -> MutexGuard<'static, Deadlines> {
    // No panic of another thread leaves the map half changed.
    DEADLINES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deadline {
    /// Asks the store with this context to stop when the time has passed.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn new(context: &Arc<VMStoreContext>, after: Duration) -> Result<Self> {
        let context = context.clone();
        let Some(when) = Instant::now().checked_add(after) else {
            return Ok(Self { context, key: None });
        };
        let mut deadlines = lock();
        let process = std::process::id();
        if deadlines.watched_by != Some(process) {
            let thread = std::thread::Builder::new();
            let thread = thread.name("skerry deadlines".into()).stack_size(STACK);
            thread.spawn(watch).map_err(Error::OutOfMemory)?;
            deadlines.watched_by = Some(process);
        }
        let key = (when, deadlines.next);
        deadlines.next += 1;
        deadlines.waiting.insert(key, context.clone());
        if deadlines.waiting.first_key_value().map(|(key, _)| *key) == Some(key) {
            EARLIER.notify_one();
        }
        Ok(Self {
            context,
            key: Some(key),
        })
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            lock().waiting.remove(&key);
        }
        self.context.requests().withdraw(DEADLINE);
    }
}

fn watch() {
    block_signals();
    let mut deadlines = lock();
    loop {
        let next = deadlines.waiting.first_key_value().map(|(key, _)| *key);
        let Some(key @ (when, _)) = next else {
            deadlines = EARLIER
                .wait(deadlines)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let now = Instant::now();
        if now < when {
            let waited = EARLIER.wait_timeout(deadlines, when - now);
            deadlines = waited.unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        // Under the lock, so that a deadline which is taken back cannot make its request afterwards.
        if let Some(context) = deadlines.waiting.remove(&key) {
            context.requests().make(DEADLINE);
        }
    }
}
