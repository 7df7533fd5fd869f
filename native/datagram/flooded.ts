/**
 * For socket.test.ts, in a network namespace: what a socket with bounds lets through of two senders, as JSON lines; then
 * what it does about a flood, with few and with many known sources.
 */
import { spawn } from 'node:child_process';
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

/** A stranger sends as fast as it can, in a process of its own, and a friend now and then. */
async function flood(own: string, friend: string, stranger: string, others: number): Promise<object> {
  let friendly = 0;
  let strange = 0;
  const socket = new DatagramSocket(own, 0, 1 << 20, {
    received: (_bytes, address) => {
      if (address === friend) friendly += 1;
      else strange += 1;
    },
    failed: (error) => {
      throw error;
    },
  });
  const six = own.includes(':');
  for (let i = 0; i < others; i += 1)
    know(six ? `2001:${(i * 7 + 1).toString(16)}:1::1` : `100.${64 + (i >> 8)}.${i & 255}.9`, 3600);
  know(friend, 3600);
  socket.limit(500, 500);
  socket.start();
  const flooder = spawn(process.execPath, ['-e', flooding, stranger, own, String(socket.port)]);
  const from = createSocket(six ? 'udp6' : 'udp4');
  await new Promise<void>((done) => from.bind(0, friend, done));
  const until = Date.now() + 60_000;
  while (!socket.sieving() && Date.now() < until) await pause(20);
  const sieving = socket.sieving();
  strange = 0;
  socket.refused();
  for (let i = 0; i < 200; i += 1) {
    from.send(i % 2 === 0 ? 'OPTIONS sip:x SIP/2.0' : '', socket.port, own);
    await pause(2);
  }
  await pause(100);
  const refused = socket.refused();
  flooder.kill();
  // Whoever looks at the backlog has the sieve looked at as well.
  while (socket.sieving() && Date.now() < until) await pause(socket.backlog() < 0 ? 0 : 50);
  const over = !socket.sieving();
  from.close();
  socket.close();
  for (let i = 0; i < others; i += 1)
    know(six ? `2001:${(i * 7 + 1).toString(16)}:1::1` : `100.${64 + (i >> 8)}.${i & 255}.9`, 0);
  know(friend, 0);
  return { sieving, friendly, strange, refused, over };
}

/** Ends by itself. */
const flooding = `
const [, from, to, port] = process.argv;
const socket = require('node:dgram').createSocket(from.includes(':') ? 'udp6' : 'udp4');
const texts = [Buffer.from('OPTIONS sip:x SIP/2.0'), Buffer.from('junk')];
const until = Date.now() + 20000;
const burst = () => {
  for (let i = 0; i < 500; i += 1) socket.send(texts[i & 1], Number(port), to);
  if (Date.now() < until) setTimeout(burst, 10);
  else process.exit();
};
socket.bind(0, from, burst);
`;

for (const [own, friend, stranger, others] of [
  ['198.51.100.1', '198.51.100.2', '198.51.100.3', 3_000],
  ['2001:db8:1::1', '2001:db8:2::1', '2002:db8:3::1', 300],
] as const)
  process.stdout.write(`${JSON.stringify(await flood(own, friend, stranger, others))}\n`);
