/* http serve PORT: answers GET /BYTES with so many bytes, and reads what POST brings. One thread, as many connections as come.
 * http load PORT RATE SECONDS CONNECTIONS: asks for 100 bytes RATE times a second, or, with 0, as often as the connections
 * allow; prints requests, seconds, and the median and the 99th percentile of the microseconds until an answer was whole.
 * At a rate the clock of a request starts when it was due, not when a connection was free for it.
 * http down|up PORT BYTES: one body from the server, or to it; prints the seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 100, AT_ONCE = 1 << 18, HEAD = 8192, EVENTS = 64, PATIENCE_MS = 5000, MOST = 8000000 };
static const char ASK[] = "GET /100 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: http.c\r\nAccept: */*\r\n\r\n";

/* A connection: `in` bytes of a body are still to come, `out` are still to go. */
struct peer { int fd; size_t used; long in, out; double due; char head[HEAD + 1]; };
static char block[AT_ONCE];

static void fail(const char *what) { perror(what); exit(1); }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sockaddr_in loopback(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void wait_for(int epoll, int how, struct peer *peer, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = peer};
  if (epoll_ctl(epoll, how, peer->fd, &event)) fail("epoll_ctl");
}

static int put(int fd, const char *bytes, size_t length) { return write(fd, bytes, length) == (ssize_t)length ? 0 : -1; }

/* Writes the head of an answer, and as much of its body as goes. */
static int answer(int epoll, struct peer *peer, long bytes) {
  char head[128 + SMALL];
  int length = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %ld\r\n\r\n", bytes);
  if (bytes <= SMALL) {
    memset(head + length, 'x', (size_t)bytes);
    return put(peer->fd, head, (size_t)(length + bytes));
  }
  peer->out = bytes;
  wait_for(epoll, EPOLL_CTL_MOD, peer, EPOLLIN | EPOLLOUT);
  return put(peer->fd, head, (size_t)length);
}

static int write_body(int epoll, struct peer *peer) {
  while (peer->out > 0) {
    ssize_t n = write(peer->fd, block, peer->out < AT_ONCE ? (size_t)peer->out : AT_ONCE);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    peer->out -= n;
  }
  wait_for(epoll, EPOLL_CTL_MOD, peer, EPOLLIN);
  return 0;
}

static int read_body(int epoll, struct peer *peer) {
  ssize_t n = read(peer->fd, block, peer->in < AT_ONCE ? (size_t)peer->in : AT_ONCE);
  if (n <= 0) return n < 0 && errno == EAGAIN ? 0 : -1;
  peer->in -= n;
  return peer->in > 0 ? 0 : answer(epoll, peer, SMALL);
}

static int read_heads(int epoll, struct peer *peer) {
  ssize_t n = read(peer->fd, peer->head + peer->used, HEAD - peer->used);
  if (n <= 0) return n < 0 && errno == EAGAIN ? 0 : -1;
  peer->head[peer->used += (size_t)n] = 0;
  char *end;
  while ((end = strstr(peer->head, "\r\n\r\n")) != NULL) {
    size_t length = (size_t)(end + 4 - peer->head);
    *end = 0;
    char *field = strcasestr(peer->head, "\r\nContent-Length:");
    long body = field ? atol(field + 17) : 0;
    long rest = (long)(peer->used - length);
    if (body > rest) {
      peer->in = body - rest;
      peer->used = 0;
      peer->head[0] = 0;
      return 0;
    }
    char *path = strchr(peer->head, '/');
    if (answer(epoll, peer, peer->head[0] == 'G' && path ? atol(path + 1) : SMALL)) return -1;
    length += (size_t)body;
    memmove(peer->head, peer->head + length, peer->used - length + 1);
    peer->used -= length;
  }
  return peer->used < HEAD ? 0 : -1;
}

static void serve(const char *port) {
  struct sockaddr_in address = loopback(port);
  struct peer listener = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
  int epoll = epoll_create1(0), one = 1;
  setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener.fd, (struct sockaddr *)&address, sizeof address) || listen(listener.fd, 1024)) fail(port);
  wait_for(epoll, EPOLL_CTL_ADD, &listener, EPOLLIN);
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, -1), fd;
    for (int i = 0; i < count; i++) {
      struct peer *peer = events[i].data.ptr;
      if (peer == &listener) {
        while ((fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          peer = calloc(1, sizeof *peer);
          peer->fd = fd;
          wait_for(epoll, EPOLL_CTL_ADD, peer, EPOLLIN);
        }
        continue;
      }
      int bad = 0;
      if (peer->out > 0 && events[i].events & EPOLLOUT) bad = write_body(epoll, peer);
      if (!bad && events[i].events & ~(uint32_t)EPOLLOUT) bad = peer->in > 0 ? read_body(epoll, peer) : read_heads(epoll, peer);
      if (bad) {
        close(peer->fd);
        free(peer);
      }
    }
  }
}

