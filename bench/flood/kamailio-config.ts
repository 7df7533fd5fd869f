/** Kamailio with the defences of its own default configuration against floods: pike 16 in 2 s, ban 300 s, sanity, size. */
import { READY_EVENT } from '../../test/interop/peers/kamailio.ts';

export type FloodKamailio = {
  readonly address: string;
  readonly port: number;
  /** Where calls are sent, `address:port`. */
  readonly called: string;
  /** Known peers: the default would ban a provider at its first busy second. */
  readonly known: readonly string[];
};

export function floodKamailio({ address, port, called, known }: FloodKamailio): string {
  return `#!KAMAILIO
debug=-1
fork=yes
children=2
listen=udp:${address}:${port}
auto_aliases=no
disable_tcp=yes
dns=no
rev_dns=no
use_dns_cache=no
maxbuffer=4194304
server_signature=no

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
loadmodule "htable.so"

modparam("tm", "fr_timer", 30000)
modparam("tm", "fr_inv_timer", 120000)
# As in kamailio.cfg (WITH_ANTIFLOOD).
modparam("pike", "sampling_time_unit", 2)
modparam("pike", "reqs_density_per_unit", 16)
modparam("pike", "remove_latency", 4)
modparam("htable", "htable", "ipban=>size=8;autoexpire=300;")

request_route {
  if (!(${known.map((one) => `$si == "${one}"`).join(' || ')})) {
    if ($sht(ipban=>$si) != $null) exit;
    if (!pike_check_req()) {
      $sht(ipban=>$si) = 1;
      exit;
    }
    if ($ua =~ "friendly|scanner|sipcli|sipvicious|VaxSIPUserAgent|pplsip") exit;
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (!sanity_check("17895", "7")) exit;
    # A refusal costs less than the challenge that it would be with users.
    sl_send_reply("403", "Forbidden");
    exit;
  }
  if (has_totag()) {
    if (!loose_route()) {
      if (is_method("ACK") && t_check_trans()) t_relay();
      exit;
    }
    t_relay();
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (!is_method("INVITE")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  if (!t_check_trans()) {
    record_route();
    $ru = "sip:" + $rU + "@${called}";
    if (!t_relay()) sl_reply_error();
  }
}
${READY_EVENT}`;
}
