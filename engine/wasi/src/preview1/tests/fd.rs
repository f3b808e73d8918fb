//! Descriptors: read, write, seek, close, attributes, rights.

use super::*;
use crate::types::{Rights, fdflags, oflags};

#[test]
fn standard_streams() {
    let mut guest = Guest::new(|_| ());
    assert_eq!(guest.read(0, 4), Ok(b"some".to_vec()));
    assert_eq!(guest.read(0, 100), Ok(b" input".to_vec()));
    assert_eq!(guest.read(0, 100), Ok(Vec::new()));
    assert_eq!(guest.write(1, b"hello"), Ok(5));
    assert_eq!(guest.stdout.bytes(), b"hello");
    assert_eq!(guest.write(2, b"dropped"), Ok(7));
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(1, 1), Err(Errno::Badf));
    assert_eq!(guest.write(3, b"x"), Err(Errno::Badf));
    assert_eq!(guest.write(1, &[1; 2000]), Ok(995));
    assert_eq!(guest.write(1, b"x"), Err(Errno::Nospc));
}

#[test]
fn scattered_buffers() {
    let mut guest = Guest::with_directory();
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.put(BUFFER, b"abcdef");
    guest.iovecs(&[(BUFFER + 3, 3), (BUFFER, 0), (BUFFER, 4)]);
    guest.ok("fd_write", &[fd.into(), IOVEC.into(), 3, OUT.into()]);
    assert_eq!(guest.u32(OUT), 7);
    assert_eq!(std::fs::read(guest.host("f")).unwrap(), b"defabcd");
    guest.ok("fd_seek", &[fd.into(), 0, 0, OUT.into()]);
    guest.iovecs(&[(BUFFER, 2), (BUFFER + 10, 20)]);
    guest.ok("fd_read", &[fd.into(), IOVEC.into(), 2, OUT.into()]);
    assert_eq!(guest.u32(OUT), 7);
    assert_eq!(
        (guest.get(BUFFER, 2), guest.get(BUFFER + 10, 5)),
        (&b"de"[..], &b"fabcd"[..])
    );
}

/// Results go where inputs were: hand-written programs count what they wrote over the list of buffers.
#[test]
fn results_may_lie_over_inputs() {
    let mut guest = Guest::with_directory();
    guest.put(BUFFER, b"hello");
    guest.iovecs(&[(BUFFER, 5)]);
    guest.ok("fd_write", &[1, IOVEC.into(), 1, IOVEC.into()]);
    assert_eq!(guest.stdout.bytes(), b"hello");
    assert_eq!(guest.u32(IOVEC), 5);
    guest.iovecs(&[(BUFFER, 4)]);
    guest.ok("fd_read", &[0, IOVEC.into(), 1, (IOVEC + 4).into()]);
    assert_eq!(guest.get(BUFFER, 4), b"some");
    guest.put(STRING, b"file");
    let (at, creat) = (STRING.into(), oflags::CREAT.into());
    guest.ok("path_open", &[3, 1, at, 4, creat, ALL, ALL, 0, at]);
    assert_eq!(guest.u32(STRING), 4);
    assert!(guest.host("file").exists());
}

/// What a preopened directory has the rights for works.
#[test]
fn preopened_directories_are_open() {
    let mut guest = Guest::with_directory();
    guest.ok("fd_sync", &[3]);
    guest.ok("fd_datasync", &[3]);
    guest.ok("fd_fdstat_set_flags", &[3, 0]);
    guest.ok(
        "fd_filestat_set_times",
        &[3, 7_000_000_000, 8_000_000_000, 1 | 4],
    );
    guest.ok("fd_filestat_get", &[3, OUT.into()]);
    assert_eq!(guest.u64(OUT + 48), 8_000_000_000);
}

