#include "rtcp.h"

#include <cmath>
#include <ctime>

namespace ringfence {
namespace {

enum : std::uint8_t {
  senderReport = 200,
  receiverReport = 201,
  sourceDescription = 202,
  bye = 203,
  transportFeedback = 205,
  payloadFeedback = 206,
  extendedReport = 207,
};

constexpr std::size_t reportBlockLength = 24;
constexpr std::uint8_t voipMetricsBlock = 7;  // RFC 3611 §4.7
constexpr std::size_t mostPackets = 16;
constexpr double ntpEpochSeconds = 2208988800.0;  // 1900 to 1970
constexpr double firstReportMs = 1000;
constexpr double intervalMs = 5000;
// A source that has been silent for two intervals is no sender any more (RFC 3550 §6.3.5 speaks of 2T).
constexpr double senderForMs = 2 * intervalMs;

struct Ntp {
  std::uint32_t seconds;
  std::uint32_t fraction;
  [[nodiscard]] std::uint32_t middle() const { return seconds << 16 | fraction >> 16; }
};

Ntp ntpNow() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return {static_cast<std::uint32_t>(static_cast<std::uint64_t>(static_cast<double>(now.tv_sec) + ntpEpochSeconds)),
          static_cast<std::uint32_t>(static_cast<double>(now.tv_nsec) * 4.294967296)};
}

void head(Writer& out, std::uint8_t count, std::uint8_t type, std::size_t words) {
  out.u8(static_cast<std::uint8_t>(0x80 | count));
  out.u8(type);
  out.u16(static_cast<std::uint16_t>(words));
}

}  // namespace

RtcpTerminal::RtcpTerminal(const std::array<std::uint8_t, seedLength>& seed)
    : random_(load32(&seed[16]) | 1U), ssrc_(load32(&seed[20])) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (std::size_t i = 0; i < cname_.size(); i++) cname_[i] = static_cast<std::uint8_t>(letters[seed[i] & 63]);
}

// xorshift32; only spreads intervals.
double RtcpTerminal::random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_ / 4294967296.0;
}

void RtcpTerminal::sent(const RtpHeader& header, std::size_t length, double nowMs, double perMs) {
  if (!hasSent_ || header.ssrc != ssrc_) {
    ssrc_ = header.ssrc;
    sentPackets_ = 0;
    sentOctets_ = 0;
    remote_ = RemoteReport{};
    hasSent_ = true;
  }
  sentTimestamp_ = header.timestamp;
  sentAt_ = nowMs;
  perMs_ = perMs;
  sentPackets_++;
  sentOctets_ += static_cast<std::uint32_t>(length - header.length);
}

std::size_t RtcpTerminal::receive(Bytes compound, double nowMs) {
  // What is kept moves forward over what was read; the empty report in front is no longer than the first packet.
  std::size_t kept = rtcpHeaderLength;
  const std::uint32_t sender = load32(&compound[4]);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < mostPackets && compound.size() - offset >= 4; i++) {
    const std::size_t length = 4 + 4 * std::size_t{load16(&compound[offset + 2])};
    if (compound[offset] >> 6 != 2 || length > compound.size() - offset) break;
    const std::uint8_t type = compound[offset + 1];
    const auto count = static_cast<std::uint8_t>(compound[offset] & 0x1f);
    const Bytes packet = compound.subspan(offset, length);
    offset += length;
    std::size_t keep = 0;
    switch (type) {
      case senderReport:
        if (length < 28) break;
        lastReport_ = load32(&packet[8]) << 16 | load32(&packet[12]) >> 16;
        lastReportAt_ = nowMs;
        readReports(packet, 28);
        break;
      case receiverReport:
        readReports(packet, 8);
        break;
      case extendedReport:
        readExtended(packet);
        break;
      case transportFeedback:
      case payloadFeedback:
        if (length >= 12) keep = length;
        break;
      case bye:
        // The reason behind the sources is the peer's own text.
        if (length >= 4 + 4 * std::size_t{count}) keep = 4 + 4 * std::size_t{count};
        break;
      default:
        break;
    }
    // A compound begins with a report; one that does not (RFC 5506) has no room in front of it, and is not passed on.
    if (keep == 0 || kept + keep > offset) continue;
    std::memmove(&compound[kept], packet.data(), keep);
    compound[kept] = static_cast<std::uint8_t>(0x80 | count);
    store16(&compound[kept + 2], static_cast<std::uint16_t>(keep / 4 - 1));
    kept += keep;
  }
  if (kept == rtcpHeaderLength) return 0;
  compound[0] = 0x80;
  compound[1] = receiverReport;
  store16(&compound[2], 1);
  store32(&compound[4], sender);
  return kept;
}

