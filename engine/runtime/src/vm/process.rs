//! A copy of this process, for code that is not trusted.

use std::io::{Error, Result};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

/// A child process that answers requests. It is ended when this value is dropped.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    id: libc::pid_t,
    stream: UnixStream,
    /// The thread that made the child. The kernel ends the child when that thread ends, not only with the whole process.
    maker: ThreadId,
    ended: bool,
}

/// Is held while a child is made: no other child may inherit its end of the stream, or its death would not be
/// noticed.
static MAKING: Mutex<()> = Mutex::new(());

impl ChildProcess {
    /// Makes a child of this process that runs `body`, with one end of a stream whose other end [`ChildProcess::stream`] is,
    /// and then exits.
    ///
    /// All memory of the child is its own: whatever happens to it, this process is not affected. Of this process's threads
    /// only the calling one is there, so `body` must not wait for a lock that another thread may hold, nor for a `Once` that
    /// another thread is going through. Those that every call of WebAssembly goes through are completed before the child is
    /// made. It may allocate if the global allocator is the C library's, which prepares for `fork`; any other must do so itself.
    ///
    /// The child lives no longer than the calling thread; see [`ChildProcess::is_of_this_thread`].
    ///
    /// # Errors
    /// The operating system's error.
    pub(crate) fn serve(body: impl FnOnce(UnixStream)) -> Result<Self> {
        let _alternate_stack = super::signals::prepare_thread();
        super::interrupt::thread_number();
        let making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, childs) = UnixStream::pair()?;
        // SAFETY: the child has a copy of the calling thread and of all memory. It runs `body`, which by the contract above
        // does not depend on other threads, and never returns from here.
        match unsafe { libc::fork() } {
            -1 => Err(Error::last_os_error()),
            0 => {
                drop(stream);
                // SAFETY: plain system calls. Without a parent nobody asks any more; what CLIF does is nothing to keep.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
                    libc::prctl(libc::PR_SET_DUMPABLE, 0 as libc::c_ulong);
                }
                let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(childs)));
                // SAFETY: ends the child at once, without destructors of what belongs to the parent.
                unsafe { libc::_exit(i32::from(ran.is_err())) }
            }
            id => {
                drop(childs);
                drop(making);
                Ok(Self {
                    id,
                    stream,
                    maker: std::thread::current().id(),
                    ended: false,
                })
            }
        }
    }

    /// The end of the stream whose other end belongs to the child.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Whether the child was made by the calling thread. Another one may end before this thread, and the child with it.
    pub(crate) fn is_of_this_thread(&self) -> bool {
        self.maker == std::thread::current().id()
    }

    /// Waits for the child, which has ended or is about to. Returns the signal that ended it.
    ///
    /// # Errors
    /// The operating system's error; and if no signal has ended the child, but the child itself.
    pub(crate) fn wait(mut self) -> Result<i32> {
        let status = self.reap()?;
        match libc::WIFSIGNALED(status) {
            true => Ok(libc::WTERMSIG(status)),
            false => Err(Error::other(format!(
                "the process that runs CLIF functions has ended by itself, with the exit status {}",
                libc::WEXITSTATUS(status)
            ))),
        }
    }

    /// Waits for the child. Returns how it ended, as `waitpid` tells it.
    fn reap(&mut self) -> Result<libc::c_int> {
        let mut status = 0;
        // SAFETY: waits for a child that was made here and not waited for before.
        while unsafe { libc::waitpid(self.id, &mut status, 0) } == -1 {
            let error = Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        self.ended = true;
        Ok(status)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: a child that was made here and not waited for, so its number is still its own.
            unsafe { libc::kill(self.id, libc::SIGKILL) };
            // If the process cannot be asked for, there is nothing to wait for.
            let _ = self.reap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_ends_by_itself_is_an_error() {
        let child = ChildProcess::serve(drop).unwrap();
        let error = child.wait().unwrap_err();
        assert!(error.to_string().contains("by itself"), "{error}");
        let child = ChildProcess::serve(|_| {
            // SAFETY: it ends the child.
            unsafe { libc::raise(libc::SIGKILL) };
        });
        assert_eq!(child.unwrap().wait().unwrap(), libc::SIGKILL);
    }
}
