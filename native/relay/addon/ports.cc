#include "ports.h"

#include <cerrno>

#include <netinet/ip.h>
#include <openssl/rand.h>
#include <unistd.h>

namespace ringfence {
namespace {

constexpr int randomTries = 32;
constexpr std::size_t mostLocals = 256;

std::uint32_t random32() {
  std::uint8_t octets[4] = {};
  RAND_bytes(octets, sizeof octets);
  return load32(octets);
}

void closeSocket(int& socket) {
  if (socket >= 0) close(socket);
  socket = -1;
}

Status statusOf(int error, bool& taken) {
  if (error == EADDRINUSE) {
    taken = true;
    return Status::ok;
  }
  if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) return Status::noDescriptors;
  return Status::badAddress;
}

void markPackets(int fd, int family, int field) {
  if (family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &field, sizeof field);
  } else {
    setsockopt(fd, IPPROTO_IP, IP_TOS, &field, sizeof field);
  }
}

int openSocket(const Address& local, std::uint16_t port, std::uint8_t dscp, Status& status, bool& taken) {
  int fd = socket(local.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    status = statusOf(errno, taken);
    return -1;
  }
  const int on = 1;
  if (local.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  markPackets(fd, local.family(), dscp << 2);  // DSCP is the upper six bits, RFC 2474 §3
  const Address bound(local.host(), port);
  if (bind(fd, bound.raw(), bound.rawLength()) != 0) {
    status = statusOf(errno, taken);
    closeSocket(fd);
  }
  return fd;
}

void allowReuse(int fd, int allowed) { setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &allowed, sizeof allowed); }

}  // namespace

std::size_t Ports::indexOf(const Address& address) {
  for (std::size_t i = 0; i < locals_.size(); i++) {
    if (locals_[i].address.sameHost(address)) return i;
  }
  if (locals_.size() < mostLocals) locals_.push_back({address, std::vector<bool>(size(), false)});
  return locals_.size() - 1;
}

Status Ports::tryBind(Local& local, std::uint16_t port, std::uint8_t dscp, Endpoint& endpoint, bool& taken) {
  const bool pair = endpoint.ports == PortMode::pair;
  const std::size_t bit = port - from_;
  taken = local.used[bit] || (pair && local.used[bit + 1]);
  if (taken) return Status::ok;
  Status status = Status::ok;
  endpoint.rtpSocket = openSocket(local.address, port, dscp, status, taken);
  if (endpoint.rtpSocket < 0) return status;
  if (pair) {
    endpoint.rtcpSocket = openSocket(local.address, static_cast<std::uint16_t>(port + 1), dscp, status, taken);
    if (endpoint.rtcpSocket < 0) {
      closeSocket(endpoint.rtpSocket);
      return status;
    }
    local.used[bit + 1] = true;
  }
  local.used[bit] = true;
  endpoint.rtpPort = port;
  return Status::ok;
}

Status Ports::open(const Address& address, std::uint8_t dscp, Endpoint& endpoint) {
  if (!address.isSet()) return Status::badAddress;
  endpoint.localIndex = indexOf(address);
  Local& local = locals_[endpoint.localIndex];
  if (!local.address.sameHost(address)) return Status::badAddress;
  endpoint.local = address;
  endpoint.dscp = dscp;
  // RFC 3550 §11: RTP on an even port, RTCP on the next.
  const bool pair = endpoint.ports == PortMode::pair;
  const std::uint32_t step = pair ? 2 : 1;
  const std::uint32_t first = pair ? (from_ + 1U) / 2 * 2 : from_;
  const std::uint32_t last = pair ? to_ - 1U : to_;
  if (last < first) return Status::noPorts;
  const std::uint32_t choices = (last - first) / step + 1;
  for (std::uint32_t tried = 0, offset = 0; tried < randomTries + choices; tried++) {
    // A full range is swept once, so that the last free port is found.
    offset = tried <= randomTries ? random32() % choices : (offset + 1) % choices;
    bool taken = false;
    const Status status = tryBind(local, static_cast<std::uint16_t>(first + offset * step), dscp, endpoint, taken);
    if (!taken) return status;
  }
  return Status::noPorts;
}

bool Ports::openSteady(Endpoint& endpoint) {
  const Address& remote = endpoint.rtp.source();
  const Address bound(endpoint.local.host(), endpoint.rtpPort);
  int fd = socket(bound.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int on = 1;
  if (bound.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  markPackets(fd, bound.family(), endpoint.dscp << 2);
  // Shared for this moment only: afterwards nobody can bind the port beside us.
  allowReuse(endpoint.rtpSocket, 1);
  allowReuse(fd, 1);
  const bool good = bind(fd, bound.raw(), bound.rawLength()) == 0 && connect(fd, remote.raw(), remote.rawLength()) == 0;
  allowReuse(endpoint.rtpSocket, 0);
  allowReuse(fd, 0);
  if (!good) closeSocket(fd);
  endpoint.steadySocket = fd;
  return good;
}

void Ports::closeSteady(Endpoint& endpoint) {
  closeSocket(endpoint.steadySocket);
  endpoint.steadyPackets = 0;
}

void Ports::close(Endpoint& endpoint) {
  closeSteady(endpoint);
  if (endpoint.rtpSocket < 0) return;
  Local& local = locals_[endpoint.localIndex];
  local.used[endpoint.rtpPort - from_] = false;
  if (endpoint.rtcpSocket >= 0) local.used[endpoint.rtpPort + 1U - from_] = false;
  closeSocket(endpoint.rtpSocket);
  closeSocket(endpoint.rtcpSocket);
}

}  // namespace ringfence
