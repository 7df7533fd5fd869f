/** baresip registered at the edge: TLS with SRTP on both sides, and on one side only. */
import { DOMAIN, type Edge } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { expectOwnKeys, talk } from './harness/phone-call.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';

export type Side = 'srtp' | 'dtls' | 'rtp';

const PASSWORDS = { alice: 'blue-harbour-42', bob: 'quiet-meadow-17' } as const;
/** What this baresip and the edge have in common, in the edge's order. */
const SUITES = ['AEAD_AES_256_GCM', 'AEAD_AES_128_GCM', 'AES_256_CM_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_80'];

/** An edge with users alice and bob, each protected on the outside or plain on the inside. */
export async function edgeWithUsers(
  { edge, workspace }: CaseContext,
  sides: Readonly<Record<'alice' | 'bob', Side>>,
  // baresip 1.0 knows no digest but MD5.
  md5: Readonly<Record<'alice' | 'bob', boolean>> = { alice: true, bob: true },
): Promise<Edge> {
  const certificates = makeCertificates(workspace);
  return edge({
    certificates,
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'required' },
      { name: 'inside', transport: 'udp', encryption: 'none' },
    ],
    objects: {
      users: (['alice', 'bob'] as const).map((name) => ({
        name,
        devices: [
          {
            name,
            password: PASSWORDS[name],
            encryption: sides[name] === 'rtp' ? 'none' : 'required',
            ...(sides[name] === 'dtls' ? { keying: 'dtls' } : {}),
            allowMd5: md5[name],
          },
        ],
      })),
    },
  });
}

export function account<S extends Side>(edge: Edge, name: 'alice' | 'bob', side: S) {
  return {
    name,
    media: side,
    transport: side === 'rtp' ? ('udp' as const) : ('tls' as const),
    server: {
      address: edge.address,
      port: edge.port(side === 'rtp' ? 'inside' : 'phones'),
      domain: DOMAIN,
      password: PASSWORDS[name],
    },
  };
}

async function throughEdge(context: CaseContext, caller: Side, called: Side): Promise<string> {
  const { workspace, closes } = context;
  const edge = await edgeWithUsers(context, { alice: caller, bob: called });
  const certificates = certificatesIn(workspace);
  const common = { workspace, certificates };
  const alice = closes(await Baresip.start({ ...common, ...account(edge, 'alice', caller), tone: 440 }));
  const bob = closes(await Baresip.start({ ...common, ...account(edge, 'bob', called), tone: 1_000 }));
  const heard = await talk(alice, bob, bob.uri);
  const proofs = [heard];
  for (const [phone, side] of [
    [alice, caller],
    [bob, called],
  ] as const) {
    if (side === 'rtp') {
      expect(phone.keys().length === 0, `${phone.program.name} was given SRTP keys on a plain leg`);
      continue;
    }
    if (side === 'dtls') {
      expect(phone.keys().length === 0, `${phone.program.name} was told SRTP keys in SDP`);
      const suite = /"suite":"([A-Z0-9_]+)","keyExchange":"dtls"/.exec(edge.log())?.[1];
      expect(suite !== undefined, 'the edge has no record of keys by DTLS');
      proofs.push(`${phone.program.name.split(' ').at(-1)} DTLS-SRTP ${suite}`);
      continue;
    }
    const suite = await phone.suite();
    expect(SUITES.includes(suite), `${phone.program.name} uses ${suite || 'no suite'}`);
    proofs.push(`${phone.program.name.split(' ').at(-1)} ${suite}`);
  }
  if (caller === 'srtp' && called === 'srtp') proofs.push(expectOwnKeys(alice, bob));
  return proofs.join('; ');
}

async function joined({ workspace, closes }: CaseContext, side: Side): Promise<string> {
  const certificates = makeCertificates(workspace);
  const common = {
    workspace,
    certificates,
    media: side,
    transport: side === 'rtp' ? 'udp' : 'tls',
  } as const;
  const alice = closes(await Baresip.start({ ...common, name: 'alice', tone: 440 }));
  const bob = closes(await Baresip.start({ ...common, name: 'bob', tone: 1_000 }));
  const heard = await talk(alice, bob, bob.uri);
  if (side === 'srtp') expect((await bob.suite()) !== '', 'no SRTP suite');
  return heard;
}

const names = { srtp: 'TLS with SRTP', dtls: 'TLS with DTLS-SRTP', rtp: 'UDP with RTP' } as const;
const named = (side: Side) => names[side];

export const cases: readonly Case[] = [
  ...(
    [
      ['srtp', 'srtp'],
      ['srtp', 'rtp'],
      ['rtp', 'srtp'],
      ['dtls', 'srtp'],
      ['srtp', 'dtls'],
      ['dtls', 'rtp'],
      ['rtp', 'dtls'],
      ['dtls', 'dtls'],
    ] as const
  ).map(
    ([caller, called]): Case => ({
      name: `baresip-${caller}-to-${called}`,
      peer: 'baresip',
      version: baresipVersion,
      what: `registered; caller ${named(caller)}, called ${named(called)}`,
      run: (context) => throughEdge(context, caller, called),
    }),
  ),
  ...(['srtp', 'dtls', 'rtp'] as const).map(
    (side): Case => ({
      name: `peers-baresip-${side}`,
      peer: 'baresip',
      version: baresipVersion,
      what: `two baresip joined, ${named(side)}`,
      peersOnly: true,
      run: (context) => joined(context, side),
    }),
  ),
];

if (import.meta.main) await runCases(cases);
