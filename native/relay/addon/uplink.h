// What goes from the threads of the media process up to its JavaScript: handshakes, never a packet of voice.
#pragma once
#include <deque>
#include <mutex>
#include <vector>

#include "address.h"
#include "statistics.h"

namespace ringfence {

// The numbers are those of ../uplink.ts.
enum class Rising : std::uint8_t {
  opened = 1,      // an endpoint takes part; what it is
  iceConfigured,   // the section of its configuration
  zrtpConfigured,
  closed,
  stun,            // verified by its gate
  zrtp,            // for us
  zrtpPassing,     // went on to the far end; a copy
  event,           // the body of an event for the edge
};

class Uplink {
 public:
  using Wake = void (*)(void*);

  // `wake` is called from any thread, once until the queue was emptied.
  void listen(Wake wake, void* data);

  // A datagram. Dropped and counted where too much waits already, of all endpoints or of this one. Any thread.
  bool datagram(Rising kind, std::uint32_t id, std::uint8_t component, const Address& source, ConstBytes bytes);
  // What must not be lost. There is no more of it than requests and handshakes that came to their end. Any thread.
  void tell(Rising kind, std::uint32_t id, ConstBytes bytes);
  // As many entries as fit, oldest first: u32 endpoint, u8 kind, u8 component, u8 family, address, u16 port, u16 length, octets.
  void drain(Writer& out);

  enum Count : std::size_t { waiting, taken, droppedFull, droppedShare, countLength };
  [[nodiscard]] double* counts() { return counts_; }

  // Most datagrams that wait, of all endpoints and of one; with the longest this is 4 MiB.
  static constexpr std::size_t most = 2048;
  static constexpr std::uint8_t mostOfOne = 16;
  static constexpr std::size_t longest = 2048;

 private:
  struct Entry {
    std::uint32_t id;
    Rising kind;
    std::uint8_t component;
    Address source;
    std::vector<std::uint8_t> bytes;
  };

  void add(Entry entry);
  void count(Count which, double amount);

  std::mutex mutex_;
  std::deque<Entry> entries_;
  std::vector<std::uint8_t> ofSlot_;
  std::size_t datagrams_ = 0;
  bool signalled_ = false;
  Wake wake_ = nullptr;
  void* wakeData_ = nullptr;
  double counts_[countLength] = {};
};

}  // namespace ringfence
