//! The function `poll_oneoff`, which waits for the first of several clocks and descriptors.

use std::collections::BTreeMap;

use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionread;
use rustix::time::ClockId;

use super::clock::{clock_id, now};
use super::{Outcome, blocking};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::table::{Descriptor, Entry};
use crate::types::FileType;

/// The offsets of the fields of a `subscription` in which snapshots differ, in bytes from its start.
#[derive(Debug)]
pub(super) struct SubscriptionLayout {
    /// The size of the whole `subscription` in bytes.
    pub(super) size: u32,
    /// The fields of `subscription_clock`.
    pub(super) clock: u32,
    pub(super) timeout: u32,
    pub(super) flags: u32,
}

/// The layout of preview 1: user data and tag, then the clock, its timeout, its precision and its flags.
const SUBSCRIPTION: SubscriptionLayout = SubscriptionLayout {
    size: 48,
    clock: 16,
    timeout: 24,
    flags: 40,
};
/// The offset of the descriptor of a `subscription_fd_readwrite`.
const DESCRIPTOR: u32 = 16;
/// The size in bytes of an `event`.
const EVENT_SIZE: u32 = 32;
/// A flag of `subclockflags`: the time is a point of the clock instead of a span from now.
const ABSTIME: u16 = 1 << 0;
/// A flag of `eventrwflags`: the other side has hung up.
const HANGUP: u16 = 1 << 0;
/// The largest number of subscriptions in one call.
const MAX_SUBSCRIPTIONS: u32 = 1 << 16;

/// The kind of event that a subscription waits for (`eventtype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Clock = 0,
    Read = 1,
    Write = 2,
}

#[derive(Debug)]
struct Subscription {
    userdata: u64,
    event: Event,
    waits: Waits,
}

#[derive(Debug)]
enum Waits {
    /// A span of nanoseconds from now.
    Time(u64),
    /// The state of a descriptor.
    Descriptor(u32),
    /// The subscription itself is wrong, which its event reports.
    Wrong(Errno),
}

/// An event for the guest.
struct Ready {
    errno: Errno,
    bytes: u64,
    flags: u16,
}

impl Ready {
    const NOW: Ready = Ready {
        errno: Errno::Success,
        bytes: 0,
        flags: 0,
    };

    fn error(errno: Errno) -> Ready {
        Ready {
            errno,
            ..Ready::NOW
        }
    }
}

fn subscription(
    ctx: &WasiCtx,
    memory: &GuestMemory<'_>,
    at: u32,
    layout: &SubscriptionLayout,
) -> Result<Subscription, Errno> {
    let field = |offset: u32| at.checked_add(offset).ok_or(Errno::Fault);
    let userdata = memory.read_u64(at)?;
    let event = match memory.read_u8(field(8)?)? {
        0 => Event::Clock,
        1 => Event::Read,
        2 => Event::Write,
        _ => return Err(Errno::Inval),
    };
    let waits = match event {
        Event::Clock => {
            let id = memory.read_u32(field(layout.clock)?)?;
            let timeout = memory.read_u64(field(layout.timeout)?)?;
            let flags = memory.read_u16(field(layout.flags)?)?;
            match clock_span(ctx, id, timeout, flags) {
                Ok(nanoseconds) => Waits::Time(nanoseconds),
                Err(errno) => Waits::Wrong(errno),
            }
        }
        Event::Read | Event::Write => Waits::Descriptor(memory.read_u32(field(DESCRIPTOR)?)?),
    };
    Ok(Subscription {
        userdata,
        event,
        waits,
    })
}

/// How long to wait from now. The host cannot wait for CPU time: `notsup`.
fn clock_span(ctx: &WasiCtx, id: u32, timeout: u64, flags: u16) -> Result<u64, Errno> {
    let clock = clock_id(id)?;
    if !matches!(clock, ClockId::Realtime | ClockId::Monotonic) {
        return Err(Errno::Notsup);
    }
    match flags {
        0 => Ok(timeout),
        ABSTIME => Ok(timeout.saturating_sub(now(ctx, clock)?)),
        _ => Err(Errno::Inval),
    }
}

/// The event of a descriptor whose state is known without asking the host, if it is.
fn ready_at_once(entry: Result<&Entry, Errno>, event: Event) -> Option<Ready> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(errno) => return Some(Ready::error(errno)),
    };
    let open = match event {
        Event::Write => entry.for_writing(),
        Event::Read | Event::Clock => entry.for_reading(),
    };
    if let Err(errno) = open {
        return Some(Ready::error(errno));
    }
    match &entry.descriptor {
        Descriptor::Input(input) => {
            let bytes = input.remaining() as u64;
            Some(Ready {
                bytes,
                flags: if bytes == 0 { HANGUP } else { 0 },
                ..Ready::NOW
            })
        }
        Descriptor::Output(_) | Descriptor::Discard => Some(Ready::NOW),
        Descriptor::Directory(_) => Some(Ready::error(Errno::Badf)),
        Descriptor::Inherited(_) | Descriptor::Host(_) => None,
    }
}

pub(super) fn poll_oneoff(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    stored: u32,
) -> Outcome {
    poll_with_layout(
        ctx,
        memory,
        subscriptions,
        events,
        count,
        stored,
        &SUBSCRIPTION,
    )
}

