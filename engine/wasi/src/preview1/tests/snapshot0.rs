//! Tests of `wasi_unstable`: the values with another layout, at the offsets of `preview0/witx/typenames.witx`.

use super::super::snapshot0::functions;
use super::*;
use crate::types::oflags;

impl Guest {
    /// Calls a function of the snapshot before preview 1.
    fn call0(&mut self, name: &str, params: &[u64]) -> Errno {
        let function = functions().find(|function| function.name == name);
        let function = function.unwrap_or_else(|| panic!("no function {name}"));
        self.call_function(function, params).unwrap()
    }

    fn ok0(&mut self, name: &str, params: &[u64]) {
        assert_eq!(self.call0(name, params), Errno::Success, "{name}{params:?}");
    }
}

#[test]
fn all_functions_but_one_are_there() {
    let names: Vec<_> = functions().map(|function| function.name).collect();
    assert_eq!(names.len(), 45);
    assert!(names.is_sorted() && !names.contains(&"sock_accept"));
    for function in functions() {
        let later = FUNCTIONS.iter().find(|later| later.name == function.name);
        let later = later.unwrap();
        assert_eq!(function.params, later.params, "{}", function.name);
        assert_eq!(function.results, later.results, "{}", function.name);
    }
}

/// A `filestat` has 56 bytes: device, inode, type, links in 32 bits, size and three times.
#[test]
fn a_filestat_has_56_bytes() {
    let mut guest = Guest::with_directory();
    let fd = u64::from(guest.open("f", oflags::CREAT, 0).unwrap());
    guest.write(fd as u32, b"text").unwrap();
    std::fs::hard_link(guest.host("f"), guest.host("g")).unwrap();
    guest.ok(
        "fd_filestat_set_times",
        &[fd, 1_000_000_007, 2_000_000_008, 1 | 4],
    );
    guest.ok("fd_filestat_get", &[fd, OUT.into()]);
    let later = guest.get(OUT, 64).to_vec();

    guest.put(STRING, b"f");
    let calls: [(&str, &[u64]); 2] = [
        ("fd_filestat_get", &[fd, OUT.into()]),
        ("path_filestat_get", &[3, 1, STRING.into(), 1, OUT.into()]),
    ];
    for (name, params) in calls {
        guest.put(OUT, &[0xee; 64]);
        guest.ok0(name, params);
        assert_eq!(guest.get(OUT, 17), &later[..17], "device, inode and type");
        assert_eq!(guest.get(OUT, 17)[16], 4);
        assert_eq!(guest.u32(OUT + 20), 2, "links");
        assert_eq!(guest.u64(OUT + 24), 4, "size");
        assert_eq!(guest.u64(OUT + 32), 1_000_000_007);
        assert_eq!(guest.u64(OUT + 40), 2_000_000_008);
        assert_eq!(guest.get(OUT + 48, 8), &later[56..64], "changed");
        assert_eq!(guest.get(OUT + 56, 8), [0xee; 8], "the end");
    }
    let last = 65536 - 56;
    guest.ok0("fd_filestat_get", &[fd, last]);
    assert_eq!(
        guest.call0("fd_filestat_get", &[fd, last + 1]),
        Errno::Fault
    );
    let path = [3, 1, STRING.into(), 1, last + 1];
    assert_eq!(guest.call0("path_filestat_get", &path), Errno::Fault);
}

/// In `whence`, 0 is the position, 1 the end, and 2 the start.
#[test]
fn whence_has_other_numbers() {
    let mut guest = Guest::with_directory();
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.write(fd, b"0123456789").unwrap();
    let mut seek = |offset: i64, whence: u64| {
        let params = [fd.into(), offset as u64, whence, OUT.into()];
        match guest.call0("fd_seek", &params) {
            Errno::Success => Ok(guest.u64(OUT)),
            errno => Err(errno),
        }
    };
    assert_eq!(seek(0, 0), Ok(10));
    assert_eq!(seek(3, 2), Ok(3));
    assert_eq!(seek(2, 0), Ok(5));
    assert_eq!(seek(-1, 1), Ok(9));
    assert_eq!(seek(-1, 2), Err(Errno::Inval));
    assert_eq!(seek(0, 3), Err(Errno::Inval));
}

