/* Both ends of many calls at once: sends RTP at 50 packets a second and call each way, receives what comes out.
 * One socket per side, many packets per system call, so that on a small machine the load costs less than the server.
 *   media-load [<port of side A> <port of side B>]
 * prints "<port of side A> <port of side B>", then reads one line:
 *   <calls> <packets per call> <packets to warm up> <packet file> <sample file> <pid> <ports towards A and B, per call ...>
 * The packet file has, per side, the length of a packet (u32, host order) and the packets ordered by number, then call.
 * The delay of a packet is from just before it is sent to the kernel's time stamp at its receipt. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { sides = 2, burst = 64, longest = 512, buckets = 200000, samples = 20 };

struct side {
  int fd;
  uint32_t length;          /* of what this side sends */
  const uint8_t *packets;
  struct sockaddr_in *to;   /* per call */
  int32_t *call_of;         /* by source port */
  uint64_t *sent_at;        /* number * calls + call, ns */
  uint8_t *seen;
  uint64_t received, duplicates, strange;
  int sampled;
};

static struct side side[sides];
static int calls, count, warm;
static uint32_t *delays; /* histogram in µs */
static FILE *sample_file;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double cpu_ms(int pid) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  const char *got = fgets(line, sizeof line, file);
  fclose(file);
  unsigned long user = 0, system = 0;
  const char *after = got ? strrchr(line, ')') : NULL;
  if (!after || sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return -1;
  return (double)(user + system) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
}

static void send_due(int s, long from, long to) {
  static struct mmsghdr messages[burst];
  static struct iovec vectors[burst];
  struct side *me = &side[s];
  while (from < to) {
    int n = 0;
    const uint64_t at = now();
    for (; n < burst && from < to; n++, from++) {
      vectors[n].iov_base = (void *)(me->packets + (size_t)from * me->length);
      vectors[n].iov_len = me->length;
      memset(&messages[n], 0, sizeof messages[n]);
      messages[n].msg_hdr.msg_iov = &vectors[n];
      messages[n].msg_hdr.msg_iovlen = 1;
      messages[n].msg_hdr.msg_name = &me->to[from % calls];
      messages[n].msg_hdr.msg_namelen = sizeof *me->to;
      me->sent_at[from] = at;
    }
    for (int done = 0; done < n;) {
      const int sent = sendmmsg(me->fd, messages + done, (unsigned)(n - done), 0);
      if (sent <= 0) break;
      done += sent;
    }
  }
}

