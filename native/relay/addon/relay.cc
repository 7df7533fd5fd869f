#include "relay.h"

#include <algorithm>

#include <openssl/rand.h>
#include <sys/mman.h>

namespace ringfence {
namespace {

constexpr std::size_t mostSpecs = 64;
// Endpoints that one worker gets before the next one does: a thread that finds many sockets ready at each look costs less
// per packet than two that find few. A block of voice calls takes about a quarter of a core.
constexpr std::size_t loadBlock = 1024;
constexpr std::size_t mostReports = 128;  // what fits in one reply

// Zero pages that cost memory only once touched.
template <typename T>
T* mapZeroed(std::size_t count) {
  void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

ConstBytes readHost(Reader& reader) {
  const std::uint8_t family = reader.u8();
  return reader.bytes(family == 4 ? 4 : family == 6 ? 16 : 0);
}

void writeAddress(const Address& address, Writer& writer) {
  writer.u8(address.family() == AF_INET ? 4 : address.family() == AF_INET6 ? 6 : 0);
  if (!address.isSet()) return;
  writer.bytes(address.host());
  writer.u16(address.port());
}

}  // namespace

Relay::Relay(const RelayOptions& options)
    : ports_(options.from, options.to),
      rows_(mapZeroed<double>(std::size_t{slotCount} * counterCount)),
      slots_(mapZeroed<Slot>(slotCount)) {
  for (std::uint32_t i = 0; i < std::max(1U, options.threads); i++) {
    workers_.push_back(std::make_unique<Worker>(slots_, options.worker));
  }
}

Relay::~Relay() {
  workers_.clear();
  for (auto& endpoint : endpoints_) {
    if (endpoint) ports_.close(*endpoint);
  }
  endpoints_.clear();
  munmap(rows_, rowsLength);
  munmap(static_cast<void*>(slots_), slotCount * sizeof(Slot));
}

bool Relay::handle(Request type, ConstBytes body, Writer& reply) {
  Reader reader(body);
  switch (type) {
    case Request::open:
      return open(reader, reply);
    case Request::configure:
      return configure(reader);
    case Request::link:
      return link(reader);
    case Request::unlink:
      return unlink(reader);
    case Request::close:
      return report(reader, reply, true);
    case Request::stats:
      return report(reader, reply, false);
    case Request::press:
      return press(reader);
  }
  return false;
}

bool Relay::readConfig(Reader& reader, Config& config) {
  enum : std::uint8_t { remote = 1, signalling = 2, receive = 4, send = 8, accept = 16, emit = 32, endRtcp = 64, telephoneEvent = 128 };
  const std::uint8_t flags = reader.u8();
  const std::uint8_t media = reader.u8();
  if (media > 2) return false;
  config.media = static_cast<Media>(media);
  config.accept = (flags & accept) != 0;
  config.emit = (flags & emit) != 0;
  config.endRtcp = (flags & endRtcp) != 0;
  config.hasRemote = (flags & remote) != 0;
  if (config.hasRemote) {
    const ConstBytes host = readHost(reader);
    config.remote.rtp = Address(host, reader.u16());
    config.remote.rtcp = Address(host, reader.u16());
  }
  if ((flags & signalling) != 0) config.remote.signalling = Address(readHost(reader), 0);
  if ((flags & receive) != 0) {
    config.receive.suite = findSuite(reader.u8());
    config.receive.material = reader.bytes(reader.u8());
    config.receive.mki = reader.bytes(reader.u8());
    if (reader.failed() || config.receive.suite == nullptr || config.receive.mki.size() > longestMki ||
        config.receive.material.size() != config.receive.suite->materialLength()) {
      return false;
    }
  }
  if ((flags & send) != 0 && (config.send = findSuite(reader.u8())) == nullptr) return false;
  const std::uint8_t rates = reader.u8();
  for (std::uint8_t i = 0; i < rates; i++) {
    const std::uint8_t payloadType = reader.u8();
    config.clockRates.set(payloadType, reader.u32());
  }
  if ((flags & telephoneEvent) != 0 && (config.telephoneEvent = reader.u8()) > 127) return false;
  return !reader.failed();
}

bool Relay::readSpec(Reader& reader, Spec& spec) {
  const std::uint8_t ports = reader.u8();
  spec.dscp = reader.u8();
  if (ports > 2 || spec.dscp > 63) return false;
  spec.ports = static_cast<PortMode>(ports);
  spec.local = Address(readHost(reader), 0);
  const std::uint8_t count = reader.u8();
  if (count > suiteCount) return false;
  for (std::uint8_t i = 0; i < count; i++) {
    const Suite* suite = findSuite(reader.u8());
    if (suite == nullptr) return false;
    spec.suites.push_back(suite);
  }
  spec.hasConfig = reader.u8() == 1;
  return (!spec.hasConfig || readConfig(reader, spec.config)) && !reader.failed();
}

bool Relay::open(Reader& reader, Writer& reply) {
  const std::uint8_t count = reader.u8();
  if (count == 0 || count > mostSpecs) return false;
  std::vector<Spec> specs(count);
  for (Spec& spec : specs) {
    if (!readSpec(reader, spec)) return false;
  }
  if (!reader.atEnd()) return false;

  // Opened together, linked together: the same thread.
  Worker& worker = leastLoaded();
  std::vector<std::unique_ptr<Endpoint>> opened;
  Status status = Status::ok;
  for (const Spec& spec : specs) {
    std::unique_ptr<Endpoint> endpoint;
    status = openOne(spec, worker, endpoint);
    if (status != Status::ok) break;
    opened.push_back(std::move(endpoint));
  }
  reply.u8(static_cast<std::uint8_t>(status));
  if (status != Status::ok) {
    for (auto& endpoint : opened) {
      {
        const Worker::Lock lock(worker);
        worker.remove(*endpoint);
      }
      worker.countLoad(-1);
      release(*endpoint);
    }
    return true;
  }
  reply.u8(count);
  for (auto& endpoint : opened) {
    reply.u32(endpoint->id);
    reply.u16(endpoint->rtpPort);
    reply.u16(endpoint->ports == PortMode::single ? std::uint16_t{0}
              : endpoint->ports == PortMode::mux  ? endpoint->rtpPort
                                                  : static_cast<std::uint16_t>(endpoint->rtpPort + 1));
    reply.u8(static_cast<std::uint8_t>(endpoint->localKeys.size()));
    for (const auto& key : endpoint->localKeys) {
      reply.u8(key->suite->id);
      reply.u8(static_cast<std::uint8_t>(key->suite->materialLength()));
      reply.bytes(ConstBytes(key->material.data(), key->suite->materialLength()));
    }
    endpoints_[slotOf(endpoint->id)] = std::move(endpoint);
  }
  return true;
}

Status Relay::openOne(const Spec& spec, Worker& worker, std::unique_ptr<Endpoint>& out) {
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->ports = spec.ports;
  const Status status = ports_.open(spec.local, spec.dscp, *endpoint);
  if (status != Status::ok) return status;
  endpoint->id = newId();
  if (endpoint->id == 0) {
    ports_.close(*endpoint);
    return Status::noPorts;
  }
  for (const Suite* suite : spec.suites) {
    auto key = std::make_unique<LocalKey>();
    key->suite = suite;
    if (RAND_bytes(key->material.data(), static_cast<int>(suite->materialLength())) != 1) {
      release(*endpoint);
      return Status::noDescriptors;
    }
    endpoint->localKeys.push_back(std::move(key));
  }
  endpoint->row = Row(rows_ + std::size_t{slotOf(endpoint->id)} * counterCount);
  endpoint->row.clear();
  endpoint->row.set(endpointId, endpoint->id);
  if (spec.hasConfig) apply(*endpoint, spec.config);
  bool added = false;
  {
    const Worker::Lock lock(worker);
    added = worker.add(*endpoint);
  }
  if (!added) {
    release(*endpoint);
    return Status::noDescriptors;
  }
  worker.countLoad(1);
  out = std::move(endpoint);
  return Status::ok;
}

bool Relay::configure(Reader& reader) {
  Endpoint* endpoint = find(reader.u32());
  Config config;
  if (!readConfig(reader, config) || !reader.atEnd()) return false;
  if (endpoint == nullptr) return true;
  const Worker::Lock lock(*endpoint->worker);
  apply(*endpoint, config);
  return true;
}

void Relay::apply(Endpoint& endpoint, const Config& config) {
  endpoint.media = config.media;
  endpoint.accept = config.accept;
  endpoint.emit = config.emit;
  endpoint.clockRates = config.clockRates;
  endpoint.telephoneEvent = config.telephoneEvent;
  if (!config.endRtcp || endpoint.media == Media::opaque) {
    endpoint.rtcpTerminal.reset();
  } else if (endpoint.rtcpTerminal == nullptr) {
    std::array<std::uint8_t, RtcpTerminal::seedLength> seed{};
    if (RAND_bytes(seed.data(), static_cast<int>(seed.size())) == 1) endpoint.rtcpTerminal = std::make_unique<RtcpTerminal>(seed);
  }
  const Remote& remote = config.remote;
  // An address that no single peer can have, or of the other family, is as good as none.
  endpoint.hasRemote = config.hasRemote && remote.rtp.isUnicast() && remote.rtp.family() == endpoint.local.family();
  if (endpoint.hasRemote) {
    endpoint.remoteMuxes = remote.rtcp == remote.rtp;
    endpoint.signallingHost = remote.signalling;
    endpoint.rtp.configure(remote.rtp);
    endpoint.rtcp.configure(remote.rtcp);
    if (!endpoint.rtp.latched()) Ports::closeSteady(endpoint);
  }
  if (config.receive.suite == nullptr) {
    endpoint.receive.reset();
    endpoint.previousReceive.reset();
  } else if (endpoint.receive == nullptr ||
             !endpoint.receive->madeFrom(*config.receive.suite, config.receive.material, config.receive.mki)) {
    // An unconfirmed key is replaced outright; the one that still serves stays the one to fall back on.
    if (endpoint.receive != nullptr && endpoint.receiveConfirmed) {
      endpoint.previousReceive = std::move(endpoint.receive);
      endpoint.previousUntil = monotonicMs() + rekeyGraceMs;
      rekeyed_.push_back(endpoint.id);
    }
    endpoint.receive = Context::create(*config.receive.suite, Direction::receive, config.receive.material, config.receive.mki);
    endpoint.receiveConfirmed = false;
  }
  endpoint.send = nullptr;
  for (auto& key : endpoint.localKeys) {
    if (key->suite != config.send) continue;
    if (key->context == nullptr) {
      key->context = Context::create(*key->suite, Direction::send,
                                     ConstBytes(key->material.data(), key->suite->materialLength()), {});
    }
    endpoint.send = key->context.get();
    break;
  }
  if (endpoint.peer != nullptr) endpoint.peer->continuity.expectChange();
  endpoint.row.set(expecting, endpoint.hasRemote && endpoint.accept ? 1 : 0);
  endpoint.row.set(configuredAt, monotonicMs());
}

void Relay::detach(Endpoint& endpoint) {
  if (endpoint.peer == nullptr) return;
  endpoint.peer->peer = nullptr;
  endpoint.peer->row.set(peerId, 0);
  endpoint.peer = nullptr;
  endpoint.row.set(peerId, 0);
}

// Linked endpoints share a worker, so one lock covers a packet's whole way.
void Relay::moveTo(Endpoint& endpoint, Worker& worker) {
  if (endpoint.worker == &worker) return;
  Worker& former = *endpoint.worker;
  {
    const Worker::Lock lock(former);
    detach(endpoint);
    former.remove(endpoint);
  }
  former.countLoad(-1);
  worker.countLoad(1);
  const Worker::Lock lock(worker);
  endpoint.worker = &worker;
  worker.add(endpoint);
}

bool Relay::link(Reader& reader) {
  Endpoint* a = find(reader.u32());
  Endpoint* b = find(reader.u32());
  if (!reader.atEnd() || reader.failed()) return false;
  if (a == nullptr || b == nullptr || a == b) return true;
  moveTo(*b, *a->worker);
  const Worker::Lock lock(*a->worker);
  if (a->peer == b) return true;
  detach(*a);
  detach(*b);
  a->peer = b;
  b->peer = a;
  a->continuity.changePeer();
  b->continuity.changePeer();
  a->row.set(peerId, b->id);
  b->row.set(peerId, a->id);
  return true;
}

bool Relay::unlink(Reader& reader) {
  Endpoint* a = find(reader.u32());
  if (!reader.atEnd() || reader.failed()) return false;
  if (a == nullptr) return true;
  const Worker::Lock lock(*a->worker);
  detach(*a);
  return true;
}

bool Relay::press(Reader& reader) {
  Endpoint* endpoint = find(reader.u32());
  const std::uint8_t digit = reader.u8();
  const std::uint16_t milliseconds = reader.u16();
  if (!reader.atEnd() || reader.failed() || digit > lastDigit) return false;
  if (endpoint == nullptr) return true;
  const Worker::Lock lock(*endpoint->worker);
  if (endpoint->telephoneEvent == noPayloadType) return true;
  if (endpoint->digitWriter == nullptr) endpoint->digitWriter = std::make_unique<DigitWriter>();
  endpoint->digitWriter->press(digit, milliseconds);
  return true;
}

bool Relay::report(Reader& reader, Writer& reply, bool closing) {
  const std::uint16_t count = reader.u16();
  if (count > mostReports) return false;
  std::vector<std::uint32_t> ids(count);
  for (std::uint32_t& id : ids) id = reader.u32();
  if (!reader.atEnd() || reader.failed()) return false;
  for (const std::uint32_t id : ids) {
    Endpoint* endpoint = find(id);
    if (endpoint == nullptr) continue;
    Worker& worker = *endpoint->worker;
    {
      const Worker::Lock lock(worker);
      if (closing) {
        detach(*endpoint);
        worker.remove(*endpoint);
      }
      writeStats(*endpoint, reply);
    }
    if (closing) {
      worker.countLoad(-1);
      release(*endpoint);
      endpoints_[slotOf(id)].reset();
    }
  }
  return true;
}

void Relay::writeStats(const Endpoint& endpoint, Writer& reply) {
  reply.u32(endpoint.id);
  for (const Counter counter :
       {packets, octets, rtcpPackets, lost, reordered, duplicates, jitterMs}) {
    reply.f64(endpoint.row.get(counter));
  }
  const double at = endpoint.row.get(receivedAt);
  reply.f64(at == 0 ? -1 : std::max(0.0, monotonicMs() - at));
  for (const Counter counter : {sentPackets, sentOctets, droppedSource, droppedAuthentication, droppedReplay,
                                droppedMalformed, droppedUnlinked}) {
    reply.f64(endpoint.row.get(counter));
  }
  writeAddress(endpoint.rtp.latched() ? endpoint.rtp.source() : Address(), reply);
  const RtcpTerminal* terminal = endpoint.rtcpTerminal.get();
  const bool heard = terminal != nullptr && terminal->remote().heard;
  reply.u8(heard ? 1 : 0);
  if (heard) {
    const RemoteReport& remote = terminal->remote();
    reply.u8(remote.fractionLost);
    reply.f64(remote.lost);
    reply.f64(remote.jitter / terminal->perMs());
    reply.f64(remote.roundTripMs);
  }
  const ConstBytes voip = terminal == nullptr ? ConstBytes{} : terminal->voipMetrics();
  reply.u8(static_cast<std::uint8_t>(voip.size()));
  reply.bytes(voip);
  const History& history = endpoint.reception.history();
  reply.u8(static_cast<std::uint8_t>(history.count()));
  for (std::size_t i = 0; i < history.count(); i++) {
    reply.u32(history.at(i).atMs);
    reply.u16(history.at(i).lossTenths);
    reply.u16(history.at(i).jitterTenths);
  }
}

// Closes sockets and gives the slot back; keys are overwritten when the endpoint is destroyed.
void Relay::release(Endpoint& endpoint) {
  ports_.close(endpoint);
  if (endpoint.id == 0) return;
  Row(rows_ + std::size_t{slotOf(endpoint.id)} * counterCount).clear();
  freeSlots_.push_back(slotOf(endpoint.id));
}

Endpoint* Relay::find(std::uint32_t id) {
  const std::uint32_t slot = slotOf(id);
  if (id == 0 || slot >= endpoints_.size()) return nullptr;
  Endpoint* endpoint = endpoints_[slot].get();
  return endpoint != nullptr && endpoint->id == id ? endpoint : nullptr;
}

// A slot and the number of its use, so that a late request for a closed endpoint finds nothing.
std::uint32_t Relay::newId() {
  std::uint32_t slot = 0;
  if (!freeSlots_.empty()) {
    slot = freeSlots_.back();
    freeSlots_.pop_back();
  } else if (endpoints_.size() < slotCount) {
    slot = static_cast<std::uint32_t>(endpoints_.size());
    endpoints_.emplace_back();
  } else {
    return 0;
  }
  generation_ = generation_ % ((1U << (32 - slotBits)) - 1) + 1;
  return generation_ << slotBits | slot;
}

Worker& Relay::leastLoaded() {
  return **std::min_element(workers_.begin(), workers_.end(), [](const auto& a, const auto& b) {
    return a->load() / loadBlock < b->load() / loadBlock;
  });
}

std::size_t Relay::tick() {
  const double now = monotonicMs();
  std::erase_if(rekeyed_, [&](std::uint32_t id) {
    Endpoint* endpoint = find(id);
    if (endpoint == nullptr) return true;
    const Worker::Lock lock(*endpoint->worker);
    if (endpoint->previousReceive == nullptr) return true;
    if (now < endpoint->previousUntil) return false;
    endpoint->previousReceive.reset();
    return true;
  });
  return endpoints_.size();
}

Address Relay::sourceOf(std::uint32_t id) {
  Endpoint* endpoint = find(id);
  if (endpoint == nullptr) return Address();
  const Worker::Lock lock(*endpoint->worker);
  return endpoint->rtp.latched() ? endpoint->rtp.source() : Address();
}

}  // namespace ringfence
