// RTP and RTCP headers as far as relaying and SRTP need them: RFC 3550 §5.1, §6.4.1; RFC 5761 §4.
#pragma once
#include "bytes.h"

namespace ringfence {

struct RtpHeader {
  std::size_t length;  // octets, with CSRC list and header extension
  std::uint8_t payloadType;
  std::uint16_t sequence;
  std::uint32_t timestamp;
  std::uint32_t ssrc;
};

inline bool readRtpHeader(ConstBytes packet, RtpHeader& header) {
  if (packet.size() < 12 || packet[0] >> 6 != 2) return false;
  std::size_t length = 12 + 4 * std::size_t{static_cast<std::uint8_t>(packet[0] & 0x0f)};
  if ((packet[0] & 0x10) != 0) {
    if (packet.size() < length + 4) return false;
    length += 4 + 4 * std::size_t{load16(&packet[length + 2])};
  }
  if (packet.size() < length) return false;
  header = {length, static_cast<std::uint8_t>(packet[1] & 0x7f), load16(&packet[2]), load32(&packet[4]),
            load32(&packet[8])};
  return true;
}

inline constexpr std::size_t rtcpHeaderLength = 8;

inline bool isRtcp(ConstBytes packet) { return packet.size() >= rtcpHeaderLength && packet[0] >> 6 == 2; }

// Both on one port: payload types 64 to 95 (with the marker bit, 192 to 223) are RTCP packet types.
inline bool looksLikeRtcp(ConstBytes packet) {
  if (packet.size() < 2) return false;
  const std::uint8_t type = packet[1] & 0x7f;
  return type >= 64 && type <= 95;
}

}  // namespace ringfence
