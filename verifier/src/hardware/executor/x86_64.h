/* The part of the executor for x86_64: integer registers by their encodings, the low 128 bits of vector registers. */

/* CF, PF, ZF, SF and OF. */
#define FLAG_BITS 0x8c5ull
/* rsp, and what is no register. */
#define UNUSED_PLACES 0xffff0000ffff0010ull

/* JMP [rip], and the address. */
static size_t append_exit(uint8_t *at)
{
    const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 };
    const uint64_t end = (uint64_t)code_end;
    memcpy(at, jump, sizeof jump);
    memcpy(at + sizeof jump, &end, sizeof end);
    return sizeof jump + sizeof end;
}

static void interrupted(const ucontext_t *context, uint64_t *pc)
{
    static const int numbers[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8,
        REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    for (size_t i = 0; i < 16; i++) {
        after.ints[i] = context->uc_mcontext.gregs[numbers[i]];
    }
    *pc = context->uc_mcontext.gregs[REG_RIP];
}

__asm__(
    ".macro each_int instruction\n"
    "    \\instruction rcx, 8\n    \\instruction rdx, 16\n    \\instruction rbx, 24\n    \\instruction rbp, 40\n"
    "    \\instruction rsi, 48\n    \\instruction rdi, 56\n    \\instruction r8, 64\n    \\instruction r9, 72\n"
    "    \\instruction r10, 80\n    \\instruction r11, 88\n    \\instruction r12, 96\n    \\instruction r13, 104\n"
    "    \\instruction r14, 112\n    \\instruction r15, 120\n    \\instruction rax, 0\n"
    ".endm\n"
    ".macro each_vec instruction\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n    \\instruction \\n\n    .endr\n"
    ".endm\n"
    ".macro load_int reg, offset\n    movq before+\\offset(%rip), %\\reg\n.endm\n"
    ".macro store_int reg, offset\n    movq %\\reg, after+\\offset(%rip)\n.endm\n"
    ".macro load_vec n\n    movdqu before+256+16*\\n(%rip), %xmm\\n\n.endm\n"
    ".macro store_vec n\n    movdqu %xmm\\n, after+256+16*\\n(%rip)\n.endm\n"
    ".local saved_stack\n"
    ".comm saved_stack, 8, 8\n"
    ".text\n"
    ".global run_code, code_end\n"
    "run_code:\n"
    "    pushq %rbx\n    pushq %rbp\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
    "    movq %rsp, saved_stack(%rip)\n"
    "    each_vec load_vec\n"
    "    pushq before+768(%rip)\n"
    "    popfq\n"
    "    each_int load_int\n"
    "    jmpq *code_address(%rip)\n"
    "code_end:\n"
    "    each_int store_int\n"
    "    movq saved_stack(%rip), %rsp\n"
    "    pushfq\n"
    "    popq after+768(%rip)\n"
    "    cld\n"
    "    each_vec store_vec\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbp\n    popq %rbx\n"
    "    ret\n");
