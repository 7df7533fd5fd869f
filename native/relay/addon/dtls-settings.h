// What signalling says of a peer's DTLS, and how a handshake may end. The numbers are those of ../protocol/handshakes.ts.
#pragma once
#include <array>
#include <vector>

#include "bytes.h"
#include "suite.h"

namespace ringfence {

// RFC 8122 §5, weakest first. SHA-1 and MD5 are never taken.
enum class FingerprintHash : std::uint8_t { sha256, sha384, sha512 };

struct Fingerprint {
  FingerprintHash hash = FingerprintHash::sha256;
  std::uint8_t length = 0;
  std::array<std::uint8_t, 64> value{};

  [[nodiscard]] ConstBytes bytes() const { return {value.data(), length}; }
  bool operator==(const Fingerprint&) const = default;
};

struct DtlsSettings {
  bool server = false;
  std::vector<Fingerprint> fingerprints;
  std::vector<const Suite*> suites;  // what may be agreed to, strongest first
  bool operator==(const DtlsSettings&) const = default;
};

// Reasons of `unsecured`.
enum class DtlsFailure : std::uint8_t { fingerprint, helloHash, noCommonSuite, timeout, alert, protocol, authentication };

}  // namespace ringfence
