// One DTLS association of one endpoint, for its SRTP keys alone: RFC 5763, RFC 5764, RFC 6347. It has neither socket nor thread:
// fed with datagrams and the passing of time, it fills a flight with what is to be sent.
#pragma once
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "dtls-certificate.h"

namespace ringfence {

struct DtlsTiming {
  std::uint32_t retransmitMs = 50;  // the first time, as browsers do, doubled with each up to 4 s (RFC 6347 §4.2.4.1)
  double giveUpMs = 30000;
};

// Datagrams in the order in which they are to be sent.
class Flight {
 public:
  void clear() {
    bytes_.clear();
    ends_.clear();
  }
  void add(ConstBytes datagram) {
    bytes_.insert(bytes_.end(), datagram.begin(), datagram.end());
    ends_.push_back(bytes_.size());
  }
  [[nodiscard]] std::size_t count() const { return ends_.size(); }
  [[nodiscard]] ConstBytes operator[](std::size_t i) const {
    const std::size_t from = i == 0 ? 0 : ends_[i - 1];
    return ConstBytes(bytes_).subspan(from, ends_[i] - from);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<std::size_t> ends_;
};

// RFC 5764 §4.2: master key and master salt of each direction.
struct DtlsKeys {
  const Suite* suite = nullptr;
  std::array<std::uint8_t, longestMaterial> send{};
  std::array<std::uint8_t, longestMaterial> receive{};

  DtlsKeys() = default;
  DtlsKeys(const DtlsKeys&) = delete;
  DtlsKeys& operator=(const DtlsKeys&) = delete;
  ~DtlsKeys();
};

// What the handshake has shown.
struct DtlsSummary {
  std::string version;
  std::string cipher;
  std::string group;
  const Suite* suite = nullptr;
  Fingerprint peer;  // SHA-256
  DtlsFailure failure = DtlsFailure::protocol;
  std::string detail;
};

class DtlsAssociation {
 public:
  enum class State : std::uint8_t { handshaking, secured, failed, closed };

  // Octets of one datagram: no fragment of a path that carries IPv6 is smaller.
  static constexpr int mtu = 1200;
  // Longer datagrams are not looked at.
  static constexpr std::size_t longestDatagram = 4096;
  // A handshake that wants more of us is no handshake.
  static constexpr std::size_t mostOctets = 131072;

  // Callbacks that all associations under one certificate share.
  static void install(SSL_CTX* rules);
  // Nothing where OpenSSL refuses.
  static std::unique_ptr<DtlsAssociation> create(std::shared_ptr<const DtlsCertificate> certificate,
                                                 const DtlsSettings& settings, const DtlsTiming& timing, double nowMs);
  ~DtlsAssociation();
  DtlsAssociation(const DtlsAssociation&) = delete;
  DtlsAssociation& operator=(const DtlsAssociation&) = delete;

  // A client's first flight.
  void start(double nowMs, Flight& out);
  // A server's first datagram, where a cookie in it was found good: the association goes on from there (RFC 6347 §4.2.1).
  void resume(ConstBytes hello, double nowMs, Flight& out);
  void receive(ConstBytes datagram, double nowMs, Flight& out);
  // To be called at `deadline`: sends the last flight again, or gives up.
  void passTime(double nowMs, Flight& out);
  // Says close_notify where there is somebody to say it to.
  void close(Flight& out);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] double deadline() const;
  [[nodiscard]] const DtlsSummary& summary() const { return summary_; }
  // Once secured; OpenSSL makes them anew with each call and nothing keeps them here.
  bool keys(DtlsKeys& out) const;

 private:
  struct Pipe {
    ConstBytes incoming;
    bool waiting = false;
    Flight* outgoing = nullptr;
  };
  struct Callbacks;

  DtlsAssociation(std::shared_ptr<const DtlsCertificate> certificate, const DtlsSettings& settings, const DtlsTiming& timing,
                  double nowMs)
      : certificate_(std::move(certificate)), settings_(settings), timing_(timing), giveUpAt_(nowMs + timing.giveUpMs) {}
  bool prepare();
  void proceed(double nowMs);
  void complete();
  void failed(DtlsFailure failure, std::string detail);
  void failedBy(int result);
  bool accepts(X509* certificate);
  void setDeadline(double nowMs);

  std::shared_ptr<const DtlsCertificate> certificate_;
  DtlsSettings settings_;
  DtlsTiming timing_;
  SSL* ssl_ = nullptr;
  Pipe pipe_;
  State state_ = State::handshaking;
  bool cookieVerified_ = false;
  bool refusedPeer_ = false;
  std::size_t octets_ = 0;
  double giveUpAt_;
  double retransmitAt_ = std::numeric_limits<double>::infinity();
  DtlsSummary summary_;
};

}  // namespace ringfence
