//! `fd_readdir` through buffers of every size.

use super::*;
use std::fs;

/// The entries of descriptor `fd`, asked for with a buffer of `size` bytes as a C library does: the
/// last entry is dropped when it is cut, and asked for again.
fn names(guest: &mut Guest, fd: u32, size: u32) -> Vec<(String, u8)> {
    let (mut found, mut cookie) = (Vec::new(), 0);
    loop {
        guest.ok(
            "fd_readdir",
            &[fd.into(), BUFFER.into(), size.into(), cookie, OUT.into()],
        );
        let used = guest.u32(OUT);
        let mut at = 0;
        while at + 24 <= used {
            let next = guest.u64(BUFFER + at);
            let length = guest.u32(BUFFER + at + 16);
            let kind = guest.get(BUFFER + at + 20, 1)[0];
            if at + 24 + length > used {
                break;
            }
            let name = guest.get(BUFFER + at + 24, length).to_vec();
            found.push((String::from_utf8(name).unwrap(), kind));
            cookie = next;
            at += 24 + length;
        }
        if used < size {
            return found;
        }
        assert!(at > 0, "the buffer holds no entry");
    }
}

#[test]
fn every_entry_once_whatever_the_buffer() {
    let mut guest = Guest::with_directory();
    fs::create_dir(guest.host("dir")).unwrap();
    fs::write(guest.host("file"), "").unwrap();
    std::os::unix::fs::symlink("file", guest.host("link")).unwrap();
    let expected = [(".", 3), ("..", 3), ("dir", 3), ("file", 4), ("link", 7)];
    let expected: Vec<_> = expected.map(|(name, kind)| (name.to_string(), kind)).into();
    for size in [28, 29, 50, 56, 100, 4096] {
        assert_eq!(names(&mut guest, 3, size), expected, "buffer of {size}");
    }
}

#[test]
fn a_listing_stands_until_it_is_asked_for_anew() {
    let mut guest = Guest::with_directory();
    fs::write(guest.host("b"), "").unwrap();
    guest.ok("fd_readdir", &[3, BUFFER.into(), 26, 0, OUT.into()]);
    fs::write(guest.host("a"), "").unwrap();
    guest.ok("fd_readdir", &[3, BUFFER.into(), 1000, 2, OUT.into()]);
    assert_eq!(guest.u32(OUT), 25);
    assert_eq!(names(&mut guest, 3, 1000).len(), 4);
}

#[test]
fn wrong_calls() {
    let mut guest = Guest::with_directory();
    let call = |guest: &mut Guest, fd: u64, buf: u64, cookie: u64| {
        guest.call("fd_readdir", &[fd, buf, 100, cookie, OUT.into()])
    };
    assert_eq!(call(&mut guest, 1, BUFFER.into(), 0), Errno::Notdir);
    assert_eq!(call(&mut guest, 9, BUFFER.into(), 0), Errno::Badf);
    assert_eq!(call(&mut guest, 3, 65500, 0), Errno::Fault);
    assert_eq!(call(&mut guest, 3, BUFFER.into(), u64::MAX), Errno::Success);
    assert_eq!(guest.u32(OUT), 0);
}
