//! Rights: two of them choose how a file is opened, and none restricts anything.

use super::*;
use crate::types::{Rights, fdflags, oflags};
use std::fs;

const READ: u64 = Rights::FD_READ.0;
const WRITE: u64 = Rights::FD_WRITE.0;

/// The rights that programs ask for when they open a directory: none, those of a directory (Zig), the same as
/// inheriting rights, all but writing (Go, C), and bits that do not exist.
const OF_DIRECTORIES: [(u64, u64); 6] = [
    (0, 0),
    (Rights::DIRECTORY.0, 0),
    (Rights::DIRECTORY.0, Rights::DIRECTORY.0),
    (READ, 0),
    (ALL & !WRITE, ALL & !WRITE),
    (!WRITE, u64::MAX),
];

impl Guest {
    /// Opens a directory below `fd` by `path_open`.
    fn directory(&mut self, fd: u32, path: &str, base: u64, inheriting: u64) -> u32 {
        self.put(STRING, path.as_bytes());
        let (directory, length) = (oflags::DIRECTORY.into(), path.len() as u64);
        let params = [
            fd.into(),
            1,
            STRING.into(),
            length,
            directory,
            base,
            inheriting,
            0,
            OUT.into(),
        ];
        self.ok("path_open", &params);
        self.u32(OUT)
    }

    /// The base and inheriting rights that `fd_fdstat_get` reports.
    fn rights(&mut self, fd: u32) -> (Rights, Rights) {
        self.ok("fd_fdstat_get", &[fd.into(), OUT.into()]);
        (Rights(self.u64(OUT + 8)), Rights(self.u64(OUT + 16)))
    }
}

/// Every call below a directory works, however the directory was opened and however deep.
#[test]
fn directories_restrict_nothing() {
    for (base, inheriting) in OF_DIRECTORIES {
        let mut guest = Guest::with_directory();
        fs::create_dir_all(guest.host("a/b")).unwrap();
        let a = guest.directory(3, "a", base, inheriting);
        let d = guest.directory(a, "b", base, inheriting);
        let at = |name: &str| format!("a/b/{name}");
        assert_eq!(guest.rights(d), (Rights::DIRECTORY, Rights::INHERITED));

        let fd = guest.open_with(d, 1, "f", oflags::CREAT, READ | WRITE, 0);
        let fd = fd.unwrap();
        assert_eq!(guest.write(fd, b"text"), Ok(4));
        guest.ok("fd_seek", &[fd.into(), 0, 0, OUT.into()]);
        assert_eq!(guest.read(fd, 4), Ok(b"text".to_vec()));
        let fd = guest.open_with(d, 1, "f", oflags::TRUNC, WRITE, 0).unwrap();
        assert_eq!(guest.write(fd, b"new"), Ok(3));
        let fd = guest.open_with(d, 1, "f", 0, 0, 0).unwrap();
        assert_eq!(guest.read(fd, 4), Ok(b"new".to_vec()));

        assert_eq!(guest.path("path_create_directory", d, "d"), Errno::Success);
        assert_eq!(guest.path("path_remove_directory", d, "d"), Errno::Success);
        let (d64, f, g) = (u64::from(d), u64::from(STRING), u64::from(STRING2));
        guest.put(STRING, b"f");
        guest.put(STRING2, b"g");
        guest.ok("path_filestat_get", &[d64, 1, f, 1, OUT.into()]);
        guest.ok("path_filestat_set_times", &[d64, 1, f, 1, 1, 1, 5]);
        guest.ok("path_link", &[d64, 0, f, 1, d64, g, 1]);
        guest.ok("path_rename", &[d64, g, 1, a.into(), g, 1]);
        guest.ok("path_symlink", &[f, 1, d64, g, 1]);
        guest.ok("path_readlink", &[d64, g, 1, BUFFER.into(), 9, OUT.into()]);
        guest.ok("fd_readdir", &[d64, BUFFER.into(), 200, 0, OUT.into()]);
        // The names `.`, `..`, `f` and `g`, each after its 24 bytes.
        assert_eq!(guest.u32(OUT), 4 * 24 + 5);
        for name in ["fd_sync", "fd_datasync"] {
            guest.ok(name, &[d64]);
        }
        guest.ok("fd_filestat_get", &[d64, OUT.into()]);
        guest.ok("fd_filestat_set_times", &[d64, 1, 1, 5]);
        guest.ok("fd_advise", &[d64, 0, 0, 0]);
        guest.ok("fd_fdstat_set_flags", &[d64, 0]);
        assert_eq!(guest.path("path_unlink_file", d, "f"), Errno::Success);
        assert_eq!(guest.path("path_unlink_file", a, "g"), Errno::Success);
        assert!(!guest.host(&at("f")).exists() && !guest.host("a/g").exists());
    }
}

