#include "relay.h"

#include <array>

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

void writeText(const std::string& text, Writer& out) {
  out.u8(static_cast<std::uint8_t>(text.size()));
  out.bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace

Relay::Relay(const RelayOptions& options)
    : ports_(options.from, options.to),
      rows_(mapZeroed<double>(std::size_t{slotCount} * counterCount)),
      slots_(mapZeroed<Slot>(slotCount)),
      dtls_(std::make_unique<Dtls>(slots_, uplink_, options.dtls)) {
  for (std::uint32_t i = 0; i < std::max(1U, options.threads); i++) {
    workers_.push_back(std::make_unique<Worker>(slots_, Negotiators{uplink_, *dtls_}, options.worker));
  }
}

// The handshake thread takes locks of workers: it ends first of those that relay, but stays callable by them.
Relay::~Relay() {
  dtls_->stop();
  workers_.clear();
  dtls_.reset();
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
    case Request::clip:
      return clips_.add(reader);
    case Request::play:
      return play(reader);
    case Request::hush:
      return hush(reader);
    case Request::tap:
      return tap(reader);
    case Request::untap:
      return untap(reader);
  }
  return false;
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
        if (endpoint->dtls != nullptr) dtls_->closed(*endpoint);
        worker.remove(*endpoint);
      }
      worker.countLoad(-1);
      release(*endpoint);
    }
    return true;
  }
  reply.u8(count);
  for (auto& endpoint : opened) {
    writeOpened(*endpoint, reply);
    endpoints_[slotOf(endpoint->id)] = std::move(endpoint);
  }
  return true;
}

void Relay::writeOpened(const Endpoint& endpoint, Writer& reply) {
  reply.u32(endpoint.id);
  reply.u16(endpoint.rtpPort);
  reply.u16(endpoint.ports == PortMode::single ? std::uint16_t{0}
            : endpoint.ports == PortMode::mux  ? endpoint.rtpPort
                                                : static_cast<std::uint16_t>(endpoint.rtpPort + 1));
  reply.u8(static_cast<std::uint8_t>(endpoint.localKeys.size()));
  for (const auto& key : endpoint.localKeys) {
    reply.u8(key->suite->id);
    reply.u8(static_cast<std::uint8_t>(key->suite->materialLength()));
    reply.bytes(ConstBytes(key->material.data(), key->suite->materialLength()));
  }
  reply.u8(static_cast<std::uint8_t>((endpoint.ice != nullptr ? 1 : 0) | (endpoint.dtls != nullptr ? 2 : 0)));
  if (endpoint.ice != nullptr) {
    writeText(endpoint.ice->ours.ufrag, reply);
    writeText(endpoint.ice->ours.password, reply);
  }
  if (endpoint.dtls != nullptr) {
    const Fingerprint& certificate = endpoint.dtls->certificate;
    reply.u8(static_cast<std::uint8_t>(certificate.hash));
    reply.u8(certificate.length);
    reply.bytes(certificate.bytes());
  }
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
  if (takePart(spec, *endpoint) != Status::ok) {
    release(*endpoint);
    return Status::noDescriptors;
  }
  if (spec.hasConfig) apply(*endpoint, spec.config);
  endpoint->waits = !spec.hasConfig;
  bool added = false;
  {
    const Worker::Lock lock(worker);
    added = worker.add(*endpoint);
    if (added && endpoint->dtls != nullptr && endpoint->dtls->active && endpoint->hasRemote) dtls_->reachable(*endpoint, endpoint->rtp.target());
  }
  if (!added) {
    release(*endpoint);
    return Status::noDescriptors;
  }
  worker.countLoad(1);
  out = std::move(endpoint);
  return Status::ok;
}

Status Relay::takePart(const Spec& spec, Endpoint& endpoint) {
  if (spec.ice) {
    endpoint.ice = std::make_unique<StunGate>();
    endpoint.ice->full = spec.fullIce;
    if (!makeIceCredentials(endpoint.ice->ours)) return Status::noDescriptors;
  }
  if (spec.dtls) {
    auto dtls = std::make_unique<DtlsEndpoint>();
    if (dtls_->equip(*dtls)) endpoint.dtls = std::move(dtls);
  }
  endpoint.negotiates = spec.ice || spec.dtls || spec.zrtp;
  endpoint.risen = endpoint.negotiates;
  if (endpoint.negotiates) tellOpened(endpoint, spec);
  return Status::ok;
}

