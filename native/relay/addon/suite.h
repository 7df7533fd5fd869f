// SDES crypto suites: RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2. The numbers are those of @ringfence/srtp/suite.ts.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ringfence {

struct Suite {
  std::uint8_t id;
  bool aead;
  std::uint8_t keyLength;
  std::uint8_t saltLength;
  std::uint8_t srtpTagLength;
  std::uint8_t srtcpTagLength;

  [[nodiscard]] constexpr std::size_t materialLength() const { return std::size_t{keyLength} + saltLength; }
};

inline constexpr std::size_t suiteCount = 6;
inline constexpr std::size_t longestMaterial = 46;
inline constexpr std::size_t longestMki = 128;  // RFC 4568 §6.1

inline constexpr Suite suiteTable[suiteCount] = {
    {1, false, 16, 14, 10, 10},  // AES_CM_128_HMAC_SHA1_80
    {2, false, 16, 14, 4, 10},   // AES_CM_128_HMAC_SHA1_32
    {3, false, 32, 14, 10, 10},  // AES_256_CM_HMAC_SHA1_80
    {4, false, 32, 14, 4, 10},   // AES_256_CM_HMAC_SHA1_32
    {5, true, 16, 12, 16, 16},   // AEAD_AES_128_GCM
    {6, true, 32, 12, 16, 16},   // AEAD_AES_256_GCM
};

inline const Suite* findSuite(std::uint8_t id) {
  return id >= 1 && id <= suiteCount ? &suiteTable[id - 1] : nullptr;
}

}  // namespace ringfence
