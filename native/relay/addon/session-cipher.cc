#include <cstring>

#include <openssl/crypto.h>

#include "srtp.h"

namespace ringfence {
namespace {

// Fetched once: an implicit fetch per context would take OpenSSL's locks on every call set-up.
const EVP_CIPHER* cipherOf(const Suite& suite) {
  static const EVP_CIPHER* const ecb128 = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
  static const EVP_CIPHER* const ecb256 = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
  static const EVP_CIPHER* const gcm128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  static const EVP_CIPHER* const gcm256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  if (suite.aead) return suite.keyLength == 16 ? gcm128 : gcm256;
  return suite.keyLength == 16 ? ecb128 : ecb256;
}

const EVP_CIPHER* blockCipher(std::size_t keyLength) {
  return cipherOf(keyLength == 16 ? suiteTable[0] : suiteTable[2]);
}

// AES-CM as a pseudo-random function (RFC 3711 §4.3.3, RFC 6188 §3): keystream with the label mixed into the salt.
bool prf(EVP_CIPHER_CTX* cipher, const std::uint8_t salt[14], std::uint8_t label, Bytes out) {
  std::uint8_t blocks[48] = {};
  const std::size_t count = (out.size() + 15) / 16;
  for (std::size_t i = 0; i < count; i++) {
    std::memcpy(blocks + 16 * i, salt, 14);
    blocks[16 * i + 7] ^= label;
    blocks[16 * i + 15] = static_cast<std::uint8_t>(i);
  }
  int written = 0;
  const bool good = EVP_EncryptUpdate(cipher, blocks, &written, blocks, static_cast<int>(16 * count)) == 1;
  std::memcpy(out.data(), blocks, out.size());
  OPENSSL_cleanse(blocks, sizeof blocks);
  return good;
}

}  // namespace

SessionKeys::~SessionKeys() { OPENSSL_cleanse(this, sizeof *this); }

bool deriveSessionKeys(const Suite& suite, ConstBytes material, bool rtcp, SessionKeys& keys) {
  if (material.size() != suite.materialLength()) return false;
  // RFC 7714 §11: the 96-bit master salt is extended with zeros on the right.
  std::uint8_t salt[14] = {};
  std::memcpy(salt, material.data() + suite.keyLength, suite.saltLength);
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  const auto first = static_cast<std::uint8_t>(rtcp ? 3 : 0);
  const bool good = cipher != nullptr &&
                    EVP_EncryptInit_ex(cipher, blockCipher(suite.keyLength), nullptr, material.data(), nullptr) == 1 &&
                    EVP_CIPHER_CTX_set_padding(cipher, 0) == 1 &&
                    prf(cipher, salt, first, Bytes(keys.cipher, suite.keyLength)) &&
                    prf(cipher, salt, static_cast<std::uint8_t>(first + 1), keys.authentication) &&
                    prf(cipher, salt, static_cast<std::uint8_t>(first + 2), Bytes(keys.salt, suite.saltLength));
  EVP_CIPHER_CTX_free(cipher);
  OPENSSL_cleanse(salt, sizeof salt);
  return good;
}

SessionCipher::~SessionCipher() {
  EVP_CIPHER_CTX_free(cipher_);  // overwrites the key schedule
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
  OPENSSL_cleanse(salt_, sizeof salt_);
}

bool SessionCipher::setKeys(const Suite& suite, Direction direction, const SessionKeys& keys) {
  cipher_ = EVP_CIPHER_CTX_new();
  if (cipher_ == nullptr) return false;
  std::memcpy(salt_, keys.salt, suite.saltLength);
  // Counter mode encrypts its counter in both directions.
  const int encrypting = !suite.aead || direction == Direction::send ? 1 : 0;
  if (EVP_CipherInit_ex(cipher_, cipherOf(suite), nullptr, keys.cipher, nullptr, encrypting) != 1) return false;
  if (suite.aead) return true;
  if (EVP_CIPHER_CTX_set_padding(cipher_, 0) != 1) return false;
  std::uint8_t block[64];
  std::memset(block, 0x36, sizeof block);
  for (std::size_t i = 0; i < sizeof keys.authentication; i++) block[i] ^= keys.authentication[i];
  SHA1_Init(&inner_);
  SHA1_Update(&inner_, block, sizeof block);
  for (std::uint8_t& octet : block) octet ^= 0x36 ^ 0x5c;
  SHA1_Init(&outer_);
  SHA1_Update(&outer_, block, sizeof block);
  OPENSSL_cleanse(block, sizeof block);
  return true;
}

bool SessionCipher::applyKeystream(std::uint32_t ssrc, std::uint64_t index, Bytes data) {
  constexpr std::size_t chunk = 512;
  std::uint8_t counter[16] = {};
  std::memcpy(counter, salt_, 14);
  for (int i = 0; i < 4; i++) counter[4 + i] ^= static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
  for (int i = 0; i < 6; i++) counter[8 + i] ^= static_cast<std::uint8_t>(index >> (40 - 8 * i));
  alignas(16) std::uint8_t stream[chunk];
  std::uint16_t block = 0;
  for (std::size_t offset = 0; offset < data.size(); offset += chunk) {
    const std::size_t length = data.size() - offset < chunk ? data.size() - offset : chunk;
    const std::size_t blocks = (length + 15) / 16;
    for (std::size_t i = 0; i < blocks; i++, block++) {
      std::memcpy(stream + 16 * i, counter, 14);
      store16(stream + 16 * i + 14, block);
    }
    int written = 0;
    if (EVP_EncryptUpdate(cipher_, stream, &written, stream, static_cast<int>(16 * blocks)) != 1) return false;
    std::uint8_t* target = data.data() + offset;
    for (std::size_t i = 0; i < length; i++) target[i] ^= stream[i];
  }
  return true;
}

void SessionCipher::digest(ConstBytes data, std::uint32_t suffix, std::uint8_t out[20]) const {
  std::uint8_t tail[4];
  store32(tail, suffix);
  SHA_CTX state = inner_;
  SHA1_Update(&state, data.data(), data.size());
  SHA1_Update(&state, tail, sizeof tail);
  std::uint8_t hash[20];
  SHA1_Final(hash, &state);
  state = outer_;
  SHA1_Update(&state, hash, sizeof hash);
  SHA1_Final(out, &state);
}

void SessionCipher::nonce(std::uint32_t ssrc, std::uint64_t middle, std::uint8_t out[12]) const {
  std::memcpy(out, salt_, 12);
  for (int i = 0; i < 4; i++) out[2 + i] ^= static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
  for (int i = 0; i < 6; i++) out[6 + i] ^= static_cast<std::uint8_t>(middle >> (40 - 8 * i));
}

bool SessionCipher::seal(std::uint32_t ssrc, std::uint64_t middle, ConstBytes aad, ConstBytes moreAad, Bytes data,
                         std::uint8_t tag[16]) {
  std::uint8_t iv[12];
  nonce(ssrc, middle, iv);
  int written = 0;
  if (EVP_EncryptInit_ex(cipher_, nullptr, nullptr, nullptr, iv) != 1) return false;
  if (EVP_EncryptUpdate(cipher_, nullptr, &written, aad.data(), static_cast<int>(aad.size())) != 1) return false;
  if (!moreAad.empty() &&
      EVP_EncryptUpdate(cipher_, nullptr, &written, moreAad.data(), static_cast<int>(moreAad.size())) != 1) {
    return false;
  }
  if (!data.empty() &&
      EVP_EncryptUpdate(cipher_, data.data(), &written, data.data(), static_cast<int>(data.size())) != 1) {
    return false;
  }
  std::uint8_t none[16];
  return EVP_EncryptFinal_ex(cipher_, none, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher_, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
}

bool SessionCipher::open(std::uint32_t ssrc, std::uint64_t middle, ConstBytes aad, ConstBytes moreAad, Bytes data,
                         const std::uint8_t tag[16]) {
  std::uint8_t iv[12];
  std::uint8_t expected[16];
  nonce(ssrc, middle, iv);
  std::memcpy(expected, tag, sizeof expected);
  int written = 0;
  if (EVP_DecryptInit_ex(cipher_, nullptr, nullptr, nullptr, iv) != 1) return false;
  if (EVP_DecryptUpdate(cipher_, nullptr, &written, aad.data(), static_cast<int>(aad.size())) != 1) return false;
  if (!moreAad.empty() &&
      EVP_DecryptUpdate(cipher_, nullptr, &written, moreAad.data(), static_cast<int>(moreAad.size())) != 1) {
    return false;
  }
  if (!data.empty() &&
      EVP_DecryptUpdate(cipher_, data.data(), &written, data.data(), static_cast<int>(data.size())) != 1) {
    return false;
  }
  std::uint8_t none[16];
  return EVP_CIPHER_CTX_ctrl(cipher_, EVP_CTRL_AEAD_SET_TAG, 16, expected) == 1 &&
         EVP_DecryptFinal_ex(cipher_, none, &written) == 1;
}

}  // namespace ringfence
