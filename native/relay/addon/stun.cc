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

// RFC 8445 §7.2.2: our name, a colon, the peer's name.
bool names(ConstBytes username, std::string_view ours, const std::string* theirs) {
  if (username.size() <= ours.size() || !equal(username.first(ours.size()), ours) || username[ours.size()] != ':') return false;
  return theirs == nullptr || equal(username.subspan(ours.size() + 1), *theirs);
}

// A name of one generation goes with the password of that one. As long as the peer has no name, any will do (§7.3).
bool verifyRequest(const StunMessage& message, const StunGate& gate) {
  if (names(message.username, gate.ours.ufrag, gate.active ? &gate.theirs.ufrag : nullptr)) {
    return verifyStun(message, gate.ours.password);
  }
  return gate.hasFormer && names(message.username, gate.formerOurs.ufrag, &gate.formerTheirs.ufrag) &&
         verifyStun(message, gate.formerOurs.password);
}

// Which generation has asked is for the agent to say, which verifies it once more after a restart.
bool verifyResponse(const StunMessage& message, const StunGate& gate) {
  return verifyStun(message, gate.theirs.password) || (gate.hasFormer && verifyStun(message, gate.formerTheirs.password));
}

void copy(const IceCredentials& from, IceCredentials& to) {
  OPENSSL_cleanse(to.password.data(), to.password.size());
  to.ufrag = from.ufrag;
  to.password = from.password;
}

}  // namespace

bool makeIceCredentials(IceCredentials& out) { return randomText(out.ufrag, 8) && randomText(out.password, 24); }

void StunGate::agree(const std::string& ufrag, const std::string& password, const std::string& ourUfrag,
                     const std::string& ourPassword) {
  const bool renews = !ourUfrag.empty() && !ourPassword.empty() && (ours.ufrag != ourUfrag || ours.password != ourPassword);
  const bool begins = renews || theirs.ufrag != ufrag || theirs.password != password;
  // Of several restarts that chose nothing what serves is still from before the first.
  if (begins && chosen) {
    copy(ours, formerOurs);
    copy(theirs, formerTheirs);
    hasFormer = true;
    chosen = false;
  }
  if (renews) {
    ours.ufrag = ourUfrag;
    ours.password = ourPassword;
  }
  theirs.ufrag = ufrag;
  theirs.password = password;
}

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
      if (!verifyRequest(message, gate)) {
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
      if (!verifyResponse(message, gate)) {
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
