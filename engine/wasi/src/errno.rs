//! The error numbers of WASI preview 1 and their translation from the host's.

use std::io;

macro_rules! errno {
    ($($number:literal $name:ident $host:tt $doc:literal;)*) => {
        /// An error number of WASI preview 1 (`errno` in `typenames.witx`); 16 bits in memory, an
        /// `i32` as a result.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Errno {
            $(#[doc = $doc] $name = $number,)*
        }

        impl Errno {
            /// Every error number, in order.
            pub const ALL: &'static [Errno] = &[$(Errno::$name),*];

            /// The meaning of the number, in a few words.
            pub fn message(self) -> &'static str {
                match self {
                    $(Errno::$name => $doc,)*
                }
            }
        }

        impl From<rustix::io::Errno> for Errno {
            fn from(host: rustix::io::Errno) -> Errno {
                $(errno!(@arm host $name $host);)*
                // These two share a number with another name on some hosts.
                if host == rustix::io::Errno::OPNOTSUPP {
                    return Errno::Notsup;
                }
                Errno::Io
            }
        }
    };
    (@arm $value:ident $name:ident _) => {};
    (@arm $value:ident $name:ident $host:ident) => {
        if $value == rustix::io::Errno::$host {
            return Errno::$name;
        }
    };
}

errno! {
    0 Success _ "no error";
    1 TooBig TOOBIG "argument list too long";
    2 Access ACCESS "permission denied";
    3 Addrinuse ADDRINUSE "address in use";
    4 Addrnotavail ADDRNOTAVAIL "address not available";
    5 Afnosupport AFNOSUPPORT "address family not supported";
    6 Again AGAIN "resource unavailable, or operation would block";
    7 Already ALREADY "connection already in progress";
    8 Badf BADF "bad file descriptor";
    9 Badmsg BADMSG "bad message";
    10 Busy BUSY "device or resource busy";
    11 Canceled CANCELED "operation canceled";
    12 Child CHILD "no child processes";
    13 Connaborted CONNABORTED "connection aborted";
    14 Connrefused CONNREFUSED "connection refused";
    15 Connreset CONNRESET "connection reset";
    16 Deadlk DEADLK "resource deadlock would occur";
    17 Destaddrreq DESTADDRREQ "destination address required";
    18 Dom DOM "mathematics argument out of domain of function";
    19 Dquot DQUOT "disk quota exceeded";
    20 Exist EXIST "file exists";
    21 Fault FAULT "bad address";
    22 Fbig FBIG "file too large";
    23 Hostunreach HOSTUNREACH "host is unreachable";
    24 Idrm IDRM "identifier removed";
    25 Ilseq ILSEQ "illegal byte sequence";
    26 Inprogress INPROGRESS "operation in progress";
    27 Intr INTR "interrupted function";
    28 Inval INVAL "invalid argument";
    29 Io IO "input or output error";
    30 Isconn ISCONN "socket is connected";
    31 Isdir ISDIR "is a directory";
    32 Loop LOOP "too many levels of symbolic links";
    33 Mfile MFILE "file descriptor value too large";
    34 Mlink MLINK "too many links";
    35 Msgsize MSGSIZE "message too large";
    36 Multihop MULTIHOP "multihop attempted";
    37 Nametoolong NAMETOOLONG "filename too long";
    38 Netdown NETDOWN "network is down";
    39 Netreset NETRESET "connection aborted by network";
    40 Netunreach NETUNREACH "network unreachable";
    41 Nfile NFILE "too many files open in system";
    42 Nobufs NOBUFS "no buffer space available";
    43 Nodev NODEV "no such device";
    44 Noent NOENT "no such file or directory";
    45 Noexec NOEXEC "executable file format error";
    46 Nolck NOLCK "no locks available";
    47 Nolink NOLINK "link has been severed";
    48 Nomem NOMEM "not enough space";
    49 Nomsg NOMSG "no message of the desired type";
    50 Noprotoopt NOPROTOOPT "protocol not available";
    51 Nospc NOSPC "no space left on device";
    52 Nosys NOSYS "function not supported";
    53 Notconn NOTCONN "the socket is not connected";
    54 Notdir NOTDIR "not a directory or a symbolic link to a directory";
    55 Notempty NOTEMPTY "directory not empty";
    56 Notrecoverable NOTRECOVERABLE "state not recoverable";
    57 Notsock NOTSOCK "not a socket";
    58 Notsup NOTSUP "not supported, or operation not supported on socket";
    59 Notty NOTTY "inappropriate input or output control operation";
    60 Nxio NXIO "no such device or address";
    61 Overflow OVERFLOW "value too large to be stored in type";
    62 Ownerdead OWNERDEAD "previous owner died";
    63 Perm PERM "operation not permitted";
    64 Pipe PIPE "broken pipe";
    65 Proto PROTO "protocol error";
    66 Protonosupport PROTONOSUPPORT "protocol not supported";
    67 Prototype PROTOTYPE "protocol wrong type for socket";
    68 Range RANGE "result too large";
    69 Rofs ROFS "read-only file system";
    70 Spipe SPIPE "invalid seek";
    71 Srch SRCH "no such process";
    72 Stale STALE "stale file handle";
    73 Timedout TIMEDOUT "connection timed out";
    74 Txtbsy TXTBSY "text file busy";
    75 Xdev XDEV "cross-device link";
    76 Notcapable _ "capabilities insufficient";
}

impl From<io::Error> for Errno {
    /// Translates the host's error number if there is one. cap-std reports a path that leads out of its directory
    /// as `PermissionDenied` without a number, which is translated to `perm`.
    fn from(error: io::Error) -> Errno {
        if let Some(host) = rustix::io::Errno::from_io_error(&error) {
            return host.into();
        }
        match error.kind() {
            io::ErrorKind::PermissionDenied => Errno::Perm,
            io::ErrorKind::NotFound => Errno::Noent,
            io::ErrorKind::AlreadyExists => Errno::Exist,
            io::ErrorKind::InvalidInput => Errno::Inval,
            io::ErrorKind::Unsupported => Errno::Notsup,
            io::ErrorKind::WouldBlock => Errno::Again,
            _ => Errno::Io,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_standard() {
        assert_eq!(Errno::ALL.len(), 77);
        for (number, errno) in Errno::ALL.iter().enumerate() {
            assert_eq!(*errno as usize, number);
        }
    }

    #[test]
    fn host_errors_translate() {
        let host = |e: rustix::io::Errno| Errno::from(e);
        assert_eq!(host(rustix::io::Errno::NOENT), Errno::Noent);
        assert_eq!(host(rustix::io::Errno::NOTSUP), Errno::Notsup);
        assert_eq!(host(rustix::io::Errno::OPNOTSUPP), Errno::Notsup);
        assert_eq!(host(rustix::io::Errno::AGAIN), Errno::Again);
        assert_eq!(host(rustix::io::Errno::HOSTDOWN), Errno::Io);
        let escape = io::Error::new(io::ErrorKind::PermissionDenied, "outside");
        assert_eq!(Errno::from(escape), Errno::Perm);
        assert_eq!(Errno::from(io::Error::from_raw_os_error(2)), Errno::Noent);
    }
}
