/** For socket.test.ts, in a network namespace: what a socket with bounds lets through of two senders, as JSON lines. */
import { createSocket } from 'node:dgram';
import { DatagramSocket, know } from './socket.ts';

const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

async function send(from: string, to: string, port: number): Promise<void> {
  const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((done) => socket.bind(0, from, done));
  for (let i = 0; i < 100; i += 1) {
    socket.send('OPTIONS sip:x SIP/2.0', port, to);
    socket.send('\0\0\0\0', port, to);
    if (i % 10 === 0) await pause(1);
  }
  await pause(50);
  socket.close();
}

for (const [own, friend, stranger] of [
  ['198.51.100.1', '198.51.100.2', '198.51.100.3'],
  ['2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1'],
] as const) {
  const counts = new Map<string, number>();
  const socket = new DatagramSocket(own, 0, 1 << 20, {
    received: (_bytes, address) => counts.set(address, (counts.get(address) ?? 0) + 1),
    failed: (error) => {
      throw error;
    },
  });
  socket.limit(20, 20);
  know(friend, 3600);
  socket.start();
  await send(friend, own, socket.port);
  await send(stranger, own, socket.port);
  const refused = socket.refused();
  const known = counts.get(friend);
  know(friend, 0);
  await send(friend, own, socket.port);
  const knownAfter = (counts.get(friend) ?? 0) - (known ?? 0);
  process.stdout.write(`${JSON.stringify({ known, strange: counts.get(stranger), refused, knownAfter })}\n`);
  socket.close();
}
