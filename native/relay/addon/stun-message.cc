#include "stun-message.h"

#include <array>
#include <cstring>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

namespace ringfence {
namespace {

constexpr std::uint32_t magicCookie = 0x2112a442;
constexpr std::uint32_t fingerprintMask = 0x5354554e;
constexpr std::uint16_t binding = 0x001;
constexpr std::size_t mostAttributes = 32;
constexpr std::size_t longestUsername = 508;
constexpr std::size_t sha1Length = 20;
constexpr std::size_t sha256Length = 32;
enum Attribute : std::uint16_t {
  usernameAttribute = 0x0006,
  integrityAttribute = 0x0008,
  integritySha256Attribute = 0x001c,
  fingerprintAttribute = 0x8028,
};

// The CRC-32 of ITU-T V.42, §14.7.
constexpr auto crcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; i++) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? value >> 1 ^ 0xedb88320U : value >> 1;
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc32(ConstBytes bytes) {
  std::uint32_t crc = ~0U;
  for (const std::uint8_t octet : bytes) crc = crc >> 8 ^ crcTable[(crc ^ octet) & 0xff];
  return ~crc;
}

// §14.5: over what stands before the attribute, with a length as if it were the last.
bool fits(const StunMessage& message, std::size_t at, const EVP_MD* hash, std::size_t length, std::string_view password) {
  std::array<std::uint8_t, StunMessage::longest> covered;
  std::memcpy(covered.data(), message.bytes.data(), at);
  store16(&covered[2], static_cast<std::uint16_t>(at - StunMessage::headerLength + 4 + length));
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> wanted{};
  unsigned int size = 0;
  return HMAC(hash, password.data(), static_cast<int>(password.size()), covered.data(), at, wanted.data(), &size) != nullptr &&
         size == length && CRYPTO_memcmp(wanted.data(), &message.bytes[at + 4], length) == 0;
}

}  // namespace

bool readStun(ConstBytes bytes, StunMessage& message) {
  if (bytes.size() < StunMessage::headerLength || bytes.size() > StunMessage::longest) return false;
  const std::uint16_t type = load16(bytes.data());
  const std::uint16_t length = load16(&bytes[2]);
  if (type > 0x3fff || length % 4 != 0 || length != bytes.size() - StunMessage::headerLength || load32(&bytes[4]) != magicCookie) {
    return false;
  }
  // The class is two bits apart within the type, the method the other twelve: §5, figure 3.
  if ((type & 0x3eef) != binding) return false;
  message = {};
  message.kind = static_cast<StunClass>((type >> 7 & 2) | (type >> 4 & 1));
  message.bytes = bytes;
  message.transaction = bytes.subspan(8, 12);
  Reader reader(bytes.subspan(StunMessage::headerLength));
  std::size_t at = StunMessage::headerLength;
  for (std::size_t count = 0; !reader.atEnd(); count++) {
    if (count == mostAttributes) return false;
    const std::uint16_t kind = reader.u16();
    const std::uint16_t size = reader.u16();
    const ConstBytes value = reader.bytes(size);
    reader.bytes((4U - size % 4U) % 4U);
    if (reader.failed()) return false;
    if (kind == fingerprintAttribute) {
      return size == 4 && reader.atEnd() && load32(value.data()) == (crc32(bytes.first(at)) ^ fingerprintMask);
    }
    if (kind == integritySha256Attribute) {
      if (size != sha256Length) return false;  // truncation is for usages that ask for it, §14.6
      if (message.sha256At == 0) message.sha256At = at;
    } else if (message.sha256At != 0) {
      // Behind it nothing but FINGERPRINT counts, §14.6.
    } else if (kind == integrityAttribute) {
      if (size != sha1Length) return false;
      if (message.sha1At == 0) message.sha1At = at;
    } else if (kind == usernameAttribute && message.sha1At == 0) {
      if (size > longestUsername) return false;
      if (message.username.data() == nullptr) message.username = value;
    }
    at += 4 + (size + 3U) / 4 * 4;
  }
  return false;
}

bool verifyStun(const StunMessage& message, std::string_view password) {
  if (password.empty() || (message.sha1At == 0 && message.sha256At == 0)) return false;
  return (message.sha1At == 0 || fits(message, message.sha1At, EVP_sha1(), sha1Length, password)) &&
         (message.sha256At == 0 || fits(message, message.sha256At, EVP_sha256(), sha256Length, password));
}

}  // namespace ringfence
