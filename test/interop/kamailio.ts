/** Kamailio as a carrier's proxy between the edge and a phone: over UDP and TLS, with and without digest, both ways. */
import { DOMAIN } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { expectOwnKeys, talk } from './harness/phone-call.ts';
import { freePort } from './harness/ports.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { kamailioVersion, startKamailio } from './peers/kamailio.ts';
import { trunkConfig } from './peers/kamailio-trunk.ts';

const CARRIER = '127.0.0.4';
const NUMBER = '+12025550123';
const ALICE = '+12025550177';
const PASSWORD = 'blue-harbour-42';
const DIGEST = { username: 'company', password: 'silver-gate-88' } as const;

type Plan = {
  readonly digest?: 'MD5' | 'SHA-256';
  /** TLS to the carrier, and SRTP through it. */
  readonly secure?: boolean;
  readonly direction?: 'out' | 'in';
};

async function throughEdge(context: CaseContext, plan: Plan): Promise<string> {
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const udpPort = await freePort(CARRIER);
  const tlsPort = await freePort(CARRIER);
  const secure = plan.secure === true;
  const edge = await context.edge({
    certificates,
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'required' },
      { name: 'inside', transport: 'udp', encryption: 'none' },
    ],
    objects: {
      users: [
        {
          name: 'alice',
          number: ALICE,
          devices: [{ name: 'alice', password: PASSWORD, encryption: 'required', allowMd5: true }],
        },
      ],
      trunks: [
        {
          name: 'carrier',
          target: secure
            ? `sip:${CARRIER}:${tlsPort};transport=tls`
            : `sip:${CARRIER}:${udpPort};transport=udp`,
          addresses: [`${CARRIER}/32`],
          encryption: secure ? 'required' : 'none',
          ...(plan.digest ? { outboundAuthentication: { ...DIGEST, allowMd5: plan.digest === 'MD5' } } : {}),
        },
      ],
      routes: [
        { match: '+*', to: { trunk: 'carrier' } },
        { match: ALICE, from: 'trunks', to: { user: 'alice' } },
      ],
    },
  });
  const phones = { workspace, certificates };
  const bob = closes(
    await Baresip.start({
      ...phones,
      name: 'bob',
      transport: 'udp',
      media: secure ? 'srtp' : 'rtp',
      tone: 1_000,
      proxy: { address: CARRIER, port: udpPort },
    }),
  );
  const kamailio = closes(
    await startKamailio({
      workspace,
      name: 'kamailio',
      config: trunkConfig({
        address: CARRIER,
        port: udpPort,
        phone: bob.uri,
        edge: { domain: DOMAIN, uri: `sip:${edge.address}:${edge.port('inside')}` },
        ...(secure ? { tls: { port: tlsPort, certificates } } : {}),
        ...(plan.digest ? { digest: { ...DIGEST, algorithm: plan.digest } } : {}),
      }),
    }),
  );
  const alice = closes(
    await Baresip.start({
      ...phones,
      name: 'alice',
      transport: 'tls',
      media: 'srtp',
      tone: 440,
      server: { address: edge.address, port: edge.port('phones'), domain: DOMAIN, password: PASSWORD },
    }),
  );
  const proofs = [
    plan.direction === 'in'
      ? await talk(bob, alice, `sip:${ALICE}@${DOMAIN}`)
      : await talk(alice, bob, `sip:${NUMBER}@${DOMAIN}`),
  ];
  if (plan.digest) {
    expect(kamailio.output.includes(`authenticated ${DIGEST.username}`), 'Kamailio authenticated nobody');
    proofs.push(`Kamailio took the ${plan.digest} digest`);
  }
  if (secure) proofs.push(expectOwnKeys(alice, bob));
  return proofs.join('; ');
}

/**
 * Two edges with a carrier's proxy between them: the phones have SDES over TLS, and the voice between the edges has keys
 * by DTLS, which the proxy in the middle, though it reads all of the signalling, never sees.
 */
