#include "dtls-association.h"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/x509.h>
#include <sys/time.h>

namespace ringfence {
namespace {

constexpr unsigned int longestTimeoutUs = 4000000;
constexpr int weakestBits = 112;  // RSA of 2048, curves of 224

struct Profile {
  std::uint8_t suite;
  unsigned long id;
  const char* name;
};
// RFC 5764 §4.1.2, RFC 7714 §14.2.
constexpr Profile profiles[] = {{6, SRTP_AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM"},
                                {5, SRTP_AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM"},
                                {1, SRTP_AES128_CM_SHA1_80, "SRTP_AES128_CM_SHA1_80"}};

const char* groupName(int nid) {
  return nid == NID_X25519 ? "X25519" : nid == NID_X9_62_prime256v1 ? "P-256" : "unknown";
}

}  // namespace

DtlsKeys::~DtlsKeys() {
  OPENSSL_cleanse(send.data(), send.size());
  OPENSSL_cleanse(receive.data(), receive.size());
}

struct DtlsAssociation::Callbacks {
  static DtlsAssociation* of(const SSL* ssl) { return static_cast<DtlsAssociation*>(SSL_get_app_data(ssl)); }

  // One datagram at a time, and each write is one: a memory BIO of OpenSSL would join them.
  static int write(BIO* bio, const char* data, int length) {
    auto* pipe = static_cast<Pipe*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (pipe->outgoing != nullptr && length > 0) {
      pipe->outgoing->add(ConstBytes(reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(length)));
    }
    return length;
  }
  static int read(BIO* bio, char* data, int length) {
    auto* pipe = static_cast<Pipe*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (!pipe->waiting || length <= 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    pipe->waiting = false;
    const std::size_t taken = std::min(static_cast<std::size_t>(length), pipe->incoming.size());
    std::memcpy(data, pipe->incoming.data(), taken);
    return static_cast<int>(taken);
  }
  static long control(BIO*, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_DGRAM_QUERY_MTU:
      case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return mtu;
      default:
        return 0;
    }
  }
  static const BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
      if (method != nullptr) {
        BIO_meth_set_write(method, write);
        BIO_meth_set_read(method, read);
        BIO_meth_set_ctrl(method, control);
      }
      return method;
    }();
    return made;
  }