void RtcpTerminal::readReports(ConstBytes packet, std::size_t offset) {
  const std::size_t count = packet[0] & 0x1f;
  if (!hasSent_ || packet.size() < offset + count * reportBlockLength) return;
  for (std::size_t i = 0; i < count; i++, offset += reportBlockLength) {
    if (load32(&packet[offset]) != ssrc_) continue;
    remote_.heard = true;
    remote_.fractionLost = packet[offset + 4];
    remote_.lost = static_cast<std::int32_t>(load32(&packet[offset + 4]) << 8) >> 8;
    remote_.jitter = load32(&packet[offset + 12]);
    const std::uint32_t last = load32(&packet[offset + 16]);
    if (last == 0) continue;
    // RFC 3550 §6.4.1: A - LSR - DLSR, in 1/65536 s.
    const auto units = static_cast<std::int32_t>(ntpNow().middle() - last - load32(&packet[offset + 20]));
    if (units >= 0) remote_.roundTripMs = units / 65.536;
  }
}

void RtcpTerminal::readExtended(ConstBytes packet) {
  std::size_t offset = 8;
  while (offset + 4 <= packet.size()) {
    const std::size_t length = 4 + 4 * std::size_t{load16(&packet[offset + 2])};
    if (length > packet.size() - offset) return;
    if (packet[offset] == voipMetricsBlock && length >= 8 + voipMetricsLength && hasSent_ &&
        load32(&packet[offset + 4]) == ssrc_) {
      std::memcpy(voip_.data(), &packet[offset + 8], voip_.size());
      hasVoip_ = true;
    }
    offset += length;
  }
}

bool RtcpTerminal::due(double nowMs) {
  if (nextAt_ == 0) nextAt_ = nowMs + firstReportMs * (0.5 + random());
  if (nowMs < nextAt_) return false;
  nextAt_ = nowMs + intervalMs * (0.5 + random());
  return true;
}

std::size_t RtcpTerminal::write(Bytes bytes, Reception& reception, double nowMs) {
  Writer out(bytes);
  const bool sender = hasSent_ && nowMs - sentAt_ < senderForMs;
  const bool heard = reception.started();
  const std::uint8_t count = heard ? 1 : 0;
  head(out, count, sender ? senderReport : receiverReport, (sender ? 6 : 1) + 6 * std::size_t{count});
  out.u32(ssrc_);
  if (sender) {
    const Ntp now = ntpNow();
    out.u32(now.seconds);
    out.u32(now.fraction);
    out.u32(sentTimestamp_ + static_cast<std::uint32_t>(std::llround((nowMs - sentAt_) * perMs_)));
    out.u32(sentPackets_);
    out.u32(sentOctets_);
  }
  if (heard) {
    const Reception::Block block = reception.block();
    out.u32(block.ssrc);
    out.u32(std::uint32_t{block.fractionLost} << 24 | (static_cast<std::uint32_t>(block.lost) & 0xffffff));
    out.u32(block.highest);
    out.u32(block.jitter);
    out.u32(lastReport_);
    out.u32(lastReport_ == 0 ? 0 : static_cast<std::uint32_t>((nowMs - lastReportAt_) * 65.536));
  }
  // SDES with a CNAME of 16 octets: SSRC, item, the zero that ends the list, up to a whole word (RFC 3550 §6.5).
  head(out, 1, sourceDescription, 6);
  out.u32(ssrc_);
  out.u8(1);
  out.u8(static_cast<std::uint8_t>(cname_.size()));
  out.bytes(cname_);
  out.u16(0);
  return out.failed() ? 0 : out.length();
}

}  // namespace ringfence
