//! Threads that compile functions.
//!
//! The pool lives as long as its owner, so that many compilations of one engine share one set of threads and
//! do not crowd the processor. It is made when a compilation first needs it.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::num::NonZeroUsize;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The size in bytes of a thread's stack, which is that of a usual main thread.
const STACK_SIZE: usize = 8 << 20;

/// A pool of threads that compile functions, started when it is first needed.
#[derive(Debug)]
pub struct Workers {
    threads: usize,
    /// The pool; `None` inside if the host cannot start threads, so that the caller works alone.
    pool: OnceLock<Option<ThreadPool>>,
}

impl Default for Workers {
    /// One for each core that this process may use.
    fn default() -> Workers {
        Workers::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

impl Workers {
    /// A pool of this many threads, none of which is started yet.
    pub fn new(threads: NonZeroUsize) -> Workers {
        Workers {
            threads: threads.get(),
            pool: OnceLock::new(),
        }
    }

    /// A pool without threads: the caller does the work.
    pub fn none() -> Workers {
        Workers::new(NonZeroUsize::MIN)
    }

    /// Calls `work` on up to `wanted` threads at once, at least once, and returns the results in any order. A panic
    /// in one of the calls continues in the caller.
    pub(crate) fn run<T: Send>(&self, wanted: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
        let wanted = wanted.min(self.threads);
        let pool = (wanted > 1).then(|| self.pool()).flatten();
        let Some(pool) = pool else {
            return vec![work()];
        };
        let results = Mutex::new(Vec::with_capacity(wanted));
        // This is not a broadcast: it must not wait for a thread that is busy with another compilation.
        pool.scope(|scope| {
            for _ in 0..wanted {
                scope.spawn(|_| {
                    let result = work();
                    results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                });
            }
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool(&self) -> Option<&ThreadPool> {
        let build = || {
            ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .stack_size(STACK_SIZE)
                .thread_name(|index| format!("skerry-compile-{index}"))
                .build()
                .ok()
        };
        self.pool.get_or_init(build).as_ref()
    }
}
