#include "requests.h"

#include <algorithm>

namespace ringfence {
namespace {

std::string readText(Reader& reader) {
  const ConstBytes bytes = reader.bytes(reader.u8());
  return {bytes.begin(), bytes.end()};
}

// The candidates are for JavaScript.
bool readIce(Reader& reader, Config& config) {
  config.ice.present = true;
  config.ice.section = reader.bytes(reader.u16());
  Reader section(config.ice.section);
  const std::uint8_t flags = section.u8();
  config.ice.ufrag = readText(section);
  config.ice.password = readText(section);
  if ((flags & 4) != 0) {
    config.ice.ourUfrag = readText(section);
    config.ice.ourPassword = readText(section);
  }
  return !section.failed();
}

bool readDtls(Reader& reader, Config& config) {
  config.dtls.present = true;
  Reader section(reader.bytes(reader.u16()));
  DtlsSettings& settings = config.dtls.settings;
  settings.server = section.u8() == 1;
  for (std::uint8_t left = section.u8(); left > 0 && !section.failed(); left--) {
    Fingerprint fingerprint;
    const std::uint8_t hash = section.u8();
    const ConstBytes value = section.bytes(section.u8());
    if (hash > 2 || value.size() > fingerprint.value.size()) return false;
    fingerprint.hash = static_cast<FingerprintHash>(hash);
    fingerprint.length = static_cast<std::uint8_t>(value.size());
    std::copy(value.begin(), value.end(), fingerprint.value.begin());
    settings.fingerprints.push_back(fingerprint);
  }
  for (std::uint8_t left = section.u8(); left > 0 && !section.failed(); left--) {
    const Suite* suite = findSuite(section.u8());
    if (suite == nullptr) return false;
    settings.suites.push_back(suite);
  }
  return section.atEnd() && !section.failed();
}

// What is known of the peer is for JavaScript.
bool readZrtp(Reader& reader, Config& config) {
  config.zrtp.present = true;
  config.zrtp.section = reader.bytes(reader.u16());
  Reader section(config.zrtp.section);
  const std::uint8_t flags = section.u8();
  config.zrtp.mode = (flags & 1) != 0 ? ZrtpMode::end : ZrtpMode::pass;
  config.zrtp.demanded = (flags & 2) != 0;
  return !section.failed();
}

}  // namespace

bool readConfig(Reader& reader, Config& config) {
  enum : std::uint16_t {
    remote = 1,
    signalling = 2,
    receive = 4,
    send = 8,
    accept = 16,
    emit = 32,
    endRtcp = 64,
    telephoneEvent = 128,
    ice = 256,
    dtls = 512,
    zrtp = 1024
  };
  const std::uint16_t flags = reader.u16();
  const std::uint8_t media = reader.u8();
  if (media > 2) return false;
  config.media = static_cast<Media>(media);
  config.accept = (flags & accept) != 0;
  config.emit = (flags & emit) != 0;
  config.endRtcp = (flags & endRtcp) != 0;
  config.hasRemote = (flags & remote) != 0;
  if (config.hasRemote) {
    const ConstBytes host = readHost(reader);
    config.remote.rtp = Address(host, reader.u16());
    config.remote.rtcp = Address(host, reader.u16());
  }
  if ((flags & signalling) != 0) config.remote.signalling = Address(readHost(reader), 0);
  if ((flags & receive) != 0) {
    config.receive.suite = findSuite(reader.u8());
    config.receive.material = reader.bytes(reader.u8());
    config.receive.mki = reader.bytes(reader.u8());
    if (reader.failed() || config.receive.suite == nullptr || config.receive.mki.size() > longestMki ||
        config.receive.material.size() != config.receive.suite->materialLength()) {
      return false;
    }
  }
  if ((flags & send) != 0 && (config.send = findSuite(reader.u8())) == nullptr) return false;
  const std::uint8_t rates = reader.u8();
  for (std::uint8_t i = 0; i < rates; i++) {
    const std::uint8_t payloadType = reader.u8();
    config.clockRates.set(payloadType, reader.u32());
  }
  if ((flags & telephoneEvent) != 0 && (config.telephoneEvent = reader.u8()) > 127) return false;
  if ((flags & ice) != 0 && !readIce(reader, config)) return false;
  if ((flags & dtls) != 0 && !readDtls(reader, config)) return false;
  if ((flags & zrtp) != 0 && !readZrtp(reader, config)) return false;
  return !reader.failed();
}

bool readSpec(Reader& reader, Spec& spec) {
  const std::uint8_t ports = reader.u8();
  spec.dscp = reader.u8();
  if (ports > 2 || spec.dscp > 63) return false;
  spec.ports = static_cast<PortMode>(ports);
  spec.local = Address(readHost(reader), 0);
  const std::uint8_t count = reader.u8();
  if (count > suiteCount) return false;
  for (std::uint8_t i = 0; i < count; i++) {
    const Suite* suite = findSuite(reader.u8());
    if (suite == nullptr) return false;
    spec.suites.push_back(suite);
  }
  enum : std::uint8_t { config = 1, ice = 2, fullIce = 4, dtls = 8, zrtp = 16 };
  const std::uint8_t flags = reader.u8();
  spec.hasConfig = (flags & config) != 0;
  spec.ice = (flags & ice) != 0;
  spec.fullIce = (flags & fullIce) != 0;
  spec.dtls = (flags & dtls) != 0;
  spec.zrtp = (flags & zrtp) != 0;
  return (!spec.hasConfig || readConfig(reader, spec.config)) && !reader.failed();
}

}  // namespace ringfence
