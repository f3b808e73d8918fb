/*
 * Executes machine code on states of the processor, for `cargo verify --hardware`: what the specs of instructions say is
 * compared with what this program reports. The verifier compiles it with the C compiler (for another machine with a cross
 * compiler, and runs it under an emulator) and talks to it through pipes; verifier/README.md says how.
 *
 * All numbers are little-endian. A *place* is a number: 0 to 31 the integer registers (8 bytes), 32 to 63 the vector
 * registers (16 bytes), 64 the flags (8 bytes), 65 the window, which is an address and the 16 bytes of memory from there on.
 * All memory that code may access is one page at DATA, between two pages that it may not; bytes of a window outside of it
 * are not written, and are read as zero.
 *
 * A batch is a header, the places of inputs and outputs (a byte each), the code, and for each case the inputs. The answer is
 * the number of cases that were run and the signal that ended the process which ran them (0: none; both 32 bits), and for
 * each case a `struct outcome` and the outputs; of a window only its 16 bytes. Registers and memory that are no input have
 * arbitrary contents, the same in all cases of a batch.
 *
 * Each batch runs in a process of its own, under a limit of time. A signal that the code causes ends the case; then the
 * integer registers are those at the signal, and the other outputs as they were.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { INTS = 32, VECS = 32, FLAGS = 64, WINDOW = 65, PLACES = 66 };
enum { PAGE = 4096, WINDOW_BYTES = 16, MAX_CODE = 2048, SECONDS = 120 };

/* Low, so that an address has a sign that does not matter and a base can be any displacement away from it. */
#define DATA ((uint8_t *)0x20000000)

struct state {
    uint64_t ints[INTS];
    unsigned __int128 vecs[VECS];
    uint64_t flags;
};

/* What is loaded before the code runs, and what it leaves. */
struct state before, after;
/* Where the code begins. */
void *code_address;

/* Runs the code; the machine's part defines it in assembly. */
void run_code(void);
/* What the code continues with. */
extern char code_end[];

/* The machine's part: */
static size_t append_exit(uint8_t *at);
static void interrupted(const ucontext_t *context, uint64_t *pc);

#if defined(__x86_64__)
#include "x86_64.h"
#elif defined(__aarch64__)
#include "aarch64.h"
#else
#error "there is no part for this machine"
#endif

struct header {
    uint32_t magic, cases, code_bytes, inputs, outputs;
    /* The places beyond the outputs that the code may change, as sets of bits. */
    uint32_t flags_may_change;
    uint64_t may_change;
    uint64_t seed;
};

struct outcome {
    uint32_t signal;
    /* The offset in the code of the instruction that caused it. */
    uint32_t offset;
    uint64_t fault_address;
    /* The registers that changed although they may not, as a set of bits. */
    uint64_t changed;
    /* Likewise: bit 0 the flags, bit 1 memory outside of the window. */
    uint64_t changed_more;
};

static sigjmp_buf resume;
static volatile sig_atomic_t running;
static struct outcome current;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    uint64_t pc;
    if (!running) {
        _exit(128 + signal);
    }
    running = 0;
    interrupted(context, &pc);
    current.signal = signal;
    current.offset = (uint32_t)(pc - (uint64_t)code_address);
    current.fault_address = (uint64_t)info->si_addr;
    siglongjmp(resume, 1);
}

static void catch_signals(void)
{
    static uint8_t stack[64 << 10];
    const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], &action, NULL);
    }
}

static void *map(void *at, size_t bytes, int protection, int flags)
{
    void *got = mmap(at, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED || (at != NULL && got != at)) {
        fprintf(stderr, "cannot map %zu bytes at %p: %s\n", bytes, at, strerror(errno));
        exit(1);
    }
    return got;
}

static void read_exactly(void *to, size_t bytes)
{
    if (fread(to, 1, bytes, stdin) != bytes) {
        fputs("the input ends within a batch\n", stderr);
        exit(1);
    }
}

