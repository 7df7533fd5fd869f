#include "dtls.h"

#include <chrono>
#include <cmath>

#include <sys/prctl.h>
#include <sys/resource.h>

#include "endpoint.h"
#include "negotiation.h"
#include "uplink.h"
#include "worker.h"

namespace ringfence {
namespace {

// How much the handshake thread yields to those that relay.
constexpr int niceness = 5;
// Where ICE has shown the peer to be there, a first flight that it does not answer most likely came too early for it: while
// its own ICE goes on, many drop what is no STUN. Repeated sooner than without ICE, and from there on as usual, doubling.
constexpr std::uint32_t validatedRetransmitMs = 50;
constexpr double busyMs = 50;  // until a handshake of ours is tried again that had no room
constexpr std::size_t longestEvent = 512;
// Where the address of the peer is not known for sure, whoever came first and gets on has so long before others are heard,
// and so many may fail, until that is told.
constexpr double strangerMs = 1000;
constexpr double otherThanStrangerMs = 3000;
constexpr std::uint8_t mostStrangers = 8;

// The numbers are those of ../protocol/handshake-events.ts.
enum : std::uint8_t { securedEvent = 6, unsecuredEvent = 7, byDtls = 0, withFingerprint = 1 };

void writeText(const std::string& text, Writer& out) {
  const std::size_t length = std::min<std::size_t>(text.size(), 120);
  out.u8(static_cast<std::uint8_t>(length));
  out.bytes({reinterpret_cast<const std::uint8_t*>(text.data()), length});
}

bool looksLikeHello(ConstBytes datagram) { return datagram.size() > 25 && datagram[0] == 22 && datagram[13] == 1; }

// No media passes from here on.
void dropKeys(Endpoint& endpoint) {
  endpoint.receive.reset();
  endpoint.previousReceive.reset();
  endpoint.send = nullptr;
  endpoint.exchangedSend.reset();
}

}  // namespace

Dtls::Dtls(Slot* slots, Uplink& uplink, const DtlsLimits& limits)
    : slots_(slots),
      uplink_(uplink),
      limits_(limits),
      certificate_(DtlsCertificate::create(monotonicMs(), limits.certificateMs)),
      thread_([this] { run(); }) {}

Dtls::~Dtls() { stop(); }

void Dtls::stop() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    stopping_ = true;
    inputs_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  timers_.clear();
}

bool Dtls::equip(DtlsEndpoint& endpoint) {
  const double now = monotonicMs();
  if (certificate_ == nullptr || certificate_->isDue(now)) {
    // Calls that go on keep the one that their peers were told of.
    if (auto made = DtlsCertificate::create(now, limits_.certificateMs)) certificate_ = std::move(made);
  }
  if (certificate_ == nullptr) return false;
  endpoint.own = certificate_;
  endpoint.certificate = certificate_->fingerprint();
  return true;
}

void Dtls::configured(Endpoint& endpoint) {
  DtlsEndpoint& dtls = *endpoint.dtls;
  const bool ice = endpoint.ice != nullptr && endpoint.ice->active;
  if (dtls.active && dtls.session != nullptr && dtls.session->settings == dtls.settings &&
      dtls.session->validated == ice && (ice || !endpoint.hasRemote || dtls.session->signalled == endpoint.rtp.signalled())) {
    return;
  }
  // RFC 8842 §4: another fingerprint, role or, without ICE, address is another association. The old keys serve until it has its own.
  if (dtls.session != nullptr) end(std::move(dtls.session), dtls.active ? nullptr : &endpoint);
  dtls.session.reset();
  if (!dtls.active) return;
  dtls.session = std::make_shared<DtlsSession>();
  dtls.session->endpoint = endpoint.id;
  dtls.session->settings = dtls.settings;
  dtls.session->certificate = dtls.own;
  dtls.session->validated = ice;
  if (!ice) dtls.session->signalled = endpoint.rtp.signalled();
}

void Dtls::reachable(Endpoint& endpoint, const Address& target) {
  const Session& session = endpoint.dtls->session;
  if (session == nullptr || session->begun) return;
  session->begun = true;
  post({Kind::begin, session, target, {}});
}