#[test]
fn buffers_outside_of_memory_are_fault_and_nothing_happens() {
    let mut guest = Guest::with_directory();
    let fd = u64::from(guest.open("f", oflags::CREAT, 0).unwrap());
    guest.iovecs(&[(BUFFER, 4), (65530, 7)]);
    for name in ["fd_write", "fd_read"] {
        assert_eq!(
            guest.call(name, &[fd, IOVEC.into(), 2, OUT.into()]),
            Errno::Fault
        );
        assert_eq!(guest.call(name, &[fd, 65535, 1, OUT.into()]), Errno::Fault);
        assert_eq!(
            guest.call(name, &[fd, IOVEC.into(), 1, 65534]),
            Errno::Fault
        );
    }
    guest.iovecs(&[(BUFFER, 4), (u32::MAX, u32::MAX)]);
    assert_eq!(
        guest.call("fd_pwrite", &[fd, IOVEC.into(), 2, 0, OUT.into()]),
        Errno::Fault
    );
    assert_eq!(std::fs::read(guest.host("f")).unwrap(), b"");
}

#[test]
fn too_much_at_once_is_inval() {
    let mut guest = Guest::new(|_| ());
    let list = vec![(0, 65536); 100];
    guest.iovecs(&list);
    assert_eq!(
        guest.call("fd_write", &[2, IOVEC.into(), 100, OUT.into()]),
        Errno::Success
    );
    guest.memory.resize(1 << 20, 0);
    // 8192 buffers of 1 MiB are 8 GiB, more than a `size` counts.
    for index in 0..8192 {
        guest.put(65536 + index * 8, &0u32.to_le_bytes());
        guest.put(65536 + index * 8 + 4, &(1u32 << 20).to_le_bytes());
    }
    assert_eq!(
        guest.call("fd_write", &[2, 65536, 8192, OUT.into()]),
        Errno::Inval
    );
}

#[test]
fn seek_and_tell() {
    let mut guest = Guest::with_directory();
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.write(fd, b"0123456789").unwrap();
    let mut seek = |offset: i64, whence: u64| match guest
        .call("fd_seek", &[fd.into(), offset as u64, whence, OUT.into()])
    {
        Errno::Success => Ok(guest.u64(OUT)),
        errno => Err(errno),
    };
    assert_eq!(seek(0, 1), Ok(10));
    assert_eq!(seek(3, 0), Ok(3));
    assert_eq!(seek(-2, 2), Ok(8));
    assert_eq!(seek(-3, 1), Ok(5));
    assert_eq!(seek(-6, 1), Err(Errno::Inval));
    assert_eq!(seek(-1, 0), Err(Errno::Inval));
    assert_eq!(seek(0, 3), Err(Errno::Inval));
    guest.ok("fd_tell", &[fd.into(), OUT.into()]);
    assert_eq!(guest.u64(OUT), 5);
    assert_eq!(guest.read(fd, 2), Ok(b"56".to_vec()));
    assert_eq!(guest.call("fd_seek", &[1, 0, 0, OUT.into()]), Errno::Spipe);
    assert_eq!(guest.call("fd_tell", &[0, OUT.into()]), Errno::Spipe);
    assert_eq!(guest.call("fd_tell", &[3, OUT.into()]), Errno::Badf);
}

#[test]
fn access_at_a_position() {
    let mut guest = Guest::with_directory();
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.write(fd, b"0123456789").unwrap();
    guest.put(BUFFER, b"ab");
    guest.iovecs(&[(BUFFER, 2)]);
    guest.ok("fd_pwrite", &[fd.into(), IOVEC.into(), 1, 4, OUT.into()]);
    guest.iovecs(&[(BUFFER, 5)]);
    guest.ok("fd_pread", &[fd.into(), IOVEC.into(), 1, 3, OUT.into()]);
    assert_eq!(guest.get(BUFFER, guest.u32(OUT)), b"3ab67");
    guest.ok("fd_pread", &[fd.into(), IOVEC.into(), 1, 100, OUT.into()]);
    assert_eq!(guest.u32(OUT), 0);
    let huge = u64::MAX;
    assert_eq!(
        guest.call("fd_pread", &[fd.into(), IOVEC.into(), 1, huge, OUT.into()]),
        Errno::Inval
    );
    assert_eq!(
        guest.call("fd_pread", &[0, IOVEC.into(), 1, 0, OUT.into()]),
        Errno::Spipe
    );
    assert_eq!(
        guest.call("fd_pwrite", &[1, IOVEC.into(), 1, 0, OUT.into()]),
        Errno::Spipe
    );
    assert_eq!(
        guest.call("fd_pread", &[3, IOVEC.into(), 1, 0, OUT.into()]),
        Errno::Isdir
    );
}

