// Directories, links and the ways out, through wasi-libc. Runs in an empty /work beside a file `secret`.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

#define MANY 500

static char buffer[4096];

static void reading(void) {
    CHECK(mkdir("/work/d", 0700) == 0);
    FAILS(EEXIST, mkdir("/work/d", 0700));
    FAILS(ENOENT, mkdir("/work/no/d", 0700));
    static char seen[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(buffer, sizeof buffer, "/work/d/a file with a rather long name, number %d", i);
        int f = open(buffer, O_WRONLY | O_CREAT, 0600);
        CHECK(f >= 0 && close(f) == 0);
    }
    DIR *dir = opendir("/work/d");
    CHECK(dir != NULL);
    int files = 0, dots = 0;
    long middle = 0;
    char after[64] = "";
    for (struct dirent *entry; (entry = readdir(dir));) {
        int number;
        if (entry->d_name[0] == '.') {
            dots++;
            CHECK(entry->d_type == DT_DIR);
        } else if (sscanf(entry->d_name, "a file with a rather long name, number %d", &number) == 1) {
            CHECK(entry->d_type == DT_REG && entry->d_ino != 0 && !seen[number]++);
            if (files == MANY / 2 + 1) strcpy(after, entry->d_name);
            if (files++ == MANY / 2) middle = telldir(dir);
        }
    }
    CHECK(files == MANY && dots == 2);
    seekdir(dir, middle);
    struct dirent *entry = readdir(dir);
    CHECK(entry && strcmp(entry->d_name, after) == 0);
    rewinddir(dir);
    for (files = 0; readdir(dir); files++) {
    }
    CHECK(files == MANY + 2);
    CHECK(closedir(dir) == 0);
}

// The standard's own words: what does not fit is cut, and less than a full buffer means the end.
static void buffers(void) {
    int dir = open("/work/d", O_RDONLY | O_DIRECTORY);
    __wasi_size_t used;
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 0, 0, &used) == 0 && used == 0);
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 10, 0, &used) == 0 && used == 10);
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 200, 0, &used) == 0 && used == 200);
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 4096, MANY + 1, &used) == 0 && used > 24 && used < 4096);
    __wasi_dirent_t last;
    memcpy(&last, buffer, sizeof last);
    CHECK(last.d_next == MANY + 2 && used == 24 + last.d_namlen);
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 4096, last.d_next, &used) == 0 && used == 0);
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 4096, -1, &used) == 0 && used == 0);
    CHECK(read(dir, buffer, 1) == -1 && lseek(dir, 0, SEEK_CUR) == -1);
    CHECK(close(dir) == 0);
    CHECK(__wasi_fd_readdir(dir, (uint8_t *)buffer, 10, 0, &used) == __WASI_ERRNO_BADF);
    CHECK(__wasi_fd_readdir(1, (uint8_t *)buffer, 10, 0, &used) == __WASI_ERRNO_NOTDIR);
}

static void removing(void) {
    FAILS(ENOTEMPTY, rmdir("/work/d"));
    FAILS(EISDIR, unlink("/work/d"));
    for (int i = 0; i < MANY; i++) {
        snprintf(buffer, sizeof buffer, "/work/d/a file with a rather long name, number %d", i);
        FAILS(ENOTDIR, rmdir(buffer));
        CHECK(unlink(buffer) == 0);
    }
    FAILS(ENOENT, unlink(buffer));
    CHECK(rmdir("/work/d") == 0);
    FAILS(ENOENT, rmdir("/work/d"));
}

