// A UDP socket that reads and writes many datagrams with few system calls and no JavaScript objects of their own.
//
// Under a flood it drops what strangers send beyond a rate, before JavaScript has any work with it, and has most of that
// dropped by the kernel (sieve.h). For that it looks at the sender and at the first octets; parsing hostile input stays in JavaScript.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <unordered_map>
#include <unistd.h>

#include <netinet/in.h>
#include <node_api.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <uv.h>

#include "sieve.h"

namespace ringfence {
namespace {

// Datagrams read at once, and rounds before others have their turn in the event loop.
constexpr unsigned batch = 16;
constexpr unsigned mostHandled = 64;
constexpr unsigned mostRead = 1024;
// Longest datagram that IP can carry.
constexpr std::size_t slot = 65'536;

// What JavaScript reads after a batch: length, family (4 or 6), port and IPv4 address in host order.
struct Row {
  std::uint32_t length;
  std::uint32_t family;
  std::uint32_t port;
  std::uint32_t address;
};

// In place of a length: not for JavaScript.
constexpr std::uint32_t dropped = 0xffffffff;

double secondsNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// So many a second, and a tenth of a second's worth at once. No rate: all.
struct Allowance {
  double perSecond = 0;
  double left = 0;
  double at = 0;

  bool take(double now) {
    if (perSecond <= 0) return true;
    const double most = perSecond / 10 < 1 ? 1 : perSecond / 10;
    left += (now - at) * perSecond;
    at = now;
    if (left > most) left = most;
    if (left < 1) return false;
    left -= 1;
    return true;
  }
};

// Sources that have proven themselves, until when: an IPv4 address, or an IPv6 /64. For all sockets of the process.
constexpr std::size_t mostKnown = 500'000;
std::unordered_map<std::uint64_t, double>& knownSources() {
  static std::unordered_map<std::uint64_t, double> sources;
  return sources;
}

// Counts what `know` has changed, so that each socket sees that its sieve is old.
std::uint64_t knownChanges = 0;

std::uint64_t keyOf(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
  std::uint64_t key = 0;
  std::memcpy(&key, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, sizeof key);
  return key;
}

bool isLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) return keyOf(address) >> 24 == 127;
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr) != 0;
}

bool isKnown(const sockaddr* address, double now) {
  if (isLoopback(address)) return true;
  const auto& sources = knownSources();
  const auto found = sources.find(keyOf(address));
  return found != sources.end() && found->second > now;
}

// A first line of SIP begins with a capital letter.
bool looksLikeSip(const std::uint8_t* bytes, std::size_t length) {
  return length > 12 && bytes[0] >= 'A' && bytes[0] <= 'Z';
}

// What the kernel lets through of strangers, and how much of it has come since the last look.
struct Flood {
  bool sieving = false;
  // The system refuses: then everything is read, and dropped here.
  bool unable = false;
  // Of what may be taken, so much can be dealt with now, 0 to 1.
  double room = 1;
  // Of what begins as SIP does so many times as much passes as if all of the flood did.
  double gain = 1;
  double sip = 0;
  double junk = 0;
  double at = 0;
  double calmSince = 0;
  // Of the queue at the last look, 0 to 1.
  double full = 0;
  // Of which `know` the sieve has learned, and when it may learn again.
  std::uint64_t changes = UINT64_MAX;
  double learnAgainAt = 0;
  // Datagrams that the kernel has dropped since the socket was opened, as it counts them.
  std::uint32_t dropped = 0;
};

struct Socket {
  int family = AF_INET;
  Sieve sieve;
  Flood flood;
  // Of senders that are not known: what may be SIP, and the rest.
  Allowance sip;
  Allowance junk;
  double refused = 0;
  napi_env env = nullptr;
  int fd = -1;
  uv_poll_t poll{};
  bool closing = false;
  napi_async_context context = nullptr;
  napi_ref received = nullptr;
  napi_ref failed = nullptr;
  napi_ref slabRef = nullptr;
  napi_ref rowsRef = nullptr;
  Row* rows = nullptr;
  mmsghdr messages[batch]{};
  iovec parts[batch]{};
  sockaddr_storage from[batch]{};
};

