/*
 * Executes A64 code for tests, under an emulator or on a processor: reads records from standard input, and for each one sets
 * the registers, calls the code, and writes the registers that it leaves to standard output.
 *
 * All numbers are little-endian. Input: the number of records (32 bits); for each one the number of its words (32 bits), the
 * words, and a state. Output: a state for each record. A state is x0 to x30, the flags as in NZCV, and v0 to v31.
 * The code may use all registers but sp, x18, x28 (which points to the state) and x30 (the return address).
 *
 *     aarch64-linux-gnu-gcc -O1 -static execute.c -o execute && qemu-aarch64-static execute <records >states
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct state {
    uint64_t x[31];
    uint64_t nzcv;
    unsigned __int128 v[32];
};

_Static_assert(sizeof(struct state) == 768, "the state is what the other side reads and writes");

/* Calls `code` with the registers of a state, and puts the registers that it leaves into the state. */
void call_with(struct state *state, void *code);

__asm__(
    ".text\n"
    ".global call_with\n"
    "call_with:\n"
    "    stp x29, x30, [sp, #-176]!\n"
    "    stp x19, x20, [sp, #16]\n"
    "    stp x21, x22, [sp, #32]\n"
    "    stp x23, x24, [sp, #48]\n"
    "    stp x25, x26, [sp, #64]\n"
    "    stp x27, x28, [sp, #80]\n"
    "    stp d8, d9, [sp, #96]\n"
    "    stp d10, d11, [sp, #112]\n"
    "    stp d12, d13, [sp, #128]\n"
    "    stp d14, d15, [sp, #144]\n"
    "    str x18, [sp, #160]\n"
    "    mov x28, x0\n"
    "    mov x30, x1\n"
    "    add x1, x28, #256\n"
    "    .macro load_pairs a, b, rest:vararg\n"
    "    ldp q\\a, q\\b, [x1], #32\n"
    "    .ifnb \\rest\n"
    "    load_pairs \\rest\n"
    "    .endif\n"
    "    .endm\n"
    "    load_pairs 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    ldr x0, [x28, #248]\n"
    "    msr nzcv, x0\n"
    "    ldp x0, x1, [x28]\n"
    "    ldp x2, x3, [x28, #16]\n"
    "    ldp x4, x5, [x28, #32]\n"
    "    ldp x6, x7, [x28, #48]\n"
    "    ldp x8, x9, [x28, #64]\n"
    "    ldp x10, x11, [x28, #80]\n"
    "    ldp x12, x13, [x28, #96]\n"
    "    ldp x14, x15, [x28, #112]\n"
    "    ldp x16, x17, [x28, #128]\n"
    "    ldr x19, [x28, #152]\n"
    "    ldp x20, x21, [x28, #160]\n"
    "    ldp x22, x23, [x28, #176]\n"
    "    ldp x24, x25, [x28, #192]\n"
    "    ldp x26, x27, [x28, #208]\n"
    "    ldr x29, [x28, #232]\n"
    "    blr x30\n"
    "    stp x0, x1, [x28]\n"
    "    mrs x0, nzcv\n"
    "    str x0, [x28, #248]\n"
    "    stp x2, x3, [x28, #16]\n"
    "    stp x4, x5, [x28, #32]\n"
    "    stp x6, x7, [x28, #48]\n"
    "    stp x8, x9, [x28, #64]\n"
    "    stp x10, x11, [x28, #80]\n"
    "    stp x12, x13, [x28, #96]\n"
    "    stp x14, x15, [x28, #112]\n"
    "    stp x16, x17, [x28, #128]\n"
    "    str x19, [x28, #152]\n"
    "    stp x20, x21, [x28, #160]\n"
    "    stp x22, x23, [x28, #176]\n"
    "    stp x24, x25, [x28, #192]\n"
    "    stp x26, x27, [x28, #208]\n"
    "    str x29, [x28, #232]\n"
    "    add x1, x28, #256\n"
    "    .macro store_pairs a, b, rest:vararg\n"
    "    stp q\\a, q\\b, [x1], #32\n"
    "    .ifnb \\rest\n"
    "    store_pairs \\rest\n"
    "    .endif\n"
    "    .endm\n"
    "    store_pairs 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    ldp x19, x20, [sp, #16]\n"
    "    ldp x21, x22, [sp, #32]\n"
    "    ldp x23, x24, [sp, #48]\n"
    "    ldp x25, x26, [sp, #64]\n"
    "    ldp x27, x28, [sp, #80]\n"
    "    ldp d8, d9, [sp, #96]\n"
    "    ldp d10, d11, [sp, #112]\n"
    "    ldp d12, d13, [sp, #128]\n"
    "    ldp d14, d15, [sp, #144]\n"
    "    ldr x18, [sp, #160]\n"
    "    ldp x29, x30, [sp], #176\n"
    "    ret\n");

static void read_exactly(void *to, size_t bytes)
{
    if (fread(to, 1, bytes, stdin) != bytes) {
        fputs("the input ends within a record\n", stderr);
        exit(1);
    }
}

int main(void)
{
    /* Each record's code has a place of its own, so that none is translated twice. */
    const size_t room = 256 << 20;
    uint8_t *at = mmap(NULL, room, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *const end = at + room;
    if (at == MAP_FAILED) {
        perror("cannot map memory for code");
        return 1;
    }
    uint32_t records;
    read_exactly(&records, sizeof records);
    while (records-- > 0) {
        uint32_t words;
        read_exactly(&words, sizeof words);
        const size_t bytes = (size_t)words * 4;
        if (bytes + 4 > (size_t)(end - at)) {
            fputs("there is no room for this much code\n", stderr);
            return 1;
        }
        read_exactly(at, bytes);
        const uint32_t ret = 0xd65f03c0;
        memcpy(at + bytes, &ret, 4);
        __builtin___clear_cache((char *)at, (char *)at + bytes + 4);
        struct state state;
        read_exactly(&state, sizeof state);
        call_with(&state, at);
        fwrite(&state, sizeof state, 1, stdout);
        at += bytes + 4;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
