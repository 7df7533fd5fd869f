// RTCP of one leg, ended here and made here: RFC 3550 §6.4, RFC 3611 §4.7. What a peer reports goes no further, and what it is
// told is what this leg saw; names and addresses in its SDES (RFC 3550 §6.5) show nobody the inside.
#pragma once
#include <array>

#include "statistics.h"

namespace ringfence {

// What the peer has said of the stream that it gets from us.
struct RemoteReport {
  bool heard = false;
  std::uint8_t fractionLost = 0;  // of 256
  std::int32_t lost = 0;
  std::uint32_t jitter = 0;  // timestamp units
  double roundTripMs = -1;   // -1: it has not answered a sender report of ours yet
};

inline constexpr std::size_t voipMetricsLength = 28;

class RtcpTerminal {
 public:
  // Random octets: SSRC, CNAME (RFC 7022 §4.2, short-term persistent) and the spread of intervals come from them.
  static constexpr std::size_t seedLength = 24;
  explicit RtcpTerminal(const std::array<std::uint8_t, seedLength>& seed);

  // An RTP packet goes to the peer.
  void sent(const RtpHeader& header, std::size_t length, double nowMs, double perMs);

  // A compound packet of the peer, decrypted. Keeps what it reports and leaves in its place what has to go on to the other side
  // (feedback, RFC 4585; BYE without its text) behind an empty receiver report. Gives the length of that, 0 for nothing.
  std::size_t receive(Bytes compound, double nowMs);

  // RFC 3550 §6.2: five seconds, spread from half to one and a half; the first one comes sooner.
  bool due(double nowMs);

  // Our report to the peer: of what it gets, and of what came from it. Fits in 128 octets.
  std::size_t write(Bytes out, Reception& reception, double nowMs);

  [[nodiscard]] const RemoteReport& remote() const { return remote_; }
  // The last VoIP metrics block of the peer behind its SSRC, as on the wire; empty before one came.
  [[nodiscard]] ConstBytes voipMetrics() const { return {voip_.data(), hasVoip_ ? voip_.size() : 0}; }
  // Of the timestamps that are sent, for the jitter in `remote`.
  [[nodiscard]] double perMs() const { return perMs_; }

 private:
  void readReports(ConstBytes packet, std::size_t offset);
  void readExtended(ConstBytes packet);
  double random();

  std::array<std::uint8_t, 16> cname_;
  std::uint32_t random_;
  std::uint32_t ssrc_;
  bool hasSent_ = false;
  std::uint32_t sentTimestamp_ = 0;
  double sentAt_ = 0;
  double perMs_ = 8;
  std::uint32_t sentPackets_ = 0;
  std::uint32_t sentOctets_ = 0;
  std::uint32_t lastReport_ = 0;  // middle 32 bits of the NTP timestamp of the peer's last sender report
  double lastReportAt_ = 0;
  double nextAt_ = 0;
  RemoteReport remote_;
  bool hasVoip_ = false;
  std::array<std::uint8_t, voipMetricsLength> voip_{};
};

}  // namespace ringfence
