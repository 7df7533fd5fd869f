#include "worker.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ports.h"
#include "uplink.h"

namespace ringfence {
namespace {

constexpr std::uint64_t stopKey = ~std::uint64_t{0};
constexpr std::uint64_t beatKey = ~std::uint64_t{1};

// After a pause of the machine no more than so many frames are made up for.
constexpr std::uint64_t mostBeats = 5;

// Which of an endpoint's sockets an epoll key is about: its lowest two bits.
enum : std::uint64_t { onRtp = 0, onRtcp = 1, onSteady = 2 };

// Accepted RTP packets before a steady socket is worth its making.
constexpr std::uint8_t steadyAfter = 20;

// Packets that may have come in the moment of its making.
constexpr int mostUnsettled = 64;

void sleepMicroseconds(std::uint32_t microseconds) {
  const timespec pause{0, static_cast<long>(microseconds) * 1000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

// Returns at once when that time has passed.
void sleepUntil(double ms) {
  const auto seconds = static_cast<time_t>(ms / 1e3);
  const timespec at{seconds, static_cast<long>((ms - static_cast<double>(seconds) * 1e3) * 1e6)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

}  // namespace

double monotonicMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Worker::Worker(Slot* slots, Negotiators negotiators, WorkerOptions options)
    : slots_(slots),
      negotiators_(negotiators),
      options_(options),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      beat_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      packet_(new std::uint8_t[longestPacket + Context::protectOverhead]),
      copy_(new std::uint8_t[longestPacket]) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = stopKey;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event);
  event.data.u64 = beatKey;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, beat_, &event);
  thread_ = std::thread([this] { run(); });
}

Worker::~Worker() {
  const std::uint64_t one = 1;
  if (write(stop_, &one, sizeof one) == sizeof one) thread_.join();
  close(stop_);
  close(beat_);
  close(epoll_);
}

bool Worker::add(Endpoint& endpoint) {
  if (!watch(endpoint)) return false;
  endpoint.worker = this;
  Slot& slot = slots_[slotOf(endpoint.id)];
  slot.endpoint = &endpoint;
  slot.worker.store(this);
  slot.id.store(endpoint.id);
  return true;
}

void Worker::remove(Endpoint& endpoint) {
  hush(endpoint);
  Slot& slot = slots_[slotOf(endpoint.id)];
  slot.id.store(0);
  slot.worker.store(nullptr);
  unwatch(endpoint);
}

// The slot names a worker all the time: a handshake that ends now finds its endpoint.
void Worker::takeOver(Endpoint& endpoint) {
  Worker& former = *endpoint.worker;
  former.unwatch(endpoint);
  watch(endpoint);
  endpoint.worker = this;
  slots_[slotOf(endpoint.id)].worker.store(this);
  if (endpoint.player == nullptr) return;
  std::erase(former.playing_, &endpoint);
  former.beat(!former.playing_.empty());
  playing_.push_back(&endpoint);
  beat(true);
}

bool Worker::watch(Endpoint& endpoint) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = std::uint64_t{endpoint.id} << 2 | onRtp;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, endpoint.rtpSocket, &event) != 0) return false;
  event.data.u64 |= onRtcp;
  if (endpoint.rtcpSocket >= 0 && epoll_ctl(epoll_, EPOLL_CTL_ADD, endpoint.rtcpSocket, &event) != 0) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, endpoint.rtpSocket, nullptr);
    return false;
  }
  return true;
}

void Worker::unwatch(Endpoint& endpoint) {
  Ports::closeSteady(endpoint);
  epoll_ctl(epoll_, EPOLL_CTL_DEL, endpoint.rtpSocket, nullptr);
  if (endpoint.rtcpSocket >= 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, endpoint.rtcpSocket, nullptr);
}

