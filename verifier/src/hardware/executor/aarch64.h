/* The part of the executor for aarch64: x0 to x29, v0 to v31, and the flags as they are in NZCV. */

#define FLAG_BITS 0xf0000000ull
/* x30, which has the address of the code, and the stack pointer. */
#define UNUSED_PLACES 0xc0000000ull

/* LDR x30, what follows; BR x30; the address. */
static size_t append_exit(uint8_t *at)
{
    const uint32_t jump[2] = { 0x5800005e, 0xd61f03c0 };
    const uint64_t end = (uint64_t)code_end;
    memcpy(at, jump, sizeof jump);
    memcpy(at + sizeof jump, &end, sizeof end);
    return sizeof jump + sizeof end;
}

static void interrupted(const ucontext_t *context, uint64_t *pc)
{
    for (size_t i = 0; i < 30; i++) {
        after.ints[i] = context->uc_mcontext.regs[i];
    }
    *pc = context->uc_mcontext.pc;
}

__asm__(
    ".macro load_vecs a, b, rest:vararg\n"
    "    ldp q\\a, q\\b, [x1], #32\n"
    "    .ifnb \\rest\n    load_vecs \\rest\n    .endif\n"
    ".endm\n"
    ".macro store_vecs a, b, rest:vararg\n"
    "    stp q\\a, q\\b, [x1], #32\n"
    "    .ifnb \\rest\n    store_vecs \\rest\n    .endif\n"
    ".endm\n"
    ".macro every_vec instruction\n"
    "    \\instruction 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    ".endm\n"
    ".text\n"
    ".global run_code, code_end\n"
    "run_code:\n"
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
    "    adrp x0, code_address\n"
    "    ldr x30, [x0, #:lo12:code_address]\n"
    "    adrp x0, before\n"
    "    add x0, x0, #:lo12:before\n"
    "    add x1, x0, #256\n"
    "    every_vec load_vecs\n"
    "    ldr x1, [x0, #768]\n"
    "    msr nzcv, x1\n"
    "    ldr x1, [x0, #8]\n"
    "    .irp n, 2,4,6,8,10,12,14,16,18,20,22,24,26\n"
    "    ldr x\\n, [x0, #8*\\n]\n"
    "    .endr\n"
    "    .irp n, 3,5,7,9,11,13,15,17,19,21,23,25,27,28,29\n"
    "    ldr x\\n, [x0, #8*\\n]\n"
    "    .endr\n"
    "    ldr x0, [x0]\n"
    "    br x30\n"
    "code_end:\n"
    "    stp x0, x1, [sp, #-16]!\n"
    "    adrp x0, after\n"
    "    add x0, x0, #:lo12:after\n"
    "    .irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29\n"
    "    str x\\n, [x0, #8*\\n]\n"
    "    .endr\n"
    "    mrs x1, nzcv\n"
    "    str x1, [x0, #768]\n"
    "    add x1, x0, #256\n"
    "    every_vec store_vecs\n"
    "    ldp x2, x3, [sp], #16\n"
    "    stp x2, x3, [x0]\n"
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