/// Implements `poll_oneoff` for either snapshot.
pub(super) fn poll_with_layout(
    ctx: &WasiCtx,
    memory: &mut GuestMemory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    stored: u32,
    layout: &SubscriptionLayout,
) -> Outcome {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    memory.bytes(subscriptions, count * layout.size)?;
    memory.bytes(events, count * EVENT_SIZE)?;
    memory.writable(stored, 4)?;
    let list = (0..count)
        .map(|index| subscription(ctx, memory, subscriptions + index * layout.size, layout))
        .collect::<Result<Vec<_>, Errno>>()?;
    let ready = wait(ctx, &list)?;
    for (index, (subscription, ready)) in ready.iter().enumerate() {
        let mut bytes = [0; EVENT_SIZE as usize];
        bytes[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&(ready.errno as u16).to_le_bytes());
        bytes[10] = subscription.event as u8;
        bytes[16..24].copy_from_slice(&ready.bytes.to_le_bytes());
        bytes[24..26].copy_from_slice(&ready.flags.to_le_bytes());
        memory.write(events + index as u32 * EVENT_SIZE, &bytes)?;
    }
    Ok(memory.write_u32(stored, ready.len() as u32)?)
}

/// Waits until at least one subscription is ready, and returns those that are.
fn wait<'s>(
    ctx: &WasiCtx,
    list: &'s [Subscription],
) -> Result<Vec<(&'s Subscription, Ready)>, Errno> {
    let mut ready = Vec::new();
    let mut asked = Vec::new();
    let mut wanted = BTreeMap::new();
    let mut shortest: Option<u64> = None;
    for subscription in list {
        match subscription.waits {
            Waits::Wrong(errno) => ready.push((subscription, Ready::error(errno))),
            Waits::Time(nanoseconds) => {
                shortest = Some(shortest.map_or(nanoseconds, |other| other.min(nanoseconds)));
            }
            Waits::Descriptor(fd) => {
                let entry = ctx.table.get(fd);
                if let Some(now) = ready_at_once(entry, subscription.event) {
                    ready.push((subscription, now));
                    continue;
                }
                *wanted.entry(fd).or_insert(PollFlags::empty()) |= interest(subscription.event);
                asked.push((subscription, fd, entry?));
            }
        }
    }
    let timeout = if ready.is_empty() { shortest } else { Some(0) };
    let found = ask(ctx, &wanted, timeout)?;
    for (subscription, fd, entry) in asked {
        let found = found[&fd] & (interest(subscription.event) | UNASKED);
        if !found.is_empty() {
            ready.push((subscription, readiness(entry, subscription.event, found)));
        }
    }
    let due = |nanoseconds: u64| match shortest {
        _ if nanoseconds == 0 => true,
        Some(shortest) => ready.is_empty() && nanoseconds <= shortest,
        None => false,
    };
    let timers: Vec<_> = list
        .iter()
        .filter(|subscription| match subscription.waits {
            Waits::Time(nanoseconds) => due(nanoseconds),
            _ => false,
        })
        .collect();
    ready.extend(
        timers
            .into_iter()
            .map(|subscription| (subscription, Ready::NOW)),
    );
    Ok(ready)
}

/// The flags that the host reports without being asked for them.
const UNASKED: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// The flags to ask the host for, for an event of a descriptor.
fn interest(event: Event) -> PollFlags {
    match event {
        Event::Write => PollFlags::OUT,
        Event::Read | Event::Clock => PollFlags::IN,
    }
}

/// Makes the host wait for descriptors of the program, and returns what it found for each. Each is asked for once,
/// however many subscriptions there are: the host takes no more of them than this process may have open
/// (`RLIMIT_NOFILE`).
fn ask(
    ctx: &WasiCtx,
    wanted: &BTreeMap<u32, PollFlags>,
    timeout: Option<u64>,
) -> Result<BTreeMap<u32, PollFlags>, Errno> {
    let mut fds = Vec::with_capacity(wanted.len());
    for (fd, flags) in wanted {
        let host = ctx.table.host(*fd, Errno::Badf)?;
        fds.push(PollFd::from_borrowed_fd(host, *flags));
    }
    blocking::poll(&ctx.interrupts, &mut fds, timeout)?;
    Ok(wanted
        .keys()
        .copied()
        .zip(fds.iter().map(PollFd::revents))
        .collect())
}

fn readiness(entry: &Entry, event: Event, found: PollFlags) -> Ready {
    if found.contains(PollFlags::NVAL) {
        return Ready::error(Errno::Badf);
    }
    if found.contains(PollFlags::ERR) && event == Event::Read {
        return Ready::error(Errno::Io);
    }
    let mut flags = 0;
    if found.intersects(PollFlags::HUP | PollFlags::ERR) {
        flags |= HANGUP;
    }
    let bytes = match event {
        Event::Read => readable(entry),
        Event::Write | Event::Clock => 0,
    };
    Ready {
        errno: Errno::Success,
        bytes,
        flags,
    }
}

/// How many bytes can be read without waiting; at least one, as the host said that there is
/// something or the end.
fn readable(entry: &Entry) -> u64 {
    let Some(host) = entry.descriptor.host() else {
        return 0;
    };
    if entry.descriptor.filetype() == FileType::RegularFile {
        let size = entry.descriptor.filestat().map_or(0, |stat| stat.size);
        let position = rustix::fs::tell(host).unwrap_or(0);
        return size.saturating_sub(position);
    }
    ioctl_fionread(host).unwrap_or(0)
}
