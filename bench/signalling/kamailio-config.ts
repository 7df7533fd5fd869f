/** Kamailio as the bench's peer: the work of an edge (admission, checks, hidden topology), tuned as its documentation advises. */
import { READY_EVENT } from '../../test/interop/peers/kamailio.ts';

export type BenchKamailio = {
  readonly address: string;
  readonly port: number;
  /** Where calls are sent, `address:port`. */
  readonly called: string;
  readonly children: number;
  /** The rtpengine control port; null leaves media alone. */
  readonly rtpenginePort: number | null;
  readonly rawSockets: boolean;
  readonly memoryInAdvance: boolean;
};

export function kamailioConfig(options: BenchKamailio): string {
  const media = options.rtpenginePort !== null;
  const flags = 'replace-origin replace-session-connection ICE=remove RTP/AVP';
  return `#!KAMAILIO
# --- core ---
# -1 logs errors alone: every line written costs more than routing a message.
debug=-1
fork=yes
# Workers on the one UDP socket. The cookbook asks for more than one a core only where a worker blocks on
# something outside; rtpengine's module does block on each offer, answer and delete.
children=${options.children}
listen=udp:${options.address}:${options.port}
auto_aliases=no
# No stream sockets in this measurement: no TCP workers to keep.
disable_tcp=yes
# All addresses are numeric: nothing may ask the resolver.
dns=no
rev_dns=no
dns_try_naptr=no
use_dns_cache=no
use_dst_blocklist=no
# The largest receive buffer that the kernel gives, so that a burst waits in place of being lost.
maxbuffer=4194304
# "40-50 % performance increase on multi-CPU" (core cookbook): the workers do not share one sending socket.
udp4_raw=${options.rawSockets ? 'on' : 'off'}
udp4_raw_mtu=65535
server_signature=no
server_header="Server: sip"
user_agent_header="User-Agent: sip"
# Shared memory taken at start, not page by page under load.
shm_force_alloc=${options.memoryInAdvance ? 'yes' : 'no'}

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
loadmodule "pike.so"
loadmodule "topoh.so"
${media ? 'loadmodule "rtpengine.so"' : ''}

# The bench never fails over: one branch, no failure route reads the replies again.
modparam("tm", "failure_reply_mode", 3)
modparam("tm", "fr_timer", 30000)
modparam("tm", "fr_inv_timer", 120000)
# Loose routing parameters as the default configuration has them: no full parameters, no From tag.
modparam("rr", "enable_full_lr", 0)
modparam("rr", "append_fromtag", 0)
# pike counts every request of an address over 2 s. One address sends all of the test's load, so the limit
# stands above it; the counting itself is done for each request as in production.
modparam("pike", "sampling_time_unit", 2)
modparam("pike", "reqs_density_per_unit", 30000)
modparam("pike", "remove_latency", 4)
# The address shown in place of hidden ones must be none of ours.
modparam("topoh", "mask_key", "bench-of-the-edge")
modparam("topoh", "mask_ip", "192.0.2.8")
modparam("topoh", "mask_callid", 1)
${
  media
    ? `modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:${options.rtpenginePort}")
modparam("rtpengine", "rtpengine_tout_ms", 2000)`
    : ''
}

request_route {
  if (!pike_check_req()) exit;
  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  # The checks of the distribution's own configuration: versions, URIs, required headers, CSeq, Content-Length.
  if (!sanity_check("17895", "7")) exit;

  if (has_totag()) {
    if (!loose_route()) {
      if (is_method("ACK") && t_check_trans()) t_relay();
      exit;
    }
${media ? '    if (is_method("BYE")) rtpengine_delete();' : ''}
    t_relay();
    exit;
  }
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  if (!is_method("INVITE")) {
    sl_send_reply("405", "Method Not Allowed");
    exit;
  }
  # A repeated request is answered from its transaction before any work is done for it.
  if (!t_check_trans()) {
    if (!($rU =~ "^\\+[0-9]+$")) {
      sl_send_reply("404", "Not Found");
      exit;
    }
    record_route();
${media ? `    if (has_body("application/sdp")) rtpengine_offer("${flags}");` : ''}
    $ru = "sip:" + $rU + "@${options.called}";
${media ? '    t_on_reply("ANSWER");\n    t_on_failure("FAILED");' : ''}
    if (!t_relay()) sl_reply_error();
  }
}
${
  media
    ? `
onreply_route[ANSWER] {
  if (has_body("application/sdp")) rtpengine_answer("${flags}");
}
failure_route[FAILED] {
  rtpengine_delete();
}
`
    : ''
}
${READY_EVENT}`;
}
