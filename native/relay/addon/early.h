// The first packets of a peer that is quicker than the word of what was agreed with it: whoever has answered a call talks at
// once, and a caller may hear of the answer before we have linked it.
#pragma once
#include <array>
#include <cstring>

#include "address.h"

namespace ringfence {

// The latest few, unread: every rule of source and key is applied when they are looked at. Older ones give way.
class EarlyPackets {
 public:
  static constexpr std::size_t most = 4;
  static constexpr std::size_t longest = 1472;
  static constexpr double longestMs = 500;

  void keep(ConstBytes bytes, const Address& source, bool onRtcpSocket, double nowMs) {
    if (bytes.size() > longest) return;
    Packet& packet = packets_[next_++ % most];
    packet.atMs = nowMs;
    packet.source = source;
    packet.onRtcpSocket = onRtcpSocket;
    packet.length = bytes.size();
    std::memcpy(packet.bytes.data(), bytes.data(), bytes.size());
  }

  // Calls `use` with octets, source and socket of each that is young enough, in the order of arrival.
  template <typename Use>
  void take(double nowMs, Use use) const {
    const std::size_t count = next_ < most ? next_ : most;
    for (std::size_t i = next_ - count; i < next_; i++) {
      const Packet& packet = packets_[i % most];
      if (nowMs - packet.atMs <= longestMs) use(ConstBytes(packet.bytes.data(), packet.length), packet.source, packet.onRtcpSocket);
    }
  }

 private:
  struct Packet {
    double atMs = 0;
    std::size_t length = 0;
    Address source;
    bool onRtcpSocket = false;
    std::array<std::uint8_t, longest> bytes;
  };
  std::array<Packet, most> packets_;
  std::size_t next_ = 0;
};

}  // namespace ringfence
