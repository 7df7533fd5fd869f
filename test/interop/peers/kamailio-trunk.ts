/** A Kamailio that plays the carrier: it records its route, may demand digest, and relays to a phone behind it. */
import type { Certificates } from '../harness/certificates.ts';
import { READY_EVENT } from './kamailio.ts';

export type TrunkKamailio = {
  readonly address: string;
  readonly port: number;
  /** TLS in place of UDP towards the edge. */
  readonly tls?: { readonly port: number; readonly certificates: Certificates };
  /** URI of the phone behind it, which gets every call that comes in. */
  readonly phone: string;
  /** Calls to this domain go on to the edge. */
  readonly edge?: { readonly domain: string; readonly uri: string };
  /** SHA-256 is asked for with qop, MD5 without as old carriers do. */
  readonly digest?: {
    readonly username: string;
    readonly password: string;
    readonly algorithm: 'MD5' | 'SHA-256';
  };
};

const REALM = 'carrier.test';

export function trunkConfig(options: TrunkKamailio): string {
  const { digest, edge, tls } = options;
  return `#!KAMAILIO
debug=0
fork=yes
children=1
${tls ? `tcp_children=1\nenable_tls=yes\nlisten=tls:${options.address}:${tls.port}` : 'disable_tcp=yes'}
listen=udp:${options.address}:${options.port}
auto_aliases=no
dns=no
rev_dns=no

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
${tls ? 'loadmodule "tls.so"' : ''}
${digest ? 'loadmodule "auth.so"' : ''}

${
  tls
    ? `modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "${tls.certificates.certificate}")
modparam("tls", "private_key", "${tls.certificates.key}")
modparam("tls", "ca_list", "${tls.certificates.authority}")`
    : ''
}
${digest ? `modparam("auth", "algorithm", "${digest.algorithm}")\nmodparam("auth", "nonce_expire", 60)` : ''}

request_route {
  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  if (has_totag()) {
    if (!loose_route() && !(is_method("ACK") && t_check_trans())) exit;
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
${
  edge
    ? `  if ($rd == "${edge.domain}") {
    record_route();
    $du = "${edge.uri}";
    t_relay();
    exit;
  }`
    : ''
}
${
  digest
    ? `  if (!pv_proxy_authenticate("${REALM}", "${digest.password}", "0")) {
    auth_challenge("${REALM}", "${digest.algorithm === 'MD5' ? 0 : 1}");
    exit;
  }
  if ($au != "${digest.username}") {
    sl_send_reply("403", "Forbidden");
    exit;
  }
  xlog("L_WARN", "authenticated $au with $adr/$Au\\n");
  consume_credentials();`
    : ''
}
  record_route();
  $ru = "${options.phone}";
  if (!t_relay()) sl_reply_error();
}
${READY_EVENT}`;
}
