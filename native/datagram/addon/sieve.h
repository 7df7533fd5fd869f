// What the kernel does with a flood before it costs us anything: a classic BPF program on the socket (SO_ATTACH_FILTER,
// socket(7)), which needs no rights. Known sources pass whole; of strangers it lets through a share, drawn by lot, so
// that about as much comes in as may be taken. The receive queue stays short then, and nobody waits behind a flood or is
// lost with it.
//
// Known sources stand in the program as ranges of addresses, found by bisection. Where there are more of them than a
// program holds, the nearest are joined: then some strangers pass too, and are counted as before where they are read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <linux/filter.h>
#include <sys/socket.h>

namespace ringfence {

struct AddressRange {
  std::uint32_t first;
  std::uint32_t last;
};

// Joins what lies nearest until at most so many are left; `sorted` by `first`, none overlapping.
inline std::vector<AddressRange> joinNearest(std::vector<AddressRange> sorted, std::size_t most) {
  if (sorted.size() <= most || most == 0) return sorted;
  std::vector<std::uint32_t> gaps;
  gaps.reserve(sorted.size() - 1);
  for (std::size_t i = 1; i < sorted.size(); i++) gaps.push_back(sorted[i].first - sorted[i - 1].last);
  std::vector<std::uint32_t> ordered = gaps;
  const auto kept = static_cast<std::ptrdiff_t>(most - 1);
  std::nth_element(ordered.begin(), ordered.begin() + kept, ordered.end(), std::greater<>());
  const std::uint32_t narrowest = ordered[static_cast<std::size_t>(kept)];
  std::vector<AddressRange> joined{sorted.front()};
  for (std::size_t i = 1; i < sorted.size(); i++) {
    if (gaps[i - 1] > narrowest)
      joined.push_back(sorted[i]);
    else
      joined.back().last = sorted[i].last;
  }
  return joined;
}

class Sieve {
 public:
  // Instructions that a program may have (BPF_MAXINSNS) leave room for so many; one range takes at most five and a half.
  static constexpr std::size_t mostRanges = 700;

  // `keys` of all known sources: IPv4 addresses, or the first 64 bits of IPv6 ones in host order.
  void know(std::vector<std::uint64_t> keys, bool six) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    head_.clear();
    if (six)
      know6(keys);
    else
      know4(keys);
  }