#[test]
fn close_and_renumber() {
    let mut guest = Guest::with_directory();
    let a = guest.open("a", oflags::CREAT, 0).unwrap();
    let b = guest.open("b", oflags::CREAT, 0).unwrap();
    assert_eq!((a, b), (4, 5));
    guest.ok("fd_renumber", &[b.into(), a.into()]);
    guest.write(a, b"to b").unwrap();
    assert_eq!(std::fs::read(guest.host("b")).unwrap(), b"to b");
    assert_eq!(guest.call("fd_close", &[b.into()]), Errno::Badf);
    guest.ok("fd_close", &[a.into()]);
    assert_eq!(guest.write(a, b"x"), Err(Errno::Badf));
    guest.ok("fd_close", &[1]);
    assert_eq!(guest.open("c", oflags::CREAT, 0), Ok(1));
    assert_eq!(guest.call("fd_renumber", &[1, 77]), Errno::Badf);
}

#[test]
fn preopened_directories_are_listed() {
    let mut guest = Guest::with_directory();
    guest.ok("fd_prestat_get", &[3, OUT.into()]);
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 5));
    guest.ok("fd_prestat_dir_name", &[3, BUFFER.into(), 5]);
    assert_eq!(guest.get(BUFFER, 6), b"/work\0");
    assert_eq!(
        guest.call("fd_prestat_dir_name", &[3, BUFFER.into(), 4]),
        Errno::Nametoolong
    );
    assert_eq!(guest.call("fd_prestat_get", &[4, OUT.into()]), Errno::Badf);
    assert_eq!(guest.call("fd_prestat_get", &[0, OUT.into()]), Errno::Badf);
    let below = guest.open(".", oflags::DIRECTORY, 0).unwrap();
    assert_eq!(
        guest.call("fd_prestat_get", &[below.into(), OUT.into()]),
        Errno::Badf
    );
}

#[test]
fn attributes_of_descriptors() {
    let mut guest = Guest::with_directory();
    let fd = guest
        .open("f", oflags::CREAT, fdflags::APPEND | fdflags::NONBLOCK)
        .unwrap();
    guest.ok("fd_fdstat_get", &[fd.into(), OUT.into()]);
    assert_eq!(guest.get(OUT, 2), [4, 0]);
    assert_eq!(guest.u16(OUT + 2), fdflags::APPEND | fdflags::NONBLOCK);
    assert_eq!(guest.u64(OUT + 8), Rights::FILE.0);
    guest.ok("fd_fdstat_get", &[3, OUT.into()]);
    assert_eq!(guest.get(OUT, 1), [3]);
    assert_eq!(guest.u64(OUT + 8), Rights::DIRECTORY.0);
    assert_eq!(guest.u64(OUT + 16), Rights::INHERITED.0);
    guest.ok("fd_fdstat_get", &[1, OUT.into()]);
    assert!(!Rights(guest.u64(OUT + 8)).intersects(Rights::FD_SEEK.or(Rights::FD_TELL)));
    assert_eq!(guest.call("fd_fdstat_get", &[9, OUT.into()]), Errno::Badf);
}

#[test]
fn appending_can_be_switched() {
    let mut guest = Guest::with_directory();
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.write(fd, b"0123").unwrap();
    guest.ok("fd_fdstat_set_flags", &[fd.into(), fdflags::APPEND.into()]);
    guest.ok("fd_seek", &[fd.into(), 0, 0, OUT.into()]);
    guest.write(fd, b"4").unwrap();
    guest.ok("fd_fdstat_set_flags", &[fd.into(), 0]);
    guest.ok("fd_seek", &[fd.into(), 0, 0, OUT.into()]);
    guest.write(fd, b"a").unwrap();
    assert_eq!(std::fs::read(guest.host("f")).unwrap(), b"a1234");
    let set =
        |guest: &mut Guest, flags: u64| guest.call("fd_fdstat_set_flags", &[fd.into(), flags]);
    assert_eq!(set(&mut guest, fdflags::SYNC.into()), Errno::Notsup);
    assert_eq!(set(&mut guest, 0x20), Errno::Inval);
    assert_eq!(set(&mut guest, 0x1_0000), Errno::Inval);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[1, 0]), Errno::Notsup);
}

