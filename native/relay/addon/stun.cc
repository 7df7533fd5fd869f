#include "stun.h"

#include <openssl/rand.h>

#include "endpoint.h"
#include "negotiation.h"

namespace ringfence {
namespace {

// RFC 8839 §5.4 ice-char: 64 of them, so six bits make one.
constexpr char iceCharacters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool randomText(std::string& out, std::size_t length) {
  std::array<std::uint8_t, 32> octets{};
  if (RAND_bytes(octets.data(), static_cast<int>(length)) != 1) return false;
  out.resize(length);
  for (std::size_t i = 0; i < length; i++) out[i] = iceCharacters[octets[i] & 63];
  OPENSSL_cleanse(octets.data(), octets.size());
  return true;
}

}  // namespace

bool makeIceCredentials(IceCredentials& out) { return randomText(out.ufrag, 8) && randomText(out.password, 24); }

void StunGate::validate(std::uint8_t component, const Address& source) {
  if (isValidated(component, source)) return;
  Validated& of = validated_[component == 2 ? 1 : 0];
  of.addresses[of.next] = source;
  of.next = (of.next + 1) % mostValidated;
}

bool StunGate::isValidated(std::uint8_t component, const Address& source) const {
  for (const Address& address : validated_[component == 2 ? 1 : 0].addresses) {
    if (address == source) return true;
  }
  return false;
}

void StunGate::forgetValidated() { validated_ = {}; }

void receiveStun(Endpoint& endpoint, const Datagram&, Uplink&) { endpoint.row.add(droppedMalformed); }

}  // namespace ringfence
