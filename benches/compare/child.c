/* child GATE BYTES COUNT: says that it is up, waits for a byte of the FIFO GATE, writes COUNT lines of BYTES
 * bytes as fast as they are taken, says that it is done, and ends when the FIFO has no writer any more.
 * child GATE tick COUNT: the same, with one line every 5 ms that says when it was written.
 * A `@` stands in the two messages and nowhere else. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 65536, TICK_NS = 5000000 };

static void put(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(1, bytes, length);
    if (n <= 0) exit(1);
    bytes += n;
    length -= (size_t)n;
  }
}

/* Writes lines in chunks that end anywhere, as a C library's buffer does. */
static void lines(size_t width, long count) {
  static char chunk[2 * CHUNK];
  size_t held = 0;
  for (long line = 0; line < count; line++) {
    memset(chunk + held, 'x', width - 1);
    chunk[held + width - 1] = '\n';
    held += width;
    if (held >= CHUNK) {
      put(chunk, CHUNK);
      memmove(chunk, chunk + CHUNK, held -= CHUNK);
    }
  }
  put(chunk, held);
}

static void ticks(long count) {
  const struct timespec pause = {0, TICK_NS};
  for (long tick = 0; tick < count; tick++) {
    char line[64];
    struct timespec now;
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    put(line, (size_t)snprintf(line, sizeof line, "tick=%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec));
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  char byte;
  int gate = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (gate < 0) return 1;
  put("@up\n", 4);
  if (read(gate, &byte, 1) == 1) {
    if (strcmp(argv[2], "tick") == 0) ticks(atol(argv[3]));
    else lines((size_t)atol(argv[2]), atol(argv[3]));
    put("@done\n", 6);
    /* Its bytes are for the others: only wait for the end of its writer. */
    struct pollfd end = {.fd = gate, .events = 0};
    poll(&end, 1, -1);
  }
  return 0;
}
