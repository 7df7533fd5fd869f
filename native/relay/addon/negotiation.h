// The ground that STUN, DTLS and ZRTP share at an endpoint. All of it under the lock of the endpoint's worker.
#pragma once
#include "endpoint.h"

namespace ringfence {

class Dtls;
class Uplink;

// What a worker hands on of what is no media.
struct Negotiators {
  Uplink& uplink;
  Dtls& dtls;
};

struct Datagram {
  ConstBytes bytes;
  Address source;
  std::uint8_t component;  // 1 came in on the port of RTP, 2 on that of RTCP
};

// RFC 7983 §7: by the first octet, which is below 64.
void receiveHandshake(Endpoint& endpoint, const Datagram& datagram, Negotiators negotiators);

// May DTLS or ZRTP of this source be looked at? With ICE, where ICE has validated it; else by the rules of plain RTP.
bool admitsHandshake(const Endpoint& endpoint, const Datagram& datagram);
void learnSource(Endpoint& endpoint, const Address& source);

// An unset target is the one of media. False: it was not sent.
bool sendDatagram(Endpoint& endpoint, std::uint8_t component, const Address& target, ConstBytes bytes);

// Media comes from there and goes there, and nowhere else; an unset address: neither comes nor goes.
void choosePair(Endpoint& endpoint, std::uint8_t component, const Address& remote);

// Sets whether media may come and go, after what was configured and what holds it back.
void gateMedia(Endpoint& endpoint);

// Keys that were exchanged on the path of media: the stream is SRTP from here on. Master keys, then salts.
bool installKeys(Endpoint& endpoint, const Suite& suite, ConstBytes send, ConstBytes receive);

}  // namespace ringfence
