// Network byte order, and a reader that fails once and stays failed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ringfence {

using Bytes = std::span<std::uint8_t>;
using ConstBytes = std::span<const std::uint8_t>;

inline std::uint16_t load16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
inline std::uint32_t load32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}
inline void store16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store32(std::uint8_t* p, std::uint32_t v) {
  store16(p, static_cast<std::uint16_t>(v >> 16));
  store16(p + 2, static_cast<std::uint16_t>(v));
}

class Reader {
 public:
  explicit Reader(ConstBytes bytes) : bytes_(bytes) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool atEnd() const { return offset_ == bytes_.size(); }

  std::uint8_t u8() { return take(1) ? bytes_[offset_ - 1] : std::uint8_t{0}; }
  std::uint16_t u16() { return take(2) ? load16(&bytes_[offset_ - 2]) : std::uint16_t{0}; }
  std::uint32_t u32() { return take(4) ? load32(&bytes_[offset_ - 4]) : 0; }
  ConstBytes bytes(std::size_t length) {
    return take(length) ? bytes_.subspan(offset_ - length, length) : ConstBytes{};
  }

 private:
  bool take(std::size_t length) {
    if (failed_ || bytes_.size() - offset_ < length) {
      failed_ = true;
      return false;
    }
    offset_ += length;
    return true;
  }

  ConstBytes bytes_;
  std::size_t offset_ = 0;
  bool failed_ = false;
};

// Writes into a buffer that the caller sized for the largest answer; overflow is remembered, never written.
class Writer {
 public:
  explicit Writer(Bytes bytes) : bytes_(bytes) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t length() const { return offset_; }
  [[nodiscard]] std::size_t room() const { return failed_ ? 0 : bytes_.size() - offset_; }

  void u8(std::uint8_t v) {
    if (std::uint8_t* p = take(1)) *p = v;
  }
  void u16(std::uint16_t v) {
    if (std::uint8_t* p = take(2)) store16(p, v);
  }
  void u32(std::uint32_t v) {
    if (std::uint8_t* p = take(4)) store32(p, v);
  }
  void f64(double v) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof bits);
    u32(static_cast<std::uint32_t>(bits >> 32));
    u32(static_cast<std::uint32_t>(bits));
  }
  void bytes(ConstBytes v) {
    if (v.empty()) return;
    if (std::uint8_t* p = take(v.size())) std::memcpy(p, v.data(), v.size());
  }

 private:
  std::uint8_t* take(std::size_t length) {
    if (failed_ || bytes_.size() - offset_ < length) {
      failed_ = true;
      return nullptr;
    }
    offset_ += length;
    return bytes_.data() + offset_ - length;
  }

  Bytes bytes_;
  std::size_t offset_ = 0;
  bool failed_ = false;
};

}  // namespace ringfence
