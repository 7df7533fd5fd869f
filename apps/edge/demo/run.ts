import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SocketAddress, Transport } from '@ringfence/sip/transport/flow.ts';
import { suites } from '@ringfence/srtp/suite.ts';
import type { LegProtection } from '../policy/protection.ts';
import { command, EdgeProcess } from './edge-process.ts';
import { Phone } from './phone.ts';
import { type DemoRtpengine, startRtpengine } from './rtpengine.ts';
import { type Protection, type Sound, sameSound } from './sound.ts';

const domain = 'demo.ringfence.local';
/** Between the answer and the first word: an answer and its media travel on different ways. */
const breathMs = 60;
const arrivalMs = 2_000;

/** One call that was tried, and whether all that was claimed of it held. */
export interface DemoRow {
  readonly from: string;
  readonly to: string;
  readonly held: boolean;
  readonly audio: 'bit-exact' | 'damaged' | 'none';
  readonly protection: readonly LegProtection[];
  readonly note: string;
}

interface Side {
  readonly transport: Transport;
  readonly protection: Protection;
  readonly family: 4 | 6;
}

const transports: readonly Transport[] = ['udp', 'tcp', 'tls'];
/** Every transport with plain RTP, with AES-CM and with AES-GCM. */
const everyPair: readonly Side[] = transports.flatMap((transport) =>
  (['RTP', 'AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM'] as const).map((protection) => ({
    transport,
    protection,
    family: 4 as const,
  })),
);
const sideName = ({ transport, protection, family }: Side): string =>
  `${transport.toUpperCase()}${family === 6 ? ' IPv6' : ''} ${protection}`;

function configuration(rtpenginePort: number | undefined): string {
  const rows: string[] = [`domain: ${domain}`, 'listeners:'];
  for (const [suffix, address] of [
    ['4', '127.0.0.1'],
    ['6', "'::1'"],
  ])
    for (const transport of transports)
      rows.push(
        `  - { name: ${transport}${suffix}, transport: ${transport}, address: ${address}, port: 0, encryption: preferred }`,
      );
  rows.push(
    rtpenginePort === undefined
      ? 'media: { threads: 1, user: nobody }'
      : `media: { engine: rtpengine, rtpengine: [{ address: 127.0.0.1, port: ${rtpenginePort}, outside: outside, inside: inside }] }`,
    'shutdown: { drainSeconds: 1 }',
    'log: { format: json, level: info }',
  );
  return `${rows.join('\n')}\n`;
}

const objects = (passwords: Record<string, string>, trunk: SocketAddress): string => `
users:
  - { name: alice, devices: [ { name: alice, password: "${passwords.alice}", encryption: preferred } ] }
  - { name: bob, devices: [ { name: bob, password: "${passwords.bob}", encryption: preferred } ] }
  - { name: carol, devices: [ { name: carol, password: "${passwords.carol}", encryption: required } ] }
trunks:
  - { name: carrier, target: "sip:${trunk.address}:${trunk.port}", addresses: ["127.0.0.77/32"], encryption: none, free: true }
routes:
  - { match: "+*", to: { trunk: carrier } }
`;

/** What carries the voice: our own media process, or an rtpengine that the demo starts. */
export type DemoEngine = 'relay' | 'rtpengine';

/** What the demo tells while it runs. */
export interface DemoOutput {
  step(text: string): void;
  row(row: DemoRow): void;
}

/**
 * Starts an edge with two users and a trunk-like peer on loopback, and calls through it over every pair of transport
 * and protection, with real RTP whose octets are compared.
 */