// u8 flags, the local host, u16 port of RTP and of RTCP, our name and password for ICE.
void Relay::tellOpened(const Endpoint& endpoint, const Spec& spec) {
  std::array<std::uint8_t, 128> bytes{};
  Writer out(bytes);
  out.u8(static_cast<std::uint8_t>((spec.ice ? 1 : 0) | (spec.fullIce ? 2 : 0) | (spec.zrtp ? 4 : 0)));
  writeAddress(Address(endpoint.local.host(), endpoint.rtpPort), out);
  out.u16(endpoint.rtcpSocket >= 0 ? static_cast<std::uint16_t>(endpoint.rtpPort + 1) : endpoint.rtpPort);
  if (spec.ice) {
    writeText(endpoint.ice->ours.ufrag, out);
    writeText(endpoint.ice->ours.password, out);
  }
  uplink_.tell(Rising::opened, endpoint.id, ConstBytes(bytes).first(out.length()));
  OPENSSL_cleanse(bytes.data(), bytes.size());
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
  endpoint.mayAccept = config.accept;
  endpoint.mayEmit = config.emit;
  endpoint.clockRates = config.clockRates;
  endpoint.telephoneEvent = config.telephoneEvent;
  if (!config.endRtcp || endpoint.media == Media::opaque) {
    endpoint.rtcpTerminal.reset();
  } else if (endpoint.rtcpTerminal == nullptr) {
    std::array<std::uint8_t, RtcpTerminal::seedLength> seed{};
    if (RAND_bytes(seed.data(), static_cast<int>(seed.size())) == 1) endpoint.rtcpTerminal = std::make_unique<RtcpTerminal>(seed);
  }
  applyRemote(endpoint, config);
  applyKeys(endpoint, config);
  if (endpoint.negotiates || config.zrtp.present) applyNegotiation(endpoint, config);
  gateMedia(endpoint);
  if (endpoint.peer != nullptr) endpoint.peer->continuity.expectChange();
  endpoint.row.set(configuredAt, monotonicMs());
}

void Relay::applyRemote(Endpoint& endpoint, const Config& config) {
  const Remote& remote = config.remote;
  if (endpoint.ice != nullptr) {
    const bool active = config.ice.present;
    if (active) {
      // Where media comes from and goes to is what ICE finds; SDP only says how many ports there are.
      endpoint.remoteMuxes = config.hasRemote ? remote.rtcp == remote.rtp : endpoint.ports == PortMode::mux;
      endpoint.signallingHost = Address();
      if (!endpoint.ice->active) {
        choosePair(endpoint, 1, Address());
        choosePair(endpoint, 2, Address());
      }
    }
    endpoint.ice->active = active;
    endpoint.ice->waiting = !active && !config.hasRemote;
    if (active) return;
  }
  // An address that no single peer can have, or of the other family, is as good as none.
  endpoint.hasRemote = config.hasRemote && remote.rtp.isUnicast() && remote.rtp.family() == endpoint.local.family();
  if (!endpoint.hasRemote) return;
  endpoint.remoteMuxes = remote.rtcp == remote.rtp;
  endpoint.signallingHost = remote.signalling;
  endpoint.rtp.configure(remote.rtp);
  endpoint.rtcp.configure(remote.rtcp);
  if (!endpoint.rtp.latched()) Ports::closeSteady(endpoint);
}

void Relay::applyKeys(Endpoint& endpoint, const Config& config) {
  // Keys of DTLS and ZRTP stay as they are: signalling knows nothing of them.
  if (config.dtls.present || (config.zrtp.present && config.zrtp.mode == ZrtpMode::end)) {
    // Without its keys nothing passes: neither is DTLS-SRTP ever plain RTP, nor a stream that ZRTP has secured, or has to.
    if (config.dtls.present || config.zrtp.demanded || endpoint.exchangedSend != nullptr) endpoint.media = Media::srtp;
    endpoint.send = endpoint.exchangedSend.get();
    if (endpoint.exchangedSend == nullptr) endpoint.receive.reset();
    return;
  }
  endpoint.exchangedSend.reset();
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
}

void Relay::applyNegotiation(Endpoint& endpoint, const Config& config) {
  endpoint.negotiates = true;
  if (endpoint.ice != nullptr && config.ice.present) {
    endpoint.ice->agree(config.ice.ufrag, config.ice.password, config.ice.ourUfrag, config.ice.ourPassword);
    endpoint.risen = true;
    uplink_.tell(Rising::iceConfigured, endpoint.id, config.ice.section);
  }
  if (config.zrtp.mode != endpoint.zrtp.mode) forgetPassedZrtp(endpoint);
  endpoint.zrtp.mode = config.zrtp.mode;
  endpoint.zrtp.demanded = config.zrtp.demanded;
  // A pass that nothing is known of concerns JavaScript once there is ZRTP: most phones have none.
  if (config.zrtp.present && (endpoint.risen || config.zrtp.section.size() > 1 || config.zrtp.section[0] != 0)) {
    endpoint.risen = true;
    uplink_.tell(Rising::zrtpConfigured, endpoint.id, config.zrtp.section);
  }
  if (endpoint.dtls != nullptr) {
    endpoint.dtls->active = config.dtls.present;
    endpoint.dtls->settings = config.dtls.settings;
    dtls_->configured(endpoint);
    // One that is being opened is found by nobody yet.
    if (endpoint.worker != nullptr && endpoint.dtls->active && endpoint.hasRemote) dtls_->reachable(endpoint, endpoint.rtp.target());
  }
}