napi_value badArgument(napi_env env) {
  napi_throw_type_error(env, "bad-argument", "native datagram: wrong argument");
  return nullptr;
}

napi_value numberOf(napi_env env, double value) {
  napi_value out = nullptr;
  napi_create_double(env, value, &out);
  return out;
}

bool bytesOf(napi_env env, napi_value value, std::uint8_t** data, std::size_t* length) {
  napi_typedarray_type type{};
  void* start = nullptr;
  if (napi_get_typedarray_info(env, value, &type, length, &start, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array)
    return false;
  *data = static_cast<std::uint8_t*>(start);
  return true;
}

// Runs a listener as the event loop would, with its microtasks; what it throws is an uncaught exception.
void call(Socket* socket, napi_ref which, double argument) {
  napi_env env = socket->env;
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env, &scope);
  napi_value function = nullptr;
  napi_get_reference_value(env, which, &function);
  napi_value arguments[1] = {numberOf(env, argument)};
  napi_value global = nullptr;
  napi_get_global(env, &global);
  if (napi_make_callback(env, socket->context, global, function, 1, arguments, nullptr) == napi_pending_exception) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

struct Queue {
  // 0 to 1.
  double full;
  // Datagrams, since the socket was opened.
  std::uint32_t dropped;
};

Queue queueOf(int fd) {
  std::uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof memory;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) != 0 || memory[SK_MEMINFO_RCVBUF] == 0) return {0, 0};
  const double share = static_cast<double>(memory[SK_MEMINFO_RMEM_ALLOC]) / memory[SK_MEMINFO_RCVBUF];
  return {share < 1 ? share : 1, memory[SK_MEMINFO_DROPS]};
}

// Seconds between two looks at how much comes.
constexpr double lookEvery = 0.05;
// So much more than may be taken comes through, since lots are drawn.
constexpr double margin = 1.25;
// Below this many a second of strangers nothing is sieved: reading them costs less than a percent of a core.
constexpr double leastFlood = 4'000;
// A queue so full that does not shrink means that more is let through than can be dealt with now: then less of strangers
// is, down to a thirty-second of what may be taken, and slowly more again.
constexpr double longQueue = 0.05;
constexpr double leastRoom = 1.0 / 32;
constexpr double roomGrowth = 1.2;
constexpr double mostGain = 64;
// With a queue so full this many strangers a second are a flood, whatever may be taken.
constexpr double fullQueue = 0.25;
constexpr double leastFloodWhenFull = 500;
// A flood that pauses is not over.
constexpr double calmSeconds = 2;
// Of the time that learning who is known takes, so many times as long until it is done again.
constexpr double learningShare = 50;

