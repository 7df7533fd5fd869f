// Bodies of the requests `open` and `configure`, as ../protocol/requests.ts writes them. Views into the body: valid as long as it is.
#pragma once
#include <string>
#include <vector>

#include "endpoint.h"

namespace ringfence {

struct Remote {
  Address rtp;
  Address rtcp;
  Address signalling;
};
struct Key {
  const Suite* suite = nullptr;
  ConstBytes material;
  ConstBytes mki;
};
struct Config {
  Media media = Media::opaque;
  bool accept = false;
  bool emit = false;
  bool endRtcp = false;
  bool hasRemote = false;
  Remote remote;
  Key receive;                  // no suite: none
  const Suite* send = nullptr;  // null: none
  ClockRates clockRates;
  std::uint8_t telephoneEvent = noPayloadType;

  struct {
    bool present = false;
    std::string ufrag;
    std::string password;
    std::string ourUfrag;  // empty: ours stay as they are
    std::string ourPassword;
    ConstBytes section;
  } ice;
  struct {
    bool present = false;
    DtlsSettings settings;
  } dtls;
  struct {
    bool present = false;
    ZrtpMode mode = ZrtpMode::none;
    bool demanded = false;
    ConstBytes section;
  } zrtp;
};
struct Spec {
  PortMode ports = PortMode::pair;
  std::uint8_t dscp = 0;
  Address local;
  std::vector<const Suite*> suites;
  bool ice = false;
  bool fullIce = false;
  bool dtls = false;
  bool zrtp = false;
  bool hasConfig = false;
  Config config;
};

// False: malformed.
bool readConfig(Reader& reader, Config& config);
bool readSpec(Reader& reader, Spec& spec);

}  // namespace ringfence
