/* What a DTLS 1.2 handshake costs a server that does nothing else: both ends in this process, joined in memory, and only
 * the time within the server's calls counted. usage: dtls-openssl COUNT; prints the version and the µs per handshake. */
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int trust(X509_STORE_CTX *store, void *data) {
  (void)store, (void)data;
  return 1;
}

static SSL_CTX *make_context(void) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)"bench", -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX *context = SSL_CTX_new(DTLS_method());
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES256-GCM-SHA384");
  SSL_CTX_set1_groups_list(context, "X25519:P-256");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(context, trust, NULL);
  if (SSL_CTX_use_certificate(context, certificate) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1 ||
      SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_256_GCM") != 0)
    exit(1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 0;
  if (count < 1 || count > 100000) return 2;
  SSL_CTX *ours = make_context(), *theirs = make_context();
  double spent = 0;
  for (int i = -20; i < count; i++) {
    if (i == 0) spent = 0;
    double from = now();
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(up, -1);
    BIO_set_mem_eof_return(down, -1);
    SSL *server = SSL_new(ours);
    SSL_set_bio(server, up, down);
    SSL_set_mtu(server, 1200);
    SSL_set_accept_state(server);
    spent += now() - from;
    SSL *client = SSL_new(theirs);
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(client, down, up);
    SSL_set_mtu(client, 1200);
    SSL_set_connect_state(client);
    int done = 0;
    for (int step = 0; step < 10 && done < 2; step++) {
      done = SSL_do_handshake(client) == 1;
      from = now();
      done += SSL_do_handshake(server) == 1;
      spent += now() - from;
    }
    if (done != 2) return 3;
    unsigned char keys[88];
    from = now();
    if (SSL_export_keying_material(server, keys, sizeof keys, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0) != 1) return 3;
    SSL_free(server);
    spent += now() - from;
    SSL_free(client);
  }
  printf("{\"version\":\"%s\",\"cpuPerHandshake\":%.1f}\n", OpenSSL_version(OPENSSL_VERSION_STRING), spent / count);
  return 0;
}
