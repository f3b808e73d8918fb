//! Paths: opening, directories, links, times, and every way out of the sandbox.

use super::*;
use crate::types::{Rights, fdflags, oflags};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn open_creates_truncates_and_excludes() {
    let mut guest = Guest::with_directory();
    assert_eq!(guest.open("f", 0, 0), Err(Errno::Noent));
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.write(fd, b"text").unwrap();
    assert_eq!(
        guest.open("f", oflags::CREAT | oflags::EXCL, 0),
        Err(Errno::Exist)
    );
    let again = guest.open("f", 0, 0).unwrap();
    assert_eq!(guest.read(again, 10), Ok(b"text".to_vec()));
    guest.open("f", oflags::TRUNC, fdflags::APPEND).unwrap();
    assert_eq!(fs::read(guest.host("f")).unwrap(), b"");
    assert_eq!(guest.open("f", oflags::DIRECTORY, 0), Err(Errno::Notdir));
    assert_eq!(
        guest.open("f", oflags::DIRECTORY | oflags::CREAT, 0),
        Err(Errno::Inval)
    );
    let written = |guest: &mut Guest, path| guest.open_with(3, 1, path, oflags::DIRECTORY, ALL, 0);
    assert_eq!(written(&mut guest, "f"), Err(Errno::Notdir));
    assert_eq!(written(&mut guest, "."), Err(Errno::Isdir));
    assert_eq!(guest.open("f/", 0, 0), Err(Errno::Notdir));
    assert_eq!(guest.open("", 0, 0), Err(Errno::Noent));
    assert_eq!(guest.open("a\0b", 0, 0), Err(Errno::Inval));
    assert_eq!(guest.open("f", 16, 0), Err(Errno::Inval));
    assert_eq!(guest.open("f", 0, 32), Err(Errno::Inval));
    assert_eq!(guest.open_with(3, 2, "f", 0, ALL, 0), Err(Errno::Inval));
    assert_eq!(guest.open_with(4, 1, "f", 0, ALL, 0), Err(Errno::Notdir));
    assert_eq!(guest.open_with(99, 1, "f", 0, ALL, 0), Err(Errno::Badf));
    assert!(guest.open_with(3, 1, "f", 0, u64::MAX, 0).is_ok());
}

#[test]
fn directories() {
    let mut guest = Guest::with_directory();
    assert_eq!(guest.path("path_create_directory", 3, "d"), Errno::Success);
    assert_eq!(guest.path("path_create_directory", 3, "d"), Errno::Exist);
    assert_eq!(guest.path("path_create_directory", 3, "no/d"), Errno::Noent);
    assert_eq!(
        guest.open_with(3, 1, "d", 0, Rights::FD_WRITE.0, 0),
        Err(Errno::Isdir)
    );
    let reading = ALL & !Rights::FD_WRITE.0;
    let d = guest.open_with(3, 1, "d", 0, reading, 0).unwrap();
    let d2 = guest.open("d", oflags::DIRECTORY, 0).unwrap();
    assert_eq!(guest.read(d2, 1), Err(Errno::Isdir));
    assert_eq!(guest.write(d2, b"x"), Err(Errno::Isdir));
    guest
        .open_with(d, 1, "f", oflags::CREAT, reading, 0)
        .unwrap();
    assert_eq!(guest.path("path_remove_directory", 3, "d"), Errno::Notempty);
    assert_eq!(guest.path("path_unlink_file", 3, "d"), Errno::Isdir);
    assert_eq!(guest.path("path_remove_directory", d, "f"), Errno::Notdir);
    assert_eq!(guest.path("path_unlink_file", d, "f"), Errno::Success);
    assert_eq!(guest.path("path_unlink_file", d, "f"), Errno::Noent);
    assert_eq!(guest.path("path_remove_directory", 3, "d"), Errno::Success);
}

