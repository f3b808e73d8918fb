//! Sockets that the host hands in.

use super::*;
use crate::table::{Descriptor, Entry};
use crate::types::Access;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

#[test]
fn a_connection_is_accepted_and_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut guest = Guest::new(|builder| _ = builder.preopened_socket(listener));
    let mut peer = TcpStream::connect(address).unwrap();
    guest.ok("sock_accept", &[3, 0, OUT.into()]);
    let fd = u64::from(guest.u32(OUT));
    assert_eq!(fd, 4);

    peer.write_all(b"hello").unwrap();
    let (flags, nread, out) = (OUT + 8, OUT + 16, u64::from(OUT));
    guest.iovecs(&[(BUFFER, 2), (BUFFER + 100, 10)]);
    let recv = |count: u64, how: u64| [fd, IOVEC.into(), count, how, nread.into(), flags.into()];
    guest.ok("sock_recv", &recv(1, 1));
    assert_eq!(guest.get(BUFFER, guest.u32(nread)), b"he");
    guest.ok("sock_recv", &recv(2, 0));
    assert_eq!(guest.u32(nread), 5);
    assert_eq!(
        (guest.get(BUFFER, 2), guest.get(BUFFER + 100, 3)),
        (&b"he"[..], &b"llo"[..])
    );

    guest.put(BUFFER, b"answer");
    guest.iovecs(&[(BUFFER, 6)]);
    guest.ok("sock_send", &[fd, IOVEC.into(), 1, 0, out]);
    assert_eq!(guest.u32(OUT), 6);
    guest.write(4, b"!").unwrap();
    guest.ok("sock_shutdown", &[fd, 2]);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer!");
    assert_eq!(guest.call("sock_shutdown", &[fd, 0]), Errno::Inval);
    assert_eq!(
        guest.call("sock_send", &[fd, IOVEC.into(), 1, 1, out]),
        Errno::Inval
    );
    assert_eq!(guest.call("sock_recv", &recv(1, 4)), Errno::Inval);
}

/// One message a call, over all buffers; what did not fit is told.
#[test]
fn messages_stay_apart() {
    let mut guest = Guest::new(|_| ());
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    for message in [&b"AAAAaaaa"[..], b"BBBB", &[7; 30]] {
        ours.send(message).unwrap();
    }
    let entry = Entry::new(Descriptor::Host(theirs.into()), Access::BOTH);
    let fd = u64::from(guest.ctx.table.insert(entry).unwrap());
    guest.iovecs(&[(BUFFER, 4), (BUFFER + 4, 16)]);
    let mut receive = || {
        let flags = OUT + 8;
        guest.ok(
            "sock_recv",
            &[fd, IOVEC.into(), 2, 0, OUT.into(), flags.into()],
        );
        let count = guest.u32(OUT);
        (guest.get(BUFFER, count).to_vec(), guest.u16(flags))
    };
    assert_eq!(receive(), (b"AAAAaaaa".to_vec(), 0));
    assert_eq!(receive(), (b"BBBB".to_vec(), 0));
    assert_eq!(receive(), (vec![7; 20], 1));
}

#[test]
fn other_descriptors_are_no_sockets() {
    let mut guest = Guest::with_directory();
    for fd in [0, 1, 3] {
        assert_eq!(
            guest.call("sock_accept", &[fd, 0, OUT.into()]),
            Errno::Notsock
        );
        assert_eq!(guest.call("sock_shutdown", &[fd, 1]), Errno::Notsock);
    }
    assert_eq!(guest.call("sock_shutdown", &[9, 1]), Errno::Badf);
    assert_eq!(guest.call("sock_accept", &[0, 1, OUT.into()]), Errno::Inval);
}
