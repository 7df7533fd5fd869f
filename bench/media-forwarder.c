/* The floor of what relaying costs: epoll, recvfrom, sendto, one thread per core, and nothing else.
 *   media-forwarder <calls> <threads> <port of side A> <port of side B>
 * prints "<port towards A> <port towards B>" per call, then forwards what comes to one from the other until it is ended. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct leg {
  int fd;
  int peer; /* index of the other leg */
  struct sockaddr_in to;
};

static struct leg *legs;

static void *run(void *argument) {
  const int epoll = *(int *)argument;
  struct epoll_event events[128];
  char packet[2048];
  for (;;) {
    const int count = epoll_wait(epoll, events, 128, -1);
    for (int i = 0; i < count; i++) {
      struct sockaddr_in from;
      socklen_t length = sizeof from;
      const ssize_t n = recvfrom(legs[events[i].data.u32].fd, packet, sizeof packet, MSG_DONTWAIT,
                                 (struct sockaddr *)&from, &length);
      if (n < 0) continue;
      const struct leg *out = &legs[legs[events[i].data.u32].peer];
      sendto(out->fd, packet, (size_t)n, MSG_DONTWAIT, (const struct sockaddr *)&out->to, sizeof out->to);
    }
  }
  return NULL;
}

static int port_of(int fd) {
  struct sockaddr_in bound;
  socklen_t length = sizeof bound;
  getsockname(fd, (struct sockaddr *)&bound, &length);
  return ntohs(bound.sin_port);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const int calls = atoi(argv[1]);
  const int threads = atoi(argv[2]);
  const struct rlimit many = {65536, 65536};
  setrlimit(RLIMIT_NOFILE, &many);
  legs = calloc((size_t)calls * 2, sizeof *legs);
  int *epolls = calloc((size_t)threads, sizeof *epolls);
  for (int t = 0; t < threads; t++) epolls[t] = epoll_create1(0);
  for (int i = 0; i < calls * 2; i++) {
    struct leg *leg = &legs[i];
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    leg->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (leg->fd < 0 || bind(leg->fd, (struct sockaddr *)&any, sizeof any) != 0) return 1;
    leg->peer = i ^ 1;
    leg->to = any;
    leg->to.sin_port = htons((uint16_t)atoi(argv[3 + (i & 1)]));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    epoll_ctl(epolls[(i / 2) % threads], EPOLL_CTL_ADD, leg->fd, &event);
  }
  for (int i = 0; i < calls; i++) printf("%d %d\n", port_of(legs[2 * i].fd), port_of(legs[2 * i + 1].fd));
  fflush(stdout);
  for (int t = 0; t < threads; t++) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, &epolls[t]);
  }
  /* Ends with the bench. */
  while (getchar() != EOF) {
  }
  return 0;
}
