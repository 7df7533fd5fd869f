// DTLS of all endpoints whose keys come by it (RFC 5763, RFC 5764), in a thread of its own: no relay thread ever waits for
// a signature. What waits for that thread is bounded, for each endpoint and for all.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "address.h"
#include "dtls-association.h"
#include "dtls-cookie.h"
#include "slot.h"

namespace ringfence {

struct Datagram;
struct Endpoint;
class Uplink;

struct DtlsLimits {
  DtlsTiming timing;
  double certificateMs = 7 * 86400e3;
  std::uint32_t mostHandshakes = 1024;  // that go on at once; a peer whose ClientHello comes then sends it again
};

// What one peer was told to be, and the association with it. A change of either makes another.
struct DtlsSession {
  std::uint32_t endpoint;
  DtlsSettings settings;
  std::shared_ptr<const DtlsCertificate> certificate;
  bool validated;     // by ICE: no cookie is asked for
  Address signalled;  // without ICE
  bool begun = false;  // these two under the lock of the endpoint's worker

  std::atomic<bool> ended{false};
  std::uint8_t waiting = 0;  // inputs; under the mutex of the queue

  std::mutex mutex;  // of all below
  std::unique_ptr<DtlsAssociation> association;
  Address remote;
  bool counted = false;  // among the handshakes that go on
  bool finished = false;
  double begunMs = 0;  // of the association
  // Without ICE, of others than the one that SDP named: they may be neighbours of the peer at its address.
  std::uint8_t strangers = 0;
  std::unique_ptr<DtlsSummary> strange;
  // May another HelloVerifyRequest go out? So many a second, whoever forges ClientHellos.
  static constexpr std::uint32_t mostVerifications = 50;
  bool verifies(double nowMs) {
    if (nowMs - verifiedSince >= 1000) {
      verifiedSince = nowMs;
      verified = 0;
    }
    return ++verified <= mostVerifications;
  }
  double verifiedSince = 0;
  std::uint32_t verified = 0;

  double scheduled = -1;  // of the handshake thread alone
};

// What an endpoint that was opened for DTLS keeps of it.
struct DtlsEndpoint {
  Fingerprint certificate;  // of what it will show, as long as it is open
  bool active = false;      // the peer does DTLS, too
  DtlsSettings settings;
  std::shared_ptr<const DtlsCertificate> own;
  std::shared_ptr<DtlsSession> session;
};

// All but the constructor, `stop`, `equip` and `counts` are called under the lock of the endpoint's worker, and never wait.
class Dtls {
 public:
  Dtls(Slot* slots, Uplink& uplink, const DtlsLimits& limits);
  ~Dtls();
  Dtls(const Dtls&) = delete;
  Dtls& operator=(const Dtls&) = delete;

  // Ends its thread. What workers still hand over is dropped.
  void stop();
  // Gives the certificate for endpoints that are opened now; false where there is none. Control thread.
  bool equip(DtlsEndpoint& endpoint);
  // `endpoint.dtls->settings` were given, for the first time or again.
  void configured(Endpoint& endpoint);
  // There is an address that handshake messages may go to; another one than before, maybe.
  void reachable(Endpoint& endpoint, const Address& target);
  // From an address that ICE has validated, or, without ICE, that media is accepted from.
  void received(Endpoint& endpoint, const Datagram& datagram);
  void closed(Endpoint& endpoint);

  // Numbers of ../dtls-counts.ts.
  enum Count : std::size_t {
    waiting,
    droppedFull,     // too much waits
    droppedShare,    // too much of that endpoint waits
    droppedBusy,     // as many handshakes go on as may
    droppedUseless,  // no ClientHello, or not from where the association is
    verifications,   // HelloVerifyRequests sent
    begun,
    secured,
    failed,
    countLength,
  };
  [[nodiscard]] double* counts() { return counts_; }

  // Datagrams that wait, of all endpoints and of one.
  static constexpr std::size_t most = 1024;
  static constexpr std::uint8_t mostOfOne = 24;

 private:
  using Session = std::shared_ptr<DtlsSession>;
  enum class Kind : std::uint8_t { datagram, begin, end };
  struct Input {
    Kind kind = Kind::end;
    Session session;
    Address source;
    std::vector<std::uint8_t> bytes;
  };

  void run();
  bool next(Input& input);
  void post(Input input);
  void handle(const Input& input, double nowMs);
  void take(DtlsSession& session, const Input& input, double nowMs);
  void hello(DtlsSession& session, const Input& input, double nowMs);
  bool associate(DtlsSession& session, double nowMs);
  void expire(double nowMs);
  void silent(const Session& session, std::unique_lock<std::mutex>& guard);
  bool isStranger(const DtlsSession& session) const;
  void settle(const Session& session, double nowMs, std::unique_lock<std::mutex>& guard);
  void send(const Session& session, const Address& target);
  void schedule(const Session& session, double atMs);
  void release(DtlsSession& session);
  void end(Session session, Endpoint* endpoint);
  void tellSecured(std::uint32_t endpoint, const DtlsSummary& summary);
  void tellUnsecured(std::uint32_t endpoint, const DtlsSummary& summary);
  void count(Count which, double amount = 1);

  Slot* slots_;
  Uplink& uplink_;
  DtlsLimits limits_;
  std::shared_ptr<const DtlsCertificate> certificate_;
  CookieGate gate_;
  Flight flight_;
  std::multimap<double, Session> timers_;
  std::atomic<std::uint32_t> handshakes_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Input> inputs_;
  std::size_t datagrams_ = 0;
  bool stopping_ = false;
  double counts_[countLength] = {};
  std::thread thread_;
};

}  // namespace ringfence