export async function runDemo(output: DemoOutput, engine: DemoEngine = 'relay'): Promise<readonly DemoRow[]> {
  const home = mkdtempSync(join(tmpdir(), 'ringfence-demo-'));
  const rows: DemoRow[] = [];
  const open: { close(): void }[] = [];
  let edge: EdgeProcess | undefined;
  let rtpengine: DemoRtpengine | undefined;
  const add = (row: DemoRow): void => {
    rows.push(row);
    output.row(row);
  };
  try {
    output.step('starting the edge on loopback, with ports of its own choice');
    if (engine === 'rtpengine') rtpengine = await startRtpengine();
    writeFileSync(join(home, 'ringfence.yaml'), configuration(rtpengine?.port));
    const passwords = { alice: secret(), bob: secret(), carol: secret() };
    const started = await EdgeProcess.start(home);
    edge = started;
    const authority = readFileSync(join(home, 'tls', 'ca.crt'), 'utf8');
    const phone = async (
      name: keyof typeof passwords | 'carrier',
      { transport, family }: Pick<Side, 'transport' | 'family'>,
      local = family === 6 ? '::1' : '127.0.0.1',
    ): Promise<Phone> => {
      const server = started.ports.get(`${transport}${family}`);
      if (server === undefined) throw new Error(`the edge has no listener for ${transport}`);
      const password = name === 'carrier' ? {} : { password: passwords[name] };
      const made = await Phone.open({ name, domain, ...password, transport, local, server, authority });
      open.push(made);
      return made;
    };
    const carrier = await phone('carrier', { transport: 'udp', family: 4 }, '127.0.0.77');
    const file = join(home, 'objects.yaml');
    writeFileSync(file, objects(passwords, carrier.address), { mode: 0o600 });
    await command(home, ['apply', '-f', file]);
    rmSync(file);
    await started.reloaded;

    const call = async (
      caller: Phone,
      callee: Phone,
      dialled: string,
      from: Side,
      to: Side,
      toName: string,
    ): Promise<void> => {
      callee.protection = to.protection;
      const index = started.calls.length;
      const outcome = await caller.call(dialled, from.protection);
      const names = { from: sideName(from), to: toName };
      if (outcome.kind === 'refused') {
        add({
          ...names,
          held: false,
          audio: 'none',
          protection: [],
          note: `refused: ${outcome.status} ${outcome.warning}`,
        });
        return;
      }
      const { sound } = outcome.call;
      const other = callee.lastCall;
      await pause(breathMs);
      await Promise.all([sound.speak(), other?.sound.speak()]);
      await arrived(sound, other?.sound);
      const exact =
        other !== undefined &&
        sameSound(sound.sent, other.sound.heard) &&
        sameSound(other.sound.sent, sound.heard);
      const protection = await started.protection(index);
      await outcome.call.hangUp();
      await Promise.race([other?.ended, pause(2000)]);
      const told = protectionHolds(protection[0], from, engine) && protectionHolds(protection[1], to, engine);
      add({
        ...names,
        held: exact && told,
        audio: exact ? 'bit-exact' : 'damaged',
        protection,
        note: told ? '' : 'the record does not say what the phones did',
      });
    };

    output.step('calls between two users, every transport and protection with every other');
    for (const to of everyPair) {
      const bob = await phone('bob', to);
      await expectStatus(bob.register(), 200, 'bob registers');
      for (const from of everyPair) {
        const alice = await phone('alice', from);
        await call(alice, bob, 'bob', from, to, sideName(to));
        alice.close();
      }
      await expectStatus(bob.register(0), 200, 'bob leaves');
      bob.close();
    }
    output.step('every crypto suite over TLS, out to the trunk in plain RTP');
    const plainTrunk: Side = { transport: 'udp', protection: 'RTP', family: 4 };
    for (const protection of suites) {
      const from: Side = { transport: 'tls', protection, family: 4 };
      const alice = await phone('alice', from);
      await call(alice, carrier, '+442079460000', from, plainTrunk, 'trunk, UDP RTP');
      alice.close();
    }
    output.step('IPv6 to IPv4 and back');
    const six: Side = { transport: 'tls', protection: 'AEAD_AES_128_GCM', family: 6 };
    const four: Side = { transport: 'tls', protection: 'AES_256_CM_HMAC_SHA1_80', family: 4 };
    for (const [from, to] of [
      [six, four],
      [four, six],
      [six, six],
    ] as const) {
      const bob = await phone('bob', to);
      await expectStatus(bob.register(), 200, 'bob registers');
      const alice = await phone('alice', from);
      await call(alice, bob, 'bob', from, to, sideName(to));
      await expectStatus(bob.register(0), 200, 'bob leaves');
      alice.close();
      bob.close();
    }
    output.step('from the trunk in plain RTP to a user who demands encryption');
    const strict: Side = { transport: 'tls', protection: 'AEAD_AES_256_GCM', family: 4 };
    const carol = await phone('carol', strict);
    await expectStatus(carol.register(), 200, 'carol registers');
    await call(carrier, carol, 'carol', plainTrunk, strict, `carol, ${sideName(strict)}`);

    output.step('what must be refused');
    const naked = await carol.call('bob', 'RTP');
    add(refusalRow('carol offers plain RTP, her device demands encryption', naked, 488));
    const overUdp = await phone('carol', { transport: 'udp', family: 4 });
    const status = await overUdp.register();
    add({
      from: 'carol registers over UDP, her device demands encryption',
      to: '403',
      held: status === 403,
      audio: 'none',
      protection: [],
      note: `answered ${status}`,
    });
    return rows;
  } finally {
    for (const each of open) each.close();
    await edge?.stop();
    await rtpengine?.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

const secret = (): string => `${randomBytes(12).toString('hex')}Qx7`;

/** Until both have heard as much as was said, or nothing more will come. */
async function arrived(one: Sound, other: Sound | undefined): Promise<void> {
  const until = performance.now() + arrivalMs;
  while (performance.now() < until) {
    if (
      other === undefined ||
      (one.heard.length >= other.sent.length && other.heard.length >= one.sent.length)
    )
      return;
    await pause(5);
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, milliseconds);
  });

async function expectStatus(answer: Promise<number>, wanted: number, what: string): Promise<void> {
  const status = await answer;
  if (status !== wanted) throw new Error(`${what}: answered ${status}, not ${wanted}`);
}

function refusalRow(from: string, outcome: Awaited<ReturnType<Phone['call']>>, wanted: number): DemoRow {
  const held = outcome.kind === 'refused' && outcome.status === wanted && outcome.warning !== '';
  const note =
    outcome.kind === 'refused'
      ? `${outcome.status}, Warning: ${outcome.warning}`
      : 'the call was let through';
  return { from, to: String(wanted), held, audio: 'none', protection: [], note };
}

/** The padlock must say what the phone really did, and that keys in clear signalling protect nothing. */
function protectionHolds(record: LegProtection | undefined, side: Side, engine: DemoEngine): boolean {
  if (record === undefined || record.signalling.transport !== side.transport) return false;
  if (side.transport === 'tls' && !record.signalling.version?.startsWith('TLSv1.')) return false;
  if (side.protection === 'RTP') return record.media.protocol === 'rtp';
  return (
    record.media.protocol === 'srtp' &&
    record.media.suite === side.protection &&
    record.media.keysExposed === (side.transport !== 'tls') &&
    (record.media.keysAt !== undefined) === (engine === 'rtpengine')
  );
}
