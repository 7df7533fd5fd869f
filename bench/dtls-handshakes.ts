/** Handshakes as a server: of the media process over the loopback, and of a bare loop over the machine's OpenSSL. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startRelay } from '@ringfence/relay/client.ts';
import { NativeAssociation, NativeCertificate } from '@ringfence/relay/dtls.ts';
import { dtlsSuites, type Fingerprint } from '@ringfence/relay/handshake.ts';
import { cpuMicroseconds, HOST, udpSocket, until } from './dtls-cost.ts';

export interface Handshakes {
  readonly count: number;
  readonly cpuPerHandshake: number;
  readonly p50Ms: number;
}

/** One handshake from its ClientHello to the client's keys; the ms it took. */
async function shake(
  socket: Awaited<ReturnType<typeof udpSocket>>,
  port: number,
  certificate: NativeCertificate,
  expects: Fingerprint,
): Promise<number> {
  const association = new NativeAssociation({
    certificate,
    role: 'client',
    fingerprints: [expects],
    suites: dtlsSuites,
    retransmitMs: 1000,
  });
  const send = (datagrams: readonly Uint8Array[]) => {
    for (const datagram of datagrams) socket.send(datagram, port, HOST);
  };
  const receive = (datagram: Uint8Array) => send(association.receive(datagram));
  socket.on('message', receive);
  const begun = performance.now();
  const timer = setInterval(() => send(association.passTime()), 100);
  send(association.start());
  await until(() => association.look().state !== 'handshaking', 'a handshake');
  const took = performance.now() - begun;
  clearInterval(timer);
  const { state, detail } = association.look();
  if (state !== 'secured') throw new Error(`the handshake came to nothing: ${detail}`);
  send(association.close());
  socket.off('message', receive);
  return took;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** Each on an endpoint of its own that is opened, configured and closed, as for a call; `atOnce` of them side by side. */
export async function ourHandshakes(count: number, atOnce: number): Promise<Handshakes> {
  const relay = await startRelay();
  const certificate = new NativeCertificate();
  const took: number[] = [];
  let secured = 0;
  relay.onEvent((event) => {
    if (event.kind === 'secured') secured += 1;
  });
  try {
    let left = 0;
    const lane = async () => {
      const socket = await udpSocket();
      const { port } = socket.address();
      while (left > 0) {
        left -= 1;
        const opened = await relay.open([{ local: HOST, ports: 'mux', dscp: 46, suites: [], dtls: true }]);
        const endpoint = opened.ok ? opened.value[0] : undefined;
        if (!endpoint?.dtls) throw new Error('relay: no endpoint with DTLS');
        relay.configure(endpoint.id, {
          media: 'srtp',
          remote: { address: HOST, rtpPort: port, rtcpPort: port },
          dtls: { role: 'server', fingerprints: [certificate.fingerprint], suites: dtlsSuites },
        });
        await relay.flush();
        took.push(await shake(socket, endpoint.rtpPort, certificate, endpoint.dtls));
        await relay.close([endpoint.id]);
      }
      socket.close();
    };
    const run = async (handshakes: number) => {
      left = handshakes;
      await Promise.all(Array.from({ length: atOnce }, lane));
    };
    await run(2 * atOnce);
    took.length = 0;
    secured = 0;
    const before = cpuMicroseconds(relay.pid);
    await run(count);
    const cpu = cpuMicroseconds(relay.pid) - before;
    await until(() => secured === count, 'the last of them to be told');
    return { count, cpuPerHandshake: cpu / count, p50Ms: median(took) };
  } finally {
    await relay.stop();
  }
}

/**
 * A bare loop over the machine's OpenSSL, both ends in one process and only the server's time counted. Undefined where no
 * compiler or no headers of OpenSSL are.
 */
export function opensslHandshakes(
  count: number,
  folder: string,
): { readonly version: string; readonly cpuPerHandshake: number } | undefined {
  const binary = join(folder, 'dtls-openssl');
  const source = fileURLToPath(new URL('./dtls-openssl.c', import.meta.url));
  const built =
    existsSync(binary) ||
    spawnSync(process.env.CC ?? 'cc', ['-O2', '-o', binary, source, '-lssl', '-lcrypto']).status === 0;
  if (!built) return undefined;
  return JSON.parse(execFileSync(binary, [String(count)], { encoding: 'utf8' })) as {
    readonly version: string;
    readonly cpuPerHandshake: number;
  };
}
