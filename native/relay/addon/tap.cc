#include "tap.h"

#include <cstring>

#include "worker.h"

namespace ringfence {

bool addTap(Endpoint& from, Endpoint& to) {
  if (from.taps.size() >= mostTaps) return false;
  from.taps.push_back(&to);
  to.tapped = &from;
  to.continuity.changePeer();
  return true;
}

void endTap(Endpoint& to) {
  if (to.tapped == nullptr) return;
  std::erase(to.tapped->taps, &to);
  to.tapped = nullptr;
}

void forgetTaps(Endpoint& endpoint) {
  endTap(endpoint);
  for (Endpoint* to : endpoint.taps) to->tapped = nullptr;
  endpoint.taps.clear();
}

// The packet is as it was afterwards, for the peer that the endpoint is linked with.
void Worker::copyToTaps(Endpoint& from, std::size_t length, const RtpHeader& header) {
  const double perMs = from.clockRates.of(header.payloadType) / 1000.0;
  std::memcpy(copy_.get(), packet_.get(), length);
  for (Endpoint* to : from.taps) {
    if (!to->emit || !to->hasRemote || to->media == Media::opaque) {
      to->row.add(droppedUnlinked);
      continue;
    }
    RtpHeader own = header;
    to->continuity.pass(packet_.get(), own, now_, perMs);
    if (to->rtcpTerminal != nullptr) to->rtcpTerminal->sent(own, length, now_, perMs);
    protectAndSend(*to, to->row, false, length, own);
    report(*to);
    std::memcpy(packet_.get(), copy_.get(), length);
  }
}

}  // namespace ringfence