static void renaming(void) {
    struct stat stat_a, stat_b;
    CHECK(close(open("/work/a", O_WRONLY | O_CREAT, 0600)) == 0);
    CHECK(mkdir("/work/d", 0700) == 0 && mkdir("/work/e", 0700) == 0);
    CHECK(stat("/work/a", &stat_a) == 0);
    CHECK(rename("/work/a", "/work/d/b") == 0);
    CHECK(stat("/work/d/b", &stat_b) == 0 && stat_a.st_ino == stat_b.st_ino);
    FAILS(ENOENT, rename("/work/a", "/work/b"));
    CHECK(close(open("/work/x", O_WRONLY | O_CREAT, 0600)) == 0);
    FAILS(ENOTDIR, rename("/work/d", "/work/x"));
    FAILS(ENOTDIR, rename("/work/x", "/work/y/"));
    CHECK(unlink("/work/x") == 0);
    FAILS(EISDIR, rename("/work/d/b", "/work/e"));
    FAILS(EINVAL, rename("/work/d", "/work/d/in"));
    FAILS(ENOTEMPTY, rename("/work/e", "/work/d"));
    CHECK(rename("/work/d", "/work/e") == 0 && stat("/work/e/b", &stat_b) == 0);
    CHECK(link("/work/e/b", "/work/a") == 0 && stat("/work/a", &stat_a) == 0 && stat_a.st_nlink == 2);
    FAILS(EEXIST, link("/work/e/b", "/work/a"));
    FAILS(EPERM, link("/work/e", "/work/f"));
    CHECK(unlink("/work/a") == 0 && unlink("/work/e/b") == 0 && rmdir("/work/e") == 0);
}

static void links(void) {
    struct stat status;
    CHECK(symlink("target", "/work/l") == 0);
    FAILS(EEXIST, symlink("x", "/work/l"));
    CHECK(readlink("/work/l", buffer, 64) == 6 && memcmp(buffer, "target", 6) == 0);
    CHECK(readlink("/work/l", buffer, 3) == 3);
    FAILS(ENOENT, open("/work/l", O_RDONLY));
    FAILS(ENOENT, stat("/work/l", &status));
    CHECK(lstat("/work/l", &status) == 0 && S_ISLNK(status.st_mode) && status.st_size == 6);
    FAILS(EEXIST, open("/work/l", O_WRONLY | O_CREAT | O_EXCL, 0600));
    int f = open("/work/l", O_WRONLY | O_CREAT, 0600);
    CHECK(f >= 0 && write(f, "x", 1) == 1 && close(f) == 0);
    CHECK(stat("/work/target", &status) == 0 && status.st_size == 1);
    FAILS(ELOOP, open("/work/l", O_RDONLY | O_NOFOLLOW));
    CHECK(symlink("round", "/work/round") == 0);
    FAILS(ELOOP, open("/work/round", O_RDONLY));
    FAILS(EINVAL, readlink("/work/target", buffer, 9));
    CHECK(unlink("/work/l") == 0 && unlink("/work/round") == 0 && unlink("/work/target") == 0);
}

static void out(void) {
    static const char *const paths[] = {"../secret", "./../secret", "d/../../secret", "up/secret", "file", "d/up2/secret", "/secret"};
    CHECK(mkdir("/work/d", 0700) == 0);
    CHECK(symlink("..", "/work/up") == 0 && symlink("../secret", "/work/file") == 0 && symlink("../..", "/work/d/up2") == 0);
    int base = open("/work", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        __wasi_fd_t f;
        __wasi_filestat_t status;
        const char *path = paths[i];
        // Not through the C library, which would resolve some of these itself.
        CHECK(__wasi_path_open(base, 1, path, 0, __WASI_RIGHTS_FD_READ, 0, 0, &f) == __WASI_ERRNO_PERM);
        CHECK(__wasi_path_open(base, 1, path, __WASI_OFLAGS_CREAT, __WASI_RIGHTS_FD_WRITE, 0, 0, &f) == __WASI_ERRNO_PERM);
        CHECK(__wasi_path_filestat_get(base, 1, path, &status) == __WASI_ERRNO_PERM);
    }
    CHECK(__wasi_path_symlink("/secret", base, "abs") == __WASI_ERRNO_PERM);
    CHECK(__wasi_path_rename(base, "file", base, "../moved") == __WASI_ERRNO_PERM);
    CHECK(__wasi_path_link(base, 0, "../secret", base, "mine") == __WASI_ERRNO_PERM);
    CHECK(__wasi_path_link(base, 1, "file", base, "mine") != 0);
    CHECK(open("/etc/passwd", O_RDONLY) == -1 && open("/work/../secret", O_RDONLY) == -1);
    CHECK(close(base) == 0);
    CHECK(unlink("/work/up") == 0 && unlink("/work/file") == 0 && unlink("/work/d/up2") == 0 && rmdir("/work/d") == 0);
}

int main(void) {
    reading();
    buffers();
    removing();
    renaming();
    links();
    out();
    FINISH;
}
