// SRTP and SRTCP of one direction: RFC 3711, RFC 6188, RFC 7714. No allocation per packet.
#pragma once
#include <memory>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "packet.h"
#include "replay.h"
#include "suite.h"

namespace ringfence {

enum class Verdict : std::uint8_t { ok, malformed, authentication, replay, exhausted };

enum class Direction : std::uint8_t { send, receive };

struct SessionKeys {
  std::uint8_t cipher[32];
  std::uint8_t authentication[20];
  std::uint8_t salt[14];  // 12 octets with AEAD

  ~SessionKeys();
};

// RFC 3711 §4.3 with a key derivation rate of 0. `rtcp` chooses labels 3 to 5.
bool deriveSessionKeys(const Suite& suite, ConstBytes material, bool rtcp, SessionKeys& keys);

// Session keys made ready for use: an AES context and the two halves of HMAC-SHA1 after their first block.
class SessionCipher {
 public:
  SessionCipher() = default;
  ~SessionCipher();
  SessionCipher(const SessionCipher&) = delete;
  SessionCipher& operator=(const SessionCipher&) = delete;

  bool setKeys(const Suite& suite, Direction direction, const SessionKeys& keys);
  [[nodiscard]] const std::uint8_t* salt() const { return salt_; }

  // RFC 3711 §4.1.1; its own inverse.
  bool applyKeystream(std::uint32_t ssrc, std::uint64_t index, Bytes data);
  // RFC 3711 §4.2.1: HMAC-SHA1 over data and then four more octets.
  void digest(ConstBytes data, std::uint32_t suffix, std::uint8_t out[20]) const;
  // RFC 7714 §8.1, §9.1. `middle` is the rollover counter and sequence, or zero and the SRTCP index, in 6 octets.
  bool seal(std::uint32_t ssrc, std::uint64_t middle, ConstBytes aad, ConstBytes moreAad, Bytes data, std::uint8_t tag[16]);
  bool open(std::uint32_t ssrc, std::uint64_t middle, ConstBytes aad, ConstBytes moreAad, Bytes data,
            const std::uint8_t tag[16]);

 private:
  void nonce(std::uint32_t ssrc, std::uint64_t middle, std::uint8_t out[12]) const;

  EVP_CIPHER_CTX* cipher_ = nullptr;
  SHA_CTX inner_;
  SHA_CTX outer_;
  std::uint8_t salt_[14] = {};
};

// One master key in one direction. `length` is in and out; what is added by protecting fits in `protectOverhead`.
class Context {
 public:
  static constexpr std::size_t protectOverhead = 16 + 4 + longestMki;

  // Nothing when the lengths do not fit the suite or OpenSSL refuses.
  static std::unique_ptr<Context> create(const Suite& suite, Direction direction, ConstBytes material, ConstBytes mki);
  // For vectors that give session keys instead of a master key.
  static std::unique_ptr<Context> fromSessionKeys(const Suite& suite, Direction direction, const SessionKeys& rtp,
                                                  const SessionKeys& rtcp);
  ~Context();

  [[nodiscard]] bool madeFrom(const Suite& suite, ConstBytes material, ConstBytes mki) const;

  // SRTCP that is authenticated but not encrypted (E flag 0, RFC 3711 §3.4) is refused unless this was called.
  void takeUnencryptedRtcp() { unencryptedRtcp_ = true; }

  Verdict protectRtp(std::uint8_t* packet, std::size_t& length, const RtpHeader& header);
  Verdict unprotectRtp(std::uint8_t* packet, std::size_t& length, const RtpHeader& header);
  Verdict protectRtcp(std::uint8_t* packet, std::size_t& length);
  Verdict unprotectRtcp(std::uint8_t* packet, std::size_t& length);

  // Continues a stream at a later index, for tests of rollover and exhaustion.
  void resume(std::uint32_t ssrc, std::uint64_t rtpIndex, std::uint32_t rtcpIndex);

 private:
  explicit Context(const Suite& suite) : suite_(suite) {}

  const Suite& suite_;
  bool unencryptedRtcp_ = false;
  std::uint8_t mkiLength_ = 0;
  std::uint8_t mki_[longestMki] = {};
  std::uint64_t nextRtcpIndex_ = 0;  // one for all SSRCs of the key: gaps are harmless, reuse is not
  SessionCipher rtp_;
  SessionCipher rtcp_;
  Streams rtpStreams_;
  Streams rtcpStreams_;
};

}  // namespace ringfence
