// Packet index and replay window: RFC 3711 §3.3.1 and §3.3.2, appendix A.
#pragma once
#include <cstdint>

namespace ringfence {

__extension__ using Window128 = unsigned __int128;

inline constexpr std::uint64_t rtpIndexLimit = std::uint64_t{1} << 48;
inline constexpr std::uint64_t rtcpIndexLimit = std::uint64_t{1} << 31;

// 128 packets behind the highest authenticated index; RFC 3711 asks for at least 64.
class ReplayWindow {
 public:
  static constexpr std::uint64_t size = 128;

  [[nodiscard]] std::uint64_t highest() const { return highest_; }

  [[nodiscard]] bool admits(std::uint64_t index) const {
    if (!started_ || index > highest_) return true;
    const std::uint64_t behind = highest_ - index;
    return behind < size && (seen_ >> behind & 1) == 0;
  }

  void accept(std::uint64_t index) {
    if (!started_) {
      started_ = true;
      highest_ = index;
      seen_ = 1;
    } else if (index > highest_) {
      const std::uint64_t ahead = index - highest_;
      seen_ = ahead < size ? seen_ << ahead | 1 : Window128{1};
      highest_ = index;
    } else if (highest_ - index < size) {
      seen_ |= Window128{1} << (highest_ - index);
    }
  }

 private:
  Window128 seen_ = 0;
  std::uint64_t highest_ = 0;
  bool started_ = false;
};

// RFC 3711 §3.3.1: the index nearest to the highest one that has this sequence number. rtpIndexLimit means none.
inline std::uint64_t estimateIndex(std::uint64_t highest, std::uint16_t sequence) {
  const std::uint64_t rollover = highest >> 16;
  const auto last = static_cast<std::uint16_t>(highest);
  if (last < 0x8000) {
    if (sequence - last > 0x8000) return rollover == 0 ? rtpIndexLimit : (rollover - 1) << 16 | sequence;
  } else if (last - 0x8000 > sequence) {
    return (rollover + 1) << 16 | sequence;  // equals the limit once 2^48 packets were sent
  }
  return rollover << 16 | sequence;
}

// State of each SSRC under one key. Eight are live; one that made room for a newer one is remembered and never
// admitted again under this key, since its window is gone: a receiver could be replayed to, a sender would reuse keystream.
class Streams {
 public:
  static constexpr std::size_t live = 8;
  static constexpr std::size_t retired = 56;

  struct Stream {
    ReplayWindow window;
    std::uint64_t used = 0;
    std::uint32_t ssrc = 0;
    bool taken = false;
  };

  Stream* find(std::uint32_t ssrc) {
    if (streams_[last_].taken && streams_[last_].ssrc == ssrc) return &streams_[last_];
    for (std::size_t i = 0; i < live; i++) {
      if (streams_[i].taken && streams_[i].ssrc == ssrc) {
        last_ = i;
        return &streams_[i];
      }
    }
    return nullptr;
  }

  [[nodiscard]] bool admitsNew(std::uint32_t ssrc) const {
    for (std::size_t i = 0; i < retiredCount_; i++) {
      if (retired_[i] == ssrc) return false;
    }
    return retiredCount_ < retired || !streams_[live - 1].taken;
  }

  // Only after the packet was authenticated (receiver) or is about to be sent (sender).
  Stream& insert(std::uint32_t ssrc) {
    std::size_t slot = 0;
    for (std::size_t i = 0; i < live; i++) {
      if (!streams_[i].taken) {
        slot = i;
        break;
      }
      if (streams_[i].used < streams_[slot].used) slot = i;
    }
    if (streams_[slot].taken && retiredCount_ < retired) retired_[retiredCount_++] = streams_[slot].ssrc;
    streams_[slot] = Stream{};
    streams_[slot].ssrc = ssrc;
    streams_[slot].taken = true;
    last_ = slot;
    return streams_[slot];
  }

  void touch(Stream& stream) { stream.used = ++clock_; }

 private:
  Stream streams_[live];
  std::uint32_t retired_[retired] = {};
  std::size_t retiredCount_ = 0;
  std::size_t last_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace ringfence
