// A ZRTP phone without sound on GNU ZRTP (ZRTPCPP), for native/relay/zrtp-implementations.test.ts.
//
//     gnu-zrtp-peer PORT [KEY-AGREEMENT [CIPHER]]
//
// Sends to PORT of 127.0.0.1 and prints a line of JSON with its own port and the hash of its Hello, and once it is
// secure one with its SAS and its keys. It ends after 15 seconds. test/interop/README.md says how it is built.
#include <arpa/inet.h>
#include <libzrtpcpp/ZrtpCWrapper.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { lifetime_ms = 15000, poll_ms = 10, header_octets = 12, crc_octets = 4, most_octets = 4000 };

static const uint32_t ssrc = 0xdeadbeef;
static int channel;
static struct sockaddr_in peer;
static uint64_t timer_at;
static uint16_t sequence = 1;
static char send_key[256];
static char receive_key[256];

static uint64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

// RFC 6189 section 5: the CRC of RFC 4960 appendix B, least significant octet first.
static uint32_t crc32c(const uint8_t *octets, int count) {
  uint32_t crc = ~0u;
  while (count-- > 0) {
    crc ^= *octets++;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

static void put_u32(uint8_t *to, uint32_t value) {
  value = htonl(value);
  memcpy(to, &value, sizeof value);
}

// The library gives a message with room for the CRC behind it.
static int32_t send_message(ZrtpContext *context, const uint8_t *message, int32_t octets) {
  (void)context;
  uint8_t packet[most_octets] = {0x10, 0, (uint8_t)(sequence >> 8), (uint8_t)sequence, 'Z', 'R', 'T', 'P'};
  const int length = header_octets + octets - crc_octets;
  if (length < header_octets || length + crc_octets > most_octets) return 0;
  sequence++;
  put_u32(packet + 8, ssrc);
  memcpy(packet + header_octets, message, (size_t)(octets - crc_octets));
  const uint32_t crc = crc32c(packet, length);
  for (int i = 0; i < crc_octets; i++) packet[length + i] = (uint8_t)(crc >> 8 * i);
  sendto(channel, packet, (size_t)(length + crc_octets), 0, (struct sockaddr *)&peer, sizeof peer);
  return 1;
}

static int32_t start_timer(ZrtpContext *context, int32_t milliseconds) {
  (void)context;
  timer_at = now_ms() + (uint64_t)milliseconds;
  return 1;
}

static int32_t stop_timer(ZrtpContext *context) {
  (void)context;
  timer_at = 0;
  return 1;
}

static void hexadecimal(char *to, const uint8_t *octets, int bits) {
  to += strlen(to);
  for (int i = 0; i < bits / 8; i++) to += sprintf(to, "%02x", octets[i]);
}

static int32_t keys_ready(ZrtpContext *context, C_SrtpSecret_t *secrets, int32_t part) {
  (void)context;
  char *to = part == ForSender ? send_key : receive_key;
  const int of_initiator = (secrets->role == Initiator) == (part == ForSender);
  *to = 0;
  hexadecimal(to, of_initiator ? secrets->keyInitiator : secrets->keyResponder,
              of_initiator ? secrets->initKeyLen : secrets->respKeyLen);
  hexadecimal(to, of_initiator ? secrets->saltInitiator : secrets->saltResponder,
              of_initiator ? secrets->initSaltLen : secrets->respSaltLen);
  return 1;
}

static void secure(ZrtpContext *context, char *cipher, char *sas, int32_t verified) {
  (void)context, (void)cipher, (void)verified;
  printf("{\"sas\":\"%s\",\"send\":\"%s\",\"receive\":\"%s\"}\n", sas ? sas : "", send_key, receive_key);
  fflush(stdout);
}

static void told(ZrtpContext *context, int32_t severity, int32_t code) {
  (void)context;
  fprintf(stderr, "severity %d, code %d\n", severity, code);
}

static void nothing(ZrtpContext *context) { (void)context; }
static void nothing_of(ZrtpContext *context, int32_t what) { (void)context, (void)what; }
static void nothing_signed(ZrtpContext *context, uint8_t *hash) { (void)context, (void)hash; }
static int32_t any_signature(ZrtpContext *context, uint8_t *hash) { return (void)context, (void)hash, 1; }

static zrtp_Callbacks callbacks = {
    .zrtp_sendDataZRTP = send_message,
    .zrtp_activateTimer = start_timer,
    .zrtp_cancelTimer = stop_timer,
    .zrtp_sendInfo = told,
    .zrtp_srtpSecretsReady = keys_ready,
    .zrtp_srtpSecretsOff = nothing_of,
    .zrtp_rtpSecretsOn = secure,
    .zrtp_handleGoClear = nothing,
    .zrtp_zrtpNegotiationFailed = told,
    .zrtp_zrtpNotSuppOther = nothing,
    .zrtp_synchEnter = nothing,
    .zrtp_synchLeave = nothing,
    .zrtp_zrtpAskEnrollment = nothing_of,
    .zrtp_zrtpInformEnrollment = nothing_of,
    .zrtp_signSAS = nothing_signed,
    .zrtp_checkSASSignature = any_signature,
};

static void receive(ZrtpContext *context) {
  uint8_t packet[most_octets];
  const int octets = (int)recv(channel, packet, sizeof packet, 0);
  if (octets < header_octets + crc_octets) return;
  const uint32_t crc = crc32c(packet, octets - crc_octets);
  for (int i = 0; i < crc_octets; i++)
    if (packet[octets - crc_octets + i] != (uint8_t)(crc >> 8 * i)) return;
  uint32_t source;
  memcpy(&source, packet + 8, sizeof source);
  zrtp_processZrtpMessage(context, packet + header_octets, ntohl(source), (size_t)octets);
}

int main(int count, char **arguments) {
  if (count < 2) return fprintf(stderr, "usage: %s PORT [KEY-AGREEMENT [CIPHER]]\n", arguments[0]), 2;
  channel = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof own;
  if (bind(channel, (struct sockaddr *)&own, sizeof own) != 0) return perror("bind"), 1;
  getsockname(channel, (struct sockaddr *)&own, &length);
  peer = own;
  peer.sin_port = htons((uint16_t)atoi(arguments[1]));

  ZrtpContext *context = zrtp_CreateWrapper();
  zrtp_setStandardConfig(context);
  if (count > 2) {
    zrtp_setMandatoryOnly(context);
    zrtp_addAlgoAt(context, zrtp_PubKeyAlgorithm, arguments[2], 0);
    if (strcmp(arguments[2], "EC38") == 0) zrtp_addAlgoAt(context, zrtp_HashAlgorithm, "S384", 0);
  }
  if (count > 3) zrtp_addAlgoAt(context, zrtp_CipherAlgorithm, arguments[3], 0);

  // Its cache of secrets: a new one for each run.
  char cache[] = "/tmp/gnu-zrtp-peer-XXXXXX";
  const int descriptor = mkstemp(cache);
  if (descriptor < 0) return perror("mkstemp"), 1;
  close(descriptor);
  unlink(cache);
  zrtp_initializeZrtpEngine(context, &callbacks, "gnu", cache, NULL, 0);
  const char *hash = zrtp_getHelloHash(context, 0);
  const char *space = hash ? strchr(hash, ' ') : NULL;
  printf("{\"port\":%d,\"helloHash\":\"%s\"}\n", ntohs(own.sin_port), space ? space + 1 : "");
  fflush(stdout);
  zrtp_startZrtpEngine(context);
  for (const uint64_t end = now_ms() + lifetime_ms; now_ms() < end;) {
    struct pollfd readable = {channel, POLLIN, 0};
    if (poll(&readable, 1, poll_ms) > 0) receive(context);
    if (timer_at != 0 && now_ms() >= timer_at) {
      timer_at = 0;
      zrtp_processTimeout(context);
    }
  }
  unlink(cache);
  return 0;
}
