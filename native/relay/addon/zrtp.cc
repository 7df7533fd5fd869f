#include "zrtp.h"

#include <cstring>

#include "endpoint.h"
#include "negotiation.h"
#include "uplink.h"

namespace ringfence {
namespace {

constexpr std::uint32_t magicCookie = 0x5a525450;  // RFC 6189 §5
constexpr std::size_t shortest = 12 + 12 + 4;      // header, the shortest message, CRC

// §5.1: preamble and length are before it.
constexpr std::size_t typeOffset = 16;
constexpr char confirm1[] = "Confirm1";

// From here on both ends send SRTP under keys of their own (§4.6). Its SSRC, sequence number and timestamp are part of
// what their tags protect, so none is rewritten; digits would be packets without a tag, and RTCP is theirs alone.
void seal(Endpoint& endpoint) {
  if (endpoint.zrtp.sealed) return;
  endpoint.zrtp.sealed = true;
  endpoint.continuity = Continuity();
  endpoint.digitWriter.reset();
}

}  // namespace

void forgetPassedZrtp(Endpoint& endpoint) {
  if (!endpoint.zrtp.sealed && !endpoint.zrtp.confirmed) return;
  endpoint.zrtp.sealed = false;
  endpoint.zrtp.confirmed = false;
  gateMedia(endpoint);
}

void receiveZrtp(Endpoint& endpoint, const Datagram& datagram, Uplink& uplink) {
  const ConstBytes bytes = datagram.bytes;
  if (endpoint.zrtp.mode == ZrtpMode::none || datagram.component != 1 || bytes.size() < shortest ||
      load32(&bytes[4]) != magicCookie) {
    endpoint.row.add(droppedMalformed);
    return;
  }
  if (!admitsHandshake(endpoint, datagram)) {
    endpoint.row.add(droppedSource);
    return;
  }
  if (endpoint.zrtp.mode == ZrtpMode::end) {
    learnSource(endpoint, datagram.source);
    if (!uplink.datagram(Rising::zrtp, endpoint.id, 1, datagram.source, bytes)) endpoint.row.add(droppedUplink);
    return;
  }
  Endpoint* to = endpoint.peer;
  if (to == nullptr || to->zrtp.mode != ZrtpMode::pass || !to->hasRemote) {
    endpoint.row.add(droppedUnlinked);
    return;
  }
  learnSource(endpoint, datagram.source);
  if (std::memcmp(&bytes[typeOffset], confirm1, sizeof confirm1 - 1) == 0) {
    seal(endpoint);
    seal(*to);
  }
  sendDatagram(*to, 1, Address(), bytes);
  endpoint.risen = true;
  // Watching falls behind before relaying does.
  if (!uplink.datagram(Rising::zrtpPassing, endpoint.id, 1, datagram.source, bytes)) endpoint.row.add(droppedUplink);
}

}  // namespace ringfence
