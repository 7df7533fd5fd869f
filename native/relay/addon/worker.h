// A thread with its own epoll and its own endpoints: receive, authenticate, decrypt, encrypt, send.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "endpoint.h"
#include "negotiation.h"
#include "slot.h"

namespace ringfence {

struct WorkerOptions {
  // Under load a thread looks at its sockets no more often than this, so that each look finds several ready.
  std::uint32_t gatherMicroseconds = 250;
  // Packets a second on one thread from which on that is done.
  std::uint32_t gatherAbove = 6000;
};

double monotonicMs();

class Worker {
 public:
  Worker(Slot* slots, Negotiators negotiators, WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // For the control thread. The worker lets it in between two batches.
  class Lock {
   public:
    explicit Lock(Worker& worker) : worker_(worker) {
      worker_.waiting_.fetch_add(1);
      worker_.mutex_.lock();
      worker_.waiting_.fetch_sub(1);
    }
    ~Lock() { worker_.mutex_.unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    Worker& worker_;
  };

  bool add(Endpoint& endpoint);     // under lock
  void remove(Endpoint& endpoint);  // under lock; the sockets stay open but for the steady one
  void takeOver(Endpoint& endpoint);  // under the locks of both; from the worker that has it
  // Under lock: it is linked for the first time, and what came before is looked at now.
  void begin(Endpoint& endpoint);
  // Under lock: the endpoint has a player, or has one no more.
  void play(Endpoint& endpoint, std::unique_ptr<Player> player);
  void hush(Endpoint& endpoint);
  [[nodiscard]] std::size_t load() const { return load_; }  // control thread only
  void countLoad(int change) { load_ += static_cast<std::size_t>(change); }

 private:
  // Longer datagrams are dropped as malformed; room for what protecting adds lies behind.
  static constexpr std::size_t longestPacket = 16384;
  static constexpr int batch = 128;

  void run();
  void readable(std::uint64_t key);
  bool receive(Endpoint& endpoint, int socket, bool onRtcpSocket, bool connected);
  void relay(Endpoint& endpoint, bool onRtcpSocket, std::size_t length, const Address& source);
  static void learn(Endpoint& endpoint, Path& path, const Address& source);
  void settle(Endpoint& endpoint);
  void relayOpaque(Endpoint& endpoint, std::size_t length, const Address& source);
  Verdict unprotect(Endpoint& endpoint, bool rtcp, std::size_t& length, const RtpHeader& header);
  void forward(Endpoint& from, bool rtcp, std::size_t length, RtpHeader header);
  void protectAndSend(Endpoint& to, Row blamed, bool rtcp, std::size_t length, const RtpHeader& header);
  void copyToTaps(Endpoint& from, std::size_t length, const RtpHeader& header);
  void transmit(Endpoint& to, bool rtcp, std::size_t length);
  void playAll();
  void playNext(Endpoint& to);
  void beat(bool on);
  ssize_t sendTo(Endpoint& to, int socket, const Address& target, std::size_t length);
  void report(Endpoint& to);

  bool watch(Endpoint& endpoint);
  void unwatch(Endpoint& endpoint);

  Slot* slots_;
  Negotiators negotiators_;
  WorkerOptions options_;
  int epoll_ = -1;
  int stop_ = -1;
  int beat_ = -1;                    // fires every 20 ms while something is played
  std::vector<Endpoint*> playing_;
  std::mutex mutex_;
  std::atomic<int> waiting_{0};
  std::size_t load_ = 0;
  double now_ = 0;
  std::unique_ptr<std::uint8_t[]> packet_;
  std::unique_ptr<std::uint8_t[]> copy_;  // of a packet that is tried under two keys
  std::thread thread_;
};

// Calls `use` with the endpoint of that number under the lock of its worker; false where it is closed. Any thread but a worker's.
template <typename Use>
bool withEndpoint(Slot* slots, std::uint32_t id, Use use) {
  Slot& slot = slots[slotOf(id)];
  for (;;) {
    Worker* worker = slot.worker.load();
    if (worker == nullptr || slot.id.load() != id) return false;
    const Worker::Lock lock(*worker);
    if (slot.worker.load() != worker) continue;  // moved meanwhile
    if (slot.id.load() != id) return false;
    use(*slot.endpoint);
    return true;
  }
}

}  // namespace ringfence
