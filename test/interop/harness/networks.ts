/**
 * A case among networks of its own: phones at home behind a router, attackers in a network with many addresses, the edge
 * and everything else outside. Needs root.
 */
import { spawn, spawnSync } from 'node:child_process';
import { addresses } from '../../system/harness/namespaces.ts';
import type { PeerNetwork } from '../peers/baresip.ts';
import type { Case, Outcome } from './case.ts';

const homeNamespace = process.env.RINGFENCE_TEST_HOME_NAMESPACE;
const attackersNamespace = process.env.RINGFENCE_TEST_ATTACKERS_NAMESPACE;

/** Phones at home are spoken to over a wire of their own, which leads nowhere else. */
const control = { here: '192.0.2.1', home: '192.0.2.2' } as const;
const a = addresses;

/** Every address of this block is there (RFC 2544), and sends as itself. */
export const attackers = (host: number): string => `198.18.1.${host}`;

const bots = 64;
const botsMap = Array.from({ length: bots }, (_, i) => `${i} : ${attackers(i + 10)}`).join(', ');

/** This namespace is the internet with the edge in it; the router and the home end with the script. */
const script = `set -e
ip link set lo up
unshare -n sleep 120 & HOME_NET=$!
unshare -n sleep 120 & ROUTER=$!
unshare -n sleep 120 & ATTACKERS=$!
trap 'kill $HOME_NET $ROUTER $ATTACKERS' EXIT
own=$(readlink /proc/$$/ns/net)
for pid in $HOME_NET $ROUTER $ATTACKERS; do
  while [ "$(readlink /proc/$pid/ns/net)" = "$own" ]; do sleep 0.05; done
done
home() { nsenter --net=/proc/$HOME_NET/ns/net "$@"; }
router() { nsenter --net=/proc/$ROUTER/ns/net "$@"; }
attackers() { nsenter --net=/proc/$ATTACKERS/ns/net "$@"; }
ip link add wan type veth peer name wan netns $ROUTER
ip link add wire type veth peer name wire netns $HOME_NET
home ip link add lan type veth peer name lan netns $ROUTER
ip link add evil type veth peer name evil netns $ATTACKERS
for link in wan wire evil; do ip link set $link up; done
for link in lo evil; do attackers ip link set $link up; done
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
ip addr add 198.18.0.1/15 dev evil
attackers ip addr add 198.18.0.2/15 dev evil
attackers ip route add local 198.18.1.0/24 dev lo
attackers ip route add default via 198.18.0.1
# Who binds to no address of his own has another one for each of his sockets.
attackers nft -f - <<'EOF'
table ip bots { chain post { type nat hook postrouting priority 100; oifname "evil" ip saddr 198.18.0.2 snat to numgen inc mod ${bots} map { ${botsMap} }; }; }
EOF
# A forged sender is none to the kernel of who is asked to believe it.
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.evil.rp_filter=0
export RINGFENCE_TEST_HOME_NAMESPACE=$HOME_NET RINGFENCE_TEST_ROUTER_NAMESPACE=$ROUTER RINGFENCE_TEST_ATTACKERS_NAMESPACE=$ATTACKERS
"$0" "$@"`;

/** Where phones at home run; only for cases that run among networks. */
export function atHome(): PeerNetwork {
  if (homeNamespace === undefined) throw new Error('there is no home here: the case must run among networks');
  return { enter: ['nsenter', `--net=/proc/${homeNamespace}/ns/net`], control: control.home };
}

/** What starts a program among the attackers; only for cases that run among networks. */
export function amongAttackers(): readonly [string, ...string[]] {
  if (attackersNamespace === undefined)
    throw new Error('there are no attackers here: the case must run among networks');
  return ['nsenter', `--net=/proc/${attackersNamespace}/ns/net`];
}

/** From now on whoever binds to no address of his own has one and the same for all his sockets. */
export function oneAddress(): void {
  const [enter, ...rest] = amongAttackers();
  const { status, stderr } = spawnSync(enter, [...rest, 'nft', 'delete', 'table', 'ip', 'bots'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the attackers keep their addresses: ${stderr}`);
}

/** From now on the attackers can send as that address, whoever has it: what is answered goes to him. */
export function takeAddress(address: string): void {
  const [enter, ...rest] = amongAttackers();
  const { status, stderr } = spawnSync(enter, [...rest, 'ip', 'addr', 'add', `${address}/32`, 'dev', 'lo'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${address} could not be taken: ${stderr}`);
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
