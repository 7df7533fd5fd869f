// The DTLS part of the door to JavaScript.
#pragma once
#include <node_api.h>

namespace ringfence {

void defineDtls(napi_env env, napi_value exports);

}  // namespace ringfence
