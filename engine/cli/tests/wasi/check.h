// CHECK of the C programs: says which condition failed and where; FINISH turns failures into the exit code.
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int failures, checks;

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        checks++;                                                                          \
        errno = 0;                                                                         \
        if (!(condition)) {                                                                \
            failures++;                                                                    \
            printf("%s:%d: %s (%s)\n", __FILE_NAME__, __LINE__, #condition, strerror(errno)); \
        }                                                                                  \
    } while (0)

// The call fails with this error number.
#define FAILS(number, call) CHECK((call) == -1 && errno == (number))

#define FINISH                                       \
    do {                                             \
        printf("%d checks, %d failures\n", checks, failures); \
        return failures ? 1 : 0;                     \
    } while (0)
