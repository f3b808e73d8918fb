//! Address space: reserving it, opening parts of it, giving it back.
//!
//! A [`Mapping`] owns one reservation. It starts inaccessible (`PROT_NONE`, no swap reserved), parts of it
//! are opened with [`Mapping::make_writable`], and all of it is returned on drop. Everything else in `vm`
//! that owns memory (slots, wasm stacks, code) is built on it, so this file holds every `mmap`, `mprotect`
//! and `munmap` of the engine.

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags, madvise, mmap, mmap_anonymous,
    mprotect, mremap_fixed, munmap,
};
use std::fs::File;
use std::ptr::NonNull;

/// The size of a page of the host, in bytes.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// `size` rounded up to whole pages of the host, or `None` where that does not fit in an address.
pub(crate) fn round_up_to_pages(size: usize) -> Option<usize> {
    let page = page_size();
    size.checked_add(page - 1).map(|s| s & !(page - 1))
}

/// An owned range of address space; page-aligned at both ends.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory owned by this value; nothing in it depends on the thread.
unsafe impl Send for Mapping {}
// SAFETY: `&Mapping` only gives out addresses; each access through them is justified where it is made.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves `len` bytes (rounded up to pages) of inaccessible address space.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    pub(crate) fn reserve(len: usize) -> std::io::Result<Self> {
        let len = round_up_to_pages(len.max(1)).ok_or(rustix::io::Errno::NOMEM)?;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
        let base = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                len,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        let base = NonNull::new(base.cast::<u8>()).expect("the kernel never maps page 0 unasked");
        Ok(Self { base, len })
    }

    /// The first address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Opens `[start, start + len)` (bytes relative to the base, rounded out to pages) for reading and writing.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`; nothing is opened then.
    ///
    /// # Panics
    /// If the range is not inside the mapping or does not start on a page.
    pub(crate) fn make_writable(&self, start: usize, len: usize) -> std::io::Result<()> {
        self.protect(start, len, MprotectFlags::READ | MprotectFlags::WRITE)
    }

    /// Puts `len` bytes of `file` from `offset` on at `start`: readable and writable, but what is written stays in this
    /// process. All three are multiples of the page size.
    ///
    /// The file is mapped elsewhere first and then moved: a file that cannot be mapped must not leave a hole in the
    /// mapping, in which another mapping could be placed.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`; nothing has changed then.
    ///
    /// # Panics
    /// If the range is not inside the mapping or is not made of whole pages.
    pub(crate) fn map_file(
        &self,
        start: usize,
        len: usize,
        file: &File,
        offset: u64,
    ) -> std::io::Result<()> {
        self.check_pages(start, len);
        // SAFETY: a fresh mapping at an address of the kernel's choice aliases nothing.
        let fresh = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
                file,
                offset,
            )
        }?;
        // SAFETY: `fresh` was just mapped with this length; the range was checked to lie inside the mapping, which this
        // value owns; no reference to what was there is alive, because callers hold the memory exclusively.
        let moved = unsafe {
            let place = self.base.as_ptr().add(start).cast();
            mremap_fixed(fresh, len, len, MremapFlags::MAYMOVE, place)
        };
        if let Err(error) = moved {
            // SAFETY: mapped above, and not moved; nobody else knows the address.
            let _ = unsafe { munmap(fresh, len) };
            if self.survived(start, len) {
                return Err(error.into());
            }
            // Nothing can reliably close the hole before another thread's mapping is in it, and going on would give
            // that memory to WebAssembly.
            eprintln!(
                "skerry: the kernel could not move a mapping ({error}), which leaves a hole in a memory"
            );
            std::process::abort();
        }
        Ok(())
    }

    /// Whether what was in `[start, start + len)` is still there after a failure to move something to that place.
    ///
    /// If there are too many mappings, the kernel refuses before it removes anything. After that only accounting
    /// for memory can fail, and for a private mapping with `NORESERVE` it does so only under strict overcommit.
    /// Then it is not known whether the mapping at that place is another one.
    fn survived(&self, start: usize, len: usize) -> bool {
        let mode = std::fs::read("/proc/sys/vm/overcommit_memory");
        let counts_everything = mode.map_or(true, |mode| mode.starts_with(b"2"));
        let mut pages = vec![0; len / page_size()];
        let place = self.base.as_ptr().wrapping_add(start).cast();
        // SAFETY: looks at no memory, and writes one byte for each page to `pages`.
        let mapped = unsafe { libc::mincore(place, len, pages.as_mut_ptr()) } == 0;
        mapped && !counts_everything
    }

    /// Gives the pages of `[start, start + len)` back: they are zeros again, or what a file has at that place.
    ///
    /// # Errors
    /// The operating system's error; also an error on systems that do not guarantee it.
    ///
    /// # Panics
    /// If the range is not inside the mapping or is not made of whole pages.
    pub(crate) fn discard(&self, start: usize, len: usize) -> std::io::Result<()> {
        self.check_pages(start, len);
        if !cfg!(target_os = "linux") {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        // SAFETY: the range was checked to lie inside the mapping, which this value owns, and no reference to its
        // bytes is alive, because callers own everything in it.
        unsafe {
            madvise(
                self.base.as_ptr().add(start).cast(),
                len,
                Advice::LinuxDontNeed,
            )
        }?;
        Ok(())
    }

    /// Closes `[start, start + len)`.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    ///
    /// # Panics
    /// If the range is not inside the mapping or does not start on a page.
    pub(crate) fn make_inaccessible(&self, start: usize, len: usize) -> std::io::Result<()> {
        self.protect(start, len, MprotectFlags::empty())
    }

    fn check_pages(&self, start: usize, len: usize) {
        let page = page_size();
        assert!(
            start.is_multiple_of(page) && len.is_multiple_of(page) && len > 0,
            "ranges are made of whole pages"
        );
        assert!(
            start.checked_add(len).is_some_and(|end| end <= self.len),
            "ranges lie inside the mapping"
        );
    }

    /// Makes `[start, start + len)` executable and no longer writable (W^X). `more` are further properties of the pages.
    ///
    /// # Errors
    /// The operating system's error.
    ///
    /// # Panics
    /// If the range is not inside the mapping or does not start on a page.
    pub(crate) fn make_executable(
        &self,
        start: usize,
        len: usize,
        more: MprotectFlags,
    ) -> std::io::Result<()> {
        self.protect(start, len, MprotectFlags::READ | MprotectFlags::EXEC | more)
    }

    fn protect(&self, start: usize, len: usize, flags: MprotectFlags) -> std::io::Result<()> {
        let len = round_up_to_pages(len).expect("range inside a mapping");
        assert!(
            start.is_multiple_of(page_size()),
            "protection changes start on a page"
        );
        assert!(
            start.checked_add(len).is_some_and(|end| end <= self.len),
            "protection changes stay inside the mapping"
        );
        if len == 0 {
            return Ok(());
        }
        // SAFETY: the range was checked to lie inside the mapping, which this value owns.
        unsafe { mprotect(self.base.as_ptr().add(start).cast(), len, flags) }?;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `reserve` mapped; the owner is going away, so nobody uses it any more.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "unmapping an owned range succeeds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserve_open_write_and_drop() {
        let mapping = Mapping::reserve(1 << 32).unwrap();
        assert!(mapping.base().addr().is_multiple_of(page_size()));
        mapping.make_writable(page_size(), 10).unwrap();
        // SAFETY: the page was opened in the line above.
        unsafe {
            let byte = mapping.base().add(page_size());
            assert_eq!(*byte, 0);
            *byte = 7;
            assert_eq!(*byte, 7);
        }
    }

    #[test]
    fn a_file_that_cannot_be_mapped_changes_nothing() {
        let page = page_size();
        let mapping = Mapping::reserve(4 * page).unwrap();
        mapping.make_writable(0, 4 * page).unwrap();
        // SAFETY: opened in the line above.
        unsafe { mapping.base().add(page).write(7) };
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let socket = File::from(std::os::fd::OwnedFd::from(socket));
        assert!(mapping.map_file(page, page, &socket, 0).is_err());
        // SAFETY: as above.
        assert_eq!(unsafe { mapping.base().add(page).read() }, 7);
    }

    #[test]
    fn a_file_that_cannot_be_moved_changes_nothing() {
        // This runs in a child process, because it takes all mappings that a process may have.
        if std::env::var_os("SKERRY_TEST_MAPPINGS").is_some() {
            let page = page_size();
            let place = Mapping::reserve(4 * page).unwrap();
            place.make_writable(0, 4 * page).unwrap();
            // SAFETY: opened in the line above.
            unsafe { place.base().add(page).write(7) };
            let file = tempfile::tempfile().unwrap();
            file.set_len(page as u64).unwrap();
            let many = Mapping::reserve((1 << 18) * page).unwrap();
            let odd = |count: usize| (2 * count + 1) * page;
            let mut taken = 0;
            while odd(taken) < many.len() && many.make_writable(odd(taken), page).is_ok() {
                taken += 1;
            }
            while place.map_file(page, page, &file, 0).is_err() {
                // SAFETY: as above.
                assert_eq!(unsafe { place.base().add(page).read() }, 7);
                taken -= 1;
                many.make_inaccessible(odd(taken), page).unwrap();
            }
            // SAFETY: as above.
            assert_eq!(unsafe { place.base().add(page).read() }, 0);
            println!("moved");
            return;
        }
        let test = "mmap::tests::a_file_that_cannot_be_moved_changes_nothing";
        let output = crate::vm::tests::child(test, "SKERRY_TEST_MAPPINGS");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("moved"),
            "{output:?}"
        );
    }

    #[test]
    fn absurd_sizes_are_errors() {
        assert!(Mapping::reserve(usize::MAX).is_err());
        assert!(Mapping::reserve(1 << 60).is_err());
    }
}
