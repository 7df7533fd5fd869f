#include "downcalls.h"

#include "arguments.h"
#include "dtls.h"
#include "negotiation.h"
#include "relay.h"
#include "stun-message.h"

namespace ringfence {
namespace {

napi_threadsafe_function listener = nullptr;

void wake(void*) { napi_call_threadsafe_function(listener, nullptr, napi_tsfn_nonblocking); }

// An empty array is no address.
Address addressOf(Bytes bytes) {
  Reader reader(bytes);
  return bytes.empty() ? Address() : readAddress(reader);
}

// listen(callback): called when something has come up, until drain() has emptied it once for each call
napi_value listen(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value callback = nullptr;
  napi_get_cb_info(env, info, &count, &callback, nullptr, nullptr);
  napi_value name = nullptr;
  napi_create_string_utf8(env, "ringfence uplink", NAPI_AUTO_LENGTH, &name);
  const auto call = [](napi_env callEnv, napi_value function, void*, void*) {
    if (callEnv == nullptr) return;
    napi_value undefined = nullptr;
    napi_get_undefined(callEnv, &undefined);
    napi_call_function(callEnv, undefined, function, 0, nullptr, nullptr);
  };
  Relay* relay = runningRelay();
  if (relay == nullptr || listener != nullptr ||
      napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, nullptr, nullptr, nullptr, call, &listener) != napi_ok) {
    napi_throw_type_error(env, "bad-argument", "native relay: wrong argument");
    return nullptr;
  }
  napi_unref_threadsafe_function(env, listener);
  relay->uplink().listen(wake, nullptr);
  return nullptr;
}

// drain(out): octets written, 0 where nothing waits
napi_value drain(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Writer out(arguments.bytes(0));
  if (arguments.failed() || runningRelay() == nullptr) return arguments.throwBadArgument();
  runningRelay()->uplink().drain(out);
  return arguments.result(static_cast<double>(out.length()));
}

// uplinkCounts(): how much waits, how much was taken, how much was dropped for want of room and of an endpoint's share;
// valid until stop()
napi_value uplinkCounts(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (runningRelay() == nullptr) return arguments.throwBadArgument();
  napi_value buffer = nullptr;
  napi_create_external_arraybuffer(env, runningRelay()->uplink().counts(), Uplink::countLength * sizeof(double), nullptr, nullptr,
                                   &buffer);
  return buffer;
}

// sendDatagram(id, component, address, bytes): 1 where it was sent; no address: where media goes
napi_value sendDatagram(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  const auto component = static_cast<std::uint8_t>(arguments.u32(1));
  const Bytes address = arguments.bytes(2);
  const Bytes bytes = arguments.bytes(3);
  if (arguments.failed() || runningRelay() == nullptr) return arguments.throwBadArgument();
  bool sent = false;
  runningRelay()->with(id, [&](Endpoint& endpoint) {
    sent = ringfence::sendDatagram(endpoint, component, addressOf(address), bytes);
  });
  return arguments.result(sent ? 1 : 0);
}

// validatePair(id, component, address): ICE has shown that the peer is there; 1 where it is open
napi_value validatePair(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  const auto component = static_cast<std::uint8_t>(arguments.u32(1));
  const Address address = addressOf(arguments.bytes(2));
  if (arguments.failed() || runningRelay() == nullptr || !address.isSet()) return arguments.throwBadArgument();
  bool done = false;
  runningRelay()->with(id, [&](Endpoint& endpoint) {
    if (endpoint.ice == nullptr || !endpoint.ice->active) return;
    endpoint.ice->validate(component, address);
    // RFC 8445 §12.1: data may go by any valid pair before one is chosen. A handshake does not wait for that.
    if (component == 1 && endpoint.dtls != nullptr && endpoint.dtls->active) runningRelay()->dtls().reachable(endpoint, address);
    done = true;
  });
  return arguments.result(done ? 1 : 0);
}

// invalidatePair(id, component, address): ICE has begun anew, and the peer is not there any more; 1 where it is open
napi_value invalidatePair(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  const auto component = static_cast<std::uint8_t>(arguments.u32(1));
  const Address address = addressOf(arguments.bytes(2));
  if (arguments.failed() || runningRelay() == nullptr || !address.isSet()) return arguments.throwBadArgument();
  bool done = false;
  runningRelay()->with(id, [&](Endpoint& endpoint) {
    if (endpoint.ice == nullptr || !endpoint.ice->active) return;
    endpoint.ice->invalidate(component, address);
    done = true;
  });
  return arguments.result(done ? 1 : 0);
}

// choosePair(id, component, address): media comes from there and goes there; no address: nowhere, and nobody is valid
napi_value choosePair(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  const auto component = static_cast<std::uint8_t>(arguments.u32(1));
  const Address address = addressOf(arguments.bytes(2));
  if (arguments.failed() || runningRelay() == nullptr) return arguments.throwBadArgument();
  bool done = false;
  runningRelay()->with(id, [&](Endpoint& endpoint) {
    if (endpoint.ice == nullptr || !endpoint.ice->active) return;
    if (address.isSet()) {
      endpoint.ice->validate(component, address);
      endpoint.ice->chosen = true;
    } else {
      endpoint.ice->forgetValidated();
    }
    ringfence::choosePair(endpoint, component, address);
    if (address.isSet() && endpoint.dtls != nullptr && endpoint.dtls->active) {
      runningRelay()->dtls().reachable(endpoint, endpoint.rtp.target());
    }
    done = true;
  });
  return arguments.result(done ? 1 : 0);
}

// secure(id, suite, send, receive): master keys and salts that ZRTP has made; 1 where it is SRTP now
napi_value secure(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  const Suite* suite = findSuite(static_cast<std::uint8_t>(arguments.u32(1)));
  const Bytes send = arguments.bytes(2);
  const Bytes receive = arguments.bytes(3);
  if (arguments.failed() || runningRelay() == nullptr || suite == nullptr || send.size() != suite->materialLength() ||
      receive.size() != suite->materialLength()) {
    return arguments.throwBadArgument();
  }
  bool done = false;
  runningRelay()->with(id, [&](Endpoint& endpoint) {
    done = endpoint.zrtp.mode == ZrtpMode::end && installKeys(endpoint, *suite, send, receive);
  });
  return arguments.result(done ? 1 : 0);
}

// passMedia(id): both ends have keys by ZRTP, and what was held back may pass
napi_value passMedia(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::uint32_t id = arguments.u32(0);
  if (arguments.failed() || runningRelay() == nullptr) return arguments.throwBadArgument();
  const bool done = runningRelay()->with(id, [](Endpoint& endpoint) {
    endpoint.zrtp.confirmed = true;
    gateMedia(endpoint);
  });
  return arguments.result(done ? 1 : 0);
}

// checkStun(bytes, password): 0 it is no check of ICE, 1 its integrity is not of that password, 2 it is. For tests.
napi_value checkStun(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Bytes bytes = arguments.bytes(0);
  const Bytes password = arguments.bytes(1);
  if (arguments.failed()) return arguments.throwBadArgument();
  StunMessage message;
  if (!readStun(bytes, message)) return arguments.result(0);
  const std::string_view text(reinterpret_cast<const char*>(password.data()), password.size());
  return arguments.result(verifyStun(message, text) ? 2 : 1);
}

}  // namespace

void stopListening() {
  if (listener == nullptr) return;
  napi_release_threadsafe_function(listener, napi_tsfn_abort);
  listener = nullptr;
}

void defineDowncalls(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
#define RINGFENCE_EXPORT(name) {#name, nullptr, name, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
      RINGFENCE_EXPORT(listen),       RINGFENCE_EXPORT(drain),      RINGFENCE_EXPORT(uplinkCounts),
      RINGFENCE_EXPORT(sendDatagram), RINGFENCE_EXPORT(validatePair), RINGFENCE_EXPORT(invalidatePair), RINGFENCE_EXPORT(choosePair),
      RINGFENCE_EXPORT(secure),       RINGFENCE_EXPORT(passMedia),
      RINGFENCE_EXPORT(checkStun),
#undef RINGFENCE_EXPORT
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
}

}  // namespace ringfence
