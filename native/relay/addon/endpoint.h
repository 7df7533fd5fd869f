// One stream of one leg: its sockets, its one remote, its keys. Every field is guarded by the lock of the worker that owns it.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include <openssl/crypto.h>

#include "address.h"
#include "continuity.h"
#include "digits.h"
#include "dtls.h"
#include "early.h"
#include "player.h"
#include "rtcp.h"
#include "srtp.h"
#include "statistics.h"
#include "stun.h"
#include "tap.h"
#include "zrtp.h"

namespace ringfence {

enum class PortMode : std::uint8_t { mux, pair, single };
enum class Media : std::uint8_t { rtp, srtp, opaque };

inline constexpr double rekeyGraceMs = 5000;

// A master key that the relay made for sending. Kept until the endpoint closes, since an answer may choose any of them.
struct LocalKey {
  const Suite* suite = nullptr;
  std::array<std::uint8_t, longestMaterial> material{};
  std::unique_ptr<Context> context;  // made when first chosen; kept, as its indexes must never begin again

  LocalKey() = default;
  LocalKey(LocalKey&&) = delete;
  ~LocalKey() { OPENSSL_cleanse(material.data(), material.size()); }
};

// Where one kind of packet comes from and goes to.
class Path {
 public:
  // A new offer: learning opens once more. What was learned before stays in use until then, unless the remote is another one.
  void configure(const Address& signalled) {
    if (!(signalled == signalled_)) latched_ = false;
    signalled_ = signalled;
    learning_ = true;
  }

  // ICE has chosen: no other address is accepted, and none is learned.
  void choose(const Address& remote) {
    source_ = remote;
    latched_ = true;
    learning_ = false;
  }

  // Nothing is accepted and there is nothing to send to, until an address is chosen or signalled.
  void shut() {
    signalled_ = Address();
    choose(Address());
  }

  // May a packet of this source be looked at? `byKey`: whether it authenticates decides, not where it comes from.
  [[nodiscard]] bool admits(const Address& source, bool byKey, const Address& signallingHost) const {
    if (!learning_) return source == source_;
    return byKey || source == signalled_ || (signallingHost.isSet() && source.sameHost(signallingHost));
  }

  // Only for a packet that was accepted. True when an address was learned.
  bool learn(const Address& source) {
    if (!learning_) return false;
    learning_ = false;
    const bool moved = !latched_ || !(source == source_);
    latched_ = true;
    source_ = source;
    return moved;
  }

  [[nodiscard]] const Address& target() const { return latched_ ? source_ : signalled_; }
  [[nodiscard]] const Address& signalled() const { return signalled_; }
  [[nodiscard]] const Address& source() const { return source_; }
  [[nodiscard]] bool latched() const { return latched_; }
  [[nodiscard]] bool learning() const { return learning_; }

 private:
  Address signalled_;
  Address source_;
  bool latched_ = false;
  bool learning_ = true;
};

class Worker;

struct Endpoint {
  std::uint32_t id = 0;
  Worker* worker = nullptr;
  Endpoint* peer = nullptr;
  Taps taps;                   // who sends copies of what this one receives
  Endpoint* tapped = nullptr;  // whose packets it sends copies of
  Row row;

  PortMode ports = PortMode::pair;
  Media media = Media::opaque;
  bool accept = false;
  bool emit = false;
  bool hasRemote = false;
  bool remoteMuxes = false;

  int rtpSocket = -1;
  int rtcpSocket = -1;  // -1 with mux and single
  // Bound like rtpSocket and connected to the learned source: the kernel then hands it that peer's packets and keeps the
  // route, which saves a seventh of the cost of a packet. Everybody else's packets go on reaching rtpSocket.
  int steadySocket = -1;
  std::uint8_t steadyPackets = 0;  // accepted in a row without one
  std::uint16_t rtpPort = 0;
  std::size_t localIndex = 0;  // of the port allocator
  Address local;
  std::uint8_t dscp = 0;

  Path rtp;
  Path rtcp;
  Address signallingHost;

  std::unique_ptr<Context> receive;
  bool receiveConfirmed = false;             // has authenticated a packet
  std::unique_ptr<Context> previousReceive;  // until `receive` is confirmed, at most until:
  double previousUntil = 0;
  std::vector<std::unique_ptr<LocalKey>> localKeys;
  Context* send = nullptr;

  ClockRates clockRates;
  Reception reception;
  Continuity continuity;  // of what is sent to this peer
  std::uint8_t telephoneEvent = noPayloadType;  // of RFC 4733, in both directions
  DigitReader digitReader;
  std::unique_ptr<DigitWriter> digitWriter;  // made when first needed
  bool waits = false;  // opened without a word of its peer, and linked with nobody yet
  std::unique_ptr<EarlyPackets> early;
  std::unique_ptr<Player> player;  // what is played to this peer, in place of the other side
  std::unique_ptr<RtcpTerminal> rtcpTerminal;  // where RTCP ends here; none: it is relayed

  // A first octet below 64 is STUN, ZRTP or DTLS here; elsewhere it is dropped as whatever else is no RTP.
  bool negotiates = false;
  bool risen = false;  // JavaScript knows of it
  ZrtpState zrtp;
  std::unique_ptr<StunGate> ice;
  std::unique_ptr<DtlsEndpoint> dtls;
  std::unique_ptr<Context> exchangedSend;  // with keys of DTLS or ZRTP
  bool mayAccept = false;                  // `accept` and `emit` as configured, whatever holds media back
  bool mayEmit = false;
};

}  // namespace ringfence
