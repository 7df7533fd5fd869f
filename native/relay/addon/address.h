// An IPv4 or IPv6 address with port, as the kernel takes it.
#pragma once
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>

#include "bytes.h"

namespace ringfence {

class Address {
 public:
  Address() { std::memset(&storage_, 0, sizeof storage_); }

  // 4 or 16 octets; anything else gives an unset address.
  Address(ConstBytes host, std::uint16_t port) : Address() {
    if (host.size() == 4) {
      storage_.v4.sin_family = AF_INET;
      std::memcpy(&storage_.v4.sin_addr, host.data(), 4);
      storage_.v4.sin_port = htons(port);
    } else if (host.size() == 16) {
      storage_.v6.sin6_family = AF_INET6;
      std::memcpy(&storage_.v6.sin6_addr, host.data(), 16);
      storage_.v6.sin6_port = htons(port);
    }
  }

  [[nodiscard]] bool isSet() const { return storage_.any.sa_family != AF_UNSPEC; }
  [[nodiscard]] int family() const { return storage_.any.sa_family; }
  [[nodiscard]] std::uint16_t port() const {
    return ntohs(family() == AF_INET6 ? storage_.v6.sin6_port : storage_.v4.sin_port);
  }
  [[nodiscard]] ConstBytes host() const {
    if (family() == AF_INET) return {reinterpret_cast<const std::uint8_t*>(&storage_.v4.sin_addr), 4};
    if (family() == AF_INET6) return {reinterpret_cast<const std::uint8_t*>(&storage_.v6.sin6_addr), 16};
    return {};
  }
  // Neither unspecified nor multicast nor broadcast: something that one peer can be behind.
  [[nodiscard]] bool isUnicast() const {
    if (family() == AF_INET) {
      const std::uint32_t host = ntohl(storage_.v4.sin_addr.s_addr);
      return host >> 24 != 0 && host >> 28 < 14;
    }
    if (family() == AF_INET6) {
      return !IN6_IS_ADDR_UNSPECIFIED(&storage_.v6.sin6_addr) && !IN6_IS_ADDR_MULTICAST(&storage_.v6.sin6_addr) &&
             !IN6_IS_ADDR_V4MAPPED(&storage_.v6.sin6_addr);
    }
    return false;
  }
  [[nodiscard]] bool isLoopback() const {
    if (family() == AF_INET) return ntohl(storage_.v4.sin_addr.s_addr) >> 24 == 127;
    return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&storage_.v6.sin6_addr);
  }
  [[nodiscard]] bool sameHost(const Address& other) const {
    if (family() != other.family()) return false;
    if (family() == AF_INET) return storage_.v4.sin_addr.s_addr == other.storage_.v4.sin_addr.s_addr;
    return std::memcmp(&storage_.v6.sin6_addr, &other.storage_.v6.sin6_addr, 16) == 0;
  }
  bool operator==(const Address& other) const {
    return isSet() && sameHost(other) &&
           (family() == AF_INET ? storage_.v4.sin_port == other.storage_.v4.sin_port
                                : storage_.v6.sin6_port == other.storage_.v6.sin6_port);
  }

  [[nodiscard]] sockaddr* raw() { return &storage_.any; }
  [[nodiscard]] const sockaddr* raw() const { return &storage_.any; }
  [[nodiscard]] socklen_t rawLength() const {
    return family() == AF_INET6 ? sizeof storage_.v6 : sizeof storage_.v4;
  }
  static constexpr socklen_t capacity = sizeof(sockaddr_in6);

 private:
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_;
};

// u8 family (4, 6, or 0 for none), the host, u16 port.
inline void writeAddress(const Address& address, Writer& writer) {
  writer.u8(address.family() == AF_INET ? 4 : address.family() == AF_INET6 ? 6 : 0);
  if (!address.isSet()) return;
  writer.bytes(address.host());
  writer.u16(address.port());
}

inline ConstBytes readHost(Reader& reader) {
  const std::uint8_t family = reader.u8();
  return reader.bytes(family == 4 ? 4 : family == 6 ? 16 : 0);
}

// Unset where there is none.
inline Address readAddress(Reader& reader) {
  const ConstBytes host = readHost(reader);
  return host.empty() ? Address() : Address(host, reader.u16());
}

}  // namespace ringfence
