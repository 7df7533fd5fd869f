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
  [[nodiscard]] bool holdsMedia() const { return mode == ZrtpMode::pass && demanded && !confirmed; }
};

// Under the lock of the endpoint's worker.
void receiveZrtp(Endpoint& endpoint, const Datagram& datagram, Uplink& uplink);

}  // namespace ringfence