#[test]
fn sizes_and_times() {
    let mut guest = Guest::with_directory();
    let fd = u64::from(guest.open("f", oflags::CREAT, 0).unwrap());
    guest.write(fd as u32, b"0123").unwrap();
    guest.ok("fd_filestat_set_size", &[fd, 2]);
    guest.ok(
        "fd_filestat_set_times",
        &[fd, 1_500_000_001, 2_000_000_000, 1 | 4],
    );
    guest.ok("fd_filestat_get", &[fd, OUT.into()]);
    assert_eq!(guest.get(OUT + 16, 1), [4]);
    assert_eq!((guest.u64(OUT + 24), guest.u64(OUT + 32)), (1, 2));
    assert_eq!(
        (guest.u64(OUT + 40), guest.u64(OUT + 48)),
        (1_500_000_001, 2_000_000_000)
    );
    guest.ok("fd_filestat_set_times", &[fd, 0, 0, 8]);
    guest.ok("fd_filestat_get", &[fd, OUT.into()]);
    assert_eq!(guest.u64(OUT + 40), 1_500_000_001);
    assert!(guest.u64(OUT + 48) > 1_700_000_000_000_000_000);
    assert_eq!(
        guest.call("fd_filestat_set_times", &[fd, 0, 0, 3]),
        Errno::Inval
    );
    assert_eq!(
        guest.call("fd_filestat_set_times", &[fd, 0, 0, 16]),
        Errno::Inval
    );
    guest.ok("fd_allocate", &[fd, 0, 100]);
    assert_eq!(std::fs::metadata(guest.host("f")).unwrap().len(), 100);
    assert_eq!(guest.call("fd_allocate", &[fd, 0, 0]), Errno::Inval);
    assert_eq!(
        guest.call("fd_filestat_set_size", &[fd, u64::MAX]),
        Errno::Fbig
    );
    assert_eq!(guest.call("fd_filestat_set_size", &[3, 1]), Errno::Inval);
    assert_eq!(guest.call("fd_allocate", &[3, 0, 1]), Errno::Badf);
    guest.ok("fd_filestat_get", &[1, OUT.into()]);
    assert_eq!(guest.get(OUT, 64), [0; 64]);
}

#[test]
fn advice_and_synchronisation() {
    let mut guest = Guest::with_directory();
    let fd = u64::from(guest.open("f", oflags::CREAT, 0).unwrap());
    for advice in 0..6 {
        guest.ok("fd_advise", &[fd, 0, 0, advice]);
    }
    assert_eq!(guest.call("fd_advise", &[fd, 0, 0, 6]), Errno::Inval);
    assert_eq!(guest.call("fd_advise", &[fd, u64::MAX, 0, 0]), Errno::Inval);
    guest.ok("fd_sync", &[fd]);
    guest.ok("fd_datasync", &[fd]);
    assert_eq!(guest.call("fd_sync", &[77]), Errno::Badf);
}

/// A C library takes a character device that cannot seek for a terminal.
#[test]
fn devices_are_no_terminals() {
    let null = || std::fs::File::open("/dev/null").unwrap();
    let mut guest = Guest::new(|builder| _ = builder.stdin(Input::File(null().into())));
    guest.ok("fd_fdstat_get", &[0, OUT.into()]);
    assert_eq!(guest.get(OUT, 1), [2]);
    let seeking = Rights::FD_SEEK.or(Rights::FD_TELL);
    assert!(Rights(guest.u64(OUT + 8)).contains(seeking));
    guest.ok("fd_seek", &[0, 0, 1, OUT.into()]);
    assert_eq!(guest.read(0, 5), Ok(Vec::new()));
}

/// The flags of an inherited stream are not the program's alone.
#[test]
fn flags_of_inherited_streams_stay() {
    let mut guest = Guest::new(|builder| _ = builder.inherit_stdio());
    guest.ok("fd_fdstat_get", &[2, OUT.into()]);
    let flags = guest.u16(OUT + 2);
    guest.ok("fd_fdstat_set_flags", &[2, flags.into()]);
    let other = u64::from(flags ^ fdflags::NONBLOCK);
    assert_eq!(
        guest.call("fd_fdstat_set_flags", &[2, other]),
        Errno::Notsup
    );
}
