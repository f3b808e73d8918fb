//! Every call that waits, or takes long, ends when the program must stop, and works as before if it need not.
//!
//! No signal helps here, because no store runs: a request is noticed by the event alone.

use super::*;
use crate::preview1::blocking::Interrupts;
use crate::table::{Descriptor, Entry};
use crate::types::{Access, fdflags};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::fd::AsFd;

use skerry_runtime::{Engine, InterruptHandle, Store};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

/// A program that can be stopped, and the store that its requests are for.
struct Stoppable {
    guest: Guest,
    store: Store<()>,
}

impl Stoppable {
    fn new(mut guest: Guest) -> Self {
        let store = Store::new(&Engine::default(), ());
        guest.ctx.interrupts = Interrupts(Some(store.interrupt_handle()));
        Self { guest, store }
    }

    fn handle(&self) -> InterruptHandle {
        self.store.interrupt_handle()
    }

    fn insert(&mut self, fd: impl Into<OwnedFd>) -> u32 {
        let entry = Entry::new(Descriptor::Host(fd.into()), Access::BOTH);
        self.guest.ctx.table.insert(entry).unwrap()
    }

    /// Checks that the call waits until it is interrupted, several times, and that nothing is pending afterwards.
    #[track_caller]
    fn assert_ends(&mut self, mut call: impl FnMut(&mut Guest) -> Errno) {
        for delay in [20_000, 0, 100, 1000] {
            let handle = self.handle();
            let other = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(delay));
                let sent = Instant::now();
                handle.interrupt();
                sent
            });
            assert_eq!(call(&mut self.guest), Errno::Intr);
            let ended = Instant::now();
            let latency = ended.saturating_duration_since(other.join().unwrap());
            // The machine may be busy with other work, too.
            assert!(latency < Duration::from_millis(500), "{latency:?}");
            assert!(self.store.clear_interrupt());
        }
    }
}

fn after(millis: u64, what: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(millis));
        what();
    })
}

#[test]
fn reads_and_writes_of_pipes_end() {
    let mut program = Stoppable::new(Guest::new(|_| ()));
    let (reader, writer) = std::io::pipe().unwrap();
    let (reader, fd) = (
        program.insert(reader),
        program.insert(writer.try_clone().unwrap()),
    );
    program.assert_ends(|guest| guest.read(reader, 10).unwrap_err());
    let mut writer = std::fs::File::from(OwnedFd::from(writer));
    let other = after(20, move || writer.write_all(b"late").unwrap());
    assert_eq!(program.guest.read(reader, 10).unwrap(), b"late");
    other.join().unwrap();
    // It is written to until it is full, and beyond.
    program.assert_ends(|guest| {
        loop {
            if let Err(errno) = guest.write(fd, &[7; 50_000]) {
                return errno;
            }
        }
    });
    // All bytes of a write arrive, although the pipe holds fewer and the host reads slowly.
    let mut slow = Stoppable::new(Guest::new(|_| ()));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let fd = slow.insert(writer);
    let other = std::thread::spawn(move || {
        let mut all = Vec::new();
        std::thread::sleep(Duration::from_millis(20));
        reader.read_to_end(&mut all).unwrap();
        all
    });
    slow.guest.memory = vec![1; 1 << 20];
    slow.guest.iovecs(&[(65536, 300_000), (400_000, 200_000)]);
    slow.guest
        .ok("fd_write", &[fd.into(), IOVEC.into(), 2, OUT.into()]);
    assert_eq!(slow.guest.u32(OUT), 500_000);
    slow.guest.ok("fd_close", &[fd.into()]);
    assert_eq!(other.join().unwrap().len(), 500_000);
}

#[test]
fn what_never_waits_does_not() {
    let mut program = Stoppable::new(Guest::new(|_| ()));
    let (reader, writer) = std::io::pipe().unwrap();
    for fd in [reader.as_fd(), writer.as_fd()] {
        rustix::fs::fcntl_setfl(fd, rustix::fs::OFlags::NONBLOCK).unwrap();
    }
    let (reader, writer) = (program.insert(reader), program.insert(writer));
    assert_eq!(program.guest.read(reader, 10), Err(Errno::Again));
    while program.guest.write(writer, &[1; 4096]).is_ok() {}
    assert_eq!(program.guest.write(writer, &[1; 4096]), Err(Errno::Again));
    program.guest.ok("fd_close", &[writer.into()]);
    while !program.guest.read(reader, 40_000).unwrap().is_empty() {}
}

