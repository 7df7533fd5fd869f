import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import type { AlertSettings } from '../config/alerts.ts';
import { EventBus } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { eventually } from '../exports/testing/receivers.ts';
import { Mailer } from '../mail/mailer.ts';
import { AlertDesk } from './desk.ts';

const settings: AlertSettings = {
  channels: [{ name: 'admins', mostPerHour: 30, email: { to: ['anna@example.test', 'ben@example.test'] } }],
  rules: [],
  gatherSeconds: 0,
  quietZone: 'UTC',
  quietLevel: 'error',
};

test('an alert is mailed to everybody who is named; while the server is away it waits, over a restart too', async () => {
  const home = mkdtempSync(join(tmpdir(), 'ringfence-alert-mail-'));
  const taken: { to: string; text: string }[] = [];
  let away = true;
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onMailFrom: (_from, _session, done) => done(away ? new Error('4.3.0 not now') : undefined),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        taken.push({
          to: session.envelope.rcptTo[0]?.address ?? '',
          text: Buffer.concat(chunks).toString('utf8'),
        });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  const { port } = server.server.address() as AddressInfo;
  const open = () => {
    const bus = new EventBus(Date.now);
    const heard: EdgeEvent[] = [];
    bus.subscribe((event) => heard.push(event), 'notice');
    const mail = new Mailer(() => ({
      host: '127.0.0.1',
      port,
      security: 'none',
      from: 'ringfence@example.test',
      dangerousPlaintext: true,
    }));
    return { bus, heard, desk: new AlertDesk({ home, bus, now: Date.now, settings, mail }) };
  };
  try {
    const first = open();
    first.bus.emit({ type: 'edge.trouble', what: 'disk', detail: 'no space\r\nBcc: eve@example.test' });
    await eventually(() => first.heard.some(({ type }) => type === 'alert.channel-failing'), 'the outage');
    await first.desk.stop();
    away = false;
    // The time of the next attempt comes sooner for who does not want to wait in a test.
    const file = join(home, 'alerts.json');
    const state = JSON.parse(readFileSync(file, 'utf8')) as { notices: { dueAt: number }[] };
    for (const notice of state.notices) notice.dueAt = 0;
    writeFileSync(file, JSON.stringify(state));
    const second = open();
    await eventually(() => taken.length >= 2, 'both mails');
    await second.desk.stop();
    assert.deepEqual(new Set(taken.map(({ to }) => to)), new Set(['anna@example.test', 'ben@example.test']));
    const [head = '', body = ''] = (taken[0]?.text ?? '').split('\r\n\r\n');
    assert.match(head, /Subject: \[Ringfence\]/);
    assert.doesNotMatch(head, /^Bcc:/im);
    assert.match(body, /no space/);
  } finally {
    await new Promise<void>((done) => server.close(() => done()));
    rmSync(home, { recursive: true, force: true });
  }
});
