// STUN at an endpoint that takes part in ICE: what does not verify ends here (RFC 8489 §9.1, RFC 8445 §7).
#pragma once
#include <array>
#include <string>

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
  IceCredentials ours;
  IceCredentials theirs;

  // Addresses that ICE has validated, per component; the oldest gives way.
  void validate(std::uint8_t component, const Address& source);
  [[nodiscard]] bool isValidated(std::uint8_t component, const Address& source) const;
  void forgetValidated();

 private:
  struct Validated {
    std::array<Address, mostValidated> addresses;
    std::size_t next = 0;
  };
  std::array<Validated, 2> validated_;
};

// Fresh ones from the CSPRNG: 48 bits of name, 144 bits of password. False: there is no randomness.
bool makeIceCredentials(IceCredentials& out);

// Under the lock of the endpoint's worker.
void receiveStun(Endpoint& endpoint, const Datagram& datagram, Uplink& uplink);

}  // namespace ringfence