#[test]
fn sockets_end() {
    let mut program = Stoppable::new(Guest::new(|_| ()));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fd = u64::from(program.insert(theirs));
    let receive = [fd, IOVEC.into(), 1, 0, OUT.into(), u64::from(OUT) + 8];
    program.guest.iovecs(&[(BUFFER, 10)]);
    program.assert_ends(|guest| guest.call("sock_recv", &receive));
    program.assert_ends(|guest| guest.read(fd as u32, 10).unwrap_err());
    let mut writer = ours.try_clone().unwrap();
    let other = after(20, move || writer.write_all(b"late").unwrap());
    program.guest.iovecs(&[(BUFFER, 10)]);
    program.guest.ok("sock_recv", &receive);
    assert_eq!(program.guest.u32(OUT), 4);
    other.join().unwrap();
    program.guest.iovecs(&[(BUFFER, 50_000)]);
    program.assert_ends(|guest| {
        loop {
            match guest.call("sock_send", &[fd, IOVEC.into(), 1, 0, OUT.into()]) {
                Errno::Success => {}
                errno => return errno,
            }
        }
    });
    drop(ours);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut program = Stoppable::new(Guest::new(|builder| _ = builder.preopened_socket(listener)));
    program.assert_ends(|guest| guest.call("sock_accept", &[3, 0, OUT.into()]));
    let other = after(20, move || {
        drop(std::net::TcpStream::connect(address).unwrap())
    });
    program.guest.ok("sock_accept", &[3, 0, OUT.into()]);
    other.join().unwrap();
}

/// A message without bytes is a message: reading takes it and ends, though nothing more is there.
/// A socket that has some bytes is ready, but waiting for all of them can be interrupted, too.
#[test]
fn waiting_for_all_bytes_ends() {
    const PEEK: u64 = 1;
    const ALL: u64 = 2;
    let mut program = Stoppable::new(Guest::new(|_| ()));
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let fd = u64::from(program.insert(theirs));
    let receive = |flags| [fd, IOVEC.into(), 2, flags, OUT.into(), u64::from(OUT) + 8];
    let bytes = |guest: &Guest| guest.memory[BUFFER as usize..][..10].to_vec();
    program.guest.iovecs(&[(BUFFER, 4), (BUFFER + 4, 6)]);
    ours.write_all(b"abc").unwrap();
    program.assert_ends(|guest| guest.call("sock_recv", &receive(PEEK | ALL)));
    program.guest.ok("sock_recv", &receive(PEEK));
    assert_eq!(program.guest.u32(OUT), 3, "nothing was taken");
    let mut writer = ours.try_clone().unwrap();
    let other = after(20, move || writer.write_all(b"defghijklm").unwrap());
    for flags in [PEEK | ALL, ALL] {
        program.guest.ok("sock_recv", &receive(flags));
        assert_eq!(program.guest.u32(OUT), 10);
        assert_eq!(bytes(&program.guest), b"abcdefghij");
    }
    other.join().unwrap();
    // At the end there are fewer.
    drop(ours);
    for flags in [PEEK | ALL, ALL] {
        program.guest.ok("sock_recv", &receive(flags));
        assert_eq!(program.guest.u32(OUT), 3);
        assert_eq!(&bytes(&program.guest)[..3], b"klm");
    }
    program.guest.ok("sock_recv", &receive(ALL));
    assert_eq!(program.guest.u32(OUT), 0);
    // What was taken before a request is lost with the program, which it ends.
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let fd = u64::from(program.insert(theirs));
    let receive = [fd, IOVEC.into(), 2, ALL, OUT.into(), u64::from(OUT) + 8];
    ours.write_all(b"abc").unwrap();
    program.assert_ends(|guest| guest.call("sock_recv", &receive));
    // A message is whole, however short it is.
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let fd = u64::from(program.insert(theirs));
    ours.send(b"abc").unwrap();
    let receive = [fd, IOVEC.into(), 2, ALL, OUT.into(), u64::from(OUT) + 8];
    program.guest.ok("sock_recv", &receive);
    assert_eq!(program.guest.u32(OUT), 3);
}

#[test]
fn empty_messages_arrive() {
    let mut program = Stoppable::new(Guest::new(|_| ()));
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let fd = program.insert(theirs);
    program.assert_ends(|guest| guest.read(fd, 10).unwrap_err());
    ours.send(b"").unwrap();
    // If the read missed the message, it would take the next one, which comes late.
    let other = after(200, move || _ = ours.send(b"late").unwrap());
    assert_eq!(program.guest.read(fd, 10).unwrap(), b"");
    assert_eq!(program.guest.read(fd, 10).unwrap(), b"late");
    other.join().unwrap();
}

