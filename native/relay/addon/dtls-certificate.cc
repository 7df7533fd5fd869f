#include "dtls-certificate.h"

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "dtls-association.h"

namespace ringfence {
namespace {

// Ephemeral key exchange and AEAD alone (RFC 9325 §4.2); RSA names the key of a peer's certificate, not an exchange.
constexpr const char* cipherSuites =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* groups = "X25519:P-256";
constexpr const char* signatures =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";
constexpr long longestCertificates = 16384;

const EVP_MD* digestOf(FingerprintHash hash) {
  return hash == FingerprintHash::sha256 ? EVP_sha256() : hash == FingerprintHash::sha384 ? EVP_sha384() : EVP_sha512();
}

}  // namespace

bool fingerprintOf(const X509& certificate, FingerprintHash hash, Fingerprint& out) {
  unsigned int length = 0;
  out = Fingerprint{};
  out.hash = hash;
  if (X509_digest(&certificate, digestOf(hash), out.value.data(), &length) != 1) return false;
  out.length = static_cast<std::uint8_t>(length);
  return true;
}

std::shared_ptr<const DtlsCertificate> DtlsCertificate::create(double nowMs, double lifetimeMs) {
  std::shared_ptr<DtlsCertificate> made(new DtlsCertificate());
  made->dueMs_ = nowMs + lifetimeMs;
  if (!made->sign(lifetimeMs) || !made->setRules()) return nullptr;
  return made;
}

DtlsCertificate::~DtlsCertificate() {
  SSL_CTX_free(rules_);
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

bool DtlsCertificate::sign(double lifetimeMs) {
  constexpr long day = 86400;
  std::uint8_t random[16];
  key_ = EVP_EC_gen("P-256");
  certificate_ = X509_new();
  if (key_ == nullptr || certificate_ == nullptr || RAND_bytes(random, sizeof random) != 1) return false;
  random[0] = (random[0] & 0x7f) | 0x40;  // of a serial number: positive, and always as long
  char name[17] = {};
  for (std::size_t i = 0; i < 8; i++) {
    name[2 * i] = "0123456789abcdef"[random[8 + i] >> 4];
    name[2 * i + 1] = "0123456789abcdef"[random[8 + i] & 15];
  }
  BIGNUM* serial = BN_bin2bn(random, 8, nullptr);
  X509_NAME* subject = X509_get_subject_name(certificate_);
  // A day back, for peers whose clock is behind.
  const bool good =
      serial != nullptr && X509_set_version(certificate_, X509_VERSION_3) == 1 &&
      BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate_)) != nullptr &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0) == 1 &&
      X509_set_issuer_name(certificate_, subject) == 1 &&
      X509_gmtime_adj(X509_getm_notBefore(certificate_), -day) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(certificate_), day + static_cast<long>(2 * lifetimeMs / 1000)) != nullptr &&
      X509_set_pubkey(certificate_, key_) == 1 && X509_sign(certificate_, key_, EVP_sha256()) > 0;
  BN_free(serial);
  return good && fingerprintOf(*certificate_, FingerprintHash::sha256, fingerprint_);
}

bool DtlsCertificate::setRules() {
  rules_ = SSL_CTX_new(DTLS_method());
  if (rules_ == nullptr) return false;
  SSL_CTX_set_options(rules_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_QUERY_MTU |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_ENCRYPT_THEN_MAC);
  SSL_CTX_set_mode(rules_, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(rules_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(rules_, 1);
  SSL_CTX_set_max_cert_list(rules_, longestCertificates);
  SSL_CTX_set_security_level(rules_, 2);
  // Up to 1.2 by name: what a later OpenSSL adds has other cookies and another exporter, and is to be looked at first.
  const bool good = SSL_CTX_set_min_proto_version(rules_, DTLS1_2_VERSION) == 1 &&
                    SSL_CTX_set_max_proto_version(rules_, DTLS1_2_VERSION) == 1 &&
                    SSL_CTX_set_cipher_list(rules_, cipherSuites) == 1 && SSL_CTX_set1_groups_list(rules_, groups) == 1 &&
                    SSL_CTX_set1_sigalgs_list(rules_, signatures) == 1 &&
                    SSL_CTX_set1_client_sigalgs_list(rules_, signatures) == 1 &&
                    SSL_CTX_use_certificate(rules_, certificate_) == 1 && SSL_CTX_use_PrivateKey(rules_, key_) == 1;
  DtlsAssociation::install(rules_);
  return good;
}

}  // namespace ringfence
