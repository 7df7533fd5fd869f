#include "srtp.h"

#include <cstring>

#include <openssl/crypto.h>

namespace ringfence {
namespace {

constexpr std::uint32_t encryptedFlag = 0x80000000;  // E, RFC 3711 §3.4

std::uint32_t rolloverOf(std::uint64_t index) { return static_cast<std::uint32_t>(index >> 16); }

}  // namespace

std::unique_ptr<Context> Context::create(const Suite& suite, Direction direction, ConstBytes material, ConstBytes mki) {
  if (material.size() != suite.materialLength() || mki.size() > longestMki) return nullptr;
  SessionKeys rtp;
  SessionKeys rtcp;
  if (!deriveSessionKeys(suite, material, false, rtp) || !deriveSessionKeys(suite, material, true, rtcp)) return nullptr;
  std::unique_ptr<Context> context = fromSessionKeys(suite, direction, rtp, rtcp);
  if (context && !mki.empty()) {
    context->mkiLength_ = static_cast<std::uint8_t>(mki.size());
    std::memcpy(context->mki_, mki.data(), mki.size());
  }
  return context;
}

std::unique_ptr<Context> Context::fromSessionKeys(const Suite& suite, Direction direction, const SessionKeys& rtp,
                                                  const SessionKeys& rtcp) {
  std::unique_ptr<Context> context(new Context(suite));
  if (!context->rtp_.setKeys(suite, direction, rtp) || !context->rtcp_.setKeys(suite, direction, rtcp)) return nullptr;
  return context;
}

Context::~Context() = default;

// The derived salts stand for the master key: they depend on all of it, and it is no longer here.
bool Context::madeFrom(const Suite& suite, ConstBytes material, ConstBytes mki) const {
  if (suite.id != suite_.id || mki.size() != mkiLength_) return false;
  if (mkiLength_ != 0 && std::memcmp(mki.data(), mki_, mkiLength_) != 0) return false;
  SessionKeys keys;
  return deriveSessionKeys(suite, material, false, keys) &&
         CRYPTO_memcmp(keys.salt, rtp_.salt(), suite.saltLength) == 0;
}

Verdict Context::protectRtp(std::uint8_t* packet, std::size_t& length, const RtpHeader& header) {
  Streams::Stream* stream = rtpStreams_.find(header.ssrc);
  if (stream == nullptr && !rtpStreams_.admitsNew(header.ssrc)) return Verdict::exhausted;
  const std::uint64_t index = stream == nullptr ? header.sequence : estimateIndex(stream->window.highest(), header.sequence);
  if (index >= rtpIndexLimit) return stream->window.highest() >= rtpIndexLimit - 0x8000 ? Verdict::exhausted : Verdict::replay;
  // Two different packets under one index would share keystream, and with GCM give the authentication key away.
  if (stream != nullptr && !stream->window.admits(index)) return Verdict::replay;
  if (stream == nullptr) stream = &rtpStreams_.insert(header.ssrc);
  stream->window.accept(index);
  rtpStreams_.touch(*stream);

  const Bytes payload(packet + header.length, length - header.length);
  if (suite_.aead) {
    if (!rtp_.seal(header.ssrc, index, ConstBytes(packet, header.length), {}, payload, packet + length)) {
      return Verdict::authentication;
    }
    length += suite_.srtpTagLength;
    std::memcpy(packet + length, mki_, mkiLength_);
    length += mkiLength_;
    return Verdict::ok;
  }
  if (!rtp_.applyKeystream(header.ssrc, index, payload)) return Verdict::authentication;
  std::uint8_t tag[20];
  rtp_.digest(ConstBytes(packet, length), rolloverOf(index), tag);
  std::memcpy(packet + length, mki_, mkiLength_);
  length += mkiLength_;
  std::memcpy(packet + length, tag, suite_.srtpTagLength);
  length += suite_.srtpTagLength;
  return Verdict::ok;
}

Verdict Context::unprotectRtp(std::uint8_t* packet, std::size_t& length, const RtpHeader& header) {
  const std::size_t trailer = std::size_t{suite_.srtpTagLength} + mkiLength_;
  if (length < header.length + trailer) return Verdict::malformed;
  const std::size_t end = length - trailer;
  const std::uint8_t* mki = packet + end + (suite_.aead ? suite_.srtpTagLength : 0);
  const std::uint8_t* tag = packet + end + (suite_.aead ? 0 : mkiLength_);
  if (mkiLength_ != 0 && std::memcmp(mki, mki_, mkiLength_) != 0) return Verdict::authentication;

  Streams::Stream* stream = rtpStreams_.find(header.ssrc);
  if (stream == nullptr && !rtpStreams_.admitsNew(header.ssrc)) return Verdict::replay;
  const std::uint64_t index = stream == nullptr ? header.sequence : estimateIndex(stream->window.highest(), header.sequence);
  if (index >= rtpIndexLimit) return Verdict::replay;
  if (stream != nullptr && !stream->window.admits(index)) return Verdict::replay;

  const Bytes payload(packet + header.length, end - header.length);
  if (suite_.aead) {
    if (!rtp_.open(header.ssrc, index, ConstBytes(packet, header.length), {}, payload, tag)) return Verdict::authentication;
  } else {
    std::uint8_t expected[20];
    rtp_.digest(ConstBytes(packet, end), rolloverOf(index), expected);
    if (CRYPTO_memcmp(expected, tag, suite_.srtpTagLength) != 0) return Verdict::authentication;
    if (!rtp_.applyKeystream(header.ssrc, index, payload)) return Verdict::authentication;
  }

  if (stream == nullptr) stream = &rtpStreams_.insert(header.ssrc);
  stream->window.accept(index);
  rtpStreams_.touch(*stream);
  length = end;
  return Verdict::ok;
}

Verdict Context::protectRtcp(std::uint8_t* packet, std::size_t& length) {
  if (!isRtcp(ConstBytes(packet, length))) return Verdict::malformed;
  if (nextRtcpIndex_ >= rtcpIndexLimit) return Verdict::exhausted;
  const std::uint64_t index = nextRtcpIndex_++;
  const std::uint32_t ssrc = load32(packet + 4);
  const std::uint32_t word = encryptedFlag | static_cast<std::uint32_t>(index);
  const Bytes payload(packet + rtcpHeaderLength, length - rtcpHeaderLength);
  std::uint8_t wordBytes[4];
  store32(wordBytes, word);
  if (suite_.aead) {
    if (!rtcp_.seal(ssrc, index, ConstBytes(packet, rtcpHeaderLength), wordBytes, payload, packet + length)) {
      return Verdict::authentication;
    }
    length += suite_.srtcpTagLength;
    std::memcpy(packet + length, wordBytes, sizeof wordBytes);
    length += sizeof wordBytes;
    std::memcpy(packet + length, mki_, mkiLength_);
    length += mkiLength_;
    return Verdict::ok;
  }
  if (!rtcp_.applyKeystream(ssrc, index, payload)) return Verdict::authentication;
  std::uint8_t tag[20];
  rtcp_.digest(ConstBytes(packet, length), word, tag);
  std::memcpy(packet + length, wordBytes, sizeof wordBytes);
  length += sizeof wordBytes;
  std::memcpy(packet + length, mki_, mkiLength_);
  length += mkiLength_;
  std::memcpy(packet + length, tag, suite_.srtcpTagLength);
  length += suite_.srtcpTagLength;
  return Verdict::ok;
}

Verdict Context::unprotectRtcp(std::uint8_t* packet, std::size_t& length) {
  const std::size_t trailer = std::size_t{suite_.srtcpTagLength} + 4 + mkiLength_;
  if (length < rtcpHeaderLength + trailer || packet[0] >> 6 != 2) return Verdict::malformed;
  const std::size_t end = length - trailer;
  const std::uint8_t* tag = suite_.aead ? packet + end : packet + end + 4 + mkiLength_;
  const std::uint8_t* wordBytes = suite_.aead ? packet + end + suite_.srtcpTagLength : packet + end;
  if (mkiLength_ != 0 && std::memcmp(wordBytes + 4, mki_, mkiLength_) != 0) return Verdict::authentication;

  const std::uint32_t ssrc = load32(packet + 4);
  const std::uint32_t word = load32(wordBytes);
  const std::uint64_t index = word & ~encryptedFlag;
  const bool encrypted = (word & encryptedFlag) != 0;
  if (!encrypted && !unencryptedRtcp_) return Verdict::authentication;
  Streams::Stream* stream = rtcpStreams_.find(ssrc);
  if (stream == nullptr ? !rtcpStreams_.admitsNew(ssrc) : !stream->window.admits(index)) return Verdict::replay;

  const Bytes payload(packet + rtcpHeaderLength, end - rtcpHeaderLength);
  if (suite_.aead) {
    // RFC 7714 §9.3: unencrypted SRTCP is associated data as a whole.
    const std::size_t clear = encrypted ? rtcpHeaderLength : end;
    const Bytes sealed = encrypted ? payload : Bytes{};
    if (!rtcp_.open(ssrc, index, ConstBytes(packet, clear), ConstBytes(wordBytes, 4), sealed, tag)) {
      return Verdict::authentication;
    }
  } else {
    std::uint8_t expected[20];
    rtcp_.digest(ConstBytes(packet, end), word, expected);
    if (CRYPTO_memcmp(expected, tag, suite_.srtcpTagLength) != 0) return Verdict::authentication;
    if (encrypted && !rtcp_.applyKeystream(ssrc, index, payload)) return Verdict::authentication;
  }

  if (stream == nullptr) stream = &rtcpStreams_.insert(ssrc);
  stream->window.accept(index);
  rtcpStreams_.touch(*stream);
  length = end;
  return Verdict::ok;
}

void Context::resume(std::uint32_t ssrc, std::uint64_t rtpIndex, std::uint32_t rtcpIndex) {
  Streams::Stream* stream = rtpStreams_.find(ssrc);
  if (stream == nullptr) stream = &rtpStreams_.insert(ssrc);
  stream->window = ReplayWindow{};
  stream->window.accept(rtpIndex);
  rtpStreams_.touch(*stream);
  nextRtcpIndex_ = rtcpIndex;
}

}  // namespace ringfence
