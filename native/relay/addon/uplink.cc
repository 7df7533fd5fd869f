#include "uplink.h"

#include <openssl/crypto.h>

#include "slot.h"

namespace ringfence {
namespace {

constexpr std::size_t headLength = 4 + 1 + 1 + 1 + 16 + 2 + 2;

bool isDatagram(Rising kind) { return kind == Rising::stun || kind == Rising::zrtp || kind == Rising::zrtpPassing; }

}  // namespace

void Uplink::listen(Wake wake, void* data) {
  const std::lock_guard<std::mutex> guard(mutex_);
  wake_ = wake;
  wakeData_ = data;
}

bool Uplink::datagram(Rising kind, std::uint32_t id, std::uint8_t component, const Address& source, ConstBytes bytes) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (ofSlot_.empty()) ofSlot_.resize(slotCount);
  std::uint8_t& ofOne = ofSlot_[slotOf(id)];
  if (ofOne >= mostOfOne || bytes.size() > longest) {
    count(droppedShare, 1);
    return false;
  }
  if (datagrams_ >= most) {
    count(droppedFull, 1);
    return false;
  }
  ofOne++;
  datagrams_++;
  add({id, kind, component, source, {bytes.begin(), bytes.end()}});
  return true;
}

void Uplink::tell(Rising kind, std::uint32_t id, ConstBytes bytes) {
  const std::lock_guard<std::mutex> guard(mutex_);
  add({id, kind, 0, Address(), {bytes.begin(), bytes.end()}});
}

void Uplink::add(Entry entry) {
  entries_.push_back(std::move(entry));
  count(waiting, 1);
  if (signalled_ || wake_ == nullptr) return;
  signalled_ = true;
  wake_(wakeData_);
}

void Uplink::drain(Writer& out) {
  const std::lock_guard<std::mutex> guard(mutex_);
  while (!entries_.empty()) {
    Entry& entry = entries_.front();
    if (out.room() < headLength + entry.bytes.size()) return;
    out.u32(entry.id);
    out.u8(static_cast<std::uint8_t>(entry.kind));
    out.u8(entry.component);
    writeAddress(entry.source, out);
    out.u16(static_cast<std::uint16_t>(entry.bytes.size()));
    out.bytes(entry.bytes);
    if (isDatagram(entry.kind)) {
      datagrams_--;
      ofSlot_[slotOf(entry.id)]--;
    }
    OPENSSL_cleanse(entry.bytes.data(), entry.bytes.size());
    entries_.pop_front();
    count(waiting, -1);
    count(taken, 1);
  }
  signalled_ = false;
}

// One writer at a time, under the mutex; JavaScript reads without it.
void Uplink::count(Count which, double amount) {
  const double value = counts_[which] + amount;
  __atomic_store(&counts_[which], &value, __ATOMIC_RELAXED);
}

}  // namespace ringfence
