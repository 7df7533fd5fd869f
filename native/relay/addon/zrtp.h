// ZRTP at an endpoint (RFC 6189): goes up to JavaScript where it ends here, on to the far end where it passes.
#pragma once
#include "bytes.h"

namespace ringfence {

struct Datagram;
struct Endpoint;
class Uplink;

enum class ZrtpMode : std::uint8_t { none, pass, end };

struct ZrtpState {
  ZrtpMode mode = ZrtpMode::none;
  bool demanded = false;   // without keys by ZRTP no media passes
  bool confirmed = false;  // with `pass`: both ends have shown that they have keys
  bool sealed = false;     // with `pass`: what follows is SRTP of the two ends, of which no bit may change
  [[nodiscard]] bool holdsMedia() const { return mode == ZrtpMode::pass && demanded && !confirmed; }
};

// All of it under the lock of the endpoint's worker.
// This endpoint has another one on the other side now, or none: no key that was agreed through it says anything any more.
void forgetPassedZrtp(Endpoint& endpoint);

void receiveZrtp(Endpoint& endpoint, const Datagram& datagram, Uplink& uplink);

}  // namespace ringfence
