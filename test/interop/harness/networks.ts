/** A case among networks of its own: phones at home behind a router, the edge and everything else outside. Needs root. */
import { spawn } from 'node:child_process';
import { addresses } from '../../system/harness/namespaces.ts';
import type { PeerNetwork } from '../peers/baresip.ts';
import type { Case, Outcome } from './case.ts';

const homeNamespace = process.env.RINGFENCE_TEST_HOME_NAMESPACE;

/** Phones at home are spoken to over a wire of their own, which leads nowhere else. */
const control = { here: '192.0.2.1', home: '192.0.2.2' } as const;
const a = addresses;

/** This namespace is the internet with the edge in it; the router and the home end with the script. */
const script = `set -e
ip link set lo up
unshare -n sleep 120 & HOME_NET=$!
unshare -n sleep 120 & ROUTER=$!
trap 'kill $HOME_NET $ROUTER' EXIT
own=$(readlink /proc/$$/ns/net)
for pid in $HOME_NET $ROUTER; do
  while [ "$(readlink /proc/$pid/ns/net)" = "$own" ]; do sleep 0.05; done
done
home() { nsenter --net=/proc/$HOME_NET/ns/net "$@"; }
router() { nsenter --net=/proc/$ROUTER/ns/net "$@"; }
ip link add wan type veth peer name wan netns $ROUTER
ip link add wire type veth peer name wire netns $HOME_NET
home ip link add lan type veth peer name lan netns $ROUTER
for link in wan wire; do ip link set $link up; done
for link in lo lan wan; do router ip link set $link up; done
for link in lo lan wire; do home ip link set $link up; done
ip addr add ${a.edge}/32 dev lo
ip addr add 203.0.113.1/24 dev wan
ip addr add ${control.here}/30 dev wire
home ip addr add ${control.home}/30 dev wire
home ip addr add ${a.home}/24 dev lan
home ip addr add ${a.away}/24 dev lan
home ip route add default via 10.0.0.1
router ip addr add 10.0.0.1/24 dev lan
router ip addr add ${a.homeOutside}/24 dev wan
router ip addr add ${a.awayOutside}/24 dev wan
router ip route add default via 203.0.113.1
router sysctl -qw net.ipv4.ip_forward=1
export RINGFENCE_TEST_HOME_NAMESPACE=$HOME_NET RINGFENCE_TEST_ROUTER_NAMESPACE=$ROUTER
"$0" "$@"`;

/** Where phones at home run; only for cases that run among networks. */
export function atHome(): PeerNetwork {
  if (homeNamespace === undefined) throw new Error('there is no home here: the case must run among networks');
  return { enter: ['nsenter', `--net=/proc/${homeNamespace}/ns/net`], control: control.home };
}

/** The same case, run by its script among networks of its own; among them, the case itself. */
export function amongNetworks(one: Case, file: string): Case {
  if (homeNamespace !== undefined) return one;
  return {
    ...one,
    run: () =>
      new Promise((resolve, reject) => {
        const child = spawn(
          'unshare',
          ['-n', 'sh', '-c', script, process.execPath, file, '--json', '--only', one.name],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        );
        let output = '';
        let complaints = '';
        child.stdout.on('data', (text: Buffer) => (output += text.toString()));
        child.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
        child.on('error', reject);
        child.on('close', () => {
          const line = output.split('\n').find((text) => text.startsWith('{'));
          const outcome = line === undefined ? undefined : (JSON.parse(line) as Outcome);
          if (outcome?.result === 'passed') resolve(outcome.evidence);
          else reject(new Error(outcome?.evidence ?? `no outcome: ${complaints.slice(-400)}`));
        });
      }),
  };
}