void Dtls::received(Endpoint& endpoint, const Datagram& datagram) {
  const Session& session = endpoint.dtls->session;
  // RTCP on a port of its own would need an association of its own (RFC 5764 §4.1): it has to share that of RTP.
  if (session == nullptr || datagram.component != 1 || datagram.bytes.size() > DtlsAssociation::longestDatagram) {
    endpoint.row.add(droppedMalformed);
    return;
  }
  // What we call answers from where it was called.
  if (!session->settings.server && !session->validated && !(datagram.source == endpoint.rtp.target())) {
    endpoint.row.add(droppedSource);
    return;
  }
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    const bool full = datagrams_ >= most;
    if (full || session->waiting >= mostOfOne || stopping_) {
      count(full ? droppedFull : droppedShare);
      endpoint.row.add(droppedUplink);
      return;
    }
    session->waiting++;
    datagrams_++;
    inputs_.push_back({Kind::datagram, session, datagram.source, {datagram.bytes.begin(), datagram.bytes.end()}});
    count(waiting);
  }
  wake_.notify_one();
}

void Dtls::closed(Endpoint& endpoint) {
  if (endpoint.dtls->session != nullptr) end(std::move(endpoint.dtls->session), &endpoint);
  endpoint.dtls->session.reset();
}

// Says goodbye where there is an endpoint to say it from. Does not wait for the handshake thread, which frees what it holds by itself.
void Dtls::end(Session session, Endpoint* endpoint) {
  session->ended = true;
  {
    const std::unique_lock<std::mutex> guard(session->mutex, std::try_to_lock);
    if (guard.owns_lock() && session->association != nullptr) {
      Flight flight;
      if (endpoint != nullptr) session->association->close(flight);
      for (std::size_t i = 0; i < flight.count(); i++) sendDatagram(*endpoint, 1, session->remote, flight[i]);
      release(*session);
    }
  }
  post({Kind::end, std::move(session), Address(), {}});
}

void Dtls::post(Input input) {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (stopping_) return;
    inputs_.push_back(std::move(input));
  }
  wake_.notify_one();
}

void Dtls::run() {
  prctl(PR_SET_NAME, "dtls");
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness);  // of this thread alone
  for (;;) {
    Input input;
    if (!next(input)) return;
    const double now = monotonicMs();
    if (input.session != nullptr) handle(input, now);
    expire(now);
  }
}

// An input, or none where a timer is due; false at the end.
bool Dtls::next(Input& input) {
  std::unique_lock<std::mutex> guard(mutex_);
  while (!stopping_ && inputs_.empty()) {
    if (timers_.empty()) {
      wake_.wait(guard);
      continue;
    }
    const double left = timers_.begin()->first - monotonicMs();
    if (left <= 0) return true;
    wake_.wait_for(guard, std::chrono::duration<double, std::milli>(left));
  }
  if (stopping_) return false;
  input = std::move(inputs_.front());
  inputs_.pop_front();
  if (input.kind != Kind::datagram) return true;
  input.session->waiting--;
  datagrams_--;
  count(waiting, -1);
  return true;
}

void Dtls::handle(const Input& input, double nowMs) {
  const Session& session = input.session;
  std::unique_lock<std::mutex> guard(session->mutex);
  flight_.clear();
  if (session->ended || input.kind == Kind::end) {
    release(*session);
    schedule(session, std::numeric_limits<double>::infinity());
    return;
  }
  if (input.kind == Kind::begin) {
    // A server waits for a ClientHello; whether the peer is silent is told after as long as a handshake may last.
    if (session->settings.server) {
      if (session->association == nullptr) schedule(session, nowMs + limits_.timing.giveUpMs);
      return;
    }
    session->remote = input.source;
    if (!associate(*session, nowMs)) return schedule(session, nowMs + busyMs);
    session->association->start(nowMs, flight_);
  } else if (session->finished) {
    count(droppedUseless);
    return;
  } else if (session->association != nullptr) {
    take(*session, input, nowMs);
  } else {
    hello(*session, input, nowMs);
  }
  if (session->association != nullptr) return settle(session, nowMs, guard);
  guard.unlock();
  send(session, input.source);
}

