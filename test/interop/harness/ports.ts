/** Free ports of the loopback, found by binding them: tests never rely on fixed numbers. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Below the kernel's ephemeral range, so that a connection opened meanwhile cannot take a port that was just
 * handed out, and above the well-known SIP ports.
 */
const FIRST = 7_000;
const LAST = 18_999;
const given = new Set<number>();

function udpFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

function tcpFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `count` consecutive ports, the first one even (RTP with its RTCP), free for UDP and TCP on `address`. */
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const first = (FIRST + Math.floor(Math.random() * (LAST - FIRST - count))) & ~1;
    const wanted = Array.from({ length: count }, (_, index) => first + index);
    if (wanted.some((port) => given.has(port))) continue;
    const free = await Promise.all(
      wanted.flatMap((port) => [udpFree(address, port), tcpFree(address, port)]),
    );
    if (!free.every(Boolean)) continue;
    for (const port of wanted) given.add(port);
    return first;
  }
  throw new Error(`no ${count} consecutive free ports on ${address}`);
}

export const freePort = (address = '127.0.0.1'): Promise<number> => freePorts(1, address);
