// DTLS at an endpoint whose keys come by it (RFC 5763, RFC 5764).
#pragma once
#include <array>
#include <vector>

#include "bytes.h"
#include "slot.h"
#include "suite.h"

namespace ringfence {

struct Datagram;
struct Endpoint;
class Uplink;

// The numbers are those of ../protocol/handshakes.ts.
enum class FingerprintHash : std::uint8_t { sha256, sha384, sha512 };

struct Fingerprint {
  FingerprintHash hash = FingerprintHash::sha256;
  std::uint8_t length = 0;
  std::array<std::uint8_t, 64> value{};

  [[nodiscard]] ConstBytes bytes() const { return {value.data(), length}; }
};

struct DtlsSettings {
  bool server = false;
  std::vector<Fingerprint> fingerprints;
  std::vector<const Suite*> suites;  // what may be agreed to
};

// What an endpoint that was opened for DTLS keeps of it.
struct DtlsEndpoint {
  Fingerprint certificate;  // of what it will show
  bool active = false;      // the peer does DTLS, too
  DtlsSettings settings;
};

// All but the constructor, `stop` and `certificate` are called under the lock of the endpoint's worker, and never wait.
class Dtls {
 public:
  Dtls(Slot* slots, Uplink& uplink);
  ~Dtls();
  Dtls(const Dtls&) = delete;
  Dtls& operator=(const Dtls&) = delete;

  // Ends its thread. What workers still hand over is dropped.
  void stop();
  // Of the certificate for endpoints that are opened now; false where there is none.
  bool certificate(Fingerprint& out);
  // `endpoint.dtls->settings` were given, for the first time or again.
  void configured(Endpoint& endpoint);
  // There is an address that handshake messages may go to; another one than before, maybe.
  void reachable(Endpoint& endpoint);
  // From an address that ICE has validated, or, without ICE, that media is accepted from.
  void received(Endpoint& endpoint, const Datagram& datagram);
  void closed(Endpoint& endpoint);

 private:
  Slot* slots_;
  Uplink& uplink_;
};

}  // namespace ringfence