/// A `subscription` has 56 bytes: user data and tag, then for a clock its identifier, number, timeout, precision
/// and flags, and for the others the descriptor.
#[test]
fn a_subscription_has_56_bytes() {
    const EVENTS: u32 = 8192;
    let mut guest = Guest::new(|_| ());
    let at = |index: u32| BUFFER + index * 56;
    let clock = |guest: &mut Guest, index: u32, id: u32, timeout: u64, flags: u16| {
        // These are an identifier and a precision that would be the clock, the timeout or the flags in preview 1.
        guest.put(at(index), &[0xff; 56]);
        guest.put(at(index), &u64::from(index + 100).to_le_bytes());
        guest.put(at(index) + 8, &[0]);
        guest.put(at(index) + 24, &id.to_le_bytes());
        guest.put(at(index) + 32, &timeout.to_le_bytes());
        guest.put(at(index) + 48, &flags.to_le_bytes());
    };
    // The first is over in a minute, the second was over in 1970, the third has no clock.
    clock(&mut guest, 0, 1, 60_000_000_000, 0);
    clock(&mut guest, 1, 0, 1, 1);
    clock(&mut guest, 2, 9, 1, 0);
    let descriptor = |guest: &mut Guest, index: u32, tag: u8, fd: u32| {
        guest.put(at(index), &[0xff; 56]);
        guest.put(at(index), &u64::from(index + 100).to_le_bytes());
        guest.put(at(index) + 8, &[tag]);
        guest.put(at(index) + 16, &fd.to_le_bytes());
    };
    descriptor(&mut guest, 3, 1, 0);
    descriptor(&mut guest, 4, 2, 1);
    descriptor(&mut guest, 5, 2, 77);
    let poll = |guest: &mut Guest, subscriptions: u32, count: u64| {
        let params = [subscriptions.into(), EVENTS.into(), count, OUT.into()];
        guest.ok0("poll_oneoff", &params);
        let events = (0..guest.u32(OUT)).map(|index| EVENTS + index * 32);
        let event = |at: u32| {
            let tag = guest.get(at + 10, 1)[0];
            (guest.u64(at), guest.u16(at + 8), tag, guest.u64(at + 16))
        };
        events.map(event).collect::<Vec<_>>()
    };
    let errno = |errno: Errno| errno as u16;
    let mut events = poll(&mut guest, BUFFER, 6);
    events.sort();
    assert_eq!(
        events,
        [
            (101, 0, 0, 0),
            (102, errno(Errno::Inval), 0, 0),
            (103, 0, 1, 10),
            (104, 0, 2, 0),
            (105, errno(Errno::Badf), 2, 0),
        ]
    );
    clock(&mut guest, 0, 1, 1_000_000, 0);
    assert_eq!(poll(&mut guest, BUFFER, 1), [(100, 0, 0, 0)]);
    // This is the last subscription that fits in memory, and one that begins a byte later.
    let end = 65536 - 56;
    let bytes = guest.get(BUFFER, 56).to_vec();
    guest.put(end, &bytes);
    assert_eq!(poll(&mut guest, end, 1), [(100, 0, 0, 0)]);
    let params = [u64::from(end) + 1, EVENTS.into(), 1, OUT.into()];
    assert_eq!(guest.call0("poll_oneoff", &params), Errno::Fault);
}

/// A function whose values have the same layout is that of preview 1 itself.
#[test]
fn the_rest_is_preview_1() {
    let different = [
        "fd_filestat_get",
        "fd_seek",
        "path_filestat_get",
        "poll_oneoff",
    ];
    for function in functions() {
        let same = FUNCTIONS.iter().any(|later| std::ptr::eq(later, function));
        assert_eq!(
            same,
            !different.contains(&function.name),
            "{}",
            function.name
        );
    }
}
