#include "stun.h"

#include <algorithm>
#include <cstring>

#include <openssl/rand.h>

#include "endpoint.h"
#include "negotiation.h"
#include "stun-message.h"
#include "uplink.h"
#include "worker.h"

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

bool equal(ConstBytes bytes, std::string_view text) {
  return bytes.size() == text.size() && CRYPTO_memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// RFC 8445 §7.2.2: our name, a colon, the peer's name; as long as the peer has none, any (§7.3).
bool isForUs(ConstBytes username, const StunGate& gate) {
  const std::string_view ours = gate.ours.ufrag;
  if (username.size() <= ours.size() || !equal(username.first(ours.size()), ours) || username[ours.size()] != ':') return false;
  return !gate.active || equal(username.subspan(ours.size() + 1), gate.theirs.ufrag);
}

}  // namespace

bool makeIceCredentials(IceCredentials& out) { return randomText(out.ufrag, 8) && randomText(out.password, 24); }

void StunGate::validate(std::uint8_t component, const Address& source) {
  if (isValidated(component, source)) return;
  Validated& of = validated_[component == 2 ? 1 : 0];
  of.addresses[of.next] = source;
  of.next = (of.next + 1) % mostValidated;
}

void StunGate::invalidate(std::uint8_t component, const Address& source) {
  for (Address& address : validated_[component == 2 ? 1 : 0].addresses) {
    if (address == source) address = Address();
  }
}

bool StunGate::isValidated(std::uint8_t component, const Address& source) const {
  for (const Address& address : validated_[component == 2 ? 1 : 0].addresses) {
    if (address == source) return true;
  }
  return false;
}

void StunGate::forgetValidated() { validated_ = {}; }

void StunGate::expect(ConstBytes transaction, std::uint8_t component, const Address& target) {
  Sent sent{{}, target, component};
  std::copy_n(transaction.begin(), sent.transaction.size(), sent.transaction.begin());
  if (sent_.size() < mostSent) {
    sent_.push_back(sent);
    return;
  }
  sent_[nextSent_] = sent;
  nextSent_ = (nextSent_ + 1) % mostSent;
}

bool StunGate::isExpected(ConstBytes transaction, std::uint8_t component, const Address& source) {
  for (Sent& sent : sent_) {
    if (!std::equal(transaction.begin(), transaction.end(), sent.transaction.begin())) continue;
    return sent.component == component && sent.target == source;
  }
  return false;
}

bool StunGate::Allowance::take(double nowMs) {
  tokens = std::min(mostAtOnce, tokens + (nowMs - countedAt) * perMs);
  countedAt = nowMs;
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

bool StunGate::mayRise(ConstBytes transaction, double nowMs) {
  std::uint64_t id = 0;
  std::memcpy(&id, transaction.data() + transaction.size() - sizeof id, sizeof id);
  if (std::find(recent_.begin(), recent_.end(), id) != recent_.end()) return repeated_.take(nowMs);
  if (!first_.take(nowMs)) return false;
  if (recent_.size() < mostRecent) {
    recent_.push_back(id);
    return true;
  }
  recent_[nextRecent_] = id;
  nextRecent_ = (nextRecent_ + 1) % mostRecent;
  return true;
}

void receiveStun(Endpoint& endpoint, const Datagram& datagram, Uplink& uplink) {
  StunGate& gate = *endpoint.ice;
  StunMessage message;
  if (!readStun(datagram.bytes, message)) {
    endpoint.row.add(droppedMalformed);
    return;
  }
  switch (message.kind) {
    case StunClass::indication:
      return;  // keeps a binding of a NAT alive and says nothing, RFC 8445 §11
    case StunClass::request:
      if (!isForUs(message.username, gate) || !verifyStun(message, gate.ours.password)) {
        endpoint.row.add(droppedAuthentication);
        return;
      }
      break;
    case StunClass::success:
    case StunClass::error:
      if (!gate.isExpected(message.transaction, datagram.component, datagram.source)) {
        endpoint.row.add(droppedSource);
        return;
      }
      if (!verifyStun(message, gate.theirs.password)) {
        endpoint.row.add(droppedAuthentication);
        return;
      }
      break;
  }
  if (!gate.mayRise(message.transaction, monotonicMs()) ||
      !uplink.datagram(Rising::stun, endpoint.id, datagram.component, datagram.source, datagram.bytes)) {
    endpoint.row.add(droppedUplink);
  }
}

}  // namespace ringfence
