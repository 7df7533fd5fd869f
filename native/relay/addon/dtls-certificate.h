// The certificate that this process shows in DTLS, with the rules of every handshake under it: RFC 5763 §5, RFC 8827 §6.5.
#pragma once
#include <memory>

#include <openssl/ssl.h>

#include "dtls-settings.h"

namespace ringfence {

// False: OpenSSL refuses.
bool fingerprintOf(const X509& certificate, FingerprintHash hash, Fingerprint& out);

// ECDSA P-256, self-signed, its names random: nothing in it tells whose it is. The private key never leaves this process.
class DtlsCertificate {
 public:
  // Nothing where OpenSSL refuses. It is valid for twice `lifetimeMs`, so that a call outlives a change.
  static std::shared_ptr<const DtlsCertificate> create(double nowMs, double lifetimeMs);
  ~DtlsCertificate();
  DtlsCertificate(const DtlsCertificate&) = delete;
  DtlsCertificate& operator=(const DtlsCertificate&) = delete;

  [[nodiscard]] const Fingerprint& fingerprint() const { return fingerprint_; }
  [[nodiscard]] bool isDue(double nowMs) const { return nowMs >= dueMs_; }
  [[nodiscard]] SSL_CTX* rules() const { return rules_; }

 private:
  DtlsCertificate() = default;
  bool sign(double lifetimeMs);
  bool setRules();

  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  SSL_CTX* rules_ = nullptr;
  Fingerprint fingerprint_;
  double dueMs_ = 0;
};

}  // namespace ringfence
