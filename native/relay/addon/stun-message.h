// STUN messages as far as they are checked before anybody acts on them: RFC 8489 §5, §9.1, §14.
#pragma once
#include <string_view>

#include "bytes.h"

namespace ringfence {

enum class StunClass : std::uint8_t { request, indication, success, error };

// Views into the datagram.
struct StunMessage {
  static constexpr std::size_t headerLength = 20;
  static constexpr std::size_t longest = 1500;

  StunClass kind = StunClass::request;
  ConstBytes bytes;
  ConstBytes transaction;
  ConstBytes username;
  // Offsets of the integrity attributes; 0 where absent.
  std::size_t sha1At = 0;
  std::size_t sha256At = 0;
};

// A well-formed message of method Binding with a right FINGERPRINT, which ICE demands (RFC 8445 §7.1.3, §7.2.2).
bool readStun(ConstBytes bytes, StunMessage& message);

// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256: one at least is there, and each that is there is right (RFC 8489 §9.1.3).
// In constant time.
bool verifyStun(const StunMessage& message, std::string_view password);

}  // namespace ringfence