void learn(Socket* socket, double now) {
  std::vector<std::uint64_t> keys;
  for (const auto& [key, until] : knownSources()) {
    if (until <= now) continue;
    const bool six = key > 0xffffffff;
    if (six == (socket->family == AF_INET6)) keys.push_back(six ? be64toh(key) : key);
  }
  timespec began{};
  timespec ended{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
  socket->sieve.know(std::move(keys), socket->family == AF_INET6);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
  const double took = static_cast<double>(ended.tv_sec - began.tv_sec) + static_cast<double>(ended.tv_nsec - began.tv_nsec) / 1e9;
  socket->flood.changes = knownChanges;
  socket->flood.learnAgainAt = now + took * learningShare;
}

// Begins, adjusts or ends the sieve; called whenever something was read, and with each look at the backlog.
void regulate(Socket* socket, double now) {
  Flood& flood = socket->flood;
  const double passed = now - flood.at;
  if (passed < lookEvery) return;
  const Queue queue = queueOf(socket->fd);
  const double sip = flood.sip / passed;
  const double junk = flood.junk / passed;
  const double lost = queue.dropped - flood.dropped;
  // Who is known is in it only where the queue was full.
  const double offered = sip + junk + lost / passed;
  const bool shrinks = queue.full < flood.full;
  if (flood.sieving) socket->refused += lost;
  flood.at = now;
  flood.sip = 0;
  flood.junk = 0;
  flood.dropped = queue.dropped;
  flood.full = queue.full;
  const double most = socket->sip.perSecond * margin;
  const double rest = socket->junk.perSecond * margin;
  if (flood.unable || most <= 0 || rest <= 0) return;
  const bool over = (sip > most || junk > rest || flood.sieving) && offered > leastFlood;
  if (over || (queue.full > fullQueue && offered > leastFloodWhenFull)) flood.calmSince = now;
  if (!flood.sieving) {
    if (flood.calmSince != now) return;
    flood.sieving = true;
  } else if (now - flood.calmSince > calmSeconds) {
    flood.sieving = false;
    flood.room = 1;
    flood.gain = 1;
    Sieve::detach(socket->fd);
    return;
  }
  if (queue.full <= longQueue)
    flood.room = std::min(flood.room * roomGrowth, 1.0);
  else if (!shrinks)
    flood.room = std::max(flood.room / 2, leastRoom);
  // Newcomers are not to pay for a flood of what is no SIP.
  if (sip > most * flood.room)
    flood.gain = std::max(flood.gain / 2, 1.0);
  else if (sip < most * flood.room / 2)
    flood.gain = std::min(flood.gain * roomGrowth, mostGain);
  const double all = std::max(offered, 1.0);
  const double share = most * flood.room / all * flood.gain;
  if (flood.changes != knownChanges && now >= flood.learnAgainAt) learn(socket, now);
  if (!socket->sieve.attach(socket->fd, share, rest * flood.room / all)) {
    Sieve::detach(socket->fd);
    flood.sieving = false;
    flood.unable = true;
  }
}

void readable(uv_poll_t* poll, int status, int) {
  auto* socket = static_cast<Socket*>(poll->data);
  if (status < 0) return call(socket, socket->failed, -status);
  const double now = secondsNow();
  unsigned handled = 0;
  for (unsigned read = 0; read < mostRead && handled < mostHandled && !socket->closing; read += batch) {
    for (unsigned i = 0; i < batch; i++) {
      socket->messages[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    }
    const int count = recvmmsg(socket->fd, socket->messages, batch, MSG_DONTWAIT, nullptr);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) call(socket, socket->failed, errno);
      return;
    }
    unsigned passed = 0;
    for (int i = 0; i < count; i++) {
      Row& row = socket->rows[i];
      row.length = socket->messages[i].msg_len;
      const auto* any = reinterpret_cast<const sockaddr*>(&socket->from[i]);
      const bool sip = looksLikeSip(static_cast<const std::uint8_t*>(socket->parts[i].iov_base), row.length);
      if (!isKnown(any, now)) {
        (sip ? socket->flood.sip : socket->flood.junk) += 1;
        if (!(sip ? socket->sip : socket->junk).take(now)) {
          row.length = dropped;
          socket->refused += 1;
          continue;
        }
      }
      passed += 1;
      if (any->sa_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(any);
        row.family = 4;
        row.port = ntohs(v4->sin_port);
        row.address = ntohl(v4->sin_addr.s_addr);
      } else {
        row.family = 6;
        row.port = ntohs(reinterpret_cast<const sockaddr_in6*>(any)->sin6_port);
        row.address = 0;
      }
    }
    handled += passed;
    regulate(socket, now);
    if (passed > 0) call(socket, socket->received, count);
    if (count < static_cast<int>(batch)) return;
  }
}

void release(Socket* socket) {
  if (socket->closing) return;
  socket->closing = true;
  uv_poll_stop(&socket->poll);
  // At once, so that the port is free when `close` returns; what is stopped is no longer polled.
  close(socket->fd);
  uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll), [](uv_handle_t* handle) {
    auto* closed = static_cast<Socket*>(handle->data);
    napi_env env = closed->env;
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(env, &scope);
    for (napi_ref ref : {closed->received, closed->failed, closed->slabRef, closed->rowsRef})
      if (ref != nullptr) napi_delete_reference(env, ref);
    napi_async_destroy(env, closed->context);
    napi_close_handle_scope(env, scope);
    delete closed;
  });
}