static uint64_t mixed(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t place_bytes(uint8_t place, int of_output)
{
    if (place < INTS || place == FLAGS) {
        return 8;
    }
    if (place == WINDOW) {
        return of_output ? WINDOW_BYTES : 8 + WINDOW_BYTES;
    }
    return 16;
}

/* Copies between a window and the data page, the bytes that are in both. */
static void copy_window(uint64_t address, uint8_t *window, int to_memory)
{
    for (size_t i = 0; i < WINDOW_BYTES; i++) {
        uint64_t offset = address + i - (uint64_t)DATA;
        if (offset < PAGE) {
            if (to_memory) {
                DATA[offset] = window[i];
            } else {
                window[i] = DATA[offset];
            }
        }
    }
}

static void *place_of(struct state *state, uint8_t place)
{
    if (place < INTS) {
        return &state->ints[place];
    }
    return place == FLAGS ? (void *)&state->flags : (void *)&state->vecs[place - INTS];
}

/* Runs the code once. A function of its own, because a jump back may change the variables of the one that it comes to. */
static __attribute__((noinline)) void run_case(void)
{
    if (sigsetjmp(resume, 0) == 0) {
        running = 1;
        run_code();
        running = 0;
        after.flags &= FLAG_BITS;
    }
}

/* Runs all cases of a batch and writes the answers; counts them in `*done`. */
static void run_batch(const struct header *header, const uint8_t *places, const uint8_t *inputs, uint8_t *answers,
    volatile uint32_t *done)
{
    static uint8_t background[PAGE];
    static struct state arbitrary;
    uint64_t seed = header->seed;
    const uint8_t *outputs = places + header->inputs;
    int window = memchr(places, WINDOW, header->inputs) != NULL;
    uint64_t may_change = header->may_change | UNUSED_PLACES, may_change_more = header->flags_may_change;

    for (size_t i = 0; i < PAGE; i += 8) {
        uint64_t bits = mixed(&seed);
        memcpy(background + i, &bits, 8);
    }
    for (size_t i = 0; i < sizeof arbitrary / 8; i++) {
        ((uint64_t *)&arbitrary)[i] = mixed(&seed);
    }
    arbitrary.flags &= FLAG_BITS;
    for (size_t i = 0; i < header->outputs; i++) {
        if (outputs[i] < FLAGS) {
            may_change |= 1ull << outputs[i];
        } else if (outputs[i] == FLAGS) {
            may_change_more |= 1;
        }
    }
    memcpy(DATA, background, PAGE);
    catch_signals();
    for (uint32_t number = 0; number < header->cases; number++) {
        uint64_t address = 0;
        uint8_t old[WINDOW_BYTES] = { 0 };
        before = arbitrary;
        for (size_t i = 0; i < header->inputs; i++) {
            if (places[i] == WINDOW) {
                memcpy(&address, inputs, 8);
                memcpy(old, inputs + 8, WINDOW_BYTES);
                copy_window(address, old, 1);
            } else {
                memcpy(place_of(&before, places[i]), inputs, place_bytes(places[i], 0));
            }
            inputs += place_bytes(places[i], 0);
        }
        before.flags &= FLAG_BITS;
        after = before;
        memset(&current, 0, sizeof current);
        run_case();
        for (size_t i = 0; i < INTS; i++) {
            current.changed |= (uint64_t)(before.ints[i] != after.ints[i]) << i;
            current.changed |= (uint64_t)(before.vecs[i] != after.vecs[i]) << (32 + i);
        }
        current.changed &= ~may_change;
        current.changed_more = (before.flags != after.flags) & ~may_change_more;
        uint8_t *answer = answers + sizeof current;
        for (size_t i = 0; i < header->outputs; i++) {
            if (outputs[i] == WINDOW) {
                memset(answer, 0, WINDOW_BYTES);
                copy_window(address, answer, 0);
            } else {
                memcpy(answer, place_of(&after, outputs[i]), place_bytes(outputs[i], 1));
            }
            answer += place_bytes(outputs[i], 1);
        }
        if (window) {
            for (size_t i = 0; i < WINDOW_BYTES; i++) {
                uint64_t offset = address + i - (uint64_t)DATA;
                if (offset < PAGE) {
                    DATA[offset] = background[offset];
                }
            }
        }
        if (memcmp(DATA, background, PAGE) != 0) {
            current.changed_more |= 2;
            memcpy(DATA, background, PAGE);
        }
        memcpy(answers, &current, sizeof current);
        answers = answer;
        *done = number + 1;
    }
}

int main(void)
{
    const size_t area = 1 << 20;
    uint8_t *const code = map(NULL, area, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    size_t used = 0;
    struct header header;

    map(DATA - PAGE, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_FIXED_NOREPLACE);
    if (mprotect(DATA, PAGE, PROT_READ | PROT_WRITE) != 0) {
        perror("cannot make memory accessible");
        return 1;
    }
    while (fread(&header, sizeof header, 1, stdin) == 1) {
        uint8_t places[2 * PLACES];
        if (header.magic != 0x65786543 || header.inputs > PLACES || header.outputs > PLACES || header.code_bytes > MAX_CODE) {
            fputs("the input is no batch\n", stderr);
            return 1;
        }
        read_exactly(places, header.inputs + header.outputs);
        /* Each batch's code has a place of its own as long as there is room, so that an emulator translates it once. */
        if (used + MAX_CODE + 64 > area) {
            used = 0;
        }
        uint8_t *const at = code + used;
        read_exactly(at, header.code_bytes);
        const size_t bytes = header.code_bytes + append_exit(at + header.code_bytes);
        __builtin___clear_cache((char *)at, (char *)at + bytes);
        used += (bytes + 63) / 64 * 64;
        code_address = at;

        size_t input = 0, answer = sizeof(struct outcome);
        for (size_t i = 0; i < header.inputs; i++) {
            input += place_bytes(places[i], 0);
        }
        for (size_t i = 0; i < header.outputs; i++) {
            answer += place_bytes(places[header.inputs + i], 1);
        }
        uint8_t *const inputs = malloc(input * header.cases + 1);
        if (inputs == NULL) {
            perror("there is no memory for a batch");
            return 1;
        }
        read_exactly(inputs, input * header.cases);
        const size_t shared = answer * header.cases + 16;
        volatile uint32_t *const done = map(NULL, shared, PROT_READ | PROT_WRITE, MAP_SHARED);
        uint8_t *const answers = (uint8_t *)done + 16;

        const pid_t child = fork();
        if (child == 0) {
            alarm(SECONDS);
            run_batch(&header, places, inputs, answers, done);
            _exit(0);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child) {
            perror("cannot run a process");
            return 1;
        }
        uint32_t result[2] = { *done, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) };
        fwrite(result, sizeof result, 1, stdout);
        fwrite(answers, answer, result[0], stdout);
        if (fflush(stdout) != 0) {
            return 1;
        }
        munmap((void *)done, shared);
        free(inputs);
    }
    return 0;
}