async function betweenEdges(context: CaseContext): Promise<string> {
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const port = await freePort(CARRIER);
  const start = (name: 'near' | 'far', user: 'alice' | 'bob', number: string) =>
    context.edge({
      name,
      certificates,
      mediaPorts: 40,
      listeners: [
        { name: 'phones', transport: 'tls', encryption: 'required' },
        { name: 'inside', transport: 'udp', encryption: 'preferred' },
      ],
      objects: {
        users: [
          {
            name: user,
            number,
            devices: [{ name: user, password: PASSWORD, encryption: 'required', allowMd5: true }],
          },
        ],
        trunks: [
          {
            name: 'middle',
            target: `sip:${CARRIER}:${port};transport=udp`,
            addresses: [`${CARRIER}/32`],
            encryption: 'preferred',
            keying: 'dtls',
          },
        ],
        routes: [
          { match: '+*', to: { trunk: 'middle' } },
          { match: number, from: 'trunks', to: { user } },
        ],
      },
    });
  const near = await start('near', 'alice', ALICE);
  const far = await start('far', 'bob', NUMBER);
  closes(
    await startKamailio({
      workspace,
      name: 'kamailio',
      config: trunkConfig({
        address: CARRIER,
        port,
        phone: `sip:${NUMBER}@${far.address}:${far.port('inside')}`,
      }),
    }),
  );
  const phone = async (edge: typeof near, name: 'alice' | 'bob', tone: number): Promise<Baresip> =>
    closes(
      await Baresip.start({
        workspace,
        certificates,
        name,
        transport: 'tls',
        media: 'srtp',
        tone,
        server: { address: edge.address, port: edge.port('phones'), domain: DOMAIN, password: PASSWORD },
      }),
    );
  const alice = await phone(near, 'alice', 440);
  const bob = await phone(far, 'bob', 1_000);
  const heard = await talk(alice, bob, `sip:${NUMBER}@${DOMAIN}`);
  for (const edge of [near, far])
    expect(/"keyExchange":"dtls","keysExposed":false/.test(edge.log()), 'no record of keys by DTLS');
  return `${heard}; DTLS-SRTP between the edges; ${expectOwnKeys(alice, bob)}`;
}

/** Without the edge: one phone calls the other through Kamailio, and answers its challenge. */
async function joined({ workspace, closes }: CaseContext): Promise<string> {
  const certificates = makeCertificates(workspace);
  const port = await freePort(CARRIER);
  const phones = { workspace, certificates, transport: 'udp', media: 'rtp' } as const;
  const bob = closes(await Baresip.start({ ...phones, name: 'bob', tone: 1_000 }));
  const digest = { username: 'alice', password: 'none', algorithm: 'MD5' } as const;
  const config = trunkConfig({ address: CARRIER, port, phone: bob.uri, digest });
  const kamailio = closes(await startKamailio({ workspace, name: 'kamailio', config }));
  const alice = closes(
    await Baresip.start({
      ...phones,
      name: 'alice',
      tone: 440,
      proxy: { address: CARRIER, port, password: 'none' },
    }),
  );
  const heard = await talk(alice, bob, `sip:${NUMBER}@${CARRIER}:${port}`);
  expect(kamailio.output.includes('authenticated alice'), 'Kamailio authenticated nobody');
  return `${heard}; Kamailio took the MD5 digest`;
}

const version = () => (baresipVersion() === null ? null : kamailioVersion());

const through: readonly (readonly [string, string, Plan])[] = [
  ['trunk', 'call out over UDP, SRTP to RTP', {}],
  ['inbound', 'call in over UDP, RTP to SRTP', { direction: 'in' }],
  ['digest-sha256', 'call out over UDP, Kamailio demands SHA-256 digest', { digest: 'SHA-256' }],
  ['digest-md5', 'call out over UDP, Kamailio demands MD5 digest, allowed', { digest: 'MD5' }],
  [
    'tls-srtp',
    'call out over TLS with SHA-256 digest, SRTP on both sides',
    { digest: 'SHA-256', secure: true },
  ],
];

export const cases: readonly Case[] = [
  ...through.map(
    ([name, what, plan]): Case => ({
      name: `kamailio-${name}`,
      peer: 'Kamailio, baresip',
      version,
      what: `trunk; ${what}`,
      run: (context) => throughEdge(context, plan),
    }),
  ),
  {
    name: 'kamailio-between-edges',
    peer: 'Kamailio, baresip',
    version,
    what: 'edge to edge through Kamailio over UDP, DTLS-SRTP between them',
    run: betweenEdges,
  },
  {
    name: 'peers-kamailio',
    peer: 'Kamailio, baresip',
    version,
    what: 'baresip calls baresip through Kamailio with digest',
    peersOnly: true,
    run: joined,
  },
];

if (import.meta.main) await runCases(cases);
