/* A server of one thread a connection, on 127.0.0.1:PORT, and what the tests of the proxy hold against it.
 *
 * server: GET /N answers with N bytes, in chunks if N is odd. POST /ID appends ID to the file `posts` and answers with what
 * came, or, if that is long, with how much it was. GET /echo becomes an echo, GET /ticks sends the time every 50 ms.
 * Byte I of N is "0123456789abcdef"[(I + N) % 16]. Every connection ends with a reset. On SIGTERM it finishes what it has
 * begun, or, with DIES=1, ends at once.
 * server hold PORT IDLE SLOW: opens IDLE connections that ask once and stay, SLOW that read a byte now and then, and one
 * that asks for much and never reads; says `held`, and stays. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, HEAD = 65536, LONG = 1 << 20, TICK_NS = 50000000 };
static char pattern[BLOCK + 16];
static atomic_int busy, is_stopping;

static int put(int fd, const void *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t n = send(fd, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
    if (n <= 0) return -1;
    sent += (size_t)n;
  }
  return 0;
}

static int get(int fd, long n) {
  char head[128];
  int is_chunked = n % 2 != 0;
  sprintf(head, is_chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", n);
  if (put(fd, head, strlen(head))) return -1;
  for (long sent = 0; sent < n;) {
    long part = n - sent < BLOCK ? n - sent : BLOCK;
    if (is_chunked && part > 5000) part = 5000;
    sprintf(head, "%lx\r\n", part);
    if (is_chunked && put(fd, head, strlen(head))) return -1;
    if (put(fd, pattern + (sent + n) % 16, (size_t)part)) return -1;
    if (is_chunked && put(fd, "\r\n", 2)) return -1;
    sent += part;
  }
  return is_chunked ? put(fd, "0\r\n\r\n", 5) : 0;
}

/* Reads a body, of which `have` bytes have come already, and answers. */
static int post(int fd, const char *id, long length, const char *come, long have) {
  char head[128];
  char *body = malloc(length < LONG ? (size_t)length + 1 : BLOCK);
  long got = have, good = 0;
  if (length < LONG) memcpy(body, come, (size_t)have);
  else for (long i = 0; i < have; i++) good += come[i] == pattern[(length + i) % 16];
  while (got < length) {
    long room = length < LONG ? length - got : length - got < BLOCK ? length - got : BLOCK;
    ssize_t n = recv(fd, length < LONG ? body + got : body, (size_t)room, 0);
    if (n <= 0) {
      free(body);
      return -1;
    }
    if (length >= LONG && !memcmp(body, pattern + (length + got) % 16, (size_t)n)) good += n;
    got += n;
  }
  int file = open("posts", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  int bad = file < 0 || dprintf(file, "%s\n", id) < 0;
  close(file);
  if (length >= LONG) sprintf(body, "%ld", good);
  long size = length < LONG ? length : (long)strlen(body);
  sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", size);
  bad = bad || put(fd, head, strlen(head)) || put(fd, body, (size_t)size);
  free(body);
  return bad ? -1 : 0;
}

static int echo(int fd) {
  static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
  char *block = malloc(BLOCK);
  ssize_t n = put(fd, head, sizeof head - 1) ? 0 : 1;
  while (n > 0 && (n = recv(fd, block, BLOCK, 0)) > 0 && !put(fd, block, (size_t)n)) {}
  free(block);
  return -1;
}

static int ticks(int fd) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  const struct timespec pause = {0, TICK_NS};
  int bad = put(fd, head, sizeof head - 1);
  while (!bad) {
    char event[64], chunk[96];
    struct timeval now;
    gettimeofday(&now, NULL);
    int length = sprintf(event, "data: %ld\n\n", now.tv_sec * 1000000L + now.tv_usec);
    bad = put(fd, chunk, (size_t)sprintf(chunk, "%x\r\n%s\r\n", length, event));
    nanosleep(&pause, NULL);
  }
  return -1;
}

static void *serve(void *of) {
  int fd = (int)(long)of;
  size_t used = 0;
  char *head = malloc(HEAD + 1), *end;
  for (int is_bad = 0; !is_bad;) {
    head[used] = 0;
    if ((end = strstr(head, "\r\n\r\n")) == NULL) {
      ssize_t n = used < HEAD && !is_stopping ? recv(fd, head + used, HEAD - used, 0) : 0;
      if (n <= 0) break;
      used += (size_t)n;
      continue;
    }
    busy++;
    *end = 0;
    char *path = strchr(head, '/') + 1, *field = strcasestr(head, "\r\nContent-Length:");
    *strchr(path, ' ') = 0;
    long length = field ? atol(field + 17) : 0, have = (long)(head + used - (end + 4));
    if (have > length) have = length;
    if (!strcmp(path, "echo")) is_bad = echo(fd);
    else if (!strcmp(path, "ticks")) is_bad = ticks(fd);
    else if (head[0] == 'P') is_bad = post(fd, path, length, end + 4, have);
    else is_bad = get(fd, atol(path));
    busy--;
    used -= (size_t)(end + 4 + have - head);
    memmove(head, end + 4 + have, used);
  }
  free(head);
  close(fd);
  return NULL;
}

static void *stop(void *of) {
  sigset_t *term = of;
  int number;
  sigwait(term, &number);
  is_stopping = 1;
  const char *dies = getenv("DIES");
  const struct timespec pause = {0, 1000000};
  while (!(dies && *dies == '1') && busy > 0) nanosleep(&pause, NULL);
  _exit(0);
}

static struct sockaddr_in loopback(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int ask(const char *port, long n) {
  struct sockaddr_in address = loopback(port);
  char request[128];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) exit((perror("connect"), 1));
  put(fd, request, (size_t)sprintf(request, "GET /%ld HTTP/1.1\r\nHost: localhost\r\n\r\n", n));
  return fd;
}

static int hold(const char *port, int idle, int slow) {
  char byte;
  int *fds = calloc((size_t)slow, sizeof *fds);
  const struct timespec pause = {0, 10000000};
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (int i = 0; i < idle; i++)
    if (recv(ask(port, 10), &byte, 1, 0) != 1) return 1;
  for (int i = 0; i < slow; i++)
    if (recv(fds[i] = ask(port, 8000000), &byte, 1, 0) != 1) return 1;
  ask(port, 1000000000);
  puts("held");
  fflush(stdout);
  for (;; nanosleep(&pause, NULL))
    for (int i = 0; i < slow; i++) recv(fds[i], &byte, 1, MSG_DONTWAIT);
}

int main(int argc, char **argv) {
  if (argc == 5) return hold(argv[2], atoi(argv[3]), atoi(argv[4]));
  for (int i = 0; i < BLOCK + 16; i++) pattern[i] = "0123456789abcdef"[i % 16];
  struct sockaddr_in address = loopback(getenv("PORT"));
  struct linger reset = {1, 0};
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  pthread_attr_t small;
  pthread_t thread;
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, NULL);
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 16);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_create(&thread, &small, stop, &term);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) exit((perror("listen"), 1));
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (pthread_create(&thread, &small, serve, (void *)(long)fd)) close(fd);
  }
  return 1;
}
