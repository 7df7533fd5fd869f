/** A Kamailio that registers phones over TLS and passes calls between them: what the edge is to them, without the edge. */
import type { Certificates } from '../harness/certificates.ts';
import { READY_EVENT } from './kamailio.ts';

export function registrarConfig(options: {
  readonly address: string;
  readonly port: number;
  readonly certificates: Certificates;
  readonly domain: string;
  readonly password: string;
}): string {
  const { certificates, domain } = options;
  return `#!KAMAILIO
debug=0
fork=yes
children=1
tcp_children=2
enable_tls=yes
listen=tls:${options.address}:${options.port}
alias="${domain}"
auto_aliases=no
dns=no
rev_dns=no

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "xlog.so"
loadmodule "tls.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"

modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "${certificates.certificate}")
modparam("tls", "private_key", "${certificates.key}")
modparam("tls", "ca_list", "${certificates.authority}")
modparam("usrloc", "db_mode", 0)
# A phone is called over the connection that it registered on.
modparam("nathelper|registrar", "received_avp", "$avp(received)")

request_route {
  if (has_totag()) {
    if (!loose_route() && !(is_method("ACK") && t_check_trans())) exit;
    handle_ruri_alias();
    t_relay();
    exit;
  }
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  force_rport();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${domain}", "${options.password}", "0")) {
      www_challenge("${domain}", "0");
      exit;
    }
    fix_nated_register();
    save("location");
    exit;
  }
  if (!is_method("INVITE")) {
    sl_send_reply("405", "Method Not Allowed");
    exit;
  }
  record_route();
  set_contact_alias();
  t_on_reply("ANSWER");
  if (!lookup("location")) {
    sl_send_reply("404", "Not Found");
    exit;
  }
  if (!t_relay()) sl_reply_error();
}

onreply_route[ANSWER] {
  set_contact_alias();
}
${READY_EVENT}`;
}
