/** A Kamailio that plays a provider whose customers register: it demands digest, and calls the contact it was given. */
import { READY_EVENT } from './kamailio.ts';

export const PROVIDER_REALM = 'provider.test';

export function providerConfig(options: {
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Seconds below which a registration is refused with 423. */
  readonly leastExpires: number;
}): string {
  return `#!KAMAILIO
debug=0
fork=yes
children=1
disable_tcp=yes
listen=udp:${options.address}:${options.port}
alias="${PROVIDER_REALM}"
auto_aliases=no
dns=no
rev_dns=no

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"

modparam("auth", "algorithm", "SHA-256")
modparam("auth", "nonce_expire", 60)
modparam("usrloc", "db_mode", 0)

request_route {
  if (has_totag()) {
    if (!loose_route() && !(is_method("ACK") && t_check_trans())) exit;
    t_relay();
    exit;
  }
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  force_rport();
  if (is_method("REGISTER")) {
    if ($hdr(Expires) != "0" && $(hdr(Expires){s.int}) < ${options.leastExpires}) {
      append_to_reply("Min-Expires: ${options.leastExpires}\\r\\n");
      sl_send_reply("423", "Interval Too Brief");
      xlog("L_ERR", "too brief: $hdr(Expires)\\n");
      exit;
    }
    if (!pv_www_authenticate("${PROVIDER_REALM}", "${options.password}", "0")) {
      www_challenge("${PROVIDER_REALM}", "1");
      exit;
    }
    xlog("L_ERR", "registered $au with Expires $hdr(Expires)\\n");
    save("location");
    exit;
  }
  if (!is_method("INVITE")) {
    sl_send_reply("200", "OK");
    exit;
  }
  record_route();
  # Every number is that of the one customer; To still says which was dialled.
  $rU = "${options.username}";
  $rd = "${PROVIDER_REALM}";
  if (!lookup("location")) {
    sl_send_reply("404", "Not Found");
    exit;
  }
  xlog("L_ERR", "calls $ru\\n");
  if (!t_relay()) sl_reply_error();
}
${READY_EVENT}`;
}
