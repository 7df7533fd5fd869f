/** linphonec and baresip behind routers of every kind, in networks of their own, with an edge on the other side. */
import { fileURLToPath } from 'node:url';
import { addresses, become, canBuild, type Nat, nats } from '../system/harness/namespaces.ts';
import { account, type Side } from './baresip.ts';
import { DOMAIN, type Edge } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { amongNetworks, atHome } from './harness/networks.ts';
import { type Phone, talk } from './harness/phone-call.ts';
import { until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

const passwords = { alice: 'blue-harbour-42', bob: 'quiet-meadow-17' } as const;
/** baresip sends its voice from the first address of where it is, whatever it is told. */
const placeOf = { baresip: addresses.home, linphone: addresses.away } as const;
const peers = { baresip: Baresip, linphone: Linphone } as const;

/** An edge out in the internet, that phones reach through their router alone. */
async function edgeOutside({ edge, workspace }: CaseContext, sides: Readonly<Record<'alice' | 'bob', Side>>) {
  const certificates = makeCertificates(workspace);
  return edge({
    address: addresses.edge,
    certificates,
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'required' },
      { name: 'inside', transport: 'udp', encryption: 'none', dangerousPlaintext: true },
    ],
    objects: {
      users: (['alice', 'bob'] as const).map((name) => ({
        name,
        devices: [
          {
            name,
            password: passwords[name],
            encryption: sides[name] === 'rtp' ? 'none' : 'required',
            // baresip 1.0 knows no digest but MD5.
            allowMd5: true,
          },
        ],
      })),
    },
  });
}

/** Where the edge has seen somebody register from. */
const seenAt = (edge: Edge, user: string): Promise<string> =>
  until(`registration of ${user}`, 10_000, () => {
    const pattern = new RegExp(`"registration.added","user":"${user}".*"source":"([^"]+)"`);
    return pattern.exec(edge.log())?.[1] ?? null;
  });

interface Row {
  readonly nat: Nat;
  readonly caller: keyof typeof peers;
  readonly called: keyof typeof peers;
  readonly media: Readonly<Record<'alice' | 'bob', 'srtp' | 'rtp'>>;
}

async function behindNat(context: CaseContext, { nat, caller, called, media }: Row): Promise<string> {
  become(nat);
  const { workspace, closes } = context;
  const edge = await edgeOutside(context, media);
  const common = { workspace, certificates: certificatesIn(workspace), network: atHome() };
  const alice: Phone = closes(
    await peers[caller].start({
      ...common,
      ...account(edge, 'alice', media.alice),
      media: media.alice,
      address: placeOf[caller],
      tone: 440,
    }),
  );
  const bob: Phone = closes(
    await peers[called].start({
      ...common,
      ...account(edge, 'bob', media.bob),
      media: media.bob,
      address: placeOf[called],
      tone: 1_000,
    }),
  );
  const seen: string[] = [];
  for (const name of ['alice', 'bob']) {
    const source = await seenAt(edge, name);
    expect(source.startsWith('203.0.113.'), `${name} came from ${source}: not through the router`);
    seen.push(source);
  }
  return `${await talk(alice, bob, `sip:bob@${DOMAIN}`)}; seen as ${seen.join(' and ')}`;
}

const rows: readonly Row[] = nats.map((nat, i) => ({
  nat,
  caller: i % 2 === 0 ? 'baresip' : 'linphone',
  called: i % 2 === 0 ? 'linphone' : 'baresip',
  // Each kind of router with TLS and SRTP on one side of the call, and UDP with RTP on the other.
  media: i < 2 ? { alice: 'srtp', bob: 'rtp' } : { alice: 'rtp', bob: 'srtp' },
}));

const version = () => (baresipVersion() === null || !canBuild() ? null : linphoneVersion());
const words = { srtp: 'TLS with SRTP', rtp: 'UDP with RTP' } as const;

export const cases: readonly Case[] = rows.map((row) =>
  amongNetworks(
    {
      name: `nat-${row.nat.replace(' ', '-')}-${row.caller}-to-${row.called}`,
      peer: 'linphonec, baresip',
      version,
      what: `both behind a ${row.nat} NAT: ${row.caller} over ${words[row.media.alice]} calls ${row.called} over ${words[row.media.bob]}`,
      run: (context) => behindNat(context, row),
    },
    fileURLToPath(import.meta.url),
  ),
);

if (import.meta.main) await runCases(cases);