void Dtls::take(DtlsSession& session, const Input& input, double nowMs) {
  if (session.validated) session.remote = input.source;
  if (!(session.remote == input.source)) {
    if (!isStranger(session) || !session.counted || nowMs - session.begunMs < strangerMs) return count(droppedUseless);
    return hello(session, input, nowMs);
  }
  session.association->receive(input.bytes, nowMs, flight_);
}

// The first of a client: with ICE it is the client's for sure, without ICE only with our cookie.
void Dtls::hello(DtlsSession& session, const Input& input, double nowMs) {
  if (!session.settings.server || !looksLikeHello(input.bytes)) return count(droppedUseless);
  auto answer = CookieGate::Answer::admit;
  if (!session.validated) {
    std::uint8_t reply[CookieGate::longestReply];
    Writer writer(reply);
    answer = gate_.look(session.endpoint, input.source, input.bytes, nowMs, writer);
    if (answer == CookieGate::Answer::none) return count(droppedUseless);
    if (answer == CookieGate::Answer::verify) {
      if (!session.verifies(nowMs)) return count(droppedBusy);
      flight_.add(ConstBytes(reply).first(writer.length()));
      return count(verifications);
    }
  }
  release(session);
  if (!associate(session, nowMs)) return count(droppedBusy);
  session.remote = input.source;
  if (session.validated) {
    session.association->receive(input.bytes, nowMs, flight_);
  } else {
    session.association->resume(input.bytes, nowMs, flight_);
  }
}

bool Dtls::associate(DtlsSession& session, double nowMs) {
  if (handshakes_ >= limits_.mostHandshakes) return false;
  DtlsTiming timing = limits_.timing;
  if (session.validated) timing.retransmitMs = std::min(timing.retransmitMs, validatedRetransmitMs);
  session.association = DtlsAssociation::create(session.certificate, session.settings, timing, nowMs);
  if (session.association == nullptr) return false;
  session.counted = true;
  session.begunMs = nowMs;
  handshakes_++;
  count(begun);
  return true;
}

void Dtls::expire(double nowMs) {
  while (!timers_.empty() && timers_.begin()->first <= nowMs) {
    const Session session = timers_.begin()->second;
    timers_.erase(timers_.begin());
    session->scheduled = -1;
    std::unique_lock<std::mutex> guard(session->mutex);
    if (session->ended) {
      release(*session);
      continue;
    }
    flight_.clear();
    if (session->association != nullptr) {
      session->association->passTime(nowMs, flight_);
      settle(session, nowMs, guard);
    } else if (session->settings.server) {
      silent(session, guard);
    } else if (!associate(*session, nowMs)) {
      schedule(session, nowMs + busyMs);
    } else {
      session->association->start(nowMs, flight_);
      settle(session, nowMs, guard);
    }
  }
}

// Told, and listened for still: the answer may have come long before the peer picks up. Where somebody came and failed, that
// is what is told, and it is over.
void Dtls::silent(const Session& session, std::unique_lock<std::mutex>& guard) {
  DtlsSummary summary;
  summary.failure = DtlsFailure::timeout;
  summary.detail = "no ClientHello has come";
  const bool over = session->strange != nullptr;
  if (over) {
    summary = *session->strange;
    session->finished = true;
  }
  guard.unlock();
  withEndpoint(slots_, session->endpoint, [&](Endpoint& endpoint) {
    if (endpoint.dtls == nullptr || endpoint.dtls->session != session) return;
    if (over) dropKeys(endpoint);
    tellUnsecured(endpoint.id, summary);
  });
  if (over) count(failed);
}

// The peer may be behind a NAT, and whoever else is there may come first: one who fails does not end the call for it.
bool Dtls::isStranger(const DtlsSession& session) const {
  return session.settings.server && !session.validated && !(session.remote == session.signalled);
}