void Worker::run() {
  prctl(PR_SET_NAME, "relay");
  prctl(PR_SET_TIMERSLACK, 1000UL);  // ns; the default of 50 µs would be added to every pause
  epoll_event events[batch];
  double windowStart = monotonicMs();
  std::uint32_t windowPackets = 0;
  bool gathering = false;
  for (;;) {
    const int count = epoll_wait(epoll_, events, batch, -1);
    if (count < 0 && errno != EINTR) return;
    if (count > 0) {
      const std::lock_guard<std::mutex> guard(mutex_);
      now_ = monotonicMs();
      for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == stopKey) return;
        if (events[i].data.u64 == beatKey) {
          playAll();
        } else {
          readable(events[i].data.u64);
        }
      }
      windowPackets += static_cast<std::uint32_t>(count);
    }
    if (now_ - windowStart >= 20) {
      gathering = windowPackets * 1000.0 / (now_ - windowStart) > options_.gatherAbove;
      windowStart = now_;
      windowPackets = 0;
    }
    // A full batch means that more is waiting already.
    if (gathering && count < batch) {
      sleepUntil(now_ + options_.gatherMicroseconds / 1e3);
    } else if (waiting_.load() > 0) {
      sleepMicroseconds(20);  // a mutex is not fair: step aside for the control thread
    }
  }
}

void Worker::readable(std::uint64_t key) {
  const auto id = static_cast<std::uint32_t>(key >> 2);
  Slot& slot = slots_[slotOf(id)];
  if (slot.id.load() != id || slot.worker.load() != this) return;  // closed or moved since epoll_wait
  Endpoint& endpoint = *slot.endpoint;
  const std::uint64_t kind = key & 3;
  if (kind == onSteady) {
    if (endpoint.steadySocket >= 0) receive(endpoint, endpoint.steadySocket, false, true);
  } else {
    receive(endpoint, kind == onRtcp ? endpoint.rtcpSocket : endpoint.rtpSocket, kind == onRtcp, false);
  }
  if (endpoint.steadySocket < 0 && endpoint.steadyPackets >= steadyAfter) settle(endpoint);
}

// False: nothing was there. Connected: only the learned source can have sent it.
bool Worker::receive(Endpoint& endpoint, int socket, bool onRtcpSocket, bool connected) {
  Address source;
  ssize_t length = -1;
  if (connected) {
    length = recv(socket, packet_.get(), longestPacket, MSG_DONTWAIT | MSG_TRUNC);
    source = endpoint.rtp.source();
  } else {
    socklen_t sourceLength = Address::capacity;
    length = recvfrom(socket, packet_.get(), longestPacket, MSG_DONTWAIT | MSG_TRUNC, source.raw(), &sourceLength);
  }
  if (length < 0) return false;
  if (static_cast<std::size_t>(length) > longestPacket) {
    endpoint.row.add(droppedMalformed);
    return true;
  }
  if (endpoint.negotiates && length > 0 && packet_[0] < 64) {
    const ConstBytes bytes(packet_.get(), static_cast<std::size_t>(length));
    receiveHandshake(endpoint, {bytes, source, static_cast<std::uint8_t>(onRtcpSocket ? 2 : 1)}, negotiators_);
    return true;
  }
  if (endpoint.waits) {
    if (endpoint.early == nullptr) endpoint.early = std::make_unique<EarlyPackets>();
    endpoint.early->keep(ConstBytes(packet_.get(), static_cast<std::size_t>(length)), source, onRtcpSocket, now_);
    return true;
  }
  if (endpoint.media != Media::opaque) {
    relay(endpoint, onRtcpSocket, static_cast<std::size_t>(length), source);
  } else if (!onRtcpSocket) {
    relayOpaque(endpoint, static_cast<std::size_t>(length), source);
  }
  return true;
}