  // Lets so much of strangers through, 0 to 1: of what looks like SIP, and of the rest. False where the system refuses.
  bool attach(int fd, double sip, double rest) {
    program_ = head_;
    // Strangers. At the offset 0 is the UDP header, whose eight octets count.
    add(BPF_LD | BPF_W | BPF_LEN, 0);
    jump(BPF_JGT, 8 + 12, 0, 3);
    add(BPF_LD | BPF_B | BPF_ABS, 8);
    jump(BPF_JGE, 'A', 0, 1);
    // What is no capital goes on behind the lot of SIP.
    jump(BPF_JGT, 'Z', 0, 1);
    add(BPF_JMP | BPF_JA, lotLength);
    lot(sip);
    lot(rest);
    if (program_.size() > BPF_MAXINSNS) return false;
    sock_fprog made{};
    made.len = static_cast<unsigned short>(program_.size());
    made.filter = program_.data();
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &made, sizeof made) == 0;
  }

  static void detach(int fd) {
    const int none = 0;
    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
  }

  std::size_t instructions() const { return program_.size(); }

 private:
  static constexpr std::uint32_t all = 0xffffffff;
  static constexpr std::uint32_t lotLength = 4;
  std::vector<sock_filter> head_;
  std::vector<sock_filter> program_;

  static sock_filter statement(unsigned code, std::uint32_t k) {
    return sock_filter{static_cast<std::uint16_t>(code), 0, 0, k};
  }
  static sock_filter branch(unsigned code, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
    return sock_filter{static_cast<std::uint16_t>(BPF_JMP | code | BPF_K), yes, no, k};
  }
  void add(unsigned code, std::uint32_t k) { program_.push_back(statement(code, k)); }
  void jump(unsigned code, std::uint32_t k, std::uint8_t yes, std::uint8_t no) { program_.push_back(branch(code, k, yes, no)); }

  void lot(double share) {
    const double bound = std::clamp(share, 0.0, 1.0) * 4294967296.0;
    add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM));
    jump(BPF_JGE, bound >= 4294967295.0 ? all : static_cast<std::uint32_t>(bound), 0, 1);
    add(BPF_RET, 0);
    add(BPF_RET, all);
  }

  using Code = std::vector<sock_filter>;

  // One of `ranges` holds A: what `found` says of it. None: falls out at the end.
  template <typename Found>
  static Code bisect(const std::vector<AddressRange>& ranges, std::size_t from, std::size_t to, const Found& found) {
    Code code;
    if (to - from == 1) {
      const AddressRange& range = ranges[from];
      const Code inner = found(from);
      const auto over = static_cast<std::uint32_t>(inner.size());
      if (range.first == range.last) {
        code.push_back(branch(BPF_JEQ, range.first, 1, 0));
      } else {
        code.push_back(branch(BPF_JGE, range.first, 0, 1));
        code.push_back(branch(BPF_JGT, range.last, 0, 1));
      }
      code.push_back(statement(BPF_JMP | BPF_JA, over));
      code.insert(code.end(), inner.begin(), inner.end());
      return code;
    }
    const std::size_t middle = from + (to - from) / 2;
    const Code low = bisect(ranges, from, middle, found);
    const Code high = bisect(ranges, middle, to, found);
    // Conditional jumps reach 255 instructions, the others as far as they like.
    code.push_back(branch(BPF_JGE, ranges[middle].first, 0, 1));
    code.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(low.size()) + 1));
    code.insert(code.end(), low.begin(), low.end());
    code.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(high.size())));
    code.insert(code.end(), high.begin(), high.end());
    return code;
  }

  static void mergeInto(std::vector<AddressRange>& ranges, std::uint32_t value) {
    if (!ranges.empty() && (ranges.back().last == value || ranges.back().last + 1 == value))
      ranges.back().last = value;
    else
      ranges.push_back({value, value});
  }

  void load(std::uint32_t offset) {
    head_.push_back(statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_NET_OFF) + offset));
  }

  void pass(const Code& code) { head_.insert(head_.end(), code.begin(), code.end()); }

  static Code accept() { return {statement(BPF_RET, all)}; }

  void know4(const std::vector<std::uint64_t>& keys) {
    std::vector<AddressRange> ranges;
    for (const std::uint64_t key : keys) mergeInto(ranges, static_cast<std::uint32_t>(key));
    // RFC 791: the source stands at octet 12.
    load(12);
    // Loopback is known to everybody.
    pass({branch(BPF_JGE, 0x7f000000, 0, 2), branch(BPF_JGT, 0x7fffffff, 1, 0), statement(BPF_RET, all)});
    ranges = joinNearest(std::move(ranges), mostRanges);
    if (!ranges.empty()) pass(bisect(ranges, 0, ranges.size(), [](std::size_t) { return accept(); }));
  }

  void know6(const std::vector<std::uint64_t>& keys) {
    // RFC 8200: the source stands at octet 8.
    std::vector<AddressRange> first;
    std::vector<std::vector<AddressRange>> second;
    std::size_t networks = 0;
    for (const std::uint64_t key : keys) {
      const auto high = static_cast<std::uint32_t>(key >> 32);
      if (first.empty() || first.back().last != high) {
        first.push_back({high, high});
        second.emplace_back();
      }
      mergeInto(second.back(), static_cast<std::uint32_t>(key));
    }
    for (const auto& ranges : second) networks += ranges.size();
    load(8);
    // 0000:0000/32 holds nobody but loopback.
    pass({branch(BPF_JEQ, 0, 0, 1), statement(BPF_RET, all)});
    if (first.empty()) return;
    if (networks + first.size() <= mostRanges) {
      pass(bisect(first, 0, first.size(), [&second](std::size_t i) {
        Code code{statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_NET_OFF) + 12)};
        const Code inner = bisect(second[i], 0, second[i].size(), [](std::size_t) { return accept(); });
        code.insert(code.end(), inner.begin(), inner.end());
        return code;
      }));
      return;
    }
    // Too many for one program: by the first 32 bits, which is what providers are given.
    std::vector<AddressRange> joined;
    for (const auto& range : first) mergeInto(joined, range.first);
    joined = joinNearest(std::move(joined), mostRanges);
    pass(bisect(joined, 0, joined.size(), [](std::size_t) { return accept(); }));
  }
};

}  // namespace ringfence
