/* limit PROCFILE: the least that a process manager can do, as a yardstick. It starts each entry through
 * /bin/sh, puts its name before each of its lines, and ends when all have ended. One thread, epoll, one write
 * for all lines of a read. No times, no restarts, no signals: nothing that costs time could be left out. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ = 65536, EVENTS = 64 };

struct child {
  char *name, *command;
  int output;
  char *rest; /* an unfinished line */
  size_t rest_length;
};

static char *out;
static size_t out_length, out_size;
static int name_width;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void flush(void) {
  for (size_t done = 0; done < out_length;) {
    ssize_t n = write(1, out + done, out_length - done);
    if (n < 0 && errno != EINTR) die("write");
    if (n > 0) done += (size_t)n;
  }
  out_length = 0;
}

static void append(const char *bytes, size_t length) {
  if (out_length + length > out_size) {
    out_size = 2 * (out_length + length);
    if (!(out = realloc(out, out_size))) die("realloc");
  }
  memcpy(out + out_length, bytes, length);
  out_length += length;
}

static void prefix(const struct child *child) {
  char text[128];
  int length = snprintf(text, sizeof text, "%-*s | ", name_width, child->name);
  append(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* Appends the lines of a read, and keeps what follows the last of them. */
static void split(struct child *child, const char *bytes, size_t length) {
  const char *end = bytes + length, *newline;
  while ((newline = memchr(bytes, '\n', (size_t)(end - bytes)))) {
    prefix(child);
    append(child->rest, child->rest_length);
    child->rest_length = 0;
    append(bytes, (size_t)(newline + 1 - bytes));
    bytes = newline + 1;
  }
  size_t left = (size_t)(end - bytes);
  if (left > 0) {
    if (!(child->rest = realloc(child->rest, child->rest_length + left))) die("realloc");
    memcpy(child->rest + child->rest_length, bytes, left);
    child->rest_length += left;
  }
}

static void start(struct child *child) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) die("pipe2");
  pid_t pid = vfork();
  if (pid < 0) die("vfork");
  if (pid == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    execl("/bin/sh", "sh", "-c", child->command, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  child->output = ends[0];
}

static size_t read_procfile(const char *path, struct child **children) {
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t size = 0, count = 0;
  if (!file) die(path);
  while (getline(&line, &size, file) > 0) {
    char *colon = strchr(line, ':');
    if (!colon) continue;
    *colon = 0;
    if (!(*children = realloc(*children, (count + 1) * sizeof **children))) die("realloc");
    (*children)[count++] = (struct child){.name = strdup(line), .command = strdup(colon + 1)};
    if (name_width < (int)strlen(line)) name_width = (int)strlen(line);
  }
  free(line);
  fclose(file);
  return count;
}

int main(int argc, char **argv) {
  static char buffer[READ];
  struct child *children = NULL;
  if (argc != 2) return 2;
  size_t count = read_procfile(argv[1], &children), open_pipes = count;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < count; i++) {
    start(&children[i]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &children[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, children[i].output, &event) < 0) die("epoll_ctl");
  }
  while (open_pipes > 0) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct child *child = events[i].data.ptr;
      ssize_t n = read(child->output, buffer, READ);
      if (n > 0) {
        split(child, buffer, (size_t)n);
      } else if (n == 0) {
        if (child->rest_length > 0) split(child, "\n", 1);
        close(child->output);
        open_pipes--;
      }
      if (out_length >= READ) flush();
    }
    flush();
  }
  while (wait(NULL) > 0) {}
  return 0;
}