// Check, authenticate, accept, in this order: nothing but a counter changes before a packet is found good.
void Worker::relay(Endpoint& endpoint, bool onRtcpSocket, std::size_t length, const Address& source) {
  Row row = endpoint.row;
  std::uint8_t* packet = packet_.get();
  const bool demultiplex = !onRtcpSocket && (endpoint.ports == PortMode::mux || endpoint.remoteMuxes);
  const bool rtcp = onRtcpSocket || (demultiplex && looksLikeRtcp(ConstBytes(packet, length)));
  // Both kinds share the path of RTP where they share the peer's port.
  Path& path = rtcp && !endpoint.remoteMuxes && (onRtcpSocket || endpoint.hasRemote) ? endpoint.rtcp : endpoint.rtp;
  const bool secure = endpoint.media == Media::srtp;
  // RFC 8445 §12.2: by the chosen pair, and, once there is one, by any other that is valid: whoever nominates all that it
  // checks towards one who only answers (RFC 5245 §8.1.1.2, browsers) may send by another than the one that we have chosen.
  const auto validElsewhere = [&] {
    return endpoint.ice != nullptr && endpoint.ice->active && path.source().isSet() &&
           endpoint.ice->isValidated(onRtcpSocket ? 2 : 1, source);
  };
  if (!path.admits(source, secure, endpoint.signallingHost) && !validElsewhere()) {
    row.add(droppedSource);
    return;
  }
  RtpHeader header{};
  if (rtcp ? !isRtcp(ConstBytes(packet, length)) : !readRtpHeader(ConstBytes(packet, length), header)) {
    row.add(droppedMalformed);
    return;
  }
  const auto wireOctets = static_cast<double>(length);
  if (secure) {
    switch (unprotect(endpoint, rtcp, length, header)) {
      case Verdict::ok:
        break;
      case Verdict::malformed:
        row.add(droppedMalformed);
        return;
      case Verdict::replay:
        row.add(droppedReplay);
        return;
      default:
        row.add(droppedAuthentication);
        return;
    }
  }
  learn(endpoint, path, source);
  row.set(receivedAt, now_);
  if (rtcp) {
    row.add(rtcpPackets);
    if (endpoint.rtcpTerminal != nullptr && !endpoint.zrtp.sealed) {
      length = endpoint.rtcpTerminal->receive(Bytes(packet, length), now_);
      if (length > 0 && endpoint.accept && endpoint.peer != nullptr && endpoint.peer->media != Media::opaque) {
        renameSources(Bytes(packet, length), endpoint.peer->continuity, endpoint.continuity);
        forward(endpoint, true, length, header);
      }
      report(endpoint);
      if (endpoint.peer != nullptr) report(*endpoint.peer);
      return;
    }
  } else {
    row.add(packets);
    row.add(octets, wireOctets);
    endpoint.reception.received(header, now_, endpoint.clockRates, row);
    if (header.payloadType == endpoint.telephoneEvent && !endpoint.zrtp.sealed) {
      endpoint.digitReader.packet(ConstBytes(packet + header.length, length - header.length), header.timestamp,
                                  endpoint.clockRates.of(header.payloadType) / 1000.0, row);
    }
    if (endpoint.steadySocket < 0 && endpoint.steadyPackets < steadyAfter) endpoint.steadyPackets++;
    // What ZRTP has sealed is nobody's to copy.
    if (!endpoint.taps.empty() && endpoint.accept && !endpoint.zrtp.sealed) copyToTaps(endpoint, length, header);
  }
  if (!endpoint.accept || endpoint.peer == nullptr || endpoint.peer->media == Media::opaque) {
    row.add(droppedUnlinked);
    return;
  }
  forward(endpoint, rtcp, length, header);
  report(endpoint);
  report(*endpoint.peer);
}

// Packets are the clock of our reports: while nothing comes from either side there is nothing to report.
void Worker::report(Endpoint& to) {
  if (to.rtcpTerminal == nullptr || to.zrtp.sealed || !to.hasRemote || to.media == Media::opaque || to.ports == PortMode::single ||
      (to.media == Media::srtp && to.send == nullptr) || !to.rtcpTerminal->due(now_)) {
    return;
  }
  std::size_t length = to.rtcpTerminal->write(Bytes(packet_.get(), longestPacket), to.reception, now_);
  if (length == 0 || (to.media == Media::srtp && to.send->protectRtcp(packet_.get(), length) != Verdict::ok)) return;
  const bool ownPort = !to.remoteMuxes;
  sendTo(to, ownPort && to.rtcpSocket >= 0 ? to.rtcpSocket : to.rtpSocket, ownPort ? to.rtcp.target() : to.rtp.target(), length);
}

void Worker::learn(Endpoint& endpoint, Path& path, const Address& source) {
  if (!path.learn(source)) return;
  endpoint.row.add(sourceVersion);
  if (&path == &endpoint.rtp) Ports::closeSteady(endpoint);
}

void Worker::settle(Endpoint& endpoint) {
  endpoint.steadyPackets = 0;
  if (!endpoint.rtp.latched() || endpoint.rtp.learning() || !Ports::openSteady(endpoint)) return;
  // What came meanwhile, in its order: at the old socket, and at the new one before it was connected, when anybody's came.
  for (int i = 0; i < mostUnsettled && receive(endpoint, endpoint.rtpSocket, false, false); i++) {
  }
  for (int i = 0; endpoint.steadySocket >= 0 && receive(endpoint, endpoint.steadySocket, false, false); i++) {
    if (i == mostUnsettled) Ports::closeSteady(endpoint);
  }
  if (endpoint.steadySocket < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = std::uint64_t{endpoint.id} << 2 | onSteady;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, endpoint.steadySocket, &event) != 0) Ports::closeSteady(endpoint);
}