  // In place of a check against authorities: RFC 8122 §6.2. Runs within the handshake, before any key is agreed upon.
  static int verify(X509_STORE_CTX* store, void*) {
    const auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    DtlsAssociation* association = of(ssl);
    if (association->accepts(X509_STORE_CTX_get0_cert(store))) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }
  static int makeCookie(SSL*, unsigned char*, unsigned int*) { return 0; }  // dtls-cookie.h makes them
  static int checkCookie(SSL* ssl, const unsigned char*, unsigned int) { return of(ssl)->cookieVerified_ ? 1 : 0; }
  static unsigned int timer(SSL* ssl, unsigned int us) {
    return us == 0 ? of(ssl)->timing_.retransmitMs * 1000 : std::min(2 * us, longestTimeoutUs);
  }
};

void DtlsAssociation::install(SSL_CTX* rules) {
  SSL_CTX_set_verify(rules, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(rules, Callbacks::verify, nullptr);
  SSL_CTX_set_cookie_generate_cb(rules, Callbacks::makeCookie);
  SSL_CTX_set_cookie_verify_cb(rules, Callbacks::checkCookie);
}

std::unique_ptr<DtlsAssociation> DtlsAssociation::create(std::shared_ptr<const DtlsCertificate> certificate,
                                                         const DtlsSettings& settings, const DtlsTiming& timing,
                                                         double nowMs) {
  std::unique_ptr<DtlsAssociation> made(new DtlsAssociation(std::move(certificate), settings, timing, nowMs));
  if (made->prepare()) return made;
  ERR_clear_error();
  return nullptr;
}

DtlsAssociation::~DtlsAssociation() { SSL_free(ssl_); }

bool DtlsAssociation::prepare() {
  std::string offered;
  for (const Suite* suite : settings_.suites) {
    for (const Profile& profile : profiles) {
      if (profile.suite != suite->id) continue;
      if (!offered.empty()) offered += ':';
      offered += profile.name;
    }
  }
  if (offered.empty() || settings_.fingerprints.empty() || Callbacks::method() == nullptr) return false;
  ssl_ = SSL_new(certificate_->rules());
  BIO* bio = BIO_new(Callbacks::method());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return false;
  }
  BIO_set_data(bio, &pipe_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  DTLS_set_timer_cb(ssl_, Callbacks::timer);
  if (!settings_.server) {
    SSL_set_connect_state(ssl_);
  } else {
    SSL_set_accept_state(ssl_);
  }
  return SSL_set_mtu(ssl_, mtu) != 0 && SSL_set_tlsext_use_srtp(ssl_, offered.c_str()) == 0;
}

void DtlsAssociation::start(double nowMs, Flight& out) {
  if (state_ != State::handshaking || settings_.server) return;
  pipe_.outgoing = &out;
  proceed(nowMs);
  pipe_.outgoing = nullptr;
}

void DtlsAssociation::resume(ConstBytes hello, double nowMs, Flight& out) {
  if (state_ != State::handshaking || !settings_.server || hello.size() > longestDatagram) return;
  cookieVerified_ = true;
  pipe_ = {hello, true, &out};
  octets_ += hello.size();
  ERR_clear_error();
  BIO_ADDR* nobody = BIO_ADDR_new();
  const int result = DTLSv1_listen(ssl_, nobody);
  BIO_ADDR_free(nobody);
  if (result > 0) {
    // It has begun anew, and forgotten what was set on it alone.
    SSL_set_mtu(ssl_, mtu);
    proceed(nowMs);
  } else {
    failed(DtlsFailure::protocol, "no ClientHello");
  }
  pipe_ = {};
}

void DtlsAssociation::receive(ConstBytes datagram, double nowMs, Flight& out) {
  if (state_ == State::failed || state_ == State::closed || datagram.empty() || datagram.size() > longestDatagram) return;
  pipe_ = {datagram, true, &out};
  if (state_ == State::handshaking) {
    octets_ += datagram.size();
    if (octets_ > mostOctets) {
      failed(DtlsFailure::protocol, "more than a handshake needs");
    } else {
      proceed(nowMs);
    }
  } else {
    // A lost last flight is asked for again here (RFC 6347 §4.2.4), and the peer says goodbye. Data is not for us.
    std::uint8_t nothing[64];
    ERR_clear_error();
    int result = 1;
    while (result > 0) result = SSL_read(ssl_, nothing, sizeof nothing);
    const int error = SSL_get_error(ssl_, result);
    if (error == SSL_ERROR_ZERO_RETURN) {
      SSL_shutdown(ssl_);
      state_ = State::closed;
    } else if (error == SSL_ERROR_SSL) {
      state_ = State::closed;
    }
    ERR_clear_error();
  }
  pipe_ = {};
}

void DtlsAssociation::passTime(double nowMs, Flight& out) {
  if (state_ != State::handshaking) return;
  if (nowMs >= giveUpAt_) {
    failed(DtlsFailure::timeout, SSL_in_before(ssl_) == 1 ? "nothing was heard of the peer" : SSL_state_string_long(ssl_));
    return;
  }
  pipe_.outgoing = &out;
  ERR_clear_error();
  const int result = static_cast<int>(DTLSv1_handle_timeout(ssl_));
  if (result < 0) {
    failed(DtlsFailure::timeout, SSL_state_string_long(ssl_));
  } else {
    setDeadline(nowMs);
  }
  pipe_ = {};
  ERR_clear_error();
}

void DtlsAssociation::close(Flight& out) {
  if (state_ == State::secured) {
    pipe_.outgoing = &out;
    SSL_shutdown(ssl_);
    ERR_clear_error();
    pipe_ = {};
  }
  if (state_ != State::failed) state_ = State::closed;
}

void DtlsAssociation::proceed(double nowMs) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    complete();
  } else if (const int error = SSL_get_error(ssl_, result); error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    failedBy(error);
  } else {
    setDeadline(nowMs);
  }
  ERR_clear_error();
}

