// Shows that the sender of a ClientHello receives what is sent to its address, before anything is kept of it: RFC 6347 §4.2.1.
#pragma once
#include <array>

#include "address.h"

namespace ringfence {

class CookieGate {
 public:
  enum class Answer : std::uint8_t {
    none,    // no ClientHello that could be answered
    verify,  // `reply` is a HelloVerifyRequest, shorter than any ClientHello
    admit,   // its cookie is ours, and of this address
  };

  CookieGate();
  ~CookieGate();
  CookieGate(const CookieGate&) = delete;
  CookieGate& operator=(const CookieGate&) = delete;

  static constexpr std::size_t longestReply = 60;
  Answer look(std::uint32_t endpoint, const Address& source, ConstBytes datagram, double nowMs, Writer& reply);

 private:
  static constexpr std::size_t cookieLength = 20;
  static constexpr double secretMs = 60000;
  using Secret = std::array<std::uint8_t, 32>;

  bool bake(const Secret& secret, std::uint32_t endpoint, const Address& source, ConstBytes parameters, std::uint8_t* cookie) const;
  void renew(double nowMs);

  Secret now_{};
  Secret before_{};
  double renewedMs_ = 0;
  bool good_ = false;
};

}  // namespace ringfence
