/** Kamailio as a registrar over TLS: the work of the edge's registrar, tuned as its documentation advises. */
import { READY_EVENT } from '../../test/interop/peers/kamailio.ts';

export type RegistrarConfig = {
  readonly address: string;
  readonly port: number;
  readonly domain: string;
  readonly password: string;
  readonly certificate: string;
  readonly key: string;
  readonly connections: number;
};

export const registrarConfig = (options: RegistrarConfig): string => `#!KAMAILIO
debug=-1
fork=yes
children=1
tcp_children=2
enable_tls=yes
listen=tls:${options.address}:${options.port}
tcp_max_connections=${options.connections}
tls_max_connections=${options.connections}
tcp_connection_lifetime=3700
tcp_accept_no_cl=no
auto_aliases=no
dns=no
rev_dns=no
use_dns_cache=no

loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
loadmodule "pike.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"

modparam("tls", "certificate", "${options.certificate}")
modparam("tls", "private_key", "${options.key}")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("auth", "algorithm", "SHA-256")
modparam("auth", "nonce_expire", 3600)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
modparam("pike", "sampling_time_unit", 2)
modparam("pike", "reqs_density_per_unit", 30000)

request_route {
  if (!pike_check_req()) exit;
  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  if (!sanity_check("17895", "7")) exit;
  if (!is_method("REGISTER")) {
    sl_send_reply("405", "Method Not Allowed");
    exit;
  }
  if (!pv_www_authenticate("${options.domain}", "${options.password}", "0")) {
    www_challenge("${options.domain}", "1");
    exit;
  }
  consume_credentials();
  if (!save("location")) sl_reply_error();
  exit;
}
${READY_EVENT}`;
