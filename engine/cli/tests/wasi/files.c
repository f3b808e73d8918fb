// Files through wasi-libc: creation, positions, sizes, times, flags, descriptors. Runs in an empty /work.
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wasi/api.h>

static char buffer[64];

static void creation(void) {
    FAILS(ENOENT, open("/work/f", O_RDONLY));
    int f = open("/work/f", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(f > 3);
    FAILS(EEXIST, open("/work/f", O_RDWR | O_CREAT | O_EXCL, 0600));
    CHECK(write(f, "0123456789", 10) == 10);
    CHECK(close(f) == 0);
    FAILS(EBADF, close(f));
    FAILS(EBADF, read(f, buffer, 1));
    FAILS(ENOTDIR, open("/work/f", O_RDONLY | O_DIRECTORY));
    FAILS(ENOTDIR, open("/work/f/", O_RDONLY));
    FAILS(ENOTDIR, open("/work/f/x", O_RDONLY | O_CREAT, 0600));
    FAILS(EISDIR, open("/work", O_WRONLY));
}

static void positions(void) {
    int f = open("/work/f", O_RDWR);
    CHECK(lseek(f, 0, SEEK_CUR) == 0);
    CHECK(lseek(f, -3, SEEK_END) == 7);
    CHECK(read(f, buffer, 9) == 3 && memcmp(buffer, "789", 3) == 0);
    CHECK(read(f, buffer, 9) == 0);
    FAILS(EINVAL, lseek(f, -1, SEEK_SET));
    FAILS(EINVAL, lseek(f, -11, SEEK_END));
    CHECK(lseek(f, INT64_MAX, SEEK_CUR) == -1 && (errno == EINVAL || errno == EOVERFLOW));
    CHECK(lseek(f, 0, SEEK_CUR) == 10);
    CHECK(pread(f, buffer, 3, 4) == 3 && memcmp(buffer, "456", 3) == 0);
    CHECK(pread(f, buffer, 3, 100) == 0);
    CHECK(pwrite(f, "ab", 2, 12) == 2);
    CHECK(lseek(f, 0, SEEK_CUR) == 10);
    CHECK(pread(f, buffer, 9, 9) == 5 && memcmp(buffer, "9\0\0ab", 5) == 0);
    struct iovec parts[3] = {{buffer, 2}, {buffer + 32, 0}, {buffer + 8, 3}};
    CHECK(lseek(f, 0, SEEK_SET) == 0);
    CHECK(readv(f, parts, 3) == 5 && memcmp(buffer, "01", 2) == 0 && memcmp(buffer + 8, "234", 3) == 0);
    CHECK(writev(f, parts, 3) == 5 && pread(f, buffer, 5, 5) == 5 && memcmp(buffer, "01234", 5) == 0);
    CHECK(close(f) == 0);
}

static void sizes(void) {
    struct stat stat;
    int f = open("/work/f", O_RDWR);
    CHECK(fstat(f, &stat) == 0 && stat.st_size == 14 && S_ISREG(stat.st_mode) && stat.st_nlink == 1);
    CHECK(ftruncate(f, 4) == 0 && fstat(f, &stat) == 0 && stat.st_size == 4);
    CHECK(ftruncate(f, 6) == 0 && pread(f, buffer, 9, 3) == 3 && memcmp(buffer, "3\0\0", 3) == 0);
    CHECK(ftruncate(f, -1) == -1);
    CHECK(posix_fallocate(f, 0, 100) == 0 && fstat(f, &stat) == 0 && stat.st_size == 100);
    CHECK(posix_fallocate(f, 0, 0) == EINVAL);
    CHECK(posix_fallocate(f, -1, 1) != 0);
    CHECK(posix_fadvise(f, 0, 10, POSIX_FADV_WILLNEED) == 0);
    CHECK(fsync(f) == 0 && fdatasync(f) == 0);
    CHECK(close(f) == 0);
    f = open("/work/f", O_WRONLY | O_TRUNC);
    CHECK(fstat(f, &stat) == 0 && stat.st_size == 0);
    FAILS(EBADF, read(f, buffer, 1));
    CHECK(close(f) == 0);
    f = open("/work/f", O_RDONLY);
    FAILS(EBADF, write(f, "x", 1));
    CHECK(close(f) == 0);
}

static void flags(void) {
    int f = open("/work/f", O_RDWR | O_APPEND);
    CHECK(write(f, "ab", 2) == 2 && lseek(f, 0, SEEK_SET) == 0 && write(f, "cd", 2) == 2);
    CHECK(lseek(f, 0, SEEK_CUR) == 4);
    CHECK((fcntl(f, F_GETFL) & (O_APPEND | O_NONBLOCK)) == O_APPEND);
    CHECK(fcntl(f, F_SETFL, O_NONBLOCK) == 0);
    CHECK((fcntl(f, F_GETFL) & (O_APPEND | O_NONBLOCK)) == O_NONBLOCK);
    CHECK(lseek(f, 0, SEEK_SET) == 0 && write(f, "AB", 2) == 2 && pread(f, buffer, 9, 0) == 4);
    CHECK(memcmp(buffer, "ABcd", 4) == 0);
    CHECK(close(f) == 0);
}

static void times(void) {
    struct stat stat;
    struct timespec set[2] = {{1000, 7}, {2000000000, 999999999}};
    int f = open("/work/f", O_RDWR);
    CHECK(futimens(f, set) == 0 && fstat(f, &stat) == 0);
    CHECK(stat.st_atim.tv_sec == 1000 && stat.st_atim.tv_nsec == 7);
    CHECK(stat.st_mtim.tv_sec == 2000000000 && stat.st_mtim.tv_nsec == 999999999);
    set[0].tv_sec = 500;
    CHECK(utimensat(AT_FDCWD, "/work/f", set, 0) == 0 && fstat(f, &stat) == 0 && stat.st_atim.tv_sec == 500);
    CHECK(__wasi_path_filestat_set_times(3, 1, "f", 0, 0, __WASI_FSTFLAGS_MTIM_NOW) == 0 && fstat(f, &stat) == 0);
    CHECK(stat.st_atim.tv_sec == 500 && stat.st_mtim.tv_sec != 2000000000);
    CHECK(__wasi_fd_filestat_set_times(f, 0, 0, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW) == __WASI_ERRNO_INVAL);
    CHECK(__wasi_fd_filestat_set_times(f, 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW) == __WASI_ERRNO_INVAL);
    CHECK(__wasi_fd_filestat_set_times(f, 0, 0, 0) == 0 && fstat(f, &stat) == 0 && stat.st_atim.tv_sec == 500);
    CHECK(close(f) == 0);
}

static void descriptors(void) {
    int a = open("/work/f", O_RDONLY), b = open("/work/f", O_RDONLY);
    __wasi_fdstat_t stat;
    CHECK(read(a, buffer, 1) == 1);
    CHECK(__wasi_fd_renumber(a, b) == 0);
    CHECK(lseek(b, 0, SEEK_CUR) == 1);
    FAILS(EBADF, lseek(a, 0, SEEK_CUR));
    CHECK(__wasi_fd_renumber(a, b) == __WASI_ERRNO_BADF && __wasi_fd_renumber(b, 99) == __WASI_ERRNO_BADF);
    CHECK(__wasi_fd_renumber(b, b) == 0);
    CHECK(__wasi_fd_fdstat_get(b, &stat) == 0 && stat.fs_filetype == __WASI_FILETYPE_REGULAR_FILE);
    CHECK(stat.fs_rights_base & __WASI_RIGHTS_FD_READ);
    CHECK(__wasi_fd_fdstat_set_rights(b, __WASI_RIGHTS_FD_TELL, 0) == __WASI_ERRNO_NOTSUP);
    CHECK(read(b, buffer, 1) == 1 && lseek(b, 0, SEEK_CUR) == 2);
    CHECK(open("/work/f", O_RDONLY) == a);
    CHECK(close(a) == 0 && close(b) == 0);
    __wasi_prestat_t prestat;
    uint8_t name[5];
    CHECK(__wasi_fd_prestat_get(3, &prestat) == 0 && prestat.tag == 0 && prestat.u.dir.pr_name_len == 5);
    CHECK(__wasi_fd_prestat_dir_name(3, name, 5) == 0 && memcmp(name, "/work", 5) == 0);
    CHECK(__wasi_fd_prestat_dir_name(3, name, 4) == __WASI_ERRNO_NAMETOOLONG);
    CHECK(__wasi_fd_prestat_get(4, &prestat) == __WASI_ERRNO_BADF);
    CHECK(__wasi_fd_prestat_get(0, &prestat) == __WASI_ERRNO_BADF);
}

int main(void) {
    creation();
    positions();
    sizes();
    flags();
    times();
    descriptors();
    FINISH;
}