Verdict Worker::unprotect(Endpoint& endpoint, bool rtcp, std::size_t& length, const RtpHeader& header) {
  const auto open = [&](Context& context) {
    return rtcp ? context.unprotectRtcp(packet_.get(), length) : context.unprotectRtp(packet_.get(), length, header);
  };
  if (endpoint.receive == nullptr) return Verdict::authentication;
  if (endpoint.previousReceive == nullptr) {
    const Verdict verdict = open(*endpoint.receive);
    if (verdict == Verdict::ok) endpoint.receiveConfirmed = true;
    return verdict;
  }
  // Rekeying: GCM decrypts in place before it knows, so the second try needs the packet as it came.
  const std::size_t wireLength = length;
  std::memcpy(copy_.get(), packet_.get(), wireLength);
  const Verdict verdict = open(*endpoint.receive);
  if (verdict == Verdict::ok) {
    endpoint.receiveConfirmed = true;
    endpoint.previousReceive.reset();
    return verdict;
  }
  if (now_ >= endpoint.previousUntil) {
    endpoint.previousReceive.reset();
    return verdict;
  }
  length = wireLength;
  std::memcpy(packet_.get(), copy_.get(), wireLength);
  return open(*endpoint.previousReceive);
}

void Worker::forward(Endpoint& from, bool rtcp, std::size_t length, RtpHeader header) {
  Endpoint& to = *from.peer;
  if (!to.emit || !to.hasRemote || (rtcp && to.ports == PortMode::single)) {
    from.row.add(droppedUnlinked);
    return;
  }
  if (to.zrtp.sealed) return transmit(to, rtcp, length);
  if (!rtcp && to.player != nullptr) return;  // it hears something else now
  if (!rtcp) to.continuity.pass(packet_.get(), header, now_, from.clockRates.of(header.payloadType) / 1000.0);
  if (!rtcp && to.digitWriter != nullptr && to.digitWriter->busy() && to.telephoneEvent != noPayloadType &&
      header.payloadType != to.telephoneEvent && length >= DigitWriter::packetLength &&
      to.digitWriter->replace(Bytes(packet_.get(), length), header, to.telephoneEvent,
                              from.clockRates.of(header.payloadType) / 1000.0)) {
    length = DigitWriter::packetLength;
  }
  if (!rtcp && to.rtcpTerminal != nullptr) {
    to.rtcpTerminal->sent(header, length, now_, from.clockRates.of(header.payloadType) / 1000.0);
  }
  protectAndSend(to, from.row, rtcp, length, header);
}

// `blamed`: where it is counted that the packet did not go out.
void Worker::protectAndSend(Endpoint& to, Row blamed, bool rtcp, std::size_t length, const RtpHeader& header) {
  if (to.media == Media::srtp) {
    if (to.send == nullptr) {
      blamed.add(droppedUnlinked);
      return;
    }
    const Verdict verdict =
        rtcp ? to.send->protectRtcp(packet_.get(), length) : to.send->protectRtp(packet_.get(), length, header);
    if (verdict == Verdict::exhausted) {
      to.row.add(exhausted);
      return;
    }
    if (verdict != Verdict::ok) {
      // A sequence number that was sent already: the far end would drop it, and the key must not see it twice.
      blamed.add(droppedReplay);
      return;
    }
  }
  transmit(to, rtcp, length);
}

void Worker::begin(Endpoint& endpoint) {
  endpoint.waits = false;
  if (endpoint.early == nullptr) return;
  const std::unique_ptr<EarlyPackets> early = std::move(endpoint.early);
  now_ = monotonicMs();
  early->take(now_, [&](ConstBytes bytes, const Address& source, bool onRtcpSocket) {
    std::memcpy(packet_.get(), bytes.data(), bytes.size());
    if (endpoint.media != Media::opaque) {
      relay(endpoint, onRtcpSocket, bytes.size(), source);
    } else if (!onRtcpSocket) {
      relayOpaque(endpoint, bytes.size(), source);
    }
  });
}

