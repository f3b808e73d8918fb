/* A plugin of QEMU's user emulation that counts the instructions of the emulated program, and writes their number to the
 * file that the environment variable SKERRY_INSTRUCTIONS names, when the program ends.
 *
 * QEMU adds the length of a block of instructions to the count whenever it begins one; a block that a signal ends early
 * counts whole. The declarations are those of QEMU's plugin interface, version 1 ("TCG Plugins" in QEMU's documentation),
 * of which Debian has no header.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum operation { ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum operation, void *to, uint64_t number);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

EXPORTED int qemu_plugin_version = 1;

static uint64_t instructions;

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &instructions, qemu_plugin_tb_n_insns(block));
}

static void at_exit(plugin_id id, void *unused) {
    (void)id, (void)unused;
    const char *path = getenv("SKERRY_INSTRUCTIONS");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%" PRIu64 "\n", instructions);
        fclose(file);
    }
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
    (void)info, (void)count, (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
