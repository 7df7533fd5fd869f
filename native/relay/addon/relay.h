// The control side: applies requests of ../protocol.ts to endpoints and workers. Called from one thread.
#pragma once
#include <memory>
#include <vector>

#include "ports.h"
#include "worker.h"

namespace ringfence {

enum class Request : std::uint8_t { open = 1, configure = 2, link = 3, unlink = 4, close = 5, stats = 6, press = 9 };

struct RelayOptions {
  std::uint16_t from;
  std::uint16_t to;
  std::uint32_t threads;
  WorkerOptions worker;
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
  // Address and port that the endpoint's media is accepted from; unset before one was learned.
  Address sourceOf(std::uint32_t id);

  [[nodiscard]] double* rows() const { return rows_; }
  static constexpr std::size_t rowsLength = std::size_t{slotCount} * counterCount * sizeof(double);

 private:
  struct Remote {
    Address rtp;
    Address rtcp;
    Address signalling;
  };
  struct Key {
    const Suite* suite = nullptr;
    ConstBytes material;
    ConstBytes mki;
  };
  struct Config {
    Media media = Media::opaque;
    bool accept = false;
    bool emit = false;
    bool endRtcp = false;
    bool hasRemote = false;
    Remote remote;
    Key receive;                  // no suite: none
    const Suite* send = nullptr;  // null: none
    ClockRates clockRates;
    std::uint8_t telephoneEvent = noPayloadType;
  };
  struct Spec {
    PortMode ports = PortMode::pair;
    std::uint8_t dscp = 0;
    Address local;
    std::vector<const Suite*> suites;
    bool hasConfig = false;
    Config config;
  };

  static bool readConfig(Reader& reader, Config& config);
  static bool readSpec(Reader& reader, Spec& spec);

  bool open(Reader& reader, Writer& reply);
  Status openOne(const Spec& spec, Worker& worker, std::unique_ptr<Endpoint>& endpoint);
  bool configure(Reader& reader);
  void apply(Endpoint& endpoint, const Config& config);
  bool link(Reader& reader);
  bool unlink(Reader& reader);
  bool press(Reader& reader);
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
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace ringfence
