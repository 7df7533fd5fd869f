// The DTLS association as JavaScript sees it, for tests, fuzzers and benches; the media process calls none of this.
#include "dtls-door.h"

#include "arguments.h"
#include "dtls-association.h"

namespace ringfence {

double monotonicMs();

namespace {

using Certificate = std::shared_ptr<const DtlsCertificate>;

template <typename T>
napi_value wrap(napi_env env, std::unique_ptr<T> made) {
  napi_value out = nullptr;
  T* raw = made.release();
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<T*>(data); };
  if (napi_create_external(env, raw, destroy, nullptr, &out) != napi_ok) delete raw;
  return out;
}

// createDtlsCertificate(out): its SHA-256 fingerprint goes to out
napi_value createDtlsCertificate(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Writer out(arguments.bytes(0));
  if (arguments.failed()) return arguments.throwBadArgument();
  Certificate made = DtlsCertificate::create(0, 86400e3);
  if (made == nullptr) return arguments.throwBadArgument();
  out.bytes(made->fingerprint().bytes());
  return wrap(env, std::make_unique<Certificate>(std::move(made)));
}

// createDtlsAssociation(certificate, server, fingerprints, suites, retransmitMs, giveUpMs). Fingerprints: u8 hash, u8 length, octets.
napi_value createDtlsAssociation(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto* certificate = arguments.external<Certificate>(0);
  DtlsSettings settings;
  settings.server = arguments.u32(1) != 0;
  Reader fingerprints(arguments.bytes(2));
  for (const std::uint8_t id : arguments.bytes(3)) {
    if (const Suite* suite = findSuite(id)) settings.suites.push_back(suite);
  }
  const DtlsTiming timing{arguments.u32(4), arguments.number(5)};
  if (arguments.failed()) return arguments.throwBadArgument();
  while (!fingerprints.atEnd() && !fingerprints.failed()) {
    Fingerprint& fingerprint = settings.fingerprints.emplace_back();
    fingerprint.hash = static_cast<FingerprintHash>(fingerprints.u8());
    const ConstBytes value = fingerprints.bytes(fingerprints.u8());
    if (value.size() > fingerprint.value.size()) return arguments.throwBadArgument();
    fingerprint.length = static_cast<std::uint8_t>(value.size());
    std::memcpy(fingerprint.value.data(), value.data(), value.size());
  }
  auto made = DtlsAssociation::create(*certificate, settings, timing, monotonicMs());
  return made == nullptr ? arguments.throwBadArgument() : wrap(env, std::move(made));
}

// dtlsStep(association, operation, datagram, out): what is to be sent, each as u16 length and octets; octets written
napi_value dtlsStep(napi_env env, napi_callback_info info) {
  enum : std::uint32_t { start, receive, resume, passTime, close };
  Arguments arguments(env, info);
  auto* association = arguments.external<DtlsAssociation>(0);
  const std::uint32_t operation = arguments.u32(1);
  const Bytes datagram = arguments.bytes(2);
  Writer out(arguments.bytes(3));
  if (arguments.failed() || operation > close) return arguments.throwBadArgument();
  Flight flight;
  const double now = monotonicMs();
  if (operation == start) association->start(now, flight);
  if (operation == receive) association->receive(datagram, now, flight);
  if (operation == resume) association->resume(datagram, now, flight);
  if (operation == passTime && now >= association->deadline()) association->passTime(now, flight);
  if (operation == close) association->close(flight);
  for (std::size_t i = 0; i < flight.count(); i++) {
    out.u16(static_cast<std::uint16_t>(flight[i].size()));
    out.bytes(flight[i]);
  }
  return arguments.result(out.failed() ? -1 : static_cast<double>(out.length()));
}

// dtlsLook(association, out): u8 state, u8 failure, u8 suite, then version, cipher, group, detail, fingerprint, keys to send
// and to receive with, each behind its length in an octet; octets written
napi_value dtlsLook(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto* association = arguments.external<DtlsAssociation>(0);
  Writer out(arguments.bytes(1));
  if (arguments.failed()) return arguments.throwBadArgument();
  const DtlsSummary& summary = association->summary();
  const auto text = [&](const std::string& value) {
    out.u8(static_cast<std::uint8_t>(value.size()));
    out.bytes({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
  };
  out.u8(static_cast<std::uint8_t>(association->state()));
  out.u8(static_cast<std::uint8_t>(summary.failure));
  out.u8(summary.suite == nullptr ? std::uint8_t{0} : summary.suite->id);
  for (const std::string& value : {summary.version, summary.cipher, summary.group, summary.detail}) text(value);
  out.u8(summary.peer.length);
  out.bytes(summary.peer.bytes());
  DtlsKeys keys;
  const std::size_t length = association->keys(keys) ? keys.suite->materialLength() : 0;
  for (const auto& key : {std::cref(keys.send), std::cref(keys.receive)}) {
    out.u8(static_cast<std::uint8_t>(length));
    out.bytes(ConstBytes(key.get()).first(length));
  }
  return arguments.result(out.failed() ? -1 : static_cast<double>(out.length()));
}

}  // namespace

void defineDtls(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
#define RINGFENCE_EXPORT(name) {#name, nullptr, name, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
      RINGFENCE_EXPORT(createDtlsCertificate), RINGFENCE_EXPORT(createDtlsAssociation),
      RINGFENCE_EXPORT(dtlsStep),              RINGFENCE_EXPORT(dtlsLook),
#undef RINGFENCE_EXPORT
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
}

}  // namespace ringfence
