#include "zrtp.h"

#include "endpoint.h"
#include "negotiation.h"
#include "uplink.h"

namespace ringfence {
namespace {

constexpr std::uint32_t magicCookie = 0x5a525450;  // RFC 6189 §5
constexpr std::size_t shortest = 12 + 12 + 4;      // header, the shortest message, CRC

}  // namespace

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
  sendDatagram(*to, 1, Address(), bytes);
  // Watching falls behind before relaying does.
  if (!uplink.datagram(Rising::zrtpPassing, endpoint.id, 1, datagram.source, bytes)) endpoint.row.add(droppedUplink);
}

}  // namespace ringfence
