// The door to JavaScript, in plain Node-API; ../native.ts gives these functions their types.
#include <cstdio>

#include <node_api.h>
#include <sys/socket.h>

#include "arguments.h"
#include "downcalls.h"
#include "dtls-door.h"
#include "process.h"
#include "relay.h"

namespace ringfence {
namespace {

std::unique_ptr<Relay> relay;
DtlsLimits dtlsLimits;

// start(from, to, threads, gatherMicroseconds, gatherAbove)
napi_value start(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const RelayOptions options{static_cast<std::uint16_t>(arguments.u32(0)),
                             static_cast<std::uint16_t>(arguments.u32(1)),
                             arguments.u32(2),
                             {arguments.u32(3), arguments.u32(4)},
                             dtlsLimits};
  if (arguments.failed() || relay != nullptr || options.to < options.from) return arguments.throwBadArgument();
  relay = std::make_unique<Relay>(options);
  return nullptr;
}

// limitDtls(retransmitMs, giveUpMs, certificateMs, mostHandshakes): for the next start()
napi_value limitDtls(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const DtlsLimits limits{{arguments.u32(0), arguments.number(1)}, arguments.number(2), arguments.u32(3)};
  if (arguments.failed()) return arguments.throwBadArgument();
  dtlsLimits = limits;
  return nullptr;
}

// dtlsCounts(): of ../dtls-counts.ts; valid until stop()
napi_value dtlsCounts(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (relay == nullptr) return arguments.throwBadArgument();
  napi_value buffer = nullptr;
  napi_create_external_arraybuffer(env, relay->dtls().counts(), Dtls::countLength * sizeof(double), nullptr, nullptr, &buffer);
  return buffer;
}

napi_value stop(napi_env, napi_callback_info) {
  relay.reset();
  stopListening();
  return nullptr;
}

// request(type, body, out): octets written to out, or -1 where the body is malformed
napi_value request(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t type = arguments.u32(0);
  const Bytes body = arguments.bytes(1);
  Writer reply(arguments.bytes(2));
  if (arguments.failed() || relay == nullptr) return arguments.throwBadArgument();
  if (type > 255 || !relay->handle(static_cast<Request>(type), body, reply) || reply.failed()) return arguments.result(-1);
  return arguments.result(static_cast<double>(reply.length()));
}

// source(id, out): octets written, 0 where nothing was learned
napi_value source(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  Writer out(arguments.bytes(1));
  if (arguments.failed() || relay == nullptr) return arguments.throwBadArgument();
  const Address address = relay->sourceOf(id);
  if (address.isSet()) {
    out.u8(address.family() == AF_INET ? 4 : 6);
    out.bytes(address.host());
    out.u16(address.port());
  }
  return arguments.result(static_cast<double>(out.length()));
}

// rows(): the counters of all endpoints, shared with the threads; valid until stop()
napi_value rows(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (relay == nullptr) return arguments.throwBadArgument();
  napi_value buffer = nullptr;
  napi_create_external_arraybuffer(env, relay->rows(), Relay::rowsLength, nullptr, nullptr, &buffer);
  return buffer;
}

// tick(): ends grace periods; the number of rows that are or were in use
napi_value tick(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  return arguments.result(relay == nullptr ? 0 : static_cast<double>(relay->tick()));
}

napi_value harden(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  return arguments.result(hardenProcess() ? 1 : 0);
}

// limitDescriptors(most)
napi_value limitDescriptors(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t most = arguments.u32(0);
  if (arguments.failed()) return arguments.throwBadArgument();
  ringfence::limitDescriptors(most);
  return nullptr;
}

napi_value trim(napi_env, napi_callback_info) {
  trimResident();
  return nullptr;
}

// controlPair(out): the descriptors of two ends of a socket, each in 4 octets; the octets written, 0 where there is none
napi_value controlPair(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Writer out(arguments.bytes(0));
  int ends[2] = {-1, -1};
  if (arguments.failed()) return arguments.throwBadArgument();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return arguments.result(0);
  for (const int end : ends) out.u32(static_cast<std::uint32_t>(end));
  return arguments.result(static_cast<double>(out.length()));
}

// openDoor(path, out): a listening UNIX socket that its owner alone may connect to; its descriptor in 4 octets, 0 where there is none
napi_value openDoor(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Bytes path = arguments.bytes(0);
  Writer out(arguments.bytes(1));
  if (arguments.failed()) return arguments.throwBadArgument();
  const int door = ringfence::openDoor({reinterpret_cast<const char*>(path.data()), path.size()});
  if (door < 0) return arguments.result(0);
  out.u32(static_cast<std::uint32_t>(door));
  return arguments.result(static_cast<double>(out.length()));
}

// acceptAt(door, user): the descriptor of one who has connected and runs as that user or as root; -1 where there is none
napi_value acceptAt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t door = arguments.u32(0);
  const std::uint32_t user = arguments.u32(1);
  if (arguments.failed()) return arguments.throwBadArgument();
  return arguments.result(ringfence::acceptAt(static_cast<int>(door), user));
}

// inherit(descriptor): it stays open in the program that takes this one's place; 1 where that was possible
napi_value inherit(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t descriptor = arguments.u32(0);
  if (arguments.failed()) return arguments.throwBadArgument();
  return arguments.result(ringfence::inheritDescriptor(static_cast<int>(descriptor)) ? 1 : 0);
}

napi_value wrap(napi_env env, std::unique_ptr<Context> context) {
  napi_value out = nullptr;
  if (context == nullptr) return nullptr;
  Context* raw = context.release();
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<Context*>(data); };
  if (napi_create_external(env, raw, destroy, nullptr, &out) != napi_ok) delete raw;
  return out;
}

