//! The function `fd_readdir`.
//!
//! A cookie is the index of an entry in the listing that was made when the guest last asked for
//! cookie 0: files that come and go meanwhile cannot make an entry appear twice or be skipped.

use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::DirEntryExt as _;

use super::Outcome;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::table::{Directory, Listed};
use crate::types::FileType;

/// The size in bytes of a `dirent` without its name.
const DIRENT_SIZE: usize = 24;
/// The largest number of bytes that the listings of one program may take.
const MAX_LISTED_BYTES: usize = 256 << 20;

/// The entries of a directory with `.` and `..`, sorted by name. The parent is reported as the directory itself,
/// since the guest may not learn what is above a preopened directory. `nomem` if they take more than `room` bytes.
fn list(directory: &Directory, room: usize) -> Result<Vec<Listed>, Errno> {
    let own = crate::types::FileStat::from(&rustix::fs::fstat(&directory.dir)?);
    let mut listing = Vec::new();
    let mut bytes = 0;
    for name in [b"..".as_slice(), b".".as_slice()] {
        let filetype = FileType::Directory;
        listing.push(Listed {
            name: name.to_vec(),
            inode: own.inode,
            filetype,
        });
    }
    for entry in directory.dir.entries()? {
        let entry = entry?;
        let listed = Listed {
            inode: entry.ino(),
            filetype: entry.file_type().map_or(FileType::Unknown, filetype),
            name: entry.file_name().into_vec(),
        };
        bytes += listed.bytes();
        if bytes > room {
            return Err(Errno::Nomem);
        }
        listing.push(listed);
    }
    listing.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listing)
}

fn filetype(host: cap_std::fs::FileType) -> FileType {
    use cap_std::fs::FileTypeExt as _;
    if host.is_dir() {
        FileType::Directory
    } else if host.is_file() {
        FileType::RegularFile
    } else if host.is_symlink() {
        FileType::SymbolicLink
    } else if host.is_char_device() {
        FileType::CharacterDevice
    } else if host.is_block_device() {
        FileType::BlockDevice
    } else if host.is_socket() {
        FileType::SocketStream
    } else {
        FileType::Unknown
    }
}

/// Fills the buffer. The last entry is cut where the buffer ends; a buffer that is not full says that there are no
/// more entries.
pub(super) fn fd_readdir(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    used: u32,
) -> Outcome {
    let directory = ctx.table.directory_mut(fd)?;
    if cookie == 0 || directory.listing.is_empty() {
        directory.listing = Vec::new();
        let room = MAX_LISTED_BYTES.saturating_sub(ctx.table.listed_bytes());
        let directory = ctx.table.directory_mut(fd)?;
        directory.listing = list(directory, room)?;
    }
    let directory = ctx.table.directory(fd)?;
    let out = memory.bytes_mut(buf, buf_len)?;
    let mut filled = 0;
    let mut put = |bytes: &[u8]| {
        let count = bytes.len().min(out.len() - filled);
        out[filled..filled + count].copy_from_slice(&bytes[..count]);
        filled += count;
        count == bytes.len()
    };
    let start = usize::try_from(cookie)
        .unwrap_or(usize::MAX)
        .min(directory.listing.len());
    for (index, listed) in directory.listing.iter().enumerate().skip(start) {
        let mut dirent = [0; DIRENT_SIZE];
        dirent[0..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
        dirent[8..16].copy_from_slice(&listed.inode.to_le_bytes());
        dirent[16..20].copy_from_slice(&(listed.name.len() as u32).to_le_bytes());
        dirent[20] = listed.filetype as u8;
        if !put(&dirent) || !put(&listed.name) {
            break;
        }
    }
    Ok(memory.write_u32(used, filled as u32)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use cap_std::fs::Dir;

    #[test]
    fn a_listing_has_a_limit() {
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("a"), "").unwrap();
        let directory = Directory {
            dir: Dir::open_ambient_dir(host.path(), ambient_authority()).unwrap(),
            preopen: None,
            listing: Vec::new(),
        };
        let room = size_of::<Listed>() + 1;
        assert_eq!(list(&directory, room).map(|list| list.len()), Ok(3));
        assert_eq!(list(&directory, room - 1).err(), Some(Errno::Nomem));
    }
}
