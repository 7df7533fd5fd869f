/** Kamailio as a provider that is registered at, and as the second of two targets of a trunk. */
import { DOMAIN } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { talk } from './harness/phone-call.ts';
import { freePort } from './harness/ports.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { kamailioVersion, startKamailio } from './peers/kamailio.ts';
import { PROVIDER_REALM, providerConfig } from './peers/kamailio-provider.ts';
import { trunkConfig } from './peers/kamailio-trunk.ts';

const CARRIER = '127.0.0.4';
const NUMBER = '+12025550123';
const ALICE = '+12025550177';
const PASSWORD = 'blue-harbour-42';
const DIGEST = { username: 'company', password: 'silver-gate-88' } as const;

const listeners = [
  { name: 'phones', transport: 'tls', encryption: 'required' },
  { name: 'inside', transport: 'udp', encryption: 'none' },
] as const;

const users = [
  {
    name: 'alice',
    number: ALICE,
    devices: [{ name: 'alice', password: PASSWORD, encryption: 'required', allowMd5: true }],
  },
] as const;

/** The edge registers, is told 423 and challenged, and a call to its contact reaches the number that To names. */
async function registered({ workspace, closes, edge: startEdge }: CaseContext): Promise<string> {
  const certificates = makeCertificates(workspace);
  const port = await freePort(CARRIER);
  const config = providerConfig({ address: CARRIER, port, ...DIGEST, leastExpires: 1200 });
  const kamailio = closes(await startKamailio({ workspace, name: 'provider', config }));
  const edge = await startEdge({
    certificates,
    listeners,
    objects: {
      users,
      trunks: [
        {
          name: 'provider',
          target: `sip:${CARRIER}:${port};transport=udp`,
          outboundAuthentication: DIGEST,
          registration: { domain: PROVIDER_REALM, expiresSeconds: 600 },
          encryption: 'none',
        },
      ],
      routes: [{ match: ALICE, from: 'trunks', to: { user: 'alice' } }],
    },
  });
  await kamailio.waitFor(/registered company with Expires 1200/, 10_000);
  expect(kamailio.output.includes('too brief: 600'), 'Kamailio refused nothing as too brief');
  const phones = { workspace, certificates };
  const bob = closes(
    await Baresip.start({
      ...phones,
      name: 'bob',
      transport: 'udp',
      media: 'rtp',
      tone: 1_000,
      proxy: { address: CARRIER, port },
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
  const heard = await talk(bob, alice, `sip:${ALICE}@${PROVIDER_REALM}`);
  expect(
    /calls sip:[A-Za-z0-9_-]{24}@/.test(kamailio.output),
    'Kamailio did not call the registered contact',
  );
  return `${heard}; 423 and SHA-256 digest answered, called by the registered contact`;
}

/** The first target is not there; the call goes on to Kamailio, with audio. */
async function secondTarget({ workspace, closes, edge: startEdge }: CaseContext): Promise<string> {
  const certificates = makeCertificates(workspace);
  const port = await freePort(CARRIER);
  const nobody = await freePort(CARRIER);
  const edge = await startEdge({
    certificates,
    listeners,
    objects: {
      users,
      trunks: [
        {
          name: 'carrier',
          targets: [
            { target: `sip:${CARRIER}:${nobody};transport=udp`, priority: 1 },
            { target: `sip:${CARRIER}:${port};transport=udp`, priority: 2 },
          ],
          failover: { silenceSeconds: 2 },
          addresses: [`${CARRIER}/32`],
          encryption: 'none',
        },
      ],
      routes: [{ match: '+*', to: { trunk: 'carrier' } }],
    },
  });
  const phones = { workspace, certificates };
  const bob = closes(
    await Baresip.start({
      ...phones,
      name: 'bob',
      transport: 'udp',
      media: 'rtp',
      tone: 1_000,
      proxy: { address: CARRIER, port },
    }),
  );
  closes(
    await startKamailio({
      workspace,
      name: 'kamailio',
      config: trunkConfig({ address: CARRIER, port, phone: bob.uri }),
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
  return `${await talk(alice, bob, `sip:${NUMBER}@${DOMAIN}`)}; by the second target`;
}

const version = () => (baresipVersion() === null ? null : kamailioVersion());

export const cases: readonly Case[] = [
  {
    name: 'kamailio-provider',
    peer: 'Kamailio, baresip',
    version,
    what: 'trunk by registration: 423, SHA-256 digest, call in to the registered contact',
    run: registered,
  },
  {
    name: 'kamailio-failover',
    peer: 'Kamailio, baresip',
    version,
    what: 'trunk with two targets, of which the first is not there',
    run: secondTarget,
  },
];

if (import.meta.main) await runCases(cases);
