// The control side: applies requests of ../protocol.ts to endpoints and workers. Called from one thread.
#pragma once
#include <memory>
#include <vector>

#include "dtls.h"
#include "negotiation.h"
#include "ports.h"
#include "requests.h"
#include "uplink.h"
#include "worker.h"

namespace ringfence {

enum class Request : std::uint8_t { open = 1, configure = 2, link = 3, unlink = 4, close = 5, stats = 6, press = 9, clip = 12, play = 13, hush = 14, tap = 15, untap = 16 };

struct RelayOptions {
  std::uint16_t from;
  std::uint16_t to;
  std::uint32_t threads;
  WorkerOptions worker;
  DtlsLimits dtls;
};

class Relay {
 public:
  explicit Relay(const RelayOptions& options);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // False: the body is malformed and nothing of it was applied.
  bool handle(Request type, ConstBytes body, Writer& reply);
  // Ends grace periods of replaced keys, to be called about once a second. Gives the number of slots used so far.
  std::size_t tick();
  // Calls `use` with an open endpoint under the lock of its worker; false where it is closed.
  template <typename Use>
  bool with(std::uint32_t id, Use use) {
    return withEndpoint(slots_, id, use);
  }
  [[nodiscard]] Uplink& uplink() { return uplink_; }
  [[nodiscard]] Dtls& dtls() { return *dtls_; }
  // Address and port that the endpoint's media is accepted from; unset before one was learned.
  Address sourceOf(std::uint32_t id);

  [[nodiscard]] double* rows() const { return rows_; }
  static constexpr std::size_t rowsLength = std::size_t{slotCount} * counterCount * sizeof(double);

 private:
  bool open(Reader& reader, Writer& reply);
  Status openOne(const Spec& spec, Worker& worker, std::unique_ptr<Endpoint>& endpoint);
  Status takePart(const Spec& spec, Endpoint& endpoint);
  void tellOpened(const Endpoint& endpoint, const Spec& spec);
  static void writeOpened(const Endpoint& endpoint, Writer& reply);
  bool configure(Reader& reader);
  void apply(Endpoint& endpoint, const Config& config);
  static void applyRemote(Endpoint& endpoint, const Config& config);
  void applyKeys(Endpoint& endpoint, const Config& config);
  void applyNegotiation(Endpoint& endpoint, const Config& config);
  bool link(Reader& reader);
  bool unlink(Reader& reader);
  bool press(Reader& reader);
  bool play(Reader& reader);
  bool hush(Reader& reader);
  bool tap(Reader& reader);
  bool untap(Reader& reader);
  bool report(Reader& reader, Writer& reply, bool closing);
  void writeStats(const Endpoint& endpoint, Writer& reply);
  static void detach(Endpoint& endpoint);
  void moveTo(Endpoint& endpoint, Worker& worker);
  void release(Endpoint& endpoint);
  Endpoint* find(std::uint32_t id);
  std::uint32_t newId();
  Worker& leastLoaded();

  Ports ports_;
  double* rows_ = nullptr;
  Slot* slots_ = nullptr;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;  // by slot, grown as needed
  std::vector<std::uint32_t> freeSlots_;
  std::vector<std::uint32_t> rekeyed_;
  Clips clips_;
  std::uint32_t generation_ = 0;
  Uplink uplink_;
  std::unique_ptr<Dtls> dtls_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace ringfence
