#include "dtls.h"

#include "endpoint.h"

namespace ringfence {

Dtls::Dtls(Slot* slots, Uplink& uplink) : slots_(slots), uplink_(uplink) {}

Dtls::~Dtls() = default;

void Dtls::stop() {}

bool Dtls::certificate(Fingerprint&) { return false; }

void Dtls::configured(Endpoint&) {}

void Dtls::reachable(Endpoint&) {}

void Dtls::received(Endpoint& endpoint, const Datagram&) { endpoint.row.add(droppedMalformed); }

void Dtls::closed(Endpoint&) {}

}  // namespace ringfence