// createContext(suite, direction, material, mki)
napi_value createContext(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Suite* suite = findSuite(static_cast<std::uint8_t>(arguments.u32(0)));
  const std::uint32_t direction = arguments.u32(1);
  const Bytes material = arguments.bytes(2);
  const Bytes mki = arguments.bytes(3);
  if (arguments.failed() || suite == nullptr || direction > 1) return arguments.throwBadArgument();
  napi_value out = wrap(env, Context::create(*suite, static_cast<Direction>(direction), material, mki));
  return out != nullptr ? out : arguments.throwBadArgument();
}

bool readSessionKeys(const Suite& suite, ConstBytes bytes, SessionKeys& keys) {
  if (bytes.size() != std::size_t{suite.keyLength} + sizeof keys.authentication + suite.saltLength) return false;
  std::memcpy(keys.cipher, bytes.data(), suite.keyLength);
  std::memcpy(keys.authentication, bytes.data() + suite.keyLength, sizeof keys.authentication);
  std::memcpy(keys.salt, bytes.data() + suite.keyLength + sizeof keys.authentication, suite.saltLength);
  return true;
}

// createSessionContext(suite, direction, rtpKeys, rtcpKeys): each cipher key, 20 octets authentication key, salt.
// For vectors, of which some are SRTCP that is not encrypted: it takes those too.
napi_value createSessionContext(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Suite* suite = findSuite(static_cast<std::uint8_t>(arguments.u32(0)));
  const std::uint32_t direction = arguments.u32(1);
  const Bytes rtpBytes = arguments.bytes(2);
  const Bytes rtcpBytes = arguments.bytes(3);
  SessionKeys rtp{};
  SessionKeys rtcp{};
  if (arguments.failed() || suite == nullptr || direction > 1 || !readSessionKeys(*suite, rtpBytes, rtp) ||
      !readSessionKeys(*suite, rtcpBytes, rtcp)) {
    return arguments.throwBadArgument();
  }
  std::unique_ptr<Context> context = Context::fromSessionKeys(*suite, static_cast<Direction>(direction), rtp, rtcp);
  if (context != nullptr) context->takeUnencryptedRtcp();
  napi_value out = wrap(env, std::move(context));
  return out != nullptr ? out : arguments.throwBadArgument();
}

// deriveKeys(suite, material, rtcp, out): cipher key, 20 octets authentication key, salt
napi_value deriveKeys(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Suite* suite = findSuite(static_cast<std::uint8_t>(arguments.u32(0)));
  const Bytes material = arguments.bytes(1);
  const bool rtcp = arguments.u32(2) != 0;
  Writer out(arguments.bytes(3));
  SessionKeys keys{};
  if (arguments.failed() || suite == nullptr || !deriveSessionKeys(*suite, material, rtcp, keys)) {
    return arguments.throwBadArgument();
  }
  out.bytes(ConstBytes(keys.cipher, suite->keyLength));
  out.bytes(keys.authentication);
  out.bytes(ConstBytes(keys.salt, suite->saltLength));
  return arguments.result(static_cast<double>(out.length()));
}

