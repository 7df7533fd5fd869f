import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import { DtlsClient, DtlsServer } from 'werift';
import { startRelay } from './client.ts';
import type { RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { type DtlsCall, dtlsCall, isDtls, told } from './dtls-loopback.ts';
import { type DtlsSuite, dtlsSuites, type Fingerprint } from './handshake.ts';
import { hex, Phone, protect, rtpPacket, unprotect, until } from './loopback.ts';

/** Other people's DTLS at the far end of a leg: the machine's OpenSSL and werift's, well-meaning and not. */
const absent =
  spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed (apt package openssl)';
const profiles: Readonly<Record<DtlsSuite, string>> = {
  AEAD_AES_256_GCM: 'SRTP_AEAD_AES_256_GCM',
  AEAD_AES_128_GCM: 'SRTP_AEAD_AES_128_GCM',
  AES_CM_128_HMAC_SHA1_80: 'SRTP_AES128_CM_SHA1_80',
};

const folder = mkdtempSync(join(tmpdir(), 'ringfence-dtls-'));
let relay: RunningRelay;
const events: RelayEvent[] = [];
const children: ChildProcess[] = [];
const weriftSockets: { close(): void }[] = [];
before(async () => {
  relay = await startRelay({ threads: 2, pollMs: 20, dtls: { retransmitMs: 50, giveUpMs: 1500 } });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const socket of weriftSockets) socket.close();
  Phone.closeAll();
  await relay.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly fingerprint: Fingerprint;
}

let identities = 0;

function identity(...kind: readonly string[]): Identity {
  const name = join(folder, `${identities++}`);
  const [cert, key] = [`${name}.pem`, `${name}.key`];
  const args = ['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=phone', '-keyout', key, '-out', cert];
  execFileSync('openssl', [...args, ...kind], { stdio: 'ignore' });
  const value = Buffer.from(
    new X509Certificate(readFileSync(cert)).fingerprint256.replaceAll(':', ''),
    'hex',
  );
  return { cert, key, fingerprint: { hash: 'sha-256', value } };
}

const ecdsa = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] as const;
const secured = (it: DtlsCall) => told(events, 'secured', it.near.id)[0];
const unsecured = (it: DtlsCall) => told(events, 'unsecured', it.near.id)[0];

/** Runs `openssl` behind the socket of the phone: DTLS goes to it, SRTP stays with the test. */
async function behind(
  it: DtlsCall,
  role: 'client' | 'server',
  args: readonly string[],
): Promise<() => string> {
  const inner = createSocket('udp4');
  inner.bind(0, '127.0.0.1');
  await once(inner, 'listening');
  const free = createSocket('udp4');
  free.bind(0, '127.0.0.1');
  await once(free, 'listening');
  let port = free.address().port;
  free.close();
  await once(free, 'close');
  const command =
    role === 'server'
      ? ['s_server', '-accept', `127.0.0.1:${port}`, '-Verify', '1']
      : ['s_client', '-connect', `127.0.0.1:${inner.address().port}`];
  const child = spawn('openssl', [...command, '-dtls1_2', '-mtu', '1200', ...args]);
  children.push(child);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  inner.on('message', (datagram, from) => {
    port = from.port;
    it.phone.rtp.send(datagram, it.near.rtpPort, '127.0.0.1');
  });
  it.phone.rtp.on('message', (datagram) => {
    if (isDtls(datagram)) inner.send(datagram, port, '127.0.0.1');
  });
  it.phone.rtp.on('close', () => {
    inner.close();
    child.kill('SIGKILL');
  });
  return () => output;
}

/** A packet each way with keys cut from the exported block, RFC 5764 §4.2. */
async function talk(it: DtlsCall, suite: DtlsSuite, block: Uint8Array, peer: 'client' | 'server') {
  const { masterKeyLength: key, masterSaltLength: salt } = suiteParameters[suite];
  const material = (of: 'client' | 'server') => {
    const i = of === 'client' ? 0 : 1;
    return Buffer.concat([
      block.subarray(i * key, (i + 1) * key),
      block.subarray(2 * key + i * salt, 2 * key + (i + 1) * salt),
    ]);
  };
  const sends = new SrtpContext({ suite, material: material(peer) });
  const receives = new SrtpContext({ suite, material: material(peer === 'client' ? 'server' : 'client') });
  it.phone.rtp.send(protect(sends, rtpPacket(1)), it.near.rtpPort, '127.0.0.1');
  await until(() => it.far.rtpReceived.length === 1, 'the phone to be heard');
  assert.equal(hex(it.far.rtpReceived[0]), hex(rtpPacket(1)));
  it.far.rtp.send(rtpPacket(1, 2), it.out.rtpPort, '127.0.0.1');
  const arrived = () => it.phone.rtpReceived.find((packet) => !isDtls(packet));
  await until(() => arrived() !== undefined, 'the phone to hear');
  assert.equal(hex(unprotect(receives, arrived()!)), hex(rtpPacket(1, 2)));
}

for (const role of ['client', 'server'] as const) {
  for (const suite of dtlsSuites) {
    test(`RFC 5764 §4.2: openssl as ${role} with ${suite}; both read each other's SRTP`, {
      skip: absent,
    }, async () => {
      const it = await dtlsCall(relay);
      const phone = identity(...ecdsa);
      const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
      const length = 2 * (masterKeyLength + masterSaltLength);
      const output = await behind(it, role, [
        ...['-cert', phone.cert, '-key', phone.key, '-use_srtp', profiles[suite]],
        ...['-keymatexport', 'EXTRACTOR-dtls_srtp', '-keymatexportlen', `${length}`],
      ]);
      it.configure({ role: role === 'client' ? 'server' : 'client', fingerprints: [phone.fingerprint] });
      await until(() => secured(it) !== undefined, `keys: ${output()}`);
      assert.equal(secured(it)?.suite, suite);
      const exported = () => /Keying material: ([0-9A-F]+)/.exec(output())?.[1];
      await until(() => exported() !== undefined, `the exported block in ${output()}`);
      await talk(it, suite, Buffer.from(exported()!, 'hex'), role);
      await it.close();
    });
  }
}