void DtlsAssociation::complete() {
  X509* peer = SSL_get0_peer_certificate(ssl_);
  const SRTP_PROTECTION_PROFILE* chosen = SSL_get_selected_srtp_profile(ssl_);
  summary_.version = SSL_get_version(ssl_);
  summary_.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_));
  summary_.group = groupName(static_cast<int>(SSL_get_negotiated_group(ssl_)));
  for (const Suite* suite : settings_.suites) {
    for (const Profile& profile : profiles) {
      if (chosen != nullptr && profile.suite == suite->id && profile.id == chosen->id) summary_.suite = suite;
    }
  }
  // Checked within the handshake already; whoever changes what is above shall not lose it.
  if (peer == nullptr || !accepts(peer)) {
    failed(DtlsFailure::fingerprint, "no certificate of the peer");
  } else if (summary_.suite == nullptr) {
    failed(DtlsFailure::noCommonSuite, "the peer agrees to no SRTP suite");
  } else if (SSL_get_extms_support(ssl_) != 1) {
    // Without it two associations can be made to share their secret (RFC 7627 §1), and what is exported is the secret's.
    failed(DtlsFailure::protocol, "the peer has no extended master secret");
  } else if (!fingerprintOf(*peer, FingerprintHash::sha256, summary_.peer)) {
    failed(DtlsFailure::protocol, "the certificate cannot be read");
  } else {
    state_ = State::secured;
    return;
  }
  SSL_shutdown(ssl_);
}

bool DtlsAssociation::accepts(X509* certificate) {
  refusedPeer_ = true;
  if (certificate == nullptr) return false;
  // RFC 8122 §5: of several hashes the strongest decides, and one of its values has to fit.
  auto strongest = FingerprintHash::sha256;
  for (const Fingerprint& wanted : settings_.fingerprints) strongest = std::max(strongest, wanted.hash);
  Fingerprint shown;
  if (!fingerprintOf(*certificate, strongest, shown)) return false;
  if (std::find(settings_.fingerprints.begin(), settings_.fingerprints.end(), shown) == settings_.fingerprints.end()) {
    summary_.detail = "the certificate is not the one that signalling named";
    return false;
  }
  refusedPeer_ = false;
  // How a certificate is signed says nothing here: its fingerprint is what is trusted, and some sign theirs with SHA-1.
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr || EVP_PKEY_get_security_bits(key) < weakestBits) {
    summary_.detail = "the certificate's key is weak";
    return false;
  }
  return true;
}

void DtlsAssociation::failed(DtlsFailure failure, std::string detail) {
  state_ = State::failed;
  summary_.failure = failure;
  if (summary_.detail.empty()) summary_.detail = std::move(detail);
}

void DtlsAssociation::failedBy(int result) {
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  const char* text = ERR_reason_error_string(error);
  std::string detail = text != nullptr ? text : "unknown";
  if (refusedPeer_ || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    failed(DtlsFailure::fingerprint, std::move(detail));
  } else if (result == SSL_ERROR_SSL && ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
    failed(DtlsFailure::alert, std::move(detail));
  } else if (reason == SSL_R_NO_SHARED_CIPHER || reason == SSL_R_NO_SUITABLE_KEY_SHARE || reason == SSL_R_WRONG_CURVE ||
             reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM || reason == SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS) {
    failed(DtlsFailure::noCommonSuite, std::move(detail));
  } else {
    failed(DtlsFailure::protocol, std::move(detail));
  }
}

void DtlsAssociation::setDeadline(double nowMs) {
  timeval left{};
  retransmitAt_ = std::numeric_limits<double>::infinity();
  if (DTLSv1_get_timeout(ssl_, &left) == 1) {
    retransmitAt_ = nowMs + static_cast<double>(left.tv_sec) * 1e3 + static_cast<double>(left.tv_usec) / 1e3;
  }
}

double DtlsAssociation::deadline() const {
  return state_ == State::handshaking ? std::min(retransmitAt_, giveUpAt_) : std::numeric_limits<double>::infinity();
}

bool DtlsAssociation::keys(DtlsKeys& out) const {
  if (state_ != State::secured) return false;
  static constexpr char label[] = "EXTRACTOR-dtls_srtp";
  const Suite& suite = *summary_.suite;
  const std::size_t key = suite.keyLength;
  const std::size_t salt = suite.saltLength;
  // client_write_key, server_write_key, client_write_salt, server_write_salt
  std::uint8_t block[2 * longestMaterial];
  const bool good = SSL_export_keying_material(ssl_, block, 2 * (key + salt), label, sizeof label - 1, nullptr, 0, 0) == 1;
  if (good) {
    auto& ofClient = !settings_.server ? out.send : out.receive;
    auto& ofServer = !settings_.server ? out.receive : out.send;
    std::memcpy(ofClient.data(), block, key);
    std::memcpy(ofServer.data(), block + key, key);
    std::memcpy(ofClient.data() + key, block + 2 * key, salt);
    std::memcpy(ofServer.data() + key, block + 2 * key + salt, salt);
    out.suite = &suite;
  }
  OPENSSL_cleanse(block, sizeof block);
  return good;
}

}  // namespace ringfence
