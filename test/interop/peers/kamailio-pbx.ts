/** A Kamailio that is the PBX behind the edge: it registers phones, challenges REGISTER and INVITE, and knows the edge from nowhere. */
import { READY_EVENT } from './kamailio.ts';

export function pbxConfig(options: {
  readonly address: string;
  readonly port: number;
  readonly domain: string;
  /** Digest passwords by user. */
  readonly passwords: Readonly<Record<string, string>>;
}): string {
  const { domain } = options;
  return `#!KAMAILIO
debug=0
fork=yes
children=2
disable_tcp=yes
listen=udp:${options.address}:${options.port}
alias="${domain}"
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
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"

modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 600)
modparam("auth", "nonce_expire", 60)

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
  if (is_method("OPTIONS")) {
    sl_send_reply("200", "OK");
    exit;
  }
  if (!is_method("REGISTER|INVITE|MESSAGE")) {
    sl_send_reply("405", "Method Not Allowed");
    exit;
  }
  $var(password) = "";
${Object.entries(options.passwords)
  .map(([user, password]) => `  if ($fU == "${user}") $var(password) = "${password}";`)
  .join('\n')}
  if ($var(password) == "") {
    sl_send_reply("403", "Forbidden");
    exit;
  }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${domain}", "$var(password)", "0")) {
      www_challenge("${domain}", "1");
      exit;
    }
    xlog("L_WARN", "registers $au from $si as $ct\\n");
    save("location");
    exit;
  }
  if (!pv_proxy_authenticate("${domain}", "$var(password)", "0")) {
    proxy_challenge("${domain}", "1");
    exit;
  }
  xlog("L_WARN", "lets $au call $rU\\n");
  consume_credentials();
  record_route();
  if (!lookup("location")) {
    sl_send_reply("404", "Not Found");
    exit;
  }
  if (!t_relay()) sl_reply_error();
}
${READY_EVENT}`;
}
