// The functions by which JavaScript takes part in handshakes: what comes up from the threads, and what it has them do.
#pragma once
#include <node_api.h>

namespace ringfence {

class Relay;
Relay* runningRelay();  // null before start() and after stop()

void defineDowncalls(napi_env env, napi_value exports);
// After the threads have ended.
void stopListening();

}  // namespace ringfence
