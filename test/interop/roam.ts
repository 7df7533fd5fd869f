/** A linphonec that gets another address in mid-call: it registers anew and asks for its call by re-INVITE. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { addresses, become, canBuild } from '../system/harness/namespaces.ts';
import { DOMAIN } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { amongNetworks, atHome } from './harness/networks.ts';
import { sleep, until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { type Recording, secondsOfTone } from './harness/tone.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

const password = 'blue-harbour-42';
const OUTSIDE = '203.0.113.1';
const TALK_MS = 3_500;
const CLEAR_SECONDS = 2;

/** What was heard of the last seconds, as a recording of its own. */
const last = ({ rate, samples, ...rest }: Recording, seconds: number): Recording => ({
  ...rest,
  rate,
  samples: samples.slice(-Math.round(seconds * rate)),
});

async function roaming(context: CaseContext, transport: 'udp' | 'tls'): Promise<string> {
  become('full cone');
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const secure = transport === 'tls';
  const edge = await context.edge({
    address: addresses.edge,
    certificates,
    listeners: [
      { name: 'tls', transport: 'tls', encryption: 'required' },
      { name: 'udp', transport: 'udp', encryption: 'none', dangerousPlaintext: true },
    ],
    objects: {
      users: ['alice', 'bob'].map((name) => ({
        name,
        devices: [
          { name, password, encryption: name === 'alice' && secure ? 'required' : 'none', allowMd5: true },
        ],
      })),
    },
  });
  const home = atHome();
  const atHomeDo = (...command: string[]) => {
    const { status, stderr } = spawnSync(home.enter[0], [...home.enter.slice(1), ...command]);
    expect(status === 0, `${command.join(' ')}: ${stderr}`);
  };
  const server = (listener: string) => ({
    address: edge.address,
    port: edge.port(listener),
    domain: DOMAIN,
    password,
  });
  const bob = closes(
    await Linphone.start({
      ...{ workspace, certificates, name: 'bob', tone: 1_000, transport: 'udp', media: 'rtp' },
      ...{ address: OUTSIDE, server: server('udp') },
    }),
  );
  const alice = closes(
    await Linphone.start({
      ...{ workspace, certificates, name: 'alice', tone: 440, transport, media: secure ? 'srtp' : 'rtp' },
      ...{ roams: true, network: home, server: server(transport) },
    }),
  );
  alice.dial(bob.uri);
  await Promise.all([alice.established(), bob.established()]);
  await sleep(TALK_MS);
  // The new address first, so that the way there is never without one; then the old one is gone.
  atHomeDo('ip', 'route', 'replace', 'default', 'via', '10.0.0.1', 'src', addresses.away);
  atHomeDo('ip', 'addr', 'del', `${addresses.home}/24`, 'dev', 'lan');
  atHomeDo('sh', '-c', `ip addr add ${addresses.away}/24 dev lan 2>/dev/null || true`);
  atHomeDo('ip', 'route', 'replace', 'default', 'via', '10.0.0.1', 'src', addresses.away);
  await until('the phone from its new address', 25_000, () =>
    edge.log().includes(`"source":"${addresses.awayOutside}:`) ? true : null,
  );
  await sleep(2 * TALK_MS);
  bob.hangUp();
  await Promise.all([alice.ended(), bob.ended()]);
  await Promise.all([alice.stop(), bob.stop()]);
  const said = readFileSync(workspace.path('alice.core.log'), 'utf8');
  expect(said.includes(`c=IN IP4 ${addresses.away}`), 'the phone has not offered its new address');
  const heard: string[] = [];
  for (const [who, listener, tone] of [
    ['Bob', bob, alice.tone],
    ['Alice', alice, bob.tone],
  ] as const) {
    const recording = listener.heard();
    const after = secondsOfTone(last(recording, TALK_MS / 1_000), tone);
    const all = secondsOfTone(recording, tone);
    expect(after >= CLEAR_SECONDS, `${who} heard ${tone} Hz for ${after.toFixed(1)} s after the move`);
    expect(all - after >= CLEAR_SECONDS, `${who} heard ${tone} Hz for ${(all - after).toFixed(1)} s before`);
    heard.push(
      `${who} heard ${tone} Hz for ${(all - after).toFixed(1)} s before and ${after.toFixed(1)} s at the end`,
    );
  }
  return `from ${addresses.homeOutside} to ${addresses.awayOutside}: ${heard.join(', ')}`;
}

const version = () => (canBuild() ? linphoneVersion() : null);

export const cases: readonly Case[] = (['udp', 'tls'] as const).map((transport) =>
  amongNetworks(
    {
      name: `roam-linphone-${transport}`,
      peer: 'linphonec',
      version,
      what: `linphonec over ${transport === 'tls' ? 'TLS with SRTP' : 'UDP'} gets another address in mid-call`,
      run: (context) => roaming(context, transport),
    },
    fileURLToPath(import.meta.url),
  ),
);

if (import.meta.main) await runCases(cases);