void Relay::detach(Endpoint& endpoint) {
  if (endpoint.peer == nullptr) return;
  forgetPassedZrtp(endpoint);
  forgetPassedZrtp(*endpoint.peer);
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
    const Worker::Lock other(worker);  // the only place where one thread holds two of them
    detach(endpoint);
    endTap(endpoint);
    worker.takeOver(endpoint);
    for (Endpoint* copy : endpoint.taps) worker.takeOver(*copy);
  }
  const int moved = 1 + static_cast<int>(endpoint.taps.size());
  former.countLoad(-moved);
  worker.countLoad(moved);
}

bool Relay::link(Reader& reader) {
  Endpoint* a = find(reader.u32());
  Endpoint* b = find(reader.u32());
  if (!reader.atEnd() || reader.failed()) return false;
  if (a == nullptr || b == nullptr || a == b || a->tapped != nullptr || b->tapped != nullptr) return true;
  moveTo(*b, *a->worker);
  const Worker::Lock lock(*a->worker);
  if (a->peer == b) return true;
  // Somebody else is there now: what was played in place of the one before is over.
  a->worker->hush(*a);
  a->worker->hush(*b);
  detach(*a);
  detach(*b);
  a->peer = b;
  b->peer = a;
  a->continuity.changePeer();
  b->continuity.changePeer();
  a->row.set(peerId, b->id);
  b->row.set(peerId, a->id);
  for (Endpoint* endpoint : {a, b}) {
    if (endpoint->waits) endpoint->worker->begin(*endpoint);
  }
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
  if (endpoint->telephoneEvent == noPayloadType || endpoint->zrtp.sealed) return true;
  if (endpoint->digitWriter == nullptr) endpoint->digitWriter = std::make_unique<DigitWriter>();
  endpoint->digitWriter->press(digit, milliseconds);
  return true;
}

bool Relay::play(Reader& reader) {
  Endpoint* endpoint = find(reader.u32());
  const std::shared_ptr<const Clip> clip = clips_.find(reader.u32());
  const std::uint8_t payloadType = reader.u8();
  const bool loop = reader.u8() == 1;
  if (!reader.atEnd() || reader.failed() || payloadType > 127) return false;
  std::array<std::uint8_t, Player::seedLength> seed{};
  if (endpoint == nullptr || clip == nullptr || RAND_bytes(seed.data(), static_cast<int>(seed.size())) != 1) return true;
  const Worker::Lock lock(*endpoint->worker);
  endpoint->worker->play(*endpoint, std::make_unique<Player>(clip, payloadType, loop, seed.data()));
  return true;
}

bool Relay::hush(Reader& reader) {
  Endpoint* endpoint = find(reader.u32());
  if (!reader.atEnd() || reader.failed()) return false;
  if (endpoint == nullptr) return true;
  const Worker::Lock lock(*endpoint->worker);
  endpoint->worker->hush(*endpoint);
  return true;
}

// What the first receives the second sends too. The second is a recorder's: linked with nobody.
bool Relay::tap(Reader& reader) {
  Endpoint* from = find(reader.u32());
  Endpoint* to = find(reader.u32());
  if (!reader.atEnd() || reader.failed()) return false;
  if (from == nullptr || to == nullptr || from == to || to->peer != nullptr || !to->taps.empty() ||
      from->tapped != nullptr || to->tapped == from) {
    return true;
  }
  if (to->tapped != nullptr) {
    const Worker::Lock lock(*to->worker);
    endTap(*to);
  }
  moveTo(*to, *from->worker);
  const Worker::Lock lock(*from->worker);
  addTap(*from, *to);
  return true;
}

bool Relay::untap(Reader& reader) {
  Endpoint* to = find(reader.u32());
  if (!reader.atEnd() || reader.failed()) return false;
  if (to == nullptr) return true;
  const Worker::Lock lock(*to->worker);
  endTap(*to);
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
        forgetTaps(*endpoint);
        if (endpoint->dtls != nullptr) dtls_->closed(*endpoint);
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
  if (endpoint.risen) uplink_.tell(Rising::closed, endpoint.id, {});
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