/// The host cannot open a directory for writing, also not by other names for the directory.
#[test]
fn directories_are_not_written() {
    let mut guest = Guest::with_directory();
    for flags in [0, oflags::DIRECTORY, oflags::CREAT, oflags::TRUNC] {
        let opened = guest.open_with(3, 1, ".", flags, READ | WRITE, 0);
        assert_eq!(opened, Err(Errno::Isdir), "{flags}");
    }
    let created = guest.open_with(3, 1, ".", oflags::CREAT, READ, 0);
    assert_eq!(created, Err(Errno::Isdir));
}

/// The bits to read and to write are the host's O_RDONLY, O_WRONLY and O_RDWR; with neither, a file is read.
#[test]
fn two_bits_choose_how_a_file_is_opened() {
    let writing = Rights::WRITE_FILE;
    let others = ALL & !(READ | WRITE);
    for more in [0, others, !(READ | WRITE)] {
        let mut guest = Guest::with_directory();
        fs::write(guest.host("f"), "text").unwrap();
        let mut open = |base: u64| {
            let fd = guest.open_with(3, 1, "f", 0, base | more, 0).unwrap();
            let (base, inheriting) = guest.rights(fd);
            assert_eq!(inheriting, Rights(0));
            (fd, base)
        };
        let (reader, base) = open(READ);
        assert_eq!(base, Rights::FILE.without(writing));
        let (neither, base) = open(0);
        assert_eq!(base, Rights::FILE.without(writing));
        let (writer, base) = open(WRITE);
        assert_eq!(base, Rights::FILE.without(Rights::FD_READ));
        let (both, base) = open(READ | WRITE);
        assert_eq!(base, Rights::FILE);

        for fd in [reader, neither] {
            assert_eq!(guest.read(fd, 4), Ok(b"text".to_vec()));
            assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
            let fd = u64::from(fd);
            let size = guest.call("fd_filestat_set_size", &[fd, 2]);
            assert_eq!(size, Errno::Inval);
            assert_eq!(guest.call("fd_allocate", &[fd, 0, 9]), Errno::Badf);
        }
        assert_eq!(guest.read(writer, 4), Err(Errno::Badf));
        assert_eq!(guest.write(writer, b"T"), Ok(1));
        assert_eq!(guest.read(both, 4), Ok(b"Text".to_vec()));
        assert_eq!(guest.write(both, b"!"), Ok(1));
        guest.iovecs(&[(BUFFER, 1)]);
        let at = |fd: u32| [fd.into(), IOVEC.into(), 1, 0, OUT.into()];
        assert_eq!(guest.call("fd_pread", &at(writer)), Errno::Badf);
        assert_eq!(guest.call("fd_pwrite", &at(reader)), Errno::Badf);
        guest.ok("fd_pread", &at(reader));
        guest.ok("fd_pwrite", &at(writer));
        // Calls that need neither work with any of them.
        for fd in [reader, writer, both] {
            let fd = u64::from(fd);
            guest.ok("fd_seek", &[fd, 1, 0, OUT.into()]);
            guest.ok("fd_tell", &[fd, OUT.into()]);
            guest.ok("fd_advise", &[fd, 0, 0, 0]);
            guest.ok("fd_sync", &[fd]);
            guest.ok("fd_datasync", &[fd]);
            guest.ok("fd_filestat_get", &[fd, OUT.into()]);
            guest.ok("fd_filestat_set_times", &[fd, 1, 1, 5]);
            guest.ok("fd_fdstat_set_flags", &[fd, fdflags::APPEND.into()]);
        }
    }
}

