// Directories opened with few rights, as Zig's standard library and Go's os.Root open them, and what is done below them.
#include <wasi/api.h>

#include "check.h"

#define READ __WASI_RIGHTS_FD_READ
#define WRITE __WASI_RIGHTS_FD_WRITE
#define ALL 0x1fffffffull
// What a directory can do, as Zig asks; what reads and writes a file, as Zig asks.
#define DIRECTORY                                                                                        \
    (__WASI_RIGHTS_PATH_OPEN | __WASI_RIGHTS_FD_READDIR | __WASI_RIGHTS_PATH_CREATE_FILE |               \
     __WASI_RIGHTS_PATH_CREATE_DIRECTORY | __WASI_RIGHTS_PATH_REMOVE_DIRECTORY |                         \
     __WASI_RIGHTS_PATH_UNLINK_FILE | __WASI_RIGHTS_PATH_FILESTAT_GET | __WASI_RIGHTS_FD_FILESTAT_GET)
#define FILE_BOTH                                                                                        \
    (READ | WRITE | __WASI_RIGHTS_FD_SEEK | __WASI_RIGHTS_FD_TELL | __WASI_RIGHTS_FD_FILESTAT_GET)
// What Go asks for a file that is not written.
#define GO_READS (ALL & ~(WRITE | __WASI_RIGHTS_FD_DATASYNC | __WASI_RIGHTS_FD_ALLOCATE | __WASI_RIGHTS_PATH_FILESTAT_SET_SIZE))

static uint8_t buffer[64];

static int open_below(int fd, const char *path, int oflags, __wasi_rights_t base, __wasi_fd_t *opened) {
    return __wasi_path_open(fd, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, oflags, base, 0, 0, opened);
}

static int write_byte(int fd) {
    __wasi_ciovec_t vector = {(const uint8_t *)"x", 1};
    __wasi_size_t count;
    return __wasi_fd_write(fd, &vector, 1, &count);
}

static int read_byte(int fd) {
    __wasi_iovec_t vector = {buffer, 1};
    __wasi_size_t count;
    return __wasi_fd_read(fd, &vector, 1, &count);
}

static void below(__wasi_rights_t base, __wasi_rights_t inheriting, __wasi_rights_t file) {
    __wasi_fd_t directory = 0, fd = 0;
    __wasi_size_t count;
    __wasi_filestat_t stat;
    __wasi_fdstat_t fdstat;
    CHECK(__wasi_path_open(3, 1, "sub", __WASI_OFLAGS_DIRECTORY, base, inheriting, 0, &directory) == 0);
    CHECK(__wasi_fd_readdir(directory, buffer, sizeof buffer, 0, &count) == 0);
    CHECK(__wasi_fd_fdstat_get(directory, &fdstat) == 0);
    CHECK((fdstat.fs_rights_base & DIRECTORY) == DIRECTORY);
    CHECK((fdstat.fs_rights_inheriting & (READ | WRITE | DIRECTORY)) == (READ | WRITE | DIRECTORY));

    CHECK(open_below(directory, "new", __WASI_OFLAGS_CREAT, file, &fd) == 0);
    CHECK(write_byte(fd) == 0);
    CHECK(__wasi_fd_close(fd) == 0);
    CHECK(__wasi_path_filestat_get(directory, 1, "new", &stat) == 0 && stat.size == 1);
    CHECK(open_below(directory, "new", 0, file, &fd) == 0);
    CHECK(read_byte(fd) == 0 && buffer[0] == 'x');
    CHECK(__wasi_fd_close(fd) == 0);
    CHECK(open_below(directory, "new", 0, READ, &fd) == 0);
    CHECK(read_byte(fd) == 0);
    CHECK(write_byte(fd) == __WASI_ERRNO_BADF);
    CHECK(__wasi_fd_close(fd) == 0);
    CHECK(open_below(directory, "new", __WASI_OFLAGS_TRUNC, WRITE, &fd) == 0);
    CHECK(read_byte(fd) == __WASI_ERRNO_BADF);
    CHECK(write_byte(fd) == 0);
    CHECK(__wasi_fd_close(fd) == 0);
    CHECK(__wasi_path_unlink_file(directory, "new") == 0);
    CHECK(__wasi_path_create_directory(directory, "m") == 0);
    CHECK(__wasi_path_remove_directory(directory, "m") == 0);
    CHECK(__wasi_fd_close(directory) == 0);
}

int main(void) {
    CHECK(__wasi_path_create_directory(3, "sub") == 0);
    below(DIRECTORY, ALL, FILE_BOTH);
    below(DIRECTORY, 0, FILE_BOTH);
    below(DIRECTORY, DIRECTORY, FILE_BOTH);
    below(0, 0, FILE_BOTH);
    below(GO_READS & ~READ, GO_READS, ALL);
    below(GO_READS, ALL, ALL);
    // The host cannot write a directory.
    __wasi_fd_t directory;
    CHECK(open_below(3, "sub", __WASI_OFLAGS_DIRECTORY, DIRECTORY | FILE_BOTH, &directory) == __WASI_ERRNO_ISDIR);
    CHECK(__wasi_path_remove_directory(3, "sub") == 0);
    FINISH;
}