#[test]
fn polls_end() {
    let mut program = Stoppable::new(Guest::new(|_| ()));
    let (reader, _writer) = std::io::pipe().unwrap();
    let fd = program.insert(reader);
    let poll = [BUFFER.into(), 8192, 2, OUT.into()];
    program.guest.put(BUFFER, &[0; 96]);
    // The clock is an hour away, and the pipe is never written to.
    program.guest.put(BUFFER + 16, &1u32.to_le_bytes());
    program
        .guest
        .put(BUFFER + 24, &3_600_000_000_000u64.to_le_bytes());
    program.guest.put(BUFFER + 48 + 8, &[1]);
    program.guest.put(BUFFER + 48 + 16, &fd.to_le_bytes());
    program.assert_ends(|guest| guest.call("poll_oneoff", &poll));
    // The event may be readable without a request, which must not end a wait.
    program.guest.put(BUFFER + 24, &30_000_000u64.to_le_bytes());
    let handle = program.handle();
    handle.event().unwrap();
    let start = Instant::now();
    program.guest.ok("poll_oneoff", &poll);
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(program.guest.u32(OUT), 1);
}

#[test]
fn pipes_with_names_end() {
    let mut program = Stoppable::new(Guest::with_directory());
    let path = program.guest.host("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let read = Rights::FD_READ.0;
    let write = Rights::FD_WRITE.0;
    let open = |guest: &mut Guest, rights: u64, flags: u16| {
        guest.open_with(3, 1, "fifo", 0, rights, flags)
    };
    // It is opened for writing without a reader.
    program.assert_ends(|guest| open(guest, write, 0).unwrap_err());
    assert_eq!(
        open(&mut program.guest, write, fdflags::NONBLOCK),
        Err(Errno::Nxio)
    );
    // It is opened for reading without a writer.
    let fd = open(&mut program.guest, read, 0).unwrap();
    program.assert_ends(|guest| guest.read(fd, 10).unwrap_err());
    let late = path.clone();
    let other = after(20, move || std::fs::write(late, "late").unwrap());
    assert_eq!(program.guest.read(fd, 10).unwrap(), b"late");
    other.join().unwrap();
    assert_eq!(program.guest.read(fd, 10).unwrap(), b"");
    program.guest.ok("fd_close", &[fd.into()]);
    // A reader comes.
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        let mut all = String::new();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.read(true).custom_flags(0).open(path).unwrap();
        file.read_to_string(&mut all).unwrap();
        all
    });
    let fd = open(&mut program.guest, write, 0).unwrap();
    assert_eq!(program.guest.write(fd, b"there"), Ok(5));
    program.guest.ok("fd_close", &[fd.into()]);
    assert_eq!(other.join().unwrap(), "there");
}

#[test]
fn many_bytes_end() {
    const LARGE: u32 = 64 << 20;
    let mut program = Stoppable::new(Guest::with_directory());
    program.guest.memory = vec![0; LARGE as usize + 65536];
    let fd = u64::from(
        program
            .guest
            .open("f", crate::types::oflags::CREAT, 0)
            .unwrap(),
    );
    let out = u64::from(OUT);
    let (large, iovec) = (u64::from(LARGE), u64::from(IOVEC));
    // There are two buffers, neither of which is a whole number of chunks.
    program.guest.memory[65536..].fill(5);
    let first = (20 << 20) + 77;
    program
        .guest
        .iovecs(&[(65536, first), (65536 + first, LARGE - first)]);
    program.guest.ok("fd_write", &[fd, iovec, 2, out]);
    assert_eq!(program.guest.u32(OUT), LARGE);
    program.guest.memory[65536..].fill(0);
    program.guest.ok("fd_pread", &[fd, iovec, 2, 0, out]);
    assert_eq!(program.guest.u32(OUT), LARGE);
    assert!(program.guest.memory[65536..].iter().all(|&byte| byte == 5));
    program
        .guest
        .ok("fd_pread", &[fd, iovec, 2, large - 9, out]);
    assert_eq!(program.guest.u32(OUT), 9);
    program.guest.ok("fd_pwrite", &[fd, iovec, 2, 3, out]);
    assert_eq!(program.guest.u32(OUT), LARGE);

    let again = |guest: &mut Guest, name: &str, params: &[u64]| {
        loop {
            match guest.call(name, params) {
                Errno::Success => {}
                errno => return errno,
            }
        }
    };
    program.assert_ends(|guest| again(guest, "random_get", &[65536, large]));
    program.assert_ends(|guest| again(guest, "fd_pread", &[fd, iovec, 2, 0, out]));
    program.assert_ends(|guest| again(guest, "fd_pwrite", &[fd, iovec, 2, 0, out]));
}
