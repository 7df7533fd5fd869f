/** baresip with ICE and DTLS-SRTP behind a router, calling through the edge a baresip with SRTP. */
import { fileURLToPath } from 'node:url';
import { addresses, become, canBuild } from '../system/harness/namespaces.ts';
import { account } from './baresip.ts';
import { DOMAIN } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { amongNetworks, atHome } from './harness/networks.ts';
import { talk } from './harness/phone-call.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';

const passwords = { alice: 'blue-harbour-42', bob: 'quiet-meadow-17' } as const;

/** What baresip says of itself in SDP is its address at home: the pair is found by its checks alone. */
async function throughEdge({ edge: start, workspace, closes }: CaseContext): Promise<string> {
  become('port-restricted');
  const certificates = makeCertificates(workspace);
  const edge = await start({
    address: addresses.edge,
    certificates,
    listeners: [{ name: 'phones', transport: 'tls', encryption: 'required' }],
    objects: {
      users: (['alice', 'bob'] as const).map((name) => ({
        name,
        devices: [
          {
            name,
            password: passwords[name],
            encryption: 'required',
            ...(name === 'alice' ? { keying: 'dtls' } : {}),
            // baresip 1.0 knows no digest but MD5.
            allowMd5: true,
          },
        ],
      })),
    },
  });
  const common = {
    workspace,
    certificates: certificatesIn(workspace),
    network: atHome(),
    address: addresses.home,
  };
  const [alice, bob] = await Promise.all([
    Baresip.start({ ...common, ...account(edge, 'alice', 'dtls'), ice: true, tone: 440 }).then(closes),
    Baresip.start({ ...common, ...account(edge, 'bob', 'srtp'), tone: 1_000 }).then(closes),
  ]);
  const heard = await talk(alice, bob, `sip:bob@${DOMAIN}`);
  expect(alice.keys().length === 0, 'the caller was told SRTP keys in SDP');
  const record = /"suite":"([A-Z0-9_]+)","keyExchange":"dtls".*"ice":"validated"/.exec(edge.log());
  expect(record !== null, 'the edge has no record of keys by DTLS over a pair that ICE has chosen');
  return `${heard}; caller DTLS-SRTP ${record[1]}, its pair validated by ICE; called ${await bob.suite()}`;
}

export const cases: readonly Case[] = [
  amongNetworks(
    {
      name: 'baresip-ice-dtls-to-srtp',
      peer: 'baresip',
      version: () => (canBuild() ? baresipVersion() : null),
      what: 'behind a router; caller TLS with ICE and DTLS-SRTP, called TLS with SRTP',
      run: throughEdge,
    },
    fileURLToPath(import.meta.url),
  ),
];

if (import.meta.main) await runCases(cases);