/// Each way out of the directory is `perm`, for each function that takes a path.
#[test]
fn no_path_leads_out() {
    let mut guest = Guest::with_directory();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), guest.host("out")).unwrap();
    symlink(outside.path().join("secret"), guest.host("file")).unwrap();
    symlink("..", guest.host("up")).unwrap();
    fs::create_dir(guest.host("d")).unwrap();
    let absolute = outside.path().join("secret");
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let escapes = [
        "..".to_string(),
        "../x".into(),
        "/".into(),
        "/etc/passwd".into(),
        absolute.to_str().unwrap().into(),
        "d/../../x".into(),
        format!("../{name}/secret"),
        "out/secret".into(),
        format!("up/{name}/secret"),
        "d/../up/x".into(),
    ];
    for path in &escapes {
        for flags in [0, oflags::CREAT, oflags::TRUNC] {
            assert_eq!(guest.open(path, flags, 0), Err(Errno::Perm), "open {path}");
        }
        assert_eq!(
            guest.open(path, oflags::DIRECTORY, 0),
            Err(Errno::Perm),
            "directory {path}"
        );
        for function in [
            "path_create_directory",
            "path_remove_directory",
            "path_unlink_file",
        ] {
            assert_eq!(
                guest.path(function, 3, path),
                Errno::Perm,
                "{function} {path}"
            );
        }
        guest.put(STRING, path.as_bytes());
        guest.put(STRING2, b"d");
        let (length, string, string2) = (path.len() as u64, u64::from(STRING), u64::from(STRING2));
        let out = u64::from(OUT);
        let calls: [(&str, &[u64]); 7] = [
            ("path_filestat_get", &[3, 1, string, length, out]),
            ("path_filestat_set_times", &[3, 1, string, length, 0, 0, 2]),
            ("path_readlink", &[3, string, length, BUFFER.into(), 9, out]),
            ("path_link", &[3, 0, string, length, 3, string2, 1]),
            ("path_rename", &[3, string, length, 3, string2, 1]),
            ("path_rename", &[3, string2, 1, 3, string, length]),
            ("path_symlink", &[string2, 1, 3, string, length]),
        ];
        for (function, params) in calls {
            assert_eq!(
                guest.call(function, params),
                Errno::Perm,
                "{function} {path}"
            );
        }
    }
    assert_eq!(guest.open("file", 0, 0), Err(Errno::Perm));
    assert_eq!(guest.open("up", oflags::DIRECTORY, 0), Err(Errno::Perm));
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    // A directory below does not open its parent, though both are the guest's.
    let d = guest.open("d", oflags::DIRECTORY, 0).unwrap();
    let up = guest.open_with(d, 1, "..", 0, Rights::FD_READ.0, 0);
    assert_eq!(up, Err(Errno::Perm));
    // Up and down within the directory is fine.
    assert!(guest.open("d/../d/.", oflags::DIRECTORY, 0).is_ok());
}

#[test]
fn symbolic_links() {
    let mut guest = Guest::with_directory();
    fs::write(guest.host("f"), "text").unwrap();
    let link = |guest: &mut Guest, target: &str, name: &str| {
        guest.put(STRING, target.as_bytes());
        guest.put(STRING2, name.as_bytes());
        let (target, name) = (target.len() as u64, name.len() as u64);
        guest.call(
            "path_symlink",
            &[STRING.into(), target, 3, STRING2.into(), name],
        )
    };
    assert_eq!(link(&mut guest, "f", "l"), Errno::Success);
    assert_eq!(link(&mut guest, "f", "l"), Errno::Exist);
    assert_eq!(link(&mut guest, "/etc/passwd", "m"), Errno::Perm);
    assert_eq!(link(&mut guest, "loop", "loop"), Errno::Success);
    let fd = guest.open("l", 0, 0).unwrap();
    assert_eq!(guest.read(fd, 9), Ok(b"text".to_vec()));
    assert_eq!(guest.open_with(3, 0, "l", 0, ALL, 0), Err(Errno::Loop));
    assert_eq!(guest.open("loop", 0, 0), Err(Errno::Loop));

    guest.put(STRING, b"l");
    let readlink = |length: u64| [3, STRING.into(), 1, BUFFER.into(), length, OUT.into()];
    guest.ok("path_readlink", &readlink(10));
    assert_eq!(guest.get(BUFFER, guest.u32(OUT)), b"f");
    guest.ok("path_readlink", &readlink(0));
    assert_eq!(guest.u32(OUT), 0);
    guest.put(STRING, b"f");
    assert_eq!(guest.call("path_readlink", &readlink(10)), Errno::Inval);

    guest.put(STRING, b"l");
    let stat = |flags: u64| [3, flags, STRING.into(), 1, OUT.into()];
    guest.ok("path_filestat_get", &stat(1));
    assert_eq!((guest.get(OUT + 16, 1), guest.u64(OUT + 32)), (&[4][..], 4));
    guest.ok("path_filestat_get", &stat(0));
    assert_eq!(guest.get(OUT + 16, 1), [7]);
    assert_eq!(guest.call("path_filestat_get", &stat(2)), Errno::Inval);
}

#[test]
fn times_of_paths() {
    let mut guest = Guest::with_directory();
    fs::write(guest.host("f"), "text").unwrap();
    symlink("f", guest.host("l")).unwrap();
    guest.put(STRING, b"l");
    let set = |flags: u64, time: u64| [3, flags, STRING.into(), 1, time, time + 1, 1 | 4];
    guest.ok("path_filestat_set_times", &set(1, 5_000_000_007));
    guest.ok("path_filestat_set_times", &set(0, 9_000_000_000));
    guest.ok("path_filestat_get", &[3, 1, STRING.into(), 1, OUT.into()]);
    assert_eq!(
        (guest.u64(OUT + 40), guest.u64(OUT + 48)),
        (5_000_000_007, 5_000_000_008)
    );
    guest.ok("path_filestat_get", &[3, 0, STRING.into(), 1, OUT.into()]);
    assert_eq!(guest.u64(OUT + 48), 9_000_000_001);
    let both = [3, 1, STRING.into(), 1, 0, 0, 1 | 2];
    assert_eq!(guest.call("path_filestat_set_times", &both), Errno::Inval);
}