/// A file that is created, emptied or may not be written is open for what was asked, although the host had to open
/// it in another way.
#[test]
fn creating_is_not_writing() {
    let mut guest = Guest::with_directory();
    for flags in [oflags::CREAT, oflags::CREAT | oflags::EXCL] {
        _ = fs::remove_file(guest.host("f"));
        let fd = guest.open_with(3, 1, "f", flags, READ, 0).unwrap();
        assert!(guest.host("f").exists());
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
        let size = guest.call("fd_filestat_set_size", &[fd.into(), 1]);
        assert_eq!(size, Errno::Inval);
        assert_eq!(guest.call("fd_allocate", &[fd.into(), 0, 1]), Errno::Badf);
        assert_eq!(guest.read(fd, 1), Ok(Vec::new()));
    }
    fs::write(guest.host("f"), "text").unwrap();
    let fd = guest.open_with(3, 1, "f", oflags::TRUNC, READ, 0).unwrap();
    assert_eq!(fs::read(guest.host("f")).unwrap(), b"");
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
}

/// A file that can only be read is opened for reading, whatever is asked for except writing: Go asks for all rights
/// of files except that, and C's `O_CREAT` is used with files that may exist. A running program cannot be written,
/// not even by root.
#[test]
fn rights_that_are_not_to_be_had_do_without() {
    let mut guest = Guest::with_directory();
    let program = guest.host("program");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut running = std::process::Command::new(&program)
        .arg("60")
        .spawn()
        .unwrap();
    let read = ALL & !WRITE;
    let mut open = |oflags, rights| guest.open_with(3, 1, "program", oflags, rights, 0);
    let fd = open(0, read).unwrap();
    assert!(open(oflags::CREAT, read).is_ok());
    assert_eq!(open(0, WRITE), Err(Errno::Txtbsy));
    assert_eq!(open(oflags::TRUNC, read), Err(Errno::Txtbsy));
    assert_eq!(open(oflags::CREAT | oflags::EXCL, read), Err(Errno::Exist));
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(guest.read(fd, 4), Ok(b"\x7fELF".to_vec()));
}

/// A program that gives up rights would keep them, and gets an error that says so.
#[test]
fn rights_are_not_given_up() {
    let mut guest = Guest::with_directory();
    let file = guest.open("f", oflags::CREAT, 0).unwrap();
    for fd in [0, 1, 3, file.into()] {
        for rights in [0, READ, ALL, u64::MAX] {
            let set = guest.call("fd_fdstat_set_rights", &[fd, rights, rights]);
            assert_eq!(set, Errno::Notsup);
        }
    }
    let closed = guest.call("fd_fdstat_set_rights", &[77, 0, 0]);
    assert_eq!(closed, Errno::Badf);
    assert_eq!(guest.write(file, b"x"), Ok(1));
}

/// The program may read and write the streams of this process, but not change the files behind them.
#[test]
fn streams_of_this_process_are_not_changed() {
    let mut guest = Guest::new(|builder| _ = builder.inherit_stdio());
    for fd in [0, 1, 2] {
        let change: [(&str, &[u64]); 3] = [
            ("fd_filestat_set_size", &[fd, 0]),
            ("fd_filestat_set_times", &[fd, 1, 1, 5]),
            ("fd_allocate", &[fd, 0, 1]),
        ];
        for (name, params) in change {
            assert_eq!(guest.call(name, params), Errno::Perm, "{name} {fd}");
        }
        let (base, _) = guest.rights(fd as u32);
        assert!(!base.intersects(Rights::CHANGE_FILE));
        let expected = if fd == 0 {
            Rights::FD_READ
        } else {
            Rights::FD_WRITE
        };
        let both = Rights::FD_READ.or(Rights::FD_WRITE);
        assert_eq!(base.and(both), expected);
    }
}

