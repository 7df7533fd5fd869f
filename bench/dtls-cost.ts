/** CPU time of another process, and sockets for the far ends of its calls. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

export const HOST = '127.0.0.1';

/** Time on a processor of all threads, in µs. Counted by the scheduler, not by ticks. */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {} // it has ended
  }
  return nanoseconds / 1000;
}

export async function udpSocket(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

export async function until(done: () => boolean, what: string, patienceMs = 10_000): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export const isDtls = (packet: Uint8Array): boolean => (packet[0] ?? 0) >= 20 && (packet[0] ?? 0) <= 63;