const refusals: readonly (readonly [string, readonly string[], readonly string[], RegExp])[] = [
  ['offers no SRTP', ecdsa, [], /^no-common-suite: /],
  [
    'has a key of 1,024 bits',
    ['-newkey', 'rsa:1024'],
    ['-use_srtp', profiles.AEAD_AES_256_GCM, '-cipher', 'DEFAULT@SECLEVEL=0'],
    /weak/,
  ],
  [
    'signs its handshake with SHA-1',
    ecdsa,
    ['-use_srtp', profiles.AEAD_AES_256_GCM, '-sigalgs', 'ECDSA+SHA1', '-cipher', 'DEFAULT@SECLEVEL=0'],
    /^(no-common-suite|alert|protocol): /,
  ],
  [
    'knows CBC alone',
    ecdsa,
    ['-use_srtp', profiles.AEAD_AES_256_GCM, '-cipher', 'ECDHE-ECDSA-AES128-SHA'],
    /^(no-common-suite|alert|protocol): /,
  ],
];
for (const [what, kind, args, reason] of refusals) {
  test(`an openssl that ${what} is refused`, { skip: absent }, async () => {
    const it = await dtlsCall(relay);
    const phone = identity(...kind);
    const output = await behind(it, 'client', ['-cert', phone.cert, '-key', phone.key, ...args]);
    it.configure({ role: 'server', fingerprints: [phone.fingerprint] });
    await until(() => unsecured(it) !== undefined, `a refusal: ${output()}`);
    assert.match(`${unsecured(it)?.reason}: ${unsecured(it)?.detail}`, reason);
    assert.equal(secured(it), undefined);
    await it.close();
  });
}

test('RFC 5763 §5: an openssl without certificate is refused', { skip: absent }, async () => {
  const it = await dtlsCall(relay);
  const output = await behind(it, 'client', ['-use_srtp', profiles.AEAD_AES_256_GCM]);
  it.configure({ role: 'server', fingerprints: [identity(...ecdsa).fingerprint] });
  await until(() => unsecured(it) !== undefined, `a refusal: ${output()}`);
  assert.equal(unsecured(it)?.reason, 'fingerprint');
  await it.close();
});

/** werift's DTLS over the phone's socket. */
function werift(it: DtlsCall, role: 'client' | 'server', who: Identity, change: object = {}) {
  const transport = {
    type: 'udp',
    address: {},
    closed: false,
    onData: (_: Buffer, __: unknown): void => {},
    send: async (data: Buffer) => {
      it.phone.rtp.send(data, it.near.rtpPort, '127.0.0.1');
    },
    close: async () => {},
  };
  it.phone.rtp.on('message', (datagram) => {
    if (isDtls(datagram)) transport.onData(datagram, ['127.0.0.1', it.near.rtpPort]);
  });
  const options = {
    transport,
    cert: readFileSync(who.cert, 'utf8'),
    key: readFileSync(who.key, 'utf8'),
    signatureHash: { hash: 4, signature: 3 },
    srtpProfiles: [0x0007, 0x0001],
    certificateRequest: true,
    extendedMasterSecret: true,
    ...change,
  } as unknown as ConstructorParameters<typeof DtlsClient>[0];
  const socket = role === 'client' ? new DtlsClient(options) : new DtlsServer(options);
  socket.onError.subscribe(() => {});
  weriftSockets.push(socket);
  return socket;
}

for (const role of ['client', 'server'] as const) {
  test(`RFC 5764: werift as ${role}; both read each other's SRTP`, { skip: absent }, async () => {
    const it = await dtlsCall(relay);
    const phone = identity(...ecdsa);
    const socket = werift(it, role, phone);
    it.configure({ role: role === 'client' ? 'server' : 'client', fingerprints: [phone.fingerprint] });
    await relay.flush();
    if (socket instanceof DtlsClient) void socket.connect();
    await until(() => secured(it) !== undefined, `keys: ${JSON.stringify(unsecured(it))}`);
    await until(() => socket.connected, 'werift to be done');
    const suite = secured(it)?.suite as DtlsSuite;
    const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
    const length = 2 * (masterKeyLength + masterSaltLength);
    await talk(it, suite, socket.exportKeyingMaterial('EXTRACTOR-dtls_srtp', length), role);
    await it.close();
  });
}

for (const [what, named, change, reason] of [
  ['shows another certificate', false, {}, /^fingerprint: /],
  ['offers no SRTP', true, { srtpProfiles: [] }, /^no-common-suite: /],
  [
    'has no extended master secret (RFC 7627 §5.3)',
    true,
    { extendedMasterSecret: false },
    /extended master secret/,
  ],
] as const) {
  test(`RFC 5763 §6.7: a werift that ${what} is refused`, { skip: absent }, async () => {
    const it = await dtlsCall(relay);
    const phone = identity(...ecdsa);
    const socket = werift(it, 'client', phone, change);
    const { fingerprint } = named ? phone : identity(...ecdsa);
    it.configure({ role: 'server', fingerprints: [fingerprint] });
    await relay.flush();
    if (socket instanceof DtlsClient) void socket.connect().catch(() => {});
    await until(() => unsecured(it) !== undefined, 'a refusal');
    assert.match(`${unsecured(it)?.reason}: ${unsecured(it)?.detail}`, reason);
    assert.equal(secured(it), undefined);
    await it.close();
  });
}
