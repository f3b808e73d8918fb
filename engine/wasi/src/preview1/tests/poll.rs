//! `poll_oneoff`: clocks, files, pipes and wrong subscriptions.

use super::*;
use crate::table::{Descriptor, Entry};
use crate::types::{Access, oflags};
use std::io::Write as _;
use std::time::{Duration, Instant};

const EVENTS: u32 = 8192;

fn clock(guest: &mut Guest, index: u32, id: u32, timeout: u64, flags: u16) {
    let at = BUFFER + index * 48;
    guest.put(at, &[0; 48]);
    guest.put(at, &u64::from(index + 100).to_le_bytes());
    guest.put(at + 16, &id.to_le_bytes());
    guest.put(at + 24, &timeout.to_le_bytes());
    guest.put(at + 40, &flags.to_le_bytes());
}

fn descriptor(guest: &mut Guest, index: u32, event: u8, fd: u32) {
    let at = BUFFER + index * 48;
    guest.put(at, &[0; 48]);
    guest.put(at, &u64::from(index + 100).to_le_bytes());
    guest.put(at + 8, &[event]);
    guest.put(at + 16, &fd.to_le_bytes());
}

/// The events' user data, error number and count of bytes.
fn poll(guest: &mut Guest, count: u64) -> Vec<(u64, u16, u64)> {
    guest.ok(
        "poll_oneoff",
        &[BUFFER.into(), EVENTS.into(), count, OUT.into()],
    );
    let event = |index| EVENTS + index * 32;
    (0..guest.u32(OUT))
        .map(event)
        .map(|at| (guest.u64(at), guest.u16(at + 8), guest.u64(at + 16)))
        .collect()
}

#[test]
fn clocks_wait() {
    let mut guest = Guest::new(|_| ());
    let start = Instant::now();
    clock(&mut guest, 0, 1, 20_000_000, 0);
    clock(&mut guest, 1, 1, 60_000_000_000, 0);
    assert_eq!(poll(&mut guest, 2), [(100, 0, 0)]);
    assert!(start.elapsed() >= Duration::from_millis(20));

    // A point of time in the past is over at once.
    clock(&mut guest, 0, 0, 1, 1);
    assert_eq!(poll(&mut guest, 1), [(100, 0, 0)]);
    guest.ok("clock_time_get", &[1, 0, OUT.into()]);
    let soon = guest.u64(OUT) + 10_000_000;
    clock(&mut guest, 0, 1, soon, 1);
    assert_eq!(poll(&mut guest, 1), [(100, 0, 0)]);
    guest.ok("clock_time_get", &[1, 0, OUT.into()]);
    assert!(guest.u64(OUT) >= soon);
}

#[test]
fn descriptors_are_ready_before_the_clock() {
    let mut guest = Guest::with_directory();
    let fd = guest.open("f", oflags::CREAT, 0).unwrap();
    guest.write(fd, b"1234").unwrap();
    guest.ok("fd_seek", &[fd.into(), 1, 0, OUT.into()]);
    clock(&mut guest, 0, 1, 60_000_000_000, 0);
    descriptor(&mut guest, 1, 1, fd);
    descriptor(&mut guest, 2, 2, fd);
    descriptor(&mut guest, 3, 1, 0);
    descriptor(&mut guest, 4, 2, 1);
    let mut events = poll(&mut guest, 5);
    events.sort();
    assert_eq!(
        events,
        [(101, 0, 3), (102, 0, 0), (103, 0, 10), (104, 0, 0)]
    );
}

#[test]
fn a_pipe_wakes_the_guest() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut guest = Guest::new(|builder| _ = builder.stdin(Input::File(reader.into())));
    clock(&mut guest, 0, 1, 1_000_000, 0);
    descriptor(&mut guest, 1, 1, 0);
    assert_eq!(poll(&mut guest, 2), [(100, 0, 0)]);
    writer.write_all(b"abc").unwrap();
    assert_eq!(poll(&mut guest, 2), [(101, 0, 3)]);
    assert_eq!(guest.read(0, 9), Ok(b"abc".to_vec()));
    drop(writer);
    assert_eq!(poll(&mut guest, 2), [(101, 0, 0)]);
    assert_eq!(guest.u16(EVENTS + 24), 1, "the other side has hung up");
    assert_eq!(guest.read(0, 9), Ok(Vec::new()));
}

/// Several subscriptions to one descriptor wait for different events.
#[test]
fn both_sides_of_a_connection() {
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut guest = Guest::new(|_| ());
    let entry = Entry::new(Descriptor::Host(ours.into()), Access::BOTH);
    let fd = guest.ctx.table.insert(entry).unwrap();
    descriptor(&mut guest, 0, 1, fd);
    descriptor(&mut guest, 1, 2, fd);
    descriptor(&mut guest, 2, 1, fd);
    assert_eq!(poll(&mut guest, 3), [(101, 0, 0)]);
    theirs.write_all(b"abc").unwrap();
    assert_eq!(poll(&mut guest, 3), [(100, 0, 3), (101, 0, 0), (102, 0, 3)]);
}

#[test]
fn wrong_subscriptions() {
    let mut guest = Guest::new(|_| ());
    let call = |guest: &mut Guest, count: u64| {
        guest.call(
            "poll_oneoff",
            &[BUFFER.into(), EVENTS.into(), count, OUT.into()],
        )
    };
    assert_eq!(call(&mut guest, 0), Errno::Inval);
    assert_eq!(call(&mut guest, u64::from(u32::MAX)), Errno::Inval);
    assert_eq!(call(&mut guest, 10_000), Errno::Fault);
    descriptor(&mut guest, 0, 9, 0);
    assert_eq!(call(&mut guest, 1), Errno::Inval);
    // An error of one subscription is its event.
    descriptor(&mut guest, 0, 1, 77);
    clock(&mut guest, 1, 9, 0, 0);
    clock(&mut guest, 2, 2, 0, 0);
    clock(&mut guest, 3, 1, 0, 2);
    descriptor(&mut guest, 4, 1, 1);
    let events = poll(&mut guest, 5);
    let errno = |errno: Errno| errno as u16;
    assert_eq!(
        events,
        [
            (100, errno(Errno::Badf), 0),
            (101, errno(Errno::Inval), 0),
            (102, errno(Errno::Notsup), 0),
            (103, errno(Errno::Inval), 0),
            (104, errno(Errno::Badf), 0),
        ]
    );
}
