//! Whatever a guest passes, the host does not panic.

use super::*;

/// Values at the edges of what a guest may pass.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    3,
    4,
    BUFFER as u64,
    65535,
    65536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
];

/// Every function with parameters at the edges: an error number or the end of the program, never a
/// panic. Each round builds the guest anew, as a call may close what the next one uses.
#[test]
fn no_parameters_make_the_host_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..40 {
        let mut guest = Guest::with_directory();
        guest.put(BUFFER, b"../etc/passwd");
        for function in FUNCTIONS {
            for _ in 0..20 {
                let pick = |_| EDGES[(next() % EDGES.len() as u64) as usize];
                let params: Vec<u64> = (0..function.params.len()).map(pick).collect();
                // A guest may wait for ever, and it may fill the host's disk; this test may not.
                if function.name == "poll_oneoff" || function.name == "fd_allocate" {
                    continue;
                }
                _ = guest.call_or_stop(function.name, &params);
            }
        }
    }
}

#[test]
fn memory_may_be_empty() {
    for function in FUNCTIONS {
        let mut guest = Guest::with_directory();
        guest.memory.clear();
        let params = vec![1; function.params.len()];
        _ = guest.call_or_stop(function.name, &params);
    }
}

/// Memory of zeros holds subscriptions that are due at once, so nothing waits.
#[test]
fn no_subscriptions_make_the_host_panic() {
    for subscriptions in EDGES {
        for events in EDGES {
            for count in EDGES {
                let mut guest = Guest::new(|_| ());
                let params = [subscriptions, events, count, OUT.into()];
                _ = guest.call("poll_oneoff", &params);
                // The same for a descriptor: standard input from memory is always ready.
                guest.put(BUFFER + 8, &[1]);
                _ = guest.call("poll_oneoff", &params);
            }
        }
    }
}
