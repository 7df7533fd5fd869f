// Copies of what one endpoint receives, decrypted, for endpoints of a recorder that send them under keys of their own.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace ringfence {

struct Endpoint;

inline constexpr std::size_t mostTaps = 2;

// Those that send what the endpoint receives. They belong to the same worker as it does.
using Taps = std::vector<Endpoint*>;

// Under the lock of the worker of both. False: it has as many as may be.
bool addTap(Endpoint& from, Endpoint& to);
// Under lock: it sends no copies any more.
void endTap(Endpoint& to);
// Under lock: the endpoint goes, and neither copies nor is copied.
void forgetTaps(Endpoint& endpoint);

}  // namespace ringfence
