// Telephone events of RFC 4733 §2.3 in both directions: read as they pass, and written in the place of a peer's voice.
#pragma once
#include <array>

#include "statistics.h"

namespace ringfence {

inline constexpr std::size_t digitRingLength = 8;
inline constexpr std::uint8_t noPayloadType = 255;
// 0 to 9, *, #, A to D (RFC 4733 §3.2).
inline constexpr std::uint8_t lastDigit = 15;

// Finds whole digits in the event packets of one source. The last eight stand in the row, each as event + 16 * milliseconds.
class DigitReader {
 public:
  void packet(ConstBytes payload, std::uint32_t timestamp, double perMs, Row row) {
    if (payload.size() < 4 || payload[0] > lastDigit) return;
    if (any_ && static_cast<std::int32_t>(timestamp - timestamp_) < 0) return;  // late packet of one before
    if (!any_ || timestamp != timestamp_) {
      // All of its end packets were lost: it ended no later than this one begins.
      if (open_) finish(perMs, row);
      any_ = true;
      open_ = true;
      timestamp_ = timestamp;
      duration_ = 0;
      event_ = payload[0];
    }
    if (!open_) return;  // the end is sent three times
    const std::uint16_t duration = load16(&payload[2]);
    if (duration > duration_) duration_ = duration;
    if ((payload[1] & 0x80) != 0) finish(perMs, row);
  }

 private:
  void finish(double perMs, Row row) {
    open_ = false;
    const double count = row.get(digitCount);
    const auto place = static_cast<std::size_t>(count) % digitRingLength;
    row.set(static_cast<Counter>(digitRing + place), event_ + 16.0 * static_cast<std::uint32_t>(duration_ / perMs));
    row.set(digitCount, count + 1);
  }

  std::uint32_t timestamp_ = 0;
  std::uint16_t duration_ = 0;
  std::uint8_t event_ = 0;
  bool any_ = false;
  bool open_ = false;
};

// Digits to be sent to a peer. Its voice packets are the clock: one after the other becomes an event packet with the sequence
// number that it had, until the digit has lasted and its end was sent three times (RFC 4733 §2.5.1.4).
class DigitWriter {
 public:
  static constexpr std::size_t packetLength = 16;

  // False: as many as are kept wait already.
  bool press(std::uint8_t digit, std::uint16_t milliseconds) {
    if (count_ == waiting_.size()) return false;
    waiting_[(first_ + count_++) % waiting_.size()] = {digit, milliseconds};
    return true;
  }
  [[nodiscard]] bool busy() const { return count_ > 0; }

  // Makes an event packet of `packet`, or leaves it where the pause between two digits is not over. True: it was changed.
  bool replace(Bytes packet, RtpHeader& header, std::uint8_t payloadType, double perMs) {
    if (pausing_ && static_cast<double>(static_cast<std::int32_t>(header.timestamp - pauseFrom_)) < pauseMs * perMs) return false;
    pausing_ = false;
    const bool first = !sending_;
    if (first) {
      sending_ = true;
      ends_ = 0;
      startedAt_ = header.timestamp;
    }
    const Waiting& digit = waiting_[first_];
    const double lasted = static_cast<double>(header.timestamp - startedAt_) + packetMs * perMs;
    const bool over = lasted >= digit.milliseconds * perMs;
    // What is said three times is the same three times.
    if (ends_ == 0) duration_ = static_cast<std::uint16_t>(lasted < 0xffff ? lasted : 0xffff);
    if (over) ends_++;
    packet[0] = 0x80;
    packet[1] = static_cast<std::uint8_t>((first ? 0x80 : 0) | payloadType);
    store32(&packet[4], startedAt_);
    packet[12] = digit.event;
    packet[13] = static_cast<std::uint8_t>((over ? 0x80 : 0) | volume);
    store16(&packet[14], duration_);
    header.timestamp = startedAt_;
    header.payloadType = payloadType;
    header.length = 12;
    if (ends_ == 3) {
      sending_ = false;
      pausing_ = true;
      pauseFrom_ = startedAt_ + static_cast<std::uint32_t>(lasted);
      first_ = (first_ + 1) % waiting_.size();
      count_--;
    }
    return true;
  }

 private:
  struct Waiting {
    std::uint8_t event;
    std::uint16_t milliseconds;
  };
  static constexpr double packetMs = 20;
  static constexpr double pauseMs = 60;
  static constexpr std::uint8_t volume = 10;  // -10 dBm0

  std::array<Waiting, 32> waiting_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint32_t startedAt_ = 0;
  std::uint32_t pauseFrom_ = 0;
  std::uint16_t duration_ = 0;
  std::uint8_t ends_ = 0;
  bool sending_ = false;
  bool pausing_ = false;
};

}  // namespace ringfence
