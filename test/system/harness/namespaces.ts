/** Networks of their own for a test file: it starts itself anew among them. Needs root; nothing outside is touched. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const routerNamespace = process.env.RINGFENCE_TEST_ROUTER_NAMESPACE;

/** True in the copy of the file that runs among the networks. */
export const isInside = routerNamespace !== undefined;

/**
 * The addresses, all of them nobody's (RFC 5737, RFC 3849). The phones `home` and `away` are behind the router, which
 * is `homeOutside` and `awayOutside` towards the edge; `beside` and `beside6` reach the edge directly.
 */
export const addresses = {
  edge: '198.51.100.1',
  edge6: '2001:db8:1::1',
  beside: '198.51.100.9',
  beside6: '2001:db8:1::9',
  home: '10.0.0.2',
  away: '10.0.0.3',
  homeOutside: '203.0.113.2',
  awayOutside: '203.0.113.3',
} as const;

const a = addresses;

/** Three namespaces: that of the phones, the router's, the edge's. They end with this script. */
const script = `set -e
ip link set lo up
unshare -n sleep 300 & EDGE=$!
unshare -n sleep 300 & ROUTER=$!
trap 'kill $EDGE $ROUTER' EXIT
own=$(readlink /proc/$$/ns/net)
for pid in $EDGE $ROUTER; do
  while [ "$(readlink /proc/$pid/ns/net)" = "$own" ]; do sleep 0.05; done
done
edge() { nsenter --net=/proc/$EDGE/ns/net "$@"; }
router() { nsenter --net=/proc/$ROUTER/ns/net "$@"; }
ip link add lan type veth peer name lan netns $ROUTER
ip link add pub type veth peer name pub netns $EDGE
router ip link add wan type veth peer name wan netns $EDGE
for link in lan pub; do ip link set $link up; done
for link in lo lan wan; do router ip link set $link up; done
for link in lo pub wan; do edge ip link set $link up; done
ip addr add ${a.home}/24 dev lan
ip addr add ${a.away}/24 dev lan
ip addr add ${a.beside}/24 dev pub
ip addr add ${a.beside6}/64 dev pub nodad
router ip addr add 10.0.0.1/24 dev lan
router ip addr add ${a.homeOutside}/24 dev wan
router ip addr add ${a.awayOutside}/24 dev wan
edge ip addr add ${a.edge}/24 dev pub
edge ip addr add ${a.edge6}/64 dev pub nodad
edge ip addr add 203.0.113.1/24 dev wan
ip rule add from 10.0.0.0/24 lookup 100
ip route add default via 10.0.0.1 table 100
router ip route add default via 203.0.113.1
router sysctl -qw net.ipv4.ip_forward=1
export RINGFENCE_TEST_EDGE_NAMESPACE=$EDGE RINGFENCE_TEST_ROUTER_NAMESPACE=$ROUTER
"$0" "$@"`;

const run = (command: string, args: readonly string[], input?: string) =>
  spawnSync(command, args, { input, encoding: 'utf8', timeout: 20_000 });

/** Networks can be made here. */
export const canBuild = (): boolean =>
  process.platform === 'linux' &&
  run('unshare', [
    '-n',
    'sh',
    '-c',
    'ip link add one type veth peer name two && echo "table ip t { chain c { type nat hook postrouting priority 100; }; }" | nft -f -',
  ]).status === 0;

/** Runs the file among the networks as one test; `tests` of it must pass there. */
export function testAmongNetworks(name: string, file: string, tests: number): void {
  const skip = canBuild() ? false : 'networks cannot be made here (root, unshare, ip and nft are needed)';
  test(name, { skip }, () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['-n', 'sh', '-c', script, process.execPath, '--test', '--test-reporter=tap', fileURLToPath(file)],
      { env, encoding: 'utf8', timeout: 240_000 },
    );
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, new RegExp(`^# pass ${tests}$`, 'm'), stdout);
    assert.match(stdout, /^# fail 0$/m);
  });
}

/**
 * How a router maps and lets in, in the words of RFC 4787 and the older ones of RFC 3489:
 * `full cone` lets anybody in to a mapped address, `address-restricted` whoever the phone has sent to, from any port,
 * `port-restricted` only from the port that it sent to; `symmetric` has another port for each destination besides.
 */
export const nats = ['full cone', 'address-restricted', 'port-restricted', 'symmetric'] as const;
export type Nat = (typeof nats)[number];

const pairs = [
  [a.home, a.homeOutside],
  [a.away, a.awayOutside],
] as const;

const inwards = pairs.map(([inner, outer]) => `iifname "wan" ip daddr ${outer} dnat to ${inner};`).join(' ');
const samePorts = pairs
  .map(([inner, outer]) => `oifname "wan" ip saddr ${inner} snat to ${outer};`)
  .join(' ');
const anyPorts = pairs
  .map(
    ([inner, outer]) =>
      `oifname "wan" ip saddr ${inner} meta l4proto { tcp, udp } snat to ${outer}:20000-60000 fully-random;`,
  )
  .join(' ');

const post = (rules: string): string => `chain post { type nat hook postrouting priority 100; ${rules} };`;
const pre = `chain pre { type nat hook prerouting priority -100; ${inwards} };`;
const forward = (rules: string): string =>
  `table ip filter { set met { type ipv4_addr; flags dynamic, timeout; timeout 2m; }; chain forward { type filter hook forward priority 0; policy drop; ${rules} }; }`;
const established = 'iifname "lan" accept; ct state established,related accept;';

const rules: Readonly<Record<Nat, string>> = {
  'full cone': `table ip nat { ${pre} ${post(samePorts)} }`,
  'address-restricted': `table ip nat { ${pre} ${post(samePorts)} }\n${forward(
    'iifname "lan" add @met { ip daddr } accept; iifname "wan" ip saddr @met accept;',
  )}`,
  'port-restricted': `table ip nat { ${post(samePorts)} }\n${forward(established)}`,
  symmetric: `table ip nat { ${post(anyPorts)} }\n${forward(established)}`,
};

/** From now on the router is of that kind. */
export function become(nat: Nat): void {
  const done = run(
    'nsenter',
    [`--net=/proc/${routerNamespace}/ns/net`, 'nft', '-f', '-'],
    `flush ruleset\n${rules[nat]}\n`,
  );
  assert.equal(done.status, 0, done.stderr);
}
