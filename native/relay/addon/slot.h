// Where an endpoint is found by its number, from any thread.
#pragma once
#include <atomic>
#include <cstdint>

namespace ringfence {

class Worker;
struct Endpoint;

// `id` and `worker` only change under the lock of the owning worker, so whoever holds that lock and finds both to match
// may use `endpoint`.
struct Slot {
  std::atomic<std::uint32_t> id{0};
  std::atomic<Worker*> worker{nullptr};
  Endpoint* endpoint = nullptr;
};

inline constexpr std::uint32_t slotBits = 15;
inline constexpr std::uint32_t slotCount = 1U << slotBits;
inline std::uint32_t slotOf(std::uint32_t id) { return id & (slotCount - 1); }

}  // namespace ringfence
