// Local ports, chosen at random so that they cannot be foretold, and the sockets bound to them.
#pragma once
#include <cstdint>
#include <vector>

#include "address.h"
#include "endpoint.h"

namespace ringfence {

enum class Status : std::uint8_t { ok, noPorts, noDescriptors, badAddress };

class Ports {
 public:
  // `from` to `to`, both included.
  Ports(std::uint16_t from, std::uint16_t to) : from_(from), to_(to) {}

  // Sets sockets and ports of the endpoint; leaves nothing open when it fails.
  Status open(const Address& local, std::uint8_t dscp, Endpoint& endpoint);
  void close(Endpoint& endpoint);

  // The endpoint's steady socket, for the source that RTP was learned from. Called by the worker under its lock.
  // What it has received before it was connected may be anybody's, and is there to be read with its source.
  static bool openSteady(Endpoint& endpoint);
  static void closeSteady(Endpoint& endpoint);

 private:
  struct Local {
    Address address;
    std::vector<bool> used;
  };

  Status tryBind(Local& local, std::uint16_t port, std::uint8_t dscp, Endpoint& endpoint, bool& taken);
  [[nodiscard]] std::size_t indexOf(const Address& address);
  [[nodiscard]] std::uint32_t size() const { return std::uint32_t{to_} - from_ + 1; }

  std::uint16_t from_;
  std::uint16_t to_;
  std::vector<Local> locals_;
};

}  // namespace ringfence