int fail(int fd) {
  const int problem = errno;
  if (fd >= 0) close(fd);
  return -problem;
}

// Bound and not blocking; a negative errno where the system refuses.
int openSocket(const sockaddr* address, socklen_t length, int bufferBytes) {
  const int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(fd);
  const int on = 1;
  if (address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return fail(fd);
  // Smaller buffers than asked for are no reason to refuse.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bufferBytes, sizeof bufferBytes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bufferBytes, sizeof bufferBytes);
  if (bind(fd, address, length) != 0) return fail(fd);
  return fd;
}

socklen_t lengthOf(const sockaddr* address) {
  return address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

// A handle for a bound descriptor; `values`: slab, rows, received, failed.
napi_value attach(napi_env env, int fd, const napi_value* values, std::uint8_t* slab, std::uint8_t* rows) {
  auto* socket = new Socket;
  socket->env = env;
  socket->fd = fd;
  sockaddr_storage own{};
  socklen_t ownLength = sizeof own;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &ownLength) == 0) socket->family = own.ss_family;
  // The program before this one may have left its sieve.
  Sieve::detach(fd);
  socket->flood.dropped = queueOf(fd).dropped;
  socket->flood.at = secondsNow();
  socket->rows = reinterpret_cast<Row*>(rows);
  napi_create_reference(env, values[0], 1, &socket->slabRef);
  napi_create_reference(env, values[1], 1, &socket->rowsRef);
  napi_create_reference(env, values[2], 1, &socket->received);
  napi_create_reference(env, values[3], 1, &socket->failed);
  napi_value name = nullptr;
  napi_create_string_utf8(env, "ringfence.datagram", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, nullptr, name, &socket->context);
  for (unsigned i = 0; i < batch; i++) {
    socket->parts[i] = {slab + i * slot, slot};
    socket->messages[i].msg_hdr.msg_iov = &socket->parts[i];
    socket->messages[i].msg_hdr.msg_iovlen = 1;
    socket->messages[i].msg_hdr.msg_name = &socket->from[i];
  }
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  uv_poll_init(loop, &socket->poll, fd);
  socket->poll.data = socket;
  napi_value handle = nullptr;
  napi_create_external(env, socket, nullptr, nullptr, &handle);
  return handle;
}

// open(sockaddr, bufferBytes, slab, rows, received, failed): a handle, or a negative errno
napi_value open(napi_env env, napi_callback_info info) {
  std::size_t count = 6;
  napi_value values[6] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  std::uint8_t* address = nullptr;
  std::uint8_t* slab = nullptr;
  std::uint8_t* rows = nullptr;
  std::size_t addressLength = 0;
  std::size_t slabLength = 0;
  std::size_t rowsLength = 0;
  double bufferBytes = 0;
  if (count < 6 || !bytesOf(env, values[0], &address, &addressLength) || addressLength < sizeof(sockaddr_in6) ||
      napi_get_value_double(env, values[1], &bufferBytes) != napi_ok || !bytesOf(env, values[2], &slab, &slabLength) ||
      !bytesOf(env, values[3], &rows, &rowsLength) || slabLength < slot * batch || rowsLength < sizeof(Row) * batch)
    return badArgument(env);
  const auto* bound = reinterpret_cast<const sockaddr*>(address);
  const int fd = openSocket(bound, lengthOf(bound), static_cast<int>(bufferBytes));
  if (fd < 0) return numberOf(env, fd);
  return attach(env, fd, values + 2, slab, rows);
}

// adopt(descriptor, slab, rows, received, failed): a handle for a socket that another program has bound, or a negative errno
napi_value adopt(napi_env env, napi_callback_info info) {
  std::size_t count = 5;
  napi_value values[5] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  std::uint8_t* slab = nullptr;
  std::uint8_t* rows = nullptr;
  std::size_t slabLength = 0;
  std::size_t rowsLength = 0;
  std::int32_t fd = -1;
  if (count < 5 || napi_get_value_int32(env, values[0], &fd) != napi_ok || !bytesOf(env, values[1], &slab, &slabLength) ||
      !bytesOf(env, values[2], &rows, &rowsLength) || slabLength < slot * batch || rowsLength < sizeof(Row) * batch)
    return badArgument(env);
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return numberOf(env, -errno);
  if (type != SOCK_DGRAM) return numberOf(env, -EPROTOTYPE);
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
    return numberOf(env, -errno);
  return attach(env, fd, values + 1, slab, rows);
}

