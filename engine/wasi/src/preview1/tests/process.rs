//! Arguments, environment, the end of a program, random bytes, clocks, and the table itself.

use super::*;
use crate::preview1::ValueType::{I32, I64};

#[test]
fn all_functions_of_the_standard_are_there() {
    assert_eq!(FUNCTIONS.len(), 46);
    assert!(FUNCTIONS.is_sorted_by_key(|function| function.name));
    let signature = |name: &str| {
        let function = FUNCTIONS
            .iter()
            .find(|function| function.name == name)
            .unwrap();
        (function.params, function.results)
    };
    // As in wasi_snapshot_preview1.witx, lowered.
    assert_eq!(
        signature("fd_seek"),
        (&[I32, I64, I32, I32][..], &[I32][..])
    );
    assert_eq!(
        signature("path_open"),
        (
            &[I32, I32, I32, I32, I32, I64, I64, I32, I32][..],
            &[I32][..]
        )
    );
    assert_eq!(signature("proc_exit"), (&[I32][..], &[][..]));
    assert_eq!(signature("sched_yield"), (&[][..], &[I32][..]));
    assert_eq!(
        signature("fd_readdir"),
        (&[I32, I32, I32, I64, I32][..], &[I32][..])
    );
}

#[test]
fn arguments_and_environment() {
    let mut guest = Guest::new(|builder| {
        builder
            .args(["prog", "", "héllo"])
            .env("HOME", "/")
            .env("EMPTY", "");
    });
    guest.ok("args_sizes_get", &[OUT.into(), u64::from(OUT) + 4]);
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (3, 13));
    guest.ok("args_get", &[OUT.into(), BUFFER.into()]);
    assert_eq!(
        [guest.u32(OUT), guest.u32(OUT + 4), guest.u32(OUT + 8)],
        [4096, 4101, 4102]
    );
    assert_eq!(guest.get(BUFFER, 13), "prog\0\0héllo\0".as_bytes());

    guest.ok("environ_sizes_get", &[OUT.into(), u64::from(OUT) + 4]);
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (2, 14));
    guest.ok("environ_get", &[OUT.into(), BUFFER.into()]);
    assert_eq!(guest.get(BUFFER, 14), b"HOME=/\0EMPTY=\0");

    assert_eq!(
        guest.call("args_get", &[65532, BUFFER.into()]),
        Errno::Fault
    );
    assert_eq!(guest.call("args_get", &[OUT.into(), 65535]), Errno::Fault);
}

#[test]
fn the_end_of_a_program() {
    let mut guest = Guest::new(|_| ());
    assert_eq!(guest.call_or_stop("proc_exit", &[7]), Err(Stop::Exit(7)));
    assert_eq!(guest.call_or_stop("proc_raise", &[6]), Err(Stop::Signal(6)));
    assert_eq!(guest.call("proc_raise", &[0]), Errno::Success);
    assert_eq!(guest.call("proc_raise", &[31]), Errno::Inval);
    assert_eq!(guest.call("sched_yield", &[]), Errno::Success);
}

#[test]
fn random_bytes() {
    let mut guest = Guest::new(|_| ());
    guest.ok("random_get", &[BUFFER.into(), 1000]);
    assert!(guest.get(BUFFER, 1000).iter().any(|byte| *byte != 0));
    assert_eq!(guest.get(BUFFER + 1000, 8), [0; 8]);
    assert_eq!(guest.call("random_get", &[65530, 7]), Errno::Fault);
    assert_eq!(guest.call("random_get", &[65536, 0]), Errno::Success);
}

#[test]
fn clocks() {
    let mut guest = Guest::new(|_| ());
    for id in 0..4 {
        guest.ok("clock_res_get", &[id, OUT.into()]);
        assert!((1..=1_000_000_000).contains(&guest.u64(OUT)), "clock {id}");
        guest.ok("clock_time_get", &[id, 1, OUT.into()]);
        let first = guest.u64(OUT);
        guest.ok("clock_time_get", &[id, 1, OUT.into()]);
        assert!(guest.u64(OUT) >= first, "clock {id}");
    }
    guest.ok("clock_time_get", &[0, 0, OUT.into()]);
    assert!(guest.u64(OUT) > 1_700_000_000_000_000_000);
    assert_eq!(
        guest.call("clock_time_get", &[4, 0, OUT.into()]),
        Errno::Inval
    );
    assert_eq!(guest.call("clock_res_get", &[9, OUT.into()]), Errno::Inval);
    assert_eq!(guest.call("clock_time_get", &[1, 0, 65530]), Errno::Fault);
}