// keystream(suite, sessionKeys, ssrc, index, out)
napi_value keystream(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Suite* suite = findSuite(static_cast<std::uint8_t>(arguments.u32(0)));
  const Bytes keyBytes = arguments.bytes(1);
  const std::uint32_t ssrc = arguments.u32(2);
  const auto index = static_cast<std::uint64_t>(arguments.number(3));
  const Bytes out = arguments.bytes(4);
  SessionKeys keys{};
  SessionCipher cipher;
  if (arguments.failed() || suite == nullptr || suite->aead || !readSessionKeys(*suite, keyBytes, keys) ||
      !cipher.setKeys(*suite, Direction::send, keys)) {
    return arguments.throwBadArgument();
  }
  std::memset(out.data(), 0, out.size());
  return arguments.result(cipher.applyKeystream(ssrc, index, out) ? 1 : 0);
}

// transform(context, operation, buffer, length): the new length, or minus the verdict. Protecting needs room behind length.
napi_value transform(napi_env env, napi_callback_info info) {
  enum : std::uint32_t { protectRtp, unprotectRtp, protectRtcp, unprotectRtcp };
  Arguments arguments(env, info);
  Context* context = arguments.external<Context>(0);
  const std::uint32_t operation = arguments.u32(1);
  const Bytes buffer = arguments.bytes(2);
  std::size_t length = arguments.u32(3);
  if (arguments.failed() || context == nullptr || operation > unprotectRtcp ||
      buffer.size() < length + Context::protectOverhead) {
    return arguments.throwBadArgument();
  }
  RtpHeader header{};
  const bool rtp = operation == protectRtp || operation == unprotectRtp;
  Verdict verdict = Verdict::malformed;
  if (!rtp || readRtpHeader(buffer.first(length), header)) {
    switch (operation) {
      case protectRtp:
        verdict = context->protectRtp(buffer.data(), length, header);
        break;
      case unprotectRtp:
        verdict = context->unprotectRtp(buffer.data(), length, header);
        break;
      case protectRtcp:
        verdict = context->protectRtcp(buffer.data(), length);
        break;
      default:
        verdict = context->unprotectRtcp(buffer.data(), length);
        break;
    }
  }
  return arguments.result(verdict == Verdict::ok ? static_cast<double>(length) : -static_cast<double>(verdict));
}

// resume(context, ssrc, rtpIndex, rtcpIndex)
napi_value resume(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Context* context = arguments.external<Context>(0);
  const std::uint32_t ssrc = arguments.u32(1);
  const double rtpIndex = arguments.number(2);
  const std::uint32_t rtcpIndex = arguments.u32(3);
  if (arguments.failed() || context == nullptr || rtpIndex < 0 || rtpIndex >= static_cast<double>(rtpIndexLimit)) {
    return arguments.throwBadArgument();
  }
  context->resume(ssrc, static_cast<std::uint64_t>(rtpIndex), rtcpIndex);
  return nullptr;
}

napi_value initialize(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
#define RINGFENCE_EXPORT(name) {#name, nullptr, name, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
      RINGFENCE_EXPORT(start),         RINGFENCE_EXPORT(stop),
      RINGFENCE_EXPORT(request),       RINGFENCE_EXPORT(source),
      RINGFENCE_EXPORT(rows),          RINGFENCE_EXPORT(tick),
      RINGFENCE_EXPORT(harden),        RINGFENCE_EXPORT(limitDescriptors),
      RINGFENCE_EXPORT(trim),          RINGFENCE_EXPORT(controlPair),
      RINGFENCE_EXPORT(createContext), RINGFENCE_EXPORT(createSessionContext),
      RINGFENCE_EXPORT(deriveKeys),    RINGFENCE_EXPORT(keystream),
      RINGFENCE_EXPORT(transform),     RINGFENCE_EXPORT(resume),
      RINGFENCE_EXPORT(openDoor),      RINGFENCE_EXPORT(acceptAt),
      RINGFENCE_EXPORT(inherit),       RINGFENCE_EXPORT(limitDtls),
      RINGFENCE_EXPORT(dtlsCounts),
#undef RINGFENCE_EXPORT
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  defineDowncalls(env, exports);
  defineDtls(env, exports);
  return exports;
}

}  // namespace

Relay* runningRelay() { return relay.get(); }

}  // namespace ringfence

NAPI_MODULE_INIT() { return ringfence::initialize(env, exports); }
