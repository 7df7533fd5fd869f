// Sound that is played to a peer in place of what the other side sends: music on hold, announcements.
#pragma once
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "packet.h"

namespace ringfence {

inline constexpr double frameMs = 20;
// Number of the event that tells of a clip's end, as in ../protocol/events.ts.
inline constexpr std::uint8_t playedEvent = 16;

// Payloads of 20 ms each, encoded already.
struct Clip {
  std::vector<std::uint8_t> octets;
  std::vector<std::uint32_t> ends;  // of each frame within `octets`
  std::uint16_t step = 160;         // RTP clock ticks of a frame

  [[nodiscard]] ConstBytes frame(std::size_t index) const {
    const std::size_t from = index == 0 ? 0 : ends[index - 1];
    return ConstBytes(octets).subspan(from, ends[index] - from);
  }
};

// The clips of all calls; what plays keeps its own until it ends, also where the clip is replaced or dropped meanwhile.
class Clips {
 public:
  static constexpr std::size_t most = 256;
  static constexpr std::size_t mostOctets = std::size_t{64} * 1024 * 1024;
  static constexpr std::size_t longestFrame = 1400;

  // u32 clip, u16 step, u8 1: it begins anew, then frames as u16 length and octets. Without any it is dropped.
  // False: malformed, or more than is kept.
  bool add(Reader& reader) {
    const std::uint32_t id = reader.u32();
    const std::uint16_t step = reader.u16();
    const bool begins = reader.u8() == 1;
    if (reader.failed()) return false;
    if (begins) drop(id);
    if (reader.atEnd()) return true;
    const auto known = clips_.find(id);
    if (!begins && known == clips_.end()) return false;
    if (begins && clips_.size() >= most) return false;
    // Nobody plays it while it grows, or whoever does holds the one before.
    auto clip = begins ? std::make_shared<Clip>() : std::make_shared<Clip>(*known->second);
    clip->step = step;
    while (!reader.atEnd()) {
      const ConstBytes frame = reader.bytes(reader.u16());
      if (reader.failed() || frame.empty() || frame.size() > longestFrame || octets_ + frame.size() > mostOctets) return false;
      octets_ += frame.size();
      clip->octets.insert(clip->octets.end(), frame.begin(), frame.end());
      clip->ends.push_back(static_cast<std::uint32_t>(clip->octets.size()));
    }
    clips_[id] = std::move(clip);
    return true;
  }

  [[nodiscard]] std::shared_ptr<const Clip> find(std::uint32_t id) const {
    const auto found = clips_.find(id);
    return found == clips_.end() ? nullptr : found->second;
  }

 private:
  void drop(std::uint32_t id) {
    const auto found = clips_.find(id);
    if (found == clips_.end()) return;
    octets_ -= found->second->octets.size();
    clips_.erase(found);
  }

  std::unordered_map<std::uint32_t, std::shared_ptr<Clip>> clips_;
  std::size_t octets_ = 0;
};

// One clip on its way to one peer: a source of RTP of its own.
class Player {
 public:
  static constexpr std::size_t seedLength = 10;

  Player(std::shared_ptr<const Clip> clip, std::uint8_t payloadType, bool loop, const std::uint8_t* seed)
      : clip_(std::move(clip)),
        payloadType_(payloadType),
        loop_(loop),
        sequence_(load16(seed) & 0x7fff),
        timestamp_(load32(seed + 2)),
        ssrc_(load32(seed + 6)) {}

  [[nodiscard]] bool over() const { return next_ >= clip_->ends.size(); }
  [[nodiscard]] double perMs() const { return clip_->step / frameMs; }

  // The next packet; its length.
  std::size_t write(Bytes packet, RtpHeader& header) {
    const ConstBytes frame = clip_->frame(next_);
    header = {12, payloadType_, sequence_, timestamp_, ssrc_};
    packet[0] = 0x80;
    packet[1] = static_cast<std::uint8_t>((first_ ? 0x80 : 0) | payloadType_);
    store16(&packet[2], sequence_);
    store32(&packet[4], timestamp_);
    store32(&packet[8], ssrc_);
    std::memcpy(&packet[12], frame.data(), frame.size());
    first_ = false;
    sequence_++;
    timestamp_ += clip_->step;
    next_++;
    if (loop_ && over()) next_ = 0;
    return 12 + frame.size();
  }

 private:
  std::shared_ptr<const Clip> clip_;
  std::uint8_t payloadType_;
  bool loop_;
  bool first_ = true;
  std::uint16_t sequence_;
  std::uint32_t timestamp_;
  std::uint32_t ssrc_;
  std::size_t next_ = 0;
};

}  // namespace ringfence