static int dial(const char *port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void ask(struct peer *peer, double due) {
  peer->due = due;
  if (put(peer->fd, ASK, sizeof ASK - 1)) fail("write");
}

/* Reads; returns whether the answer is whole. Any other than 200 ends the program. */
static int is_answered(struct peer *peer) {
  ssize_t n = read(peer->fd, peer->head + peer->used, HEAD - peer->used);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) fail("the answer");
  peer->head[peer->used += (size_t)n] = 0;
  char *end = strstr(peer->head, "\r\n\r\n");
  if (end == NULL || peer->used < (size_t)(end + 4 - peer->head) + SMALL) return 0;
  if (strncmp(peer->head, "HTTP/1.1 200 ", 13)) {
    fprintf(stderr, "%.60s\n", peer->head);
    exit(1);
  }
  peer->used = 0;
  return 1;
}

static int by_size(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static int load(const char *port, double rate, double seconds, int connections) {
  struct peer *peers = calloc((size_t)connections, sizeof *peers), **idle = calloc((size_t)connections, sizeof *idle);
  struct peer timer = {.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)};
  double *took = malloc(MOST * sizeof *took);
  int epoll = epoll_create1(0), free_now = 0, flying = 0;
  long answered = 0;
  for (int i = 0; i < connections; i++) {
    peers[i].fd = dial(port);
    fcntl(peers[i].fd, F_SETFL, O_NONBLOCK);
    wait_for(epoll, EPOLL_CTL_ADD, &peers[i], EPOLLIN);
    idle[free_now++] = &peers[i];
  }
  wait_for(epoll, EPOLL_CTL_ADD, &timer, EPOLLIN);
  double began = now(), end = began + seconds, due = began;
  for (;;) {
    double time = now();
    while (free_now > 0 && due < end && (rate > 0 ? due <= time : time < end)) {
      ask(idle[--free_now], rate > 0 ? due : time);
      flying++;
      due += rate > 0 ? 1 / rate : 0;
    }
    if (flying == 0 && (rate > 0 ? due >= end : time >= end)) break;
    if (rate > 0 && due < end) {
      struct itimerspec at = {.it_value = {(time_t)due, (long)((due - (double)(time_t)due) * 1e9)}};
      timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &at, NULL);
    }
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
    if (count == 0) fail("no answer");
    for (int i = 0; i < count; i++) {
      struct peer *peer = events[i].data.ptr;
      uint64_t ticks;
      if (peer == &timer) {
        if (read(timer.fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) fail("timer");
      } else if (is_answered(peer)) {
        if (answered < MOST) took[answered++] = now() - peer->due;
        idle[free_now++] = peer;
        flying--;
      }
    }
  }
  double lasted = now() - began;
  qsort(took, (size_t)answered, sizeof *took, by_size);
  printf("%ld %f %f %f\n", answered, lasted, took[answered / 2] * 1e6, took[answered * 99 / 100] * 1e6);
  return 0;
}

static int body(const char *port, long bytes, int is_up) {
  char head[256];
  int fd = dial(port), length;
  double began = now();
  if (is_up) length = sprintf(head, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %ld\r\n\r\n", bytes);
  else length = sprintf(head, "GET /%ld HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", bytes);
  if (put(fd, head, (size_t)length)) fail("write");
  for (long left = is_up ? bytes : 0; left > 0;) {
    ssize_t n = write(fd, block, left < AT_ONCE ? (size_t)left : AT_ONCE);
    if (n < 0) fail("write");
    left -= n;
  }
  long got = 0, expected = is_up ? SMALL : bytes;
  for (int has_head = 0; got < expected;) {
    ssize_t n = read(fd, block, AT_ONCE);
    if (n <= 0) break;
    char *end = has_head ? block - 4 : memmem(block, (size_t)n, "\r\n\r\n", 4);
    if (end == NULL || (!has_head && strncmp(block, "HTTP/1.1 200 ", 13))) break;
    got += n - (end + 4 - block);
    has_head = 1;
  }
  if (got != expected) fail("the body is not whole");
  printf("%f\n", now() - began);
  return 0;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  memset(block, 'x', sizeof block);
  if (argc == 3 && !strcmp(argv[1], "serve")) serve(argv[2]);
  if (argc == 6 && !strcmp(argv[1], "load")) return load(argv[2], atof(argv[3]), atof(argv[4]), atoi(argv[5]));
  if (argc == 4) return body(argv[2], atol(argv[3]), !strcmp(argv[1], "up"));
  return 2;
}
