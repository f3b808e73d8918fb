//! The sandbox against a model: whatever tree of directories and links a program builds, a path leads where a
//! resolver of twenty lines says, and never out.
//!
//! The state is the host's file system; the model resolves paths in it one component at a time, with nothing
//! but `lstat` and `readlink`. Beside the program's directory lies a file that it must not reach.

use super::*;
use crate::types::{Rights, oflags};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How many links in a row the host follows.
const MAX_LINKS: usize = 40;

/// Where a path leads according to the model, below `root`.
fn resolve(root: &Path, path: &str, follow: bool) -> Result<PathBuf, Errno> {
    if path.is_empty() {
        return Err(Errno::Noent);
    }
    let mut todo: Vec<String> = Vec::new();
    let mut at: Vec<String> = Vec::new();
    let mut links = 0;
    let push = |todo: &mut Vec<String>, path: &str| {
        if path.starts_with('/') {
            return Err(Errno::Perm);
        }
        // A slash at the end asks for a directory, as `.` does.
        let parts = path
            .split('/')
            .map(|part| if part.is_empty() { "." } else { part });
        todo.extend(parts.rev().map(String::from));
        Ok(())
    };
    push(&mut todo, path)?;
    let host = |at: &[String]| {
        at.iter()
            .fold(root.to_owned(), |path, name| path.join(name))
    };
    while let Some(name) = todo.pop() {
        if !fs::symlink_metadata(host(&at)).unwrap().is_dir() {
            return Err(Errno::Notdir);
        }
        match name.as_str() {
            "." => continue,
            ".." => _ = at.pop().ok_or(Errno::Perm)?,
            _ => at.push(name),
        }
        let here = host(&at);
        let kind = fs::symlink_metadata(&here).map_err(|_| Errno::Noent)?;
        if kind.is_symlink() && (follow || !todo.is_empty()) {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::Loop);
            }
            at.pop();
            push(&mut todo, fs::read_link(&here).unwrap().to_str().unwrap())?;
        }
    }
    Ok(host(&at))
}

/// Pseudo-random choices (xorshift), the same in every run.
struct Choices(u32);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit
    }

    /// A path of one to four components, some of which lead up; now and then an absolute one.
    fn path(&mut self) -> String {
        const NAMES: [&str; 8] = ["a", "b", "c", "a", "b", "..", ".", ""];
        let parts: Vec<_> = (0..=self.below(4)).map(|_| NAMES[self.below(8)]).collect();
        let path = parts.join("/");
        match self.below(16) {
            0 => format!("/{path}"),
            1 => format!("../{path}secret"),
            _ => path,
        }
    }
}

/// Changes the tree by one call, or fails to: both are fine.
fn change(guest: &mut Guest, choices: &mut Choices) -> Errno {
    let (path, other) = (choices.path(), choices.path());
    guest.put(STRING2, other.as_bytes());
    guest.put(STRING, path.as_bytes());
    let at = |string: u32, text: &str| [u64::from(string), text.len() as u64];
    let ([p, p_len], [q, q_len]) = (at(STRING, &path), at(STRING2, &other));
    match choices.below(8) {
        0 | 1 => guest.path("path_create_directory", 3, &path),
        2 | 3 => guest.call("path_symlink", &[q, q_len, 3, p, p_len]),
        4 => {
            let flags = [0, oflags::CREAT, oflags::TRUNC][choices.below(3)];
            let rights = Rights::FD_READ.or(Rights::FD_WRITE).0;
            match guest.open_with(3, choices.below(2) as u32, &path, flags, rights, 0) {
                Ok(fd) => {
                    guest.write(fd, b"inside").unwrap();
                    guest.call("fd_close", &[fd.into()])
                }
                Err(errno) => errno,
            }
        }
        5 => guest.call("path_rename", &[3, p, p_len, 3, q, q_len]),
        6 => guest.call("path_link", &[3, 0, p, p_len, 3, q, q_len]),
        _ if choices.below(2) == 0 => guest.path("path_unlink_file", 3, &path),
        _ => guest.path("path_remove_directory", 3, &path),
    }
}

/// `path_filestat_get` and `path_open` agree with the model about one path.
fn look(guest: &mut Guest, root: &Path, path: &str, follow: bool) -> Result<(), Errno> {
    let expected = resolve(root, path, follow);
    guest.put(STRING, path.as_bytes());
    let params = [
        3,
        follow.into(),
        STRING.into(),
        path.len() as u64,
        OUT.into(),
    ];
    let found = guest.call("path_filestat_get", &params);
    let context = format!("{path:?}, follow {follow}, expected {expected:?}");
    match &expected {
        Ok(host) => {
            assert_eq!(found, Errno::Success, "{context}");
            let inode = fs::symlink_metadata(host).unwrap().ino();
            assert_eq!(guest.u64(OUT + 8), inode, "{context}");
        }
        Err(errno) => assert_eq!(found, *errno, "{context}"),
    }
    let rights = Rights::FD_READ.or(Rights::FD_FILESTAT_GET).0;
    match guest.open_with(3, follow.into(), path, 0, rights, 0) {
        Ok(fd) => {
            let host = expected
                .as_ref()
                .unwrap_or_else(|_| panic!("opened {context}"));
            guest.ok("fd_filestat_get", &[fd.into(), OUT.into()]);
            let inode = fs::symlink_metadata(host).unwrap().ino();
            assert_eq!(guest.u64(OUT + 8), inode, "{context}");
            guest.ok("fd_close", &[fd.into()]);
        }
        // Opening a link itself is the one thing that has an inode and cannot be opened.
        Err(Errno::Loop) if expected.is_ok() => assert!(!follow, "{context}"),
        Err(errno) => assert_eq!(
            Err(errno),
            expected.as_ref().map(|_| ()).map_err(|e| *e),
            "{context}"
        ),
    }
    expected.map(|_| ())
}

#[test]
fn every_path_leads_where_the_model_says() {
    let mut outcomes = std::collections::BTreeMap::new();
    let mut changed = 0;
    for seed in 1..=60 {
        let mut choices = Choices(0x9e37_79b9_u32.wrapping_mul(seed));
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        let mut guest = Guest::new(|builder| _ = builder.preopened_dir(&root, "/").unwrap());
        for _ in 0..80 {
            changed += usize::from(change(&mut guest, &mut choices) == Errno::Success);
            for follow in [false, true] {
                let path = choices.path();
                let outcome = look(&mut guest, &root, &path, follow);
                *outcomes.entry(format!("{outcome:?}")).or_insert(0) += 1;
            }
        }
        let mut beside: Vec<_> = fs::read_dir(outer.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        beside.sort();
        assert_eq!(beside, ["root", "secret"], "seed {seed}");
        assert_eq!(fs::read(outer.path().join("secret")).unwrap(), b"secret");
        let links = fs::metadata(outer.path().join("secret")).unwrap().nlink();
        assert_eq!(links, 1, "seed {seed}: a link to what is outside");
    }
    // Every kind of answer came up, and the trees were not empty.
    assert!(changed > 200, "{changed} changes, {outcomes:?}");
    for kind in [
        "Ok(())",
        "Err(Perm)",
        "Err(Noent)",
        "Err(Notdir)",
        "Err(Loop)",
    ] {
        assert!(
            outcomes.get(kind).is_some_and(|count| *count > 20),
            "{outcomes:?}"
        );
    }
}
