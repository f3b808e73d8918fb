// Arguments, environment, clocks, polling, random bytes. Arguments: "one", "", "dr\u00ef". Environment: A=1, B=.
#include "check.h"
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

extern char **environ;

static long long now(clockid_t clock) {
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void clocks(void) {
    struct timespec resolution, pause = {0, 20000000};
    CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec > 0);
    CHECK(clock_getres(CLOCK_REALTIME, &resolution) == 0);
    CHECK(time(NULL) > 1700000000);
    for (long long i = 0, last = 0; i < 1000; i++) {
        long long next = now(CLOCK_MONOTONIC);
        CHECK(next >= last);
        last = next;
    }
    long long start = now(CLOCK_MONOTONIC);
    CHECK(nanosleep(&pause, NULL) == 0);
    CHECK(now(CLOCK_MONOTONIC) - start >= 20000000);
    __wasi_timestamp_t stamp;
    CHECK(__wasi_clock_time_get(9, 0, &stamp) == __WASI_ERRNO_INVAL);
    CHECK(__wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 0, &stamp) == 0 && stamp > 1700000000000000000ull);
}

static __wasi_subscription_t timer(__wasi_userdata_t data, __wasi_timestamp_t time, int flags) {
    __wasi_subscription_t timer = {.userdata = data};
    timer.u.tag = __WASI_EVENTTYPE_CLOCK;
    timer.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    timer.u.u.clock.timeout = time;
    timer.u.u.clock.flags = flags;
    return timer;
}

static __wasi_subscription_t writable(__wasi_userdata_t data, int fd) {
    __wasi_subscription_t write = {.userdata = data};
    write.u.tag = __WASI_EVENTTYPE_FD_WRITE;
    write.u.u.fd_write.file_descriptor = fd;
    return write;
}

static void polling(void) {
    __wasi_event_t events[3];
    __wasi_size_t count = 9;
    __wasi_subscription_t waits[3] = {timer(7, 10000000000, 0), timer(8, 1000000, 0), timer(9, 5000000000, 0)};
    long long start = now(CLOCK_MONOTONIC);
    CHECK(__wasi_poll_oneoff(waits, events, 3, &count) == 0 && count == 1);
    CHECK(events[0].userdata == 8 && events[0].type == __WASI_EVENTTYPE_CLOCK && events[0].error == 0);
    CHECK(now(CLOCK_MONOTONIC) - start < 4000000000);
    waits[0] = timer(1, 1, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME); // long past
    CHECK(__wasi_poll_oneoff(waits, events, 1, &count) == 0 && count == 1 && events[0].userdata == 1);
    waits[0] = writable(2, 1);
    CHECK(__wasi_poll_oneoff(waits, events, 3, &count) == 0 && count >= 1 && events[0].userdata == 2);
    waits[0] = writable(3, 77); // the call succeeds, the event has the error
    CHECK(__wasi_poll_oneoff(waits, events, 1, &count) == 0 && count == 1);
    CHECK(events[0].userdata == 3 && events[0].error == __WASI_ERRNO_BADF);
    CHECK(__wasi_poll_oneoff(waits, events, 0, &count) == __WASI_ERRNO_INVAL);
    struct pollfd ask[2] = {{.fd = 1, .events = POLLOUT}, {.fd = 0, .events = POLLIN}};
    CHECK(poll(ask, 1, 1000) == 1 && (ask[0].revents & POLLOUT));
    CHECK(poll(ask + 1, 1, 1000) == 1 && (ask[1].revents & (POLLIN | POLLHUP))); // /dev/null
}

static void randomness(void) {
    static unsigned char bytes[1 << 20];
    unsigned counts[256] = {0}, least = -1, most = 0;
    CHECK(__wasi_random_get(bytes, sizeof bytes) == 0);
    for (size_t i = 0; i < sizeof bytes; i++) counts[bytes[i]]++;
    for (int i = 0; i < 256; i++) {
        if (counts[i] < least) least = counts[i];
        if (counts[i] > most) most = counts[i];
    }
    CHECK(least > 3500 && most < 4700); // 4096 expected, a deviation of 64: nine of them
    CHECK(__wasi_random_get((uint8_t *)-16, 32) == __WASI_ERRNO_FAULT);
    CHECK(getentropy(bytes, 256) == 0);
    FAILS(EIO, getentropy(bytes, 257));
}

int main(int argc, char **argv) {
    CHECK(argc == 4 && strcmp(argv[0], "system.wasm") == 0 && strcmp(argv[1], "one") == 0);
    CHECK(argv[2][0] == 0 && strcmp(argv[3], "dr\u00ef") == 0 && argv[4] == NULL);
    CHECK(strcmp(getenv("A"), "1") == 0 && strcmp(getenv("B"), "") == 0 && getenv("PATH") == NULL && environ[2] == NULL);
    clocks();
    polling();
    randomness();
    CHECK(sched_yield() == 0);
    CHECK(!isatty(0) && !isatty(1));
    CHECK(fflush(NULL) == 0);
    FINISH;
}