Socket* socketOf(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok) return nullptr;
  return static_cast<Socket*>(data);
}

// start(handle)
napi_value start(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr) return badArgument(env);
  uv_poll_start(&socket->poll, UV_READABLE, readable);
  return nullptr;
}

// handOver(handle): reads no more and outlives execve; the descriptor
napi_value handOver(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr || socket->closing) return badArgument(env);
  uv_poll_stop(&socket->poll);
  fcntl(socket->fd, F_SETFD, 0);
  return numberOf(env, socket->fd);
}

// send(handle, bytes, sockaddr): 0 or an errno
napi_value send(napi_env env, napi_callback_info info) {
  std::size_t count = 3;
  napi_value values[3] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  std::uint8_t* bytes = nullptr;
  std::uint8_t* address = nullptr;
  std::size_t length = 0;
  std::size_t addressLength = 0;
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr || !bytesOf(env, values[1], &bytes, &length) ||
      !bytesOf(env, values[2], &address, &addressLength) || addressLength < sizeof(sockaddr_in6))
    return badArgument(env);
  const auto* to = reinterpret_cast<const sockaddr*>(address);
  ssize_t sent = -1;
  do {
    sent = sendto(socket->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, to, lengthOf(to));
  } while (sent < 0 && errno == EINTR);
  return numberOf(env, sent < 0 ? errno : 0);
}

// limit(handle, sipPerSecond, junkPerSecond): of senders that are not known; 0 for no bound
napi_value limit(napi_env env, napi_callback_info info) {
  std::size_t count = 3;
  napi_value values[3] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  double sip = 0;
  double junk = 0;
  if (socket == nullptr || napi_get_value_double(env, values[1], &sip) != napi_ok ||
      napi_get_value_double(env, values[2], &junk) != napi_ok)
    return badArgument(env);
  socket->sip.perSecond = sip;
  socket->junk.perSecond = junk;
  return nullptr;
}

// refused(handle): how many datagrams were dropped here since the last time
napi_value refused(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr) return badArgument(env);
  const double total = socket->refused;
  socket->refused = 0;
  return numberOf(env, total);
}

// sieving(handle): whether the kernel drops what strangers send beyond what may be taken
napi_value sieving(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr) return badArgument(env);
  napi_value out = nullptr;
  napi_get_boolean(env, socket->flood.sieving, &out);
  return out;
}

// know(sockaddr, seconds): that source is known for so long; 0: no more
napi_value know(napi_env env, napi_callback_info info) {
  std::size_t count = 2;
  napi_value values[2] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  std::uint8_t* address = nullptr;
  std::size_t length = 0;
  double seconds = 0;
  if (!bytesOf(env, values[0], &address, &length) || length < sizeof(sockaddr_in6) ||
      napi_get_value_double(env, values[1], &seconds) != napi_ok)
    return badArgument(env);
  auto& sources = knownSources();
  const std::uint64_t key = keyOf(reinterpret_cast<const sockaddr*>(address));
  knownChanges += 1;
  if (seconds <= 0) {
    sources.erase(key);
    return nullptr;
  }
  const double now = secondsNow();
  if (sources.size() >= mostKnown) std::erase_if(sources, [now](const auto& one) { return one.second <= now; });
  if (sources.size() < mostKnown) sources[key] = now + seconds;
  return nullptr;
}

// backlog(handle): how full the receive queue is, 0 to 1
napi_value backlog(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr || socket->closing) return badArgument(env);
  regulate(socket, secondsNow());
  return numberOf(env, queueOf(socket->fd).full);
}

