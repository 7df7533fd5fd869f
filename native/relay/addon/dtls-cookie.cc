#include "dtls-cookie.h"

#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace ringfence {
namespace {

constexpr std::uint8_t handshakeRecord = 22;
constexpr std::uint8_t clientHello = 1;
constexpr std::uint8_t helloVerifyRequest = 3;
constexpr std::size_t recordHeader = 13;
constexpr std::size_t messageHeader = 12;
constexpr std::size_t randomLength = 32;

std::uint32_t load24(ConstBytes bytes) { return std::uint32_t{bytes[0]} << 16 | std::uint32_t{bytes[1]} << 8 | bytes[2]; }

}  // namespace

CookieGate::CookieGate() {
  good_ = RAND_bytes(now_.data(), static_cast<int>(now_.size())) == 1;
  before_ = now_;
}

CookieGate::~CookieGate() {
  OPENSSL_cleanse(now_.data(), now_.size());
  OPENSSL_cleanse(before_.data(), before_.size());
}

// RFC 6347 §4.1, §4.2.2: one record of epoch 0 that holds the whole of the message. What is fragmented has to come again in
// one piece: to put it together would be state.
CookieGate::Answer CookieGate::look(std::uint32_t endpoint, const Address& source, ConstBytes datagram, double nowMs,
                                    Writer& reply) {
  Reader reader(datagram);
  if (!good_ || reader.u8() != handshakeRecord || reader.u8() != 0xfe) return Answer::none;
  reader.u8();
  if (reader.u16() != 0) return Answer::none;
  const ConstBytes recordNumber = reader.bytes(6);
  const std::size_t recordLength = reader.u16();
  if (reader.failed() || recordLength + recordHeader > datagram.size() || reader.u8() != clientHello) return Answer::none;
  const ConstBytes length = reader.bytes(3);
  reader.u16();
  const ConstBytes offset = reader.bytes(3);
  const ConstBytes fragment = reader.bytes(3);
  if (reader.failed() || load24(offset) != 0 || load24(fragment) != load24(length) ||
      load24(length) + messageHeader != recordLength) {
    return Answer::none;
  }
  Reader hello(reader.bytes(load24(length)));
  const ConstBytes version = hello.bytes(2);
  const ConstBytes random = hello.bytes(randomLength);
  const ConstBytes session = hello.bytes(hello.u8());
  const ConstBytes cookie = hello.bytes(hello.u8());
  const ConstBytes ciphers = hello.bytes(hello.u16());
  const ConstBytes compressions = hello.bytes(hello.u8());
  if (hello.failed() || version[0] != 0xfe || ciphers.empty() || compressions.empty()) return Answer::none;

  std::vector<std::uint8_t> parameters;
  for (const ConstBytes part : {version, random, session, ciphers, compressions}) {
    parameters.insert(parameters.end(), part.begin(), part.end());
  }
  renew(nowMs);
  std::uint8_t expected[cookieLength];
  for (const Secret* secret : {&now_, &before_}) {
    if (cookie.size() != cookieLength || !bake(*secret, endpoint, source, parameters, expected)) continue;
    if (CRYPTO_memcmp(cookie.data(), expected, cookieLength) == 0) return Answer::admit;
  }
  if (!bake(now_, endpoint, source, parameters, expected)) return Answer::none;
  constexpr std::size_t body = 2 + 1 + cookieLength;
  constexpr std::uint8_t zeros[3] = {};
  reply.u8(handshakeRecord);
  reply.u16(0xfeff);  // whatever will be agreed upon, RFC 6347 §4.2.1
  reply.u16(0);
  reply.bytes(recordNumber);
  reply.u16(messageHeader + body);
  reply.u8(helloVerifyRequest);
  reply.u8(0);
  reply.u16(body);
  reply.u16(0);
  reply.bytes(zeros);
  reply.u8(0);
  reply.u16(body);
  reply.u16(0xfeff);
  reply.u8(cookieLength);
  reply.bytes(expected);
  return reply.failed() ? Answer::none : Answer::verify;
}

bool CookieGate::bake(const Secret& secret, std::uint32_t endpoint, const Address& source, ConstBytes parameters,
                      std::uint8_t* cookie) const {
  std::uint8_t whence[4 + 2 + 16];
  store32(whence, endpoint);
  store16(whence + 4, source.port());
  const ConstBytes host = source.host();
  std::memcpy(whence + 6, host.data(), host.size());
  std::vector<std::uint8_t> all(whence, whence + 6 + host.size());
  all.insert(all.end(), parameters.begin(), parameters.end());
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), all.data(), all.size(), digest, &length) == nullptr) return false;
  std::memcpy(cookie, digest, cookieLength);
  return true;
}

// A cookie is good for at least one minute and at most two.
void CookieGate::renew(double nowMs) {
  if (nowMs - renewedMs_ < secretMs) return;
  const bool stale = nowMs - renewedMs_ >= 2 * secretMs;
  before_ = now_;
  good_ = RAND_bytes(now_.data(), static_cast<int>(now_.size())) == 1;
  if (stale) before_ = now_;
  renewedMs_ = nowMs;
}

}  // namespace ringfence