// After each step of an association. Gives the lock back before it takes that of a worker.
void Dtls::settle(const Session& session, double nowMs, std::unique_lock<std::mutex>& guard) {
  DtlsAssociation& association = *session->association;
  const DtlsAssociation::State state = association.state();
  const Address remote = session->remote;
  const bool decided = session->counted && state != DtlsAssociation::State::handshaking;
  if (!decided) {
    const double deadline = association.deadline();
    guard.unlock();
    schedule(session, deadline);
    return send(session, remote);
  }
  DtlsKeys keys;
  const DtlsSummary summary = association.summary();
  const bool good = association.keys(keys);
  session->counted = false;
  handshakes_--;
  if (!good) {
    const bool stranger = isStranger(*session) && ++session->strangers < mostStrangers;
    release(*session);
    if (stranger) {
      session->strange = std::make_unique<DtlsSummary>(summary);
      guard.unlock();
      schedule(session, nowMs + otherThanStrangerMs);
      return send(session, remote);
    }
    session->finished = true;
  }
  guard.unlock();
  schedule(session, std::numeric_limits<double>::infinity());

  bool installed = false;
  const bool there = withEndpoint(slots_, session->endpoint, [&](Endpoint& endpoint) {
    if (endpoint.dtls == nullptr || endpoint.dtls->session != session) return;
    const std::size_t length = good ? keys.suite->materialLength() : 0;
    installed = good && installKeys(endpoint, *keys.suite, ConstBytes(keys.send).first(length), ConstBytes(keys.receive).first(length));
    if (!installed) dropKeys(endpoint);
    // The keys stand before the peer has our last message: its first packet may follow at once.
    for (std::size_t i = 0; i < flight_.count(); i++) sendDatagram(endpoint, 1, remote, flight_[i]);
    // RFC 5764 §3: media has the addresses of its association.
    if (installed && !session->validated) learnSource(endpoint, remote);
    if (installed) {
      tellSecured(endpoint.id, summary);
    } else {
      tellUnsecured(endpoint.id, summary);
    }
  });
  if (there) count(installed ? secured : failed);
}

void Dtls::send(const Session& session, const Address& target) {
  if (flight_.count() == 0) return;
  withEndpoint(slots_, session->endpoint, [&](Endpoint& endpoint) {
    if (endpoint.dtls == nullptr || endpoint.dtls->session != session) return;
    for (std::size_t i = 0; i < flight_.count(); i++) sendDatagram(endpoint, 1, target, flight_[i]);
  });
}

void Dtls::schedule(const Session& session, double atMs) {
  if (session->scheduled >= 0) {
    const auto [first, last] = timers_.equal_range(session->scheduled);
    for (auto it = first; it != last; ++it) {
      if (it->second != session) continue;
      timers_.erase(it);
      break;
    }
  }
  session->scheduled = std::isfinite(atMs) ? atMs : -1;
  if (session->scheduled >= 0) timers_.emplace(atMs, session);
}

// Frees the association, and with it its keys. Under the session's mutex.
void Dtls::release(DtlsSession& session) {
  session.association.reset();
  if (!session.counted) return;
  session.counted = false;
  handshakes_--;
}

void Dtls::tellSecured(std::uint32_t endpoint, const DtlsSummary& summary) {
  std::uint8_t bytes[longestEvent];
  Writer out(bytes);
  out.u8(securedEvent);
  out.u32(endpoint);
  out.u8(byDtls);
  writeText(summary.version, out);
  out.u8(summary.suite->id);
  writeText(summary.group, out);
  writeText(summary.cipher, out);
  out.u8(withFingerprint);
  out.u8(summary.peer.length);
  out.bytes(summary.peer.bytes());
  uplink_.tell(Rising::event, endpoint, ConstBytes(bytes).first(out.length()));
}

void Dtls::tellUnsecured(std::uint32_t endpoint, const DtlsSummary& summary) {
  std::uint8_t bytes[longestEvent];
  Writer out(bytes);
  out.u8(unsecuredEvent);
  out.u32(endpoint);
  out.u8(byDtls);
  out.u8(static_cast<std::uint8_t>(summary.failure));
  writeText(summary.detail, out);
  uplink_.tell(Rising::event, endpoint, ConstBytes(bytes).first(out.length()));
}

// What waits and is dropped before it is counted under the mutex of the queue, the rest by the handshake thread alone.
void Dtls::count(Count which, double amount) {
  double value = 0;
  __atomic_load(&counts_[which], &value, __ATOMIC_RELAXED);
  value += amount;
  __atomic_store(&counts_[which], &value, __ATOMIC_RELAXED);
}

}  // namespace ringfence
