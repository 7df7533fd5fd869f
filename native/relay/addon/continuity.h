// One stream for a peer, whoever speaks on the other side: after a transfer or a re-INVITE the new source goes on with the SSRC
// of the last one, with the next sequence number and the timestamp that its moment has (RFC 3550 §5.1). A phone then needs no
// new jitter buffer, and the rollover counter of SRTP (RFC 3711 §3.3.1) goes on with it.
#pragma once
#include "packet.h"

namespace ringfence {

class Continuity {
 public:
  // The other side has agreed to something new: if its next packet is of another source, that one takes over.
  void expectChange() { expecting_ = true; }
  // There is another side: whatever comes from it takes over, even under the same SSRC.
  void changePeer() { changed_ = true; }

  // Called for every RTP packet to the peer; rewrites it where its source is not the one that the peer knows.
  void pass(std::uint8_t* packet, RtpHeader& header, double nowMs, double perMs) {
    if (!started_) {
      started_ = true;
      known_ = source_ = header.ssrc;
      sequence_ = static_cast<std::uint16_t>(header.sequence - 1);
      expecting_ = changed_ = false;
    } else if (changed_ || (expecting_ && header.ssrc != source_)) {
      takeOver(packet, header, nowMs, perMs);
    }
    if (header.ssrc != source_) return;  // a second stream of the same side
    expecting_ = false;
    if (mapped_) rewrite(packet, header);
    if (static_cast<std::int16_t>(header.sequence - sequence_) > 0) {
      sequence_ = header.sequence;
      timestamp_ = header.timestamp;
      at_ = nowMs;
    }
  }

  // Between what the source and what the peer calls the stream, for RTCP.
  [[nodiscard]] std::uint32_t towardsPeer(std::uint32_t ssrc) const { return mapped_ && ssrc == source_ ? known_ : ssrc; }
  [[nodiscard]] std::uint32_t towardsSource(std::uint32_t ssrc) const { return mapped_ && ssrc == known_ ? source_ : ssrc; }

 private:
  void takeOver(std::uint8_t* packet, const RtpHeader& header, double nowMs, double perMs) {
    changed_ = false;
    mapped_ = true;
    source_ = header.ssrc;
    sequenceShift_ = static_cast<std::uint16_t>(sequence_ + 1 - header.sequence);
    const double since = nowMs - at_;
    timestampShift_ = timestamp_ + static_cast<std::uint32_t>((since > 1 ? since : 1) * perMs) - header.timestamp;
    packet[1] |= 0x80;  // the marker of a new talkspurt, RFC 3551 §4.1: time to adapt
  }
  void rewrite(std::uint8_t* packet, RtpHeader& header) const {
    header.ssrc = known_;
    header.sequence = static_cast<std::uint16_t>(header.sequence + sequenceShift_);
    header.timestamp += timestampShift_;
    store16(packet + 2, header.sequence);
    store32(packet + 4, header.timestamp);
    store32(packet + 8, header.ssrc);
  }

  double at_ = 0;
  std::uint32_t known_ = 0;   // SSRC that the peer knows
  std::uint32_t source_ = 0;  // SSRC that it stands for now
  std::uint32_t timestamp_ = 0;
  std::uint32_t timestampShift_ = 0;
  std::uint16_t sequence_ = 0;
  std::uint16_t sequenceShift_ = 0;
  bool started_ = false;
  bool mapped_ = false;
  bool expecting_ = false;
  bool changed_ = false;
};

// Of a compound of feedback and BYE, as RtcpTerminal leaves it: who speaks, and of whom.
inline void renameSources(Bytes compound, const Continuity& speaker, const Continuity& about) {
  std::size_t offset = 0;
  while (compound.size() - offset >= 8) {
    const std::size_t length = 4 + 4 * std::size_t{load16(&compound[offset + 2])};
    if (length > compound.size() - offset) return;
    if (length >= 8) store32(&compound[offset + 4], speaker.towardsPeer(load32(&compound[offset + 4])));
    const std::uint8_t type = compound[offset + 1];
    if ((type == 205 || type == 206) && length >= 12) {
      store32(&compound[offset + 8], about.towardsSource(load32(&compound[offset + 8])));
    }
    offset += length;
  }
}

}  // namespace ringfence