// close(handle): the handle must not be used again
napi_value close_(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr) return badArgument(env);
  release(socket);
  return nullptr;
}

// bound(handle): the local port
napi_value bound(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  if (socket == nullptr) return badArgument(env);
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  getsockname(socket->fd, reinterpret_cast<sockaddr*>(&own), &length);
  return numberOf(env, ntohs(reinterpret_cast<const sockaddr_in*>(&own)->sin_port));
}

// pack(text, port, out): true where the text is a numeric address; `out` holds a sockaddr then
napi_value pack(napi_env env, napi_callback_info info) {
  std::size_t count = 3;
  napi_value values[3] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  char text[128] = {};
  std::size_t length = 0;
  double port = 0;
  std::uint8_t* out = nullptr;
  std::size_t capacity = 0;
  if (napi_get_value_string_utf8(env, values[0], text, sizeof text, &length) != napi_ok ||
      napi_get_value_double(env, values[1], &port) != napi_ok || !bytesOf(env, values[2], &out, &capacity) ||
      capacity < sizeof(sockaddr_in6))
    return badArgument(env);
  const bool six = std::strchr(text, ':') != nullptr;
  const int problem = six ? uv_ip6_addr(text, static_cast<int>(port), reinterpret_cast<sockaddr_in6*>(out))
                          : uv_ip4_addr(text, static_cast<int>(port), reinterpret_cast<sockaddr_in*>(out));
  napi_value good = nullptr;
  napi_get_boolean(env, problem == 0, &good);
  return good;
}

// name(handle, index): the address of a datagram of this batch as text, with its zone where it has one; behind the
// last of the batch comes the socket's own address
napi_value name(napi_env env, napi_callback_info info) {
  std::size_t count = 2;
  napi_value values[2] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Socket* socket = socketOf(env, values[0]);
  std::uint32_t index = 0;
  if (socket == nullptr || napi_get_value_uint32(env, values[1], &index) != napi_ok || index > batch)
    return badArgument(env);
  sockaddr_storage own{};
  socklen_t ownLength = sizeof own;
  if (index == batch) getsockname(socket->fd, reinterpret_cast<sockaddr*>(&own), &ownLength);
  char text[INET6_ADDRSTRLEN + UV_IF_NAMESIZE + 2] = {};
  const auto* any = reinterpret_cast<const sockaddr*>(index == batch ? &own : &socket->from[index]);
  if (any->sa_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(any);
    uv_ip6_name(six, text, INET6_ADDRSTRLEN);
    if (IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) && six->sin6_scope_id != 0) {
      const std::size_t end = std::strlen(text);
      std::size_t room = sizeof text - end - 1;
      text[end] = '%';
      if (uv_if_indextoiid(six->sin6_scope_id, text + end + 1, &room) != 0) text[end] = 0;
    }
  } else {
    uv_ip4_name(reinterpret_cast<const sockaddr_in*>(any), text, sizeof text);
  }
  napi_value out = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &out);
  return out;
}

// largePages(bytes): asks the kernel for pages of 2 MB where these lie (madvise(2)); true where it will try
napi_value largePages(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value values[1] = {};
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  std::uint8_t* bytes = nullptr;
  std::size_t length = 0;
  if (!bytesOf(env, values[0], &bytes, &length)) return badArgument(env);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(bytes) + length) / page * page;
  const bool taken = end > begin && madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE) == 0;
  napi_value out = nullptr;
  napi_get_boolean(env, taken, &out);
  return out;
}

napi_value initialise(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"open", nullptr, open, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"adopt", nullptr, adopt, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"handOver", nullptr, handOver, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"start", nullptr, start, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"send", nullptr, send, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"limit", nullptr, limit, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"refused", nullptr, refused, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"sieving", nullptr, sieving, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"know", nullptr, know, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"backlog", nullptr, backlog, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"close", nullptr, close_, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"bound", nullptr, bound, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"largePages", nullptr, largePages, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"pack", nullptr, pack, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"name", nullptr, name, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}

}  // namespace
}  // namespace ringfence

NAPI_MODULE(datagram, ringfence::initialise)