/// A file that is given as a standard stream is open for the direction of that stream only.
#[test]
fn streams_are_open_one_way() {
    let host = tempfile::tempdir().unwrap();
    let path = host.path().join("f");
    fs::write(&path, "text").unwrap();
    let file = || {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).open(&path).unwrap()
    };
    let mut guest = Guest::new(|builder| {
        builder.stdin(Input::File(file().into()));
        builder.stdout(Output::File(file().into()));
    });
    let (input, output) = (guest.rights(0).0, guest.rights(1).0);
    assert_eq!(input, Rights::FILE.without(Rights::WRITE_FILE));
    assert_eq!(output, Rights::FILE.without(Rights::FD_READ));
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(1, 1), Err(Errno::Badf));
    assert_eq!(guest.read(0, 4), Ok(b"text".to_vec()));
    guest.ok("fd_filestat_set_size", &[1, 0]);
}

#[test]
fn sockets_report_what_they_can_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut guest = Guest::new(|builder| _ = builder.preopened_socket(listener));
    assert_eq!(guest.rights(3), (Rights::LISTENER, Rights::SOCKET));
    assert_eq!(guest.write(3, b"x"), Err(Errno::Badf));
    let peer = std::net::TcpStream::connect(address).unwrap();
    guest.ok("sock_accept", &[3, 0, OUT.into()]);
    let fd = guest.u32(OUT);
    assert_eq!(guest.rights(fd), (Rights::SOCKET, Rights(0)));
    drop(peer);
}

/// Beyond the limit on descriptors nothing is opened, created, emptied or accepted.
#[test]
fn descriptors_have_a_quota() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("f"), "text").unwrap();
    let mut guest = Guest::new(|builder| {
        builder.preopened_dir(&host, "/").unwrap();
        builder.preopened_socket(listener);
        builder.max_descriptors(7);
    });
    let first = guest.open("f", 0, 0);
    assert_eq!((first, guest.open("f", 0, 0)), (Ok(5), Ok(6)));
    let made = oflags::CREAT;
    assert_eq!(guest.open("f", oflags::TRUNC, 0), Err(Errno::Mfile));
    assert_eq!(guest.open("new", made, 0), Err(Errno::Mfile));
    let directory = guest.open(".", oflags::DIRECTORY, 0);
    assert_eq!(directory, Err(Errno::Mfile));
    assert_eq!(fs::read(host.path().join("f")).unwrap(), b"text");
    assert!(!host.path().join("new").exists());
    let mut peer = std::net::TcpStream::connect(address).unwrap();
    let accept = [4, u64::from(fdflags::NONBLOCK), OUT.into()];
    assert_eq!(guest.call("sock_accept", &accept), Errno::Mfile);
    // The connection waits, and is accepted when there is room.
    guest.ok("fd_close", &[5]);
    guest.ok("sock_accept", &accept);
    assert_eq!(guest.u32(OUT), 5);
    std::io::Write::write_all(&mut peer, b"hello").unwrap();
    guest.ok("fd_renumber", &[5, 6]);
    assert_eq!(guest.open("new", made, 0), Ok(5));
    assert_eq!(guest.open("f", 0, 0), Err(Errno::Mfile));
}

#[test]
fn the_quota_is_1024_at_first() {
    let mut guest = Guest::with_directory();
    fs::write(guest.host("f"), "").unwrap();
    let opened = (0..2000).map_while(|_| guest.open("f", 0, 0).ok()).last();
    // The limit of this process may be lower.
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if own.is_none_or(|own| own > 4096) {
        assert_eq!(opened, Some(1023));
    }
    assert_eq!(guest.open("f", 0, 0), Err(Errno::Mfile));
}
