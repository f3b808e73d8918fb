//! A copy of this process, for code that is not trusted.

use std::io::{Error, Result};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// A child process that answers requests. It is ended when this value is dropped.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    id: libc::pid_t,
    stream: UnixStream,
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
    /// only the calling one is there, so `body` must not wait for a lock that another thread may hold; it may allocate, for
    /// which the C library prepares.
    ///
    /// # Errors
    /// The operating system's error.
    pub(crate) fn serve(body: impl FnOnce(UnixStream)) -> Result<Self> {
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
                    ended: false,
                })
            }
        }
    }

    /// The end of the stream whose other end belongs to the child.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Waits for the child, which has ended or is about to. Returns the signal that ended it, or 0.
    ///
    /// # Errors
    /// The operating system's error.
    pub(crate) fn wait(mut self) -> Result<i32> {
        self.reap()
    }

    fn reap(&mut self) -> Result<i32> {
        let mut status = 0;
        // SAFETY: waits for a child that was made here and not waited for before.
        while unsafe { libc::waitpid(self.id, &mut status, 0) } == -1 {
            let error = Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        self.ended = true;
        Ok(match libc::WIFSIGNALED(status) {
            true => libc::WTERMSIG(status),
            false => 0,
        })
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
