// Sends junk and INVITEs from forged and from real addresses, at a rate and for a time that are both bounded.
//
//     flood SERVER PORT JUNK_PER_S INVITES_PER_S SECONDS REAL_PREFIX
//
// Junk is random octets, torn SIP and STUN. Half of everything comes from senders that nobody has (any unicast address),
// half from the 256 addresses of REAL_PREFIX (`10.78.0`), which read what is sent to them. Needs CAP_NET_RAW, and is
// meant for a network namespace: it refuses to send to anything but private addresses.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1024, BATCH = 64, MOST_PER_S = 200000, MOST_SECONDS = 600 };

static uint64_t state = 88172645463325252u;
static uint32_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t sender(uint32_t real) {
  if (draw() & 1) return real | (draw() & 255);
  for (;;) {
    const uint32_t address = draw();
    const uint32_t top = address >> 24;
    if (top != 0 && top != 10 && top != 127 && top < 224) return address;
  }
}

static int junk(char *out) {
  const uint32_t kind = draw() % 3;
  if (kind == 0) {
    const int length = 20 + (int)(draw() % 400);
    for (int i = 0; i < length; i++) out[i] = (char)draw();
    return length;
  }
  if (kind == 1) return sprintf(out, "OPTIONS sip:%u SIP/2.0\r\nVia: SIP/2.0/UDP %u\r\nCall-ID: %u\r\n", draw(), draw(), draw());
  memset(out, 0, 20);
  out[1] = 1;
  memcpy(out + 4, "\x21\x12\xa4\x42", 4);
  return 20;
}

static int invite(char *out, uint32_t from, const char *server, int port) {
  struct in_addr address = {htonl(from)};
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address, text, sizeof text);
  return snprintf(out, ROOM - 64,
                  "INVITE sip:+4930%07u@%s:%d SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK%08x%08x;rport\r\n"
                  "From: <sip:%u@%s>;tag=%08x\r\nTo: <sip:+4930@%s>\r\nCall-ID: %08x%08x\r\nCSeq: 1 INVITE\r\n"
                  "Contact: <sip:%u@%s:5060>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                  draw() % 10000000, server, port, text, draw(), draw(), draw() % 1000, server, draw(), server, draw(),
                  draw(), draw() % 1000, text);
}

int main(int count, char **words) {
  if (count != 7) return 2;
  const char *server = words[1];
  const int port = atoi(words[2]);
  const double rates[2] = {atof(words[3]), atof(words[4])};
  const double seconds = atof(words[5]);
  char prefix[64];
  snprintf(prefix, sizeof prefix, "%s.0", words[6]);
  struct in_addr to, from;
  if (inet_pton(AF_INET, server, &to) != 1 || inet_pton(AF_INET, prefix, &from) != 1) return 2;
  if ((ntohl(to.s_addr) >> 24) != 10 || rates[0] + rates[1] > MOST_PER_S || seconds > MOST_SECONDS) return 3;
  const uint32_t real = ntohl(from.s_addr);
  const int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (fd < 0) {
    perror("socket");
    return 1;
  }
  const int buffer = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = to};
  static char packets[BATCH][ROOM];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  double sent[2] = {0, 0};
  const double began = now();
  for (;;) {
    const double passed = now() - began;
    if (passed >= seconds) break;
    int filled = 0;
    for (int kind = 0; kind < 2; kind++)
      while (filled < BATCH && sent[kind] < passed * rates[kind]) {
        char *packet = packets[filled];
        const uint32_t source = sender(real);
        char *payload = packet + sizeof(struct iphdr) + sizeof(struct udphdr);
        const int length = kind == 0 ? junk(payload) : invite(payload, source, server, port);
        struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .saddr = htonl(source), .daddr = to.s_addr};
        struct udphdr udp = {.source = htons((uint16_t)(1024 + draw() % 60000)), .dest = htons((uint16_t)port)};
        const int total = (int)(sizeof ip + sizeof udp) + length;
        ip.tot_len = htons((uint16_t)total);
        udp.len = htons((uint16_t)(sizeof udp + (size_t)length));
        memcpy(packet, &ip, sizeof ip);
        memcpy(packet + sizeof ip, &udp, sizeof udp);
        parts[filled] = (struct iovec){packet, (size_t)total};
        messages[filled] = (struct mmsghdr){.msg_hdr = {.msg_name = &target, .msg_namelen = sizeof target, .msg_iov = &parts[filled], .msg_iovlen = 1}};
        filled++;
        sent[kind]++;
      }
    if (filled == 0) {
      usleep(500);
      continue;
    }
    for (int at = 0; at < filled;) {
      const int done = sendmmsg(fd, messages + at, (unsigned)(filled - at), 0);
      // What the kernel does not take is lost, as on a network.
      at += done > 0 ? done : 1;
    }
  }
  printf("%.0f %.0f\n", sent[0], sent[1]);
  close(fd);
  return 0;
}
