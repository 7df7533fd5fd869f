// Counters of one endpoint, in memory that JavaScript reads while the thread writes. RFC 3550 §6.4.1, appendices A.1, A.3, A.8.
#pragma once
#include <array>

#include "packet.h"
#include "replay.h"

namespace ringfence {

// The order is that of ../counters.ts. Doubles, since JavaScript reads them without BigInt; whole up to 2^53.
enum Counter : std::size_t {
  endpointId,  // 0 where the row is free
  packets,
  octets,
  rtcpPackets,
  lost,
  reordered,
  duplicates,
  jitterMs,
  receivedAt,  // CLOCK_MONOTONIC in ms; 0 before the first
  sentPackets,
  sentOctets,
  droppedSource,
  droppedAuthentication,
  droppedReplay,
  droppedMalformed,
  droppedUnlinked,
  sourceVersion,  // grows with each address that was learned
  exhausted,      // packets not sent because their key has reached its lifetime
  sendFailures,
  peerId,
  expecting,  // 1 while a remote is configured and packets may come in
  configuredAt,
  digitCount, // digits that were heard whole
  digitRing,  // and the next seven: see digits.h
  droppedUplink = digitRing + 8,  // handshake messages that JavaScript was too busy for
  counterCount = 32,
};

// One writer at a time. Aligned 8-octet stores are atomic on every platform that this builds for.
class Row {
 public:
  Row() = default;
  explicit Row(double* values) : values_(values) {}

  void add(Counter counter, double amount = 1) { set(counter, get(counter) + amount); }
  void set(Counter counter, double value) { __atomic_store(&values_[counter], &value, __ATOMIC_RELAXED); }
  [[nodiscard]] double get(Counter counter) const {
    double value = 0;
    __atomic_load(&values_[counter], &value, __ATOMIC_RELAXED);
    return value;
  }
  void clear() {
    for (std::size_t i = 0; i < counterCount; i++) set(static_cast<Counter>(i), 0);
  }

 private:
  double* values_ = nullptr;
};

class ClockRates {
 public:
  static constexpr std::size_t capacity = 16;

  void clear() { count_ = 0; }
  void set(std::uint8_t payloadType, std::uint32_t rate) {
    if (count_ < capacity && rate != 0) entries_[count_++] = {rate, payloadType};
  }
  [[nodiscard]] std::uint32_t of(std::uint8_t payloadType) const {
    for (std::size_t i = 0; i < count_; i++) {
      if (entries_[i].payloadType == payloadType) return entries_[i].rate;
    }
    return 8000;
  }

 private:
  struct Entry {
    std::uint32_t rate;
    std::uint8_t payloadType;
  };
  std::array<Entry, capacity> entries_;
  std::size_t count_ = 0;
};

// Loss and jitter over time, of at most 32 stretches: when all are taken, two neighbours become one and stretches twice as long.
class History {
 public:
  struct Stretch {
    std::uint32_t atMs;        // since the first packet
    std::uint16_t lossTenths;  // of a percent
    std::uint16_t jitterTenths;  // of a ms
  };
  static constexpr std::size_t capacity = 32;

  void packet(double nowMs, double received, double lost, double jitterMs) {
    if (firstMs_ == 0) {
      firstMs_ = fromMs_ = nowMs;
      receivedBefore_ = received - 1;
      lostBefore_ = lost;
    }
    if (nowMs - fromMs_ < stretchMs_) return;
    close(received, lost, jitterMs);
    fromMs_ = nowMs;
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const Stretch& at(std::size_t i) const { return stretches_[i]; }

 private:
  void close(double received, double lost, double jitterMs) {
    const double came = received - receivedBefore_;
    const double missed = lost > lostBefore_ ? lost - lostBefore_ : 0;
    receivedBefore_ = received;
    lostBefore_ = lost;
    if (count_ == capacity) halve();
    stretches_[count_++] = {static_cast<std::uint32_t>(fromMs_ - firstMs_),
                            static_cast<std::uint16_t>(came + missed > 0 ? 1000 * missed / (came + missed) : 0),
                            static_cast<std::uint16_t>(jitterMs < 6000 ? jitterMs * 10 : 60000)};
  }
  void halve() {
    for (std::size_t i = 0; i < capacity / 2; i++) {
      const Stretch& a = stretches_[2 * i];
      const Stretch& b = stretches_[2 * i + 1];
      stretches_[i] = {a.atMs, static_cast<std::uint16_t>((a.lossTenths + b.lossTenths) / 2),
                       static_cast<std::uint16_t>((a.jitterTenths + b.jitterTenths) / 2)};
    }
    count_ = capacity / 2;
    stretchMs_ *= 2;
  }

  std::array<Stretch, capacity> stretches_;
  std::size_t count_ = 0;
  double stretchMs_ = 5000;
  double firstMs_ = 0;
  double fromMs_ = 0;
  double receivedBefore_ = 0;
  double lostBefore_ = 0;
};

// What is known of the SSRC that is heard now; another SSRC starts anew and keeps the losses counted so far.
class Reception {
 public:
  void received(const RtpHeader& header, double nowMs, const ClockRates& rates, Row row) {
    if (!started_ || header.ssrc != ssrc_) {
      restart(header);
    } else if (!advance(header, row)) {
      return;
    }
    received_++;
    jitter(header, nowMs, rates, row);
    const double expected = static_cast<double>(highest_ - base_ + 1);
    const double lostHere = expected > received_ ? expected - received_ : 0;
    lostHere_ = lostHere;
    row.set(lost, lostBefore_ + lostHere);
    history_.packet(nowMs, ++receivedEver_, lostBefore_ + lostHere, jitter_ / perMs_);
  }

  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] const History& history() const { return history_; }

