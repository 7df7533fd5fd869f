// STUN at an endpoint that takes part in ICE: what does not verify ends here (RFC 8489 §9.1, RFC 8445 §7).
#pragma once
#include <array>
#include <string>
#include <vector>

#include <openssl/crypto.h>

#include "address.h"

namespace ringfence {

struct Datagram;
struct Endpoint;
class Uplink;

// RFC 8445 §5.3, RFC 8839 §5.4.
struct IceCredentials {
  std::string ufrag;
  std::string password;

  IceCredentials() = default;
  IceCredentials(const IceCredentials&) = delete;
  IceCredentials& operator=(const IceCredentials&) = delete;
  ~IceCredentials() { OPENSSL_cleanse(password.data(), password.size()); }
};

struct StunGate {
  static constexpr std::size_t mostValidated = 8;

  bool full = false;    // checks by itself, too
  bool active = false;  // the peer does ICE: media comes and goes by the chosen pair alone
  bool waiting = true;  // it is not known yet whether it does; its checks may be faster than its answer
  IceCredentials ours;
  IceCredentials theirs;
  // Before a restart: what was chosen under them serves, and has its consent, until there is a pair under the new ones.
  IceCredentials formerOurs;
  IceCredentials formerTheirs;
  bool hasFormer = false;
  bool chosen = false;  // there was a pair under those that are current

  // What signalling says; others than before are a restart, RFC 8445 §9. Empty `ourUfrag`: ours stay.
  void agree(const std::string& ufrag, const std::string& password, const std::string& ourUfrag, const std::string& ourPassword);

  // Addresses that ICE has validated, per component; the oldest gives way.
  void validate(std::uint8_t component, const Address& source);
  void invalidate(std::uint8_t component, const Address& source);
  [[nodiscard]] bool isValidated(std::uint8_t component, const Address& source) const;
  void forgetValidated();

  // A request of ours has left: its response may come from where it went.
  void expect(ConstBytes transaction, std::uint8_t component, const Address& target);
  bool isExpected(ConstBytes transaction, std::uint8_t component, const Address& source);
  // What verifies is bounded too: whoever has heard a check can repeat it. Repeats have a bound of their own, and take
  // nothing from what the peer says next.
  bool mayRise(ConstBytes transaction, double nowMs);

 private:
  static constexpr std::size_t mostSent = 128;
  static constexpr std::size_t mostRecent = 256;

  struct Allowance {
    double mostAtOnce;
    double perMs;
    double tokens = mostAtOnce;
    double countedAt = 0;

    bool take(double nowMs);
  };

  struct Sent {
    std::array<std::uint8_t, 12> transaction;
    Address target;
    std::uint8_t component;
  };
  struct Validated {
    std::array<Address, mostValidated> addresses;
    std::size_t next = 0;
  };
  std::array<Validated, 2> validated_;
  std::vector<Sent> sent_;  // the oldest gives way
  std::size_t nextSent_ = 0;
  // Last 64 bits of the transactions that have come up last.
  std::vector<std::uint64_t> recent_;
  std::size_t nextRecent_ = 0;
  Allowance first_{64, 0.1};
  Allowance repeated_{16, 0.02};
};

// Fresh ones from the CSPRNG: 48 bits of name, 144 bits of password. False: there is no randomness.
bool makeIceCredentials(IceCredentials& out);

// Under the lock of the endpoint's worker. Only what verifies goes up; all else is counted.
void receiveStun(Endpoint& endpoint, const Datagram& datagram, Uplink& uplink);

}  // namespace ringfence
