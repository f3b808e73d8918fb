//! Deadlines of stores. One thread of the process waits for the next one of all stores.

use crate::error::{Error, Result};
use crate::vm::context::VMStoreContext;
use crate::vm::interrupt::{DEADLINE, block_signals, clear};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A deadline of a store. Dropping it withdraws it, even if it has passed and was not honoured.
pub(crate) struct Deadline {
    context: Arc<VMStoreContext>,
    /// The key in the map; `None` for a deadline so far away that it never comes.
    key: Option<Key>,
}

/// The time, and a number that distinguishes deadlines at the same instant.
type Key = (Instant, u64);

#[derive(Default)]
struct Deadlines {
    waiting: BTreeMap<Key, Arc<VMStoreContext>>,
    next: u64,
    /// The process whose thread waits for the deadlines. A child of `fork` has only the thread that called it.
    watched_by: Option<u32>,
}

static DEADLINES: Mutex<Deadlines> = Mutex::new(Deadlines {
    waiting: BTreeMap::new(),
    next: 0,
    watched_by: None,
});
/// Is notified when the earliest deadline has changed.
static EARLIER: Condvar = Condvar::new();

/// The size in bytes of the stack of the thread that watches, whose calls are not nested deeply.
const STACK: usize = 64 << 10;

fn lock() -> MutexGuard<'static, Deadlines> {
    // A panic of another thread cannot leave the map changed in part.
    DEADLINES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deadline {
    /// Makes a deadline, which asks the store with this context to stop when the time has passed.
    ///
    /// # Errors
    /// If the thread cannot be started.
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
        clear(&self.context, DEADLINE);
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
        // This is done under the lock, so that a deadline which is withdrawn cannot make its request afterwards.
        if let Some(context) = deadlines.waiting.remove(&key) {
            context.requests().make(DEADLINE);
        }
    }
}