void Worker::play(Endpoint& endpoint, std::unique_ptr<Player> player) {
  if (endpoint.zrtp.sealed) return;  // nothing but the far end's own SRTP is understood there
  if (endpoint.player == nullptr) playing_.push_back(&endpoint);
  endpoint.player = std::move(player);
  endpoint.continuity.changePeer();
  beat(true);
}

void Worker::hush(Endpoint& endpoint) {
  if (endpoint.player == nullptr) return;
  endpoint.player.reset();
  endpoint.continuity.changePeer();
  std::erase(playing_, &endpoint);
  beat(!playing_.empty());
}

void Worker::beat(bool on) {
  itimerspec interval{};
  timerfd_gettime(beat_, &interval);
  if ((interval.it_interval.tv_nsec != 0) == on) return;
  interval.it_interval = {0, on ? static_cast<long>(frameMs * 1e6) : 0};
  interval.it_value = interval.it_interval;
  timerfd_settime(beat_, 0, &interval, nullptr);
}

void Worker::playAll() {
  std::uint64_t beats = 0;
  if (read(beat_, &beats, sizeof beats) != sizeof beats) return;
  for (beats = std::min(beats, mostBeats); beats > 0; beats--) {
    // Whoever comes to the end leaves the list.
    for (std::size_t i = playing_.size(); i > 0; i--) playNext(*playing_[i - 1]);
  }
}

void Worker::playNext(Endpoint& to) {
  if (to.player->over()) {
    std::uint8_t body[5] = {static_cast<std::uint8_t>(playedEvent)};
    store32(body + 1, to.id);
    hush(to);
    negotiators_.uplink.tell(Rising::event, to.id, body);
    return;
  }
  // It may not be heard at present: the sound waits.
  if (!to.emit || !to.hasRemote || to.media == Media::opaque || (to.media == Media::srtp && to.send == nullptr)) return;
  RtpHeader header{};
  const std::size_t length = to.player->write(Bytes(packet_.get(), longestPacket), header);
  const double perMs = to.player->perMs();
  to.continuity.pass(packet_.get(), header, now_, perMs);
  if (to.rtcpTerminal != nullptr) to.rtcpTerminal->sent(header, length, now_, perMs);
  protectAndSend(to, to.row, false, length, header);
  report(to);
}

void Worker::relayOpaque(Endpoint& endpoint, std::size_t length, const Address& source) {
  Row row = endpoint.row;
  if (!endpoint.rtp.admits(source, false, endpoint.signallingHost)) {
    row.add(droppedSource);
    return;
  }
  learn(endpoint, endpoint.rtp, source);
  row.set(receivedAt, now_);
  row.add(packets);
  row.add(octets, static_cast<double>(length));
  Endpoint* to = endpoint.peer;
  if (!endpoint.accept || to == nullptr || to->media != Media::opaque || !to->emit || !to->hasRemote) {
    row.add(droppedUnlinked);
    return;
  }
  transmit(*to, false, length);
}

void Worker::transmit(Endpoint& to, bool rtcp, std::size_t length) {
  const bool ownPort = rtcp && !to.remoteMuxes;
  const Address& target = ownPort ? to.rtcp.target() : to.rtp.target();
  if (!target.isSet() || target.port() == 0) return;
  if (sendTo(to, ownPort && to.rtcpSocket >= 0 ? to.rtcpSocket : to.rtpSocket, target, length) < 0) {
    to.row.add(sendFailures);
    return;
  }
  to.row.add(sentPackets);
  to.row.add(sentOctets, static_cast<double>(length));
}

ssize_t Worker::sendTo(Endpoint& to, int socket, const Address& target, std::size_t length) {
  if (socket == to.rtpSocket && to.steadySocket >= 0 && &target == &to.rtp.target()) {
    const ssize_t sent = send(to.steadySocket, packet_.get(), length, MSG_DONTWAIT | MSG_NOSIGNAL);
    // A connected socket tells of an earlier packet that was refused, and sends only when asked again.
    if (sent >= 0 || errno != ECONNREFUSED) return sent;
    return send(to.steadySocket, packet_.get(), length, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  if (!target.isSet() || target.port() == 0) return -1;
  return sendto(socket, packet_.get(), length, MSG_DONTWAIT | MSG_NOSIGNAL, target.raw(), target.rawLength());
}

}  // namespace ringfence
