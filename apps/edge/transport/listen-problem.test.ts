import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { it } from 'node:test';
import type { ListenProblem } from './listen-problem.ts';
import { tryBed } from './test-bed.ts';

it('a taken port: which listener, where, by what, and which setting changes it; all problems at once', async () => {
  const udp = createSocket('udp4').bind(0, '127.0.0.1');
  const tcp = createServer().listen(0, '::1');
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
  const tcpPort = (tcp.address() as { port: number }).port;
  try {
    const problems = (await tryBed({
      listeners: [
        { name: 'free', transport: 'udp', address: '127.0.0.1', port: 0 },
        { name: 'inside', transport: 'udp', address: '127.0.0.1', port: udp.address().port },
        { name: 'inside-tcp', transport: 'tcp', address: '::1', port: tcpPort },
        { name: 'elsewhere', transport: 'udp', address: '192.0.2.9', port: 0 },
      ],
    })) as readonly ListenProblem[];
    assert.ok(Array.isArray(problems));
    assert.deepEqual(
      problems.map((p) => [p.listener, p.code, p.setting]),
      [
        ['inside', 'EADDRINUSE', 'listeners[1].port'],
        ['inside-tcp', 'EADDRINUSE', 'listeners[2].port'],
        ['elsewhere', 'EADDRNOTAVAIL', 'listeners[3].address'],
      ],
    );
    assert.equal(problems[0]?.holder?.pid, process.pid);
    assert.equal(problems[1]?.holder?.pid, process.pid);
    assert.match(
      problems[0]!.text,
      new RegExp(
        `^Listener "inside": udp 127\\.0\\.0\\.1:${udp.address().port} is taken by \\S.* \\(pid ${process.pid}\\)\\. Change listeners\\[1\\]\\.port`,
      ),
    );
    assert.match(problems[1]!.text, new RegExp(`tcp \\[::1\\]:${tcpPort} is taken by`));
  } finally {
    udp.close();
    tcp.close();
  }
});