static void receive(int s) {
  static struct mmsghdr messages[burst];
  static struct iovec vectors[burst];
  static struct sockaddr_in from[burst];
  static uint8_t data[burst][longest];
  static char control[burst][64];
  struct side *me = &side[s], *other = &side[1 - s];
  for (;;) {
    for (int i = 0; i < burst; i++) {
      vectors[i].iov_base = data[i];
      vectors[i].iov_len = longest;
      messages[i].msg_hdr = (struct msghdr){&from[i], sizeof from[i], &vectors[i], 1, control[i], sizeof control[i], 0};
    }
    const int n = recvmmsg(me->fd, messages, burst, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
      const int32_t call = me->call_of[ntohs(from[i].sin_port)];
      const long number = data[i][2] << 8 | data[i][3];
      if (call < 0 || messages[i].msg_len < 12 || number >= count) {
        me->strange++;
        continue;
      }
      const size_t slot = (size_t)number * (size_t)calls + (size_t)call;
      if (me->seen[slot]) {
        me->duplicates++;
        continue;
      }
      me->seen[slot] = 1;
      if (me->sampled < samples && call == me->sampled) {
        const uint32_t head[2] = {(uint32_t)s, messages[i].msg_len};
        fwrite(head, sizeof head, 1, sample_file);
        fwrite(data[i], messages[i].msg_len, 1, sample_file);
        me->sampled++;
      }
      if (number < warm) continue;
      me->received++;
      for (struct cmsghdr *c = CMSG_FIRSTHDR(&messages[i].msg_hdr); c; c = CMSG_NXTHDR(&messages[i].msg_hdr, c)) {
        if (c->cmsg_type != SCM_TIMESTAMPNS) continue;
        struct timespec t;
        memcpy(&t, CMSG_DATA(c), sizeof t);
        const int64_t took = (int64_t)((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - other->sent_at[slot]) / 1000;
        delays[took < 0 ? 0 : took >= buckets ? buckets - 1 : took]++;
      }
    }
    if (n < burst) return;
  }
}

static int percentile(double part) {
  uint64_t total = 0, below = 0;
  for (int i = 0; i < buckets; i++) total += delays[i];
  for (int i = 0; i < buckets; i++) {
    below += delays[i];
    if ((double)below >= part * (double)total) return i;
  }
  return buckets - 1;
}

int main(int argc, char **argv) {
  char packet_path[512], sample_path[512];
  int pid;
  prctl(PR_SET_TIMERSLACK, 1000UL);
  for (int s = 0; s < sides; s++) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc == 3) any.sin_port = htons((uint16_t)atoi(argv[s + 1]));
    socklen_t length = sizeof any;
    const int on = 1, large = 16 << 20;
    side[s].fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (side[s].fd < 0 || bind(side[s].fd, (struct sockaddr *)&any, sizeof any) != 0) return 1;
    if (setsockopt(side[s].fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large) != 0)
      setsockopt(side[s].fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    setsockopt(side[s].fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    getsockname(side[s].fd, (struct sockaddr *)&any, &length);
    printf("%d%c", ntohs(any.sin_port), s ? '\n' : ' ');
  }
  fflush(stdout);
  if (scanf("%d %d %d %511s %511s %d", &calls, &count, &warm, packet_path, sample_path, &pid) != 6) return 2;
  const size_t total = (size_t)calls * (size_t)count;
  delays = calloc(buckets, sizeof *delays);
  for (int s = 0; s < sides; s++) {
    side[s].to = calloc((size_t)calls, sizeof *side[s].to);
    side[s].call_of = malloc(65536 * sizeof *side[s].call_of);
    memset(side[s].call_of, 0xff, 65536 * sizeof *side[s].call_of);
    side[s].sent_at = calloc(total, sizeof *side[s].sent_at);
    side[s].seen = calloc(total, 1);
  }
  for (int call = 0; call < calls; call++) {
    for (int s = 0; s < sides; s++) {
      int port;
      if (scanf("%d", &port) != 1) return 2;
      side[s].to[call] = (struct sockaddr_in){
          .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
      side[s].call_of[port & 0xffff] = call;
    }
  }
  const int file = open(packet_path, O_RDONLY);
  struct stat size;
  if (file < 0 || fstat(file, &size) != 0) return 2;
  const uint8_t *bytes = mmap(NULL, (size_t)size.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  for (int s = 0; s < sides; s++) {
    memcpy(&side[s].length, bytes, sizeof side[s].length);
    side[s].packets = bytes + sizeof side[s].length;
    bytes += sizeof side[s].length + total * side[s].length;
  }
  sample_file = fopen(sample_path, "w");
  if (!sample_file) return 2;

  const double gap = 20e6 / calls; /* ns between the packets of one side */
  const uint64_t start = now() + 5000000;
  const long warm_total = (long)warm * calls, all = (long)total;
  double cpu = 0;
  uint64_t measured_from = 0;
  for (long sent = 0; sent < all;) {
    const uint64_t at = now();
    long due = at < start ? 0 : (long)((double)(at - start) / gap) + 1;
    if (due > all) due = all;
    if (sent < warm_total && due >= warm_total) {
      due = warm_total;
      cpu = cpu_ms(pid);
      measured_from = at;
    }
    for (int s = 0; s < sides; s++) send_due(s, sent, due);
    sent = due;
    for (int s = 0; s < sides; s++) receive(s);
    const struct timespec tick = {0, 200000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
  }
  const uint64_t measured_to = now();
  for (int i = 0; i < 50; i++) {
    const struct timespec tick = {0, 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
    for (int s = 0; s < sides; s++) receive(s);
  }
  cpu = cpu_ms(pid) - cpu;
  fclose(sample_file);
  const uint64_t sent = 2 * (total - (size_t)warm_total), received = side[0].received + side[1].received;
  printf("{\"sent\":%lu,\"received\":%lu,\"strange\":%lu,\"cpuMs\":%.0f,\"seconds\":%.3f,\"p50\":%d,\"p99\":%d,\"p999\":%d}\n",
         sent, received, side[0].strange + side[1].strange, cpu, (double)(measured_to - measured_from) / 1e9,
         percentile(0.5), percentile(0.99), percentile(0.999));
  return 0;
}
