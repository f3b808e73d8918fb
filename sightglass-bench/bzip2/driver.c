/* bzip2 as a filter: `bzip2 c` compresses stdin to stdout, `bzip2 d` decompresses. It uses the library
   API of the bzip2-sys crate's C sources, read(2) and write(2), and nothing else, so that the same text
   is the native baseline and the WebAssembly program. Exit codes: 0 done, 1 bad data, 2 bad usage. */
#include "bzlib.h"
#include <unistd.h>

static char in[1 << 16], out[1 << 16];

/* bzlib calls this in place of stdio when it is built with BZ_NO_STDIO. */
void bz_internal_error(int code) { _exit(100 + code % 100); }

/* Reads more input into the empty buffer; 0 at the end of the input. */
static ssize_t refill(bz_stream *s) {
    ssize_t n = read(0, in, sizeof in);
    if (n < 0) _exit(1);
    s->next_in = in;
    s->avail_in = (unsigned)n;
    return n;
}

/* Writes what the last call has put into the output buffer and empties it. */
static void drain(bz_stream *s) {
    for (char *p = out; p != s->next_out;) {
        ssize_t n = write(1, p, (size_t)(s->next_out - p));
        if (n <= 0) _exit(1);
        p += n;
    }
    s->next_out = out;
    s->avail_out = sizeof out;
}

static int compress(bz_stream *s) {
    int action = BZ_RUN, r = BZ2_bzCompressInit(s, 9, 0, 0);
    while (r >= BZ_OK && r != BZ_STREAM_END) {
        if (action == BZ_RUN && s->avail_in == 0 && refill(s) == 0) action = BZ_FINISH;
        r = BZ2_bzCompress(s, action);
        drain(s);
    }
    return r != BZ_STREAM_END || BZ2_bzCompressEnd(s) != BZ_OK;
}

static int decompress(bz_stream *s) {
    int r = BZ2_bzDecompressInit(s, 0, 0);
    while (r == BZ_OK) {
        if (s->avail_in == 0 && refill(s) == 0) return 1; /* the end marker is missing */
        r = BZ2_bzDecompress(s);
        drain(s);
    }
    return r != BZ_STREAM_END || BZ2_bzDecompressEnd(s) != BZ_OK;
}

int main(int argc, char **argv) {
    bz_stream s = {.next_out = out, .avail_out = sizeof out};
    if (argc != 2) return 2;
    return argv[1][0] == 'c' ? compress(&s) : argv[1][0] == 'd' ? decompress(&s) : 2;
}
