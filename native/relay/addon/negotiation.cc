#include "negotiation.h"

#include "dtls.h"
#include "ports.h"
#include "stun-message.h"
#include "uplink.h"
#include "worker.h"

namespace ringfence {

void receiveHandshake(Endpoint& endpoint, const Datagram& datagram, Negotiators negotiators) {
  const std::uint8_t first = datagram.bytes[0];
  if (first <= 3) {
    if (endpoint.ice != nullptr && (endpoint.ice->active || endpoint.ice->waiting)) {
      return receiveStun(endpoint, datagram, negotiators.uplink);
    }
  } else if (first >= 16 && first <= 19) {
    return receiveZrtp(endpoint, datagram, negotiators.uplink);
  } else if (first >= 20 && endpoint.dtls != nullptr && endpoint.dtls->active) {
    if (admitsHandshake(endpoint, datagram)) return negotiators.dtls.received(endpoint, datagram);
    endpoint.row.add(droppedSource);
    return;
  }
  endpoint.row.add(droppedMalformed);
}

bool admitsHandshake(const Endpoint& endpoint, const Datagram& datagram) {
  if (endpoint.ice != nullptr && endpoint.ice->active) {
    return endpoint.ice->isValidated(datagram.component, datagram.source);
  }
  const Path& path = datagram.component == 2 && !endpoint.remoteMuxes ? endpoint.rtcp : endpoint.rtp;
  return path.admits(datagram.source, false, endpoint.signallingHost);
}

void learnSource(Endpoint& endpoint, const Address& source) {
  if (!endpoint.rtp.learn(source)) return;
  endpoint.row.add(sourceVersion);
  Ports::closeSteady(endpoint);
}

bool sendDatagram(Endpoint& endpoint, std::uint8_t component, const Address& target, ConstBytes bytes) {
  const bool second = component == 2 && endpoint.rtcpSocket >= 0;
  if (component == 2 && !second) return false;
  const Path& path = second && !endpoint.remoteMuxes ? endpoint.rtcp : endpoint.rtp;
  const Address& to = target.isSet() ? target : path.target();
  if (!to.isUnicast() || to.port() == 0 || to.family() != endpoint.local.family()) return false;
  // A candidate that a peer has named leads to no service of this machine.
  if (to.isLoopback() && endpoint.local.isUnicast() && !endpoint.local.isLoopback()) return false;
  // A STUN request: whoever answers it has to name it.
  if (endpoint.ice != nullptr && bytes.size() >= StunMessage::headerLength && load16(bytes.data()) == 0x0001) {
    endpoint.ice->expect(bytes.subspan(8, 12), component, to);
  }
  const ssize_t sent = sendto(second ? endpoint.rtcpSocket : endpoint.rtpSocket, bytes.data(), bytes.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL, to.raw(), to.rawLength());
  return sent == static_cast<ssize_t>(bytes.size());
}

void choosePair(Endpoint& endpoint, std::uint8_t component, const Address& remote) {
  Path& path = component == 2 ? endpoint.rtcp : endpoint.rtp;
  if (remote.isSet()) {
    if (path.latched() && path.source() == remote) return;
    path.choose(remote);
  } else {
    path.shut();
  }
  if (component == 2) return;
  endpoint.hasRemote = remote.isSet();
  gateMedia(endpoint);
  endpoint.row.set(configuredAt, monotonicMs());
  if (remote.isSet()) endpoint.row.add(sourceVersion);
  Ports::closeSteady(endpoint);
}

void gateMedia(Endpoint& endpoint) {
  const bool held = endpoint.zrtp.holdsMedia();
  endpoint.accept = endpoint.mayAccept && !held;
  endpoint.emit = endpoint.mayEmit && !held;
  endpoint.row.set(expecting, endpoint.hasRemote && endpoint.accept ? 1 : 0);
}

bool installKeys(Endpoint& endpoint, const Suite& suite, ConstBytes send, ConstBytes receive) {
  if (send.size() != suite.materialLength() || receive.size() != suite.materialLength()) return false;
  auto out = Context::create(suite, Direction::send, send, {});
  auto in = Context::create(suite, Direction::receive, receive, {});
  if (out == nullptr || in == nullptr) return false;
  if (endpoint.receive != nullptr && endpoint.receiveConfirmed) {
    endpoint.previousReceive = std::move(endpoint.receive);
    endpoint.previousUntil = monotonicMs() + rekeyGraceMs;
  }
  endpoint.receive = std::move(in);
  endpoint.receiveConfirmed = false;
  endpoint.exchangedSend = std::move(out);
  endpoint.send = endpoint.exchangedSend.get();
  endpoint.media = Media::srtp;
  if (endpoint.peer != nullptr) endpoint.peer->continuity.expectChange();
  return true;
}

}  // namespace ringfence