#[test]
fn links_and_renames() {
    let mut guest = Guest::with_directory();
    fs::write(guest.host("f"), "text").unwrap();
    fs::create_dir(guest.host("d")).unwrap();
    let d = guest.open("d", oflags::DIRECTORY, 0).unwrap();
    guest.put(STRING, b"f");
    guest.put(STRING2, b"g");
    let link = |flags: u64| [3, flags, STRING.into(), 1, d.into(), STRING2.into(), 1];
    assert_eq!(guest.call("path_link", &link(1)), Errno::Inval);
    guest.ok("path_link", &link(0));
    assert_eq!(guest.call("path_link", &link(0)), Errno::Exist);
    assert_eq!(fs::read(guest.host("d/g")).unwrap(), b"text");
    guest.ok("path_filestat_get", &[3, 0, STRING.into(), 1, OUT.into()]);
    assert_eq!(guest.u64(OUT + 24), 2);
    guest.put(STRING2, b"h");
    let rename = [3, STRING.into(), 1, d.into(), STRING2.into(), 1];
    guest.ok("path_rename", &rename);
    assert_eq!(guest.call("path_rename", &rename), Errno::Noent);
    assert!(guest.host("d/h").exists() && !guest.host("f").exists());
}

#[test]
fn paths_are_utf8_and_in_memory() {
    let mut guest = Guest::with_directory();
    guest.put(STRING, b"\xff");
    assert_eq!(
        guest.call("path_unlink_file", &[3, STRING.into(), 1]),
        Errno::Ilseq
    );
    assert_eq!(guest.call("path_unlink_file", &[3, 65535, 2]), Errno::Fault);
    assert_eq!(
        guest.path("path_unlink_file", 3, &"x".repeat(300)),
        Errno::Nametoolong
    );
    assert_eq!(guest.path("path_unlink_file", 0, "x"), Errno::Notdir);
}

/// A slash at the end asks for a directory (POSIX, "pathname resolution").
#[test]
fn slashes_at_the_end() {
    let mut guest = Guest::with_directory();
    fs::write(guest.host("f"), "text").unwrap();
    fs::create_dir(guest.host("d")).unwrap();
    let two = |guest: &mut Guest, function: &str, from: &str, to: &str| {
        guest.put(STRING, from.as_bytes());
        guest.put(STRING2, to.as_bytes());
        let (string, string2) = (u64::from(STRING), u64::from(STRING2));
        let (from, to) = (from.len() as u64, to.len() as u64);
        match function {
            "path_symlink" => guest.call(function, &[string, from, 3, string2, to]),
            "path_link" => guest.call(function, &[3, 0, string, from, 3, string2, to]),
            _ => guest.call(function, &[3, string, from, 3, string2, to]),
        }
    };
    assert_eq!(two(&mut guest, "path_rename", "f/", "g"), Errno::Notdir);
    assert_eq!(two(&mut guest, "path_rename", "f", "g/"), Errno::Notdir);
    assert_eq!(two(&mut guest, "path_rename", "none", "g/"), Errno::Noent);
    assert_eq!(two(&mut guest, "path_rename", "d/", "e/"), Errno::Success);
    assert_eq!(two(&mut guest, "path_rename", "e", "d/"), Errno::Success);
    assert_eq!(two(&mut guest, "path_link", "f/", "g"), Errno::Notdir);
    assert_eq!(two(&mut guest, "path_link", "f", "g/"), Errno::Noent);
    assert_eq!(two(&mut guest, "path_symlink", "f", "g/"), Errno::Noent);
    assert_eq!(two(&mut guest, "path_symlink", "f", "d/"), Errno::Exist);
    assert_eq!(guest.path("path_unlink_file", 3, "f/"), Errno::Notdir);
    assert_eq!(guest.path("path_unlink_file", 3, "d/"), Errno::Isdir);
    assert_eq!(guest.path("path_create_directory", 3, "n/"), Errno::Success);
    assert_eq!(guest.path("path_remove_directory", 3, "n/"), Errno::Success);
    assert_eq!(guest.path("path_remove_directory", 3, "f/"), Errno::Notdir);
    assert_eq!(guest.open("new/", oflags::CREAT, 0), Err(Errno::Isdir));
    assert!(guest.open("d/", oflags::DIRECTORY, 0).is_ok());
    assert_eq!(fs::read(guest.host("f")).unwrap(), b"text");
}

/// Asking for a directory must not open something else first: a pipe would wait for its other side.
#[test]
fn a_pipe_is_no_directory() {
    let mut guest = Guest::with_directory();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, guest.host("p"), kind, mode, 0).unwrap();
    assert_eq!(guest.open("p", oflags::DIRECTORY, 0), Err(Errno::Notdir));
    symlink("p", guest.host("l")).unwrap();
    for name in ["p", "l"] {
        guest.put(STRING, name.as_bytes());
        let times = [3, 1, STRING.into(), 1, 7, 8, 1 | 4];
        guest.ok("path_filestat_set_times", &times);
    }
}