  // A report block of RFC 3550 §6.4.1; the fraction is of what was expected since the last one (A.3).
  struct Block {
    std::uint32_t ssrc;
    std::uint8_t fractionLost;
    std::int32_t lost;
    std::uint32_t highest;
    std::uint32_t jitter;
  };
  Block block() {
    const double expected = static_cast<double>(highest_ - base_ + 1);
    const double expectedNow = expected - expectedReported_;
    const double missedNow = expectedNow - (received_ - receivedReported_);
    expectedReported_ = expected;
    receivedReported_ = received_;
    const double fraction = expectedNow > 0 && missedNow > 0 ? missedNow * 256 / expectedNow : 0;
    const double total = expected - received_;
    return {ssrc_, static_cast<std::uint8_t>(fraction < 255 ? fraction : 255),
            static_cast<std::int32_t>(total < 0x7fffff ? total : 0x7fffff),
            static_cast<std::uint32_t>(highest_ - firstCycle), static_cast<std::uint32_t>(jitter_)};
  }

 private:
  static constexpr int maxDropout = 3000;  // RFC 3550 A.1
  static constexpr std::uint64_t firstCycle = 0x10000;

  void restart(const RtpHeader& header) {
    lostBefore_ += lostHere_;
    lostHere_ = 0;
    started_ = true;
    ssrc_ = header.ssrc;
    highest_ = base_ = firstCycle + header.sequence;
    received_ = 0;
    expectedReported_ = 0;
    receivedReported_ = 0;
    seen_ = ReplayWindow{};
    seen_.accept(highest_);
    timed_ = false;
    suspect_ = false;
  }

  bool advance(const RtpHeader& header, Row row) {
    const int step = static_cast<std::int16_t>(header.sequence - static_cast<std::uint16_t>(highest_));
    if (step > maxDropout || step < -maxDropout) {
      // Two in a row after a great jump: the sender began again.
      if (!suspect_ || header.sequence != suspectNext_) {
        suspect_ = true;
        suspectNext_ = static_cast<std::uint16_t>(header.sequence + 1);
        return false;
      }
      restart(header);
      return true;
    }
    suspect_ = false;
    const std::uint64_t index = highest_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(step));
    if (!seen_.admits(index)) {
      row.add(duplicates);
      return false;
    }
    seen_.accept(index);
    if (index > highest_) {
      highest_ = index;
    } else {
      row.add(reordered);
      if (index < base_) base_ = index;
    }
    return true;
  }

  void jitter(const RtpHeader& header, double nowMs, const ClockRates& rates, Row row) {
    if (!timed_ || header.payloadType != payloadType_) {
      payloadType_ = header.payloadType;
      perMs_ = rates.of(payloadType_) / 1000.0;
      timed_ = true;
    } else if (header.timestamp != timestamp_) {  // fragments of one video frame share a timestamp
      const double transit = (nowMs - arrivedMs_) * perMs_ - static_cast<std::int32_t>(header.timestamp - timestamp_);
      jitter_ += ((transit < 0 ? -transit : transit) - jitter_) / 16;
      row.set(jitterMs, jitter_ / perMs_);
    }
    arrivedMs_ = nowMs;
    timestamp_ = header.timestamp;
  }

  ReplayWindow seen_;
  std::uint64_t highest_ = 0;
  std::uint64_t base_ = 0;
  double received_ = 0;
  double receivedEver_ = 0;
  double expectedReported_ = 0;
  double receivedReported_ = 0;
  History history_;
  double lostBefore_ = 0;
  double lostHere_ = 0;
  double jitter_ = 0;  // timestamp units
  double perMs_ = 8;
  double arrivedMs_ = 0;
  std::uint32_t ssrc_ = 0;
  std::uint32_t timestamp_ = 0;
  std::uint16_t suspectNext_ = 0;
  std::uint8_t payloadType_ = 0;
  bool started_ = false;
  bool timed_ = false;
  bool suspect_ = false;
};

}  // namespace ringfence
