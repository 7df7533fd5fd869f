import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ok } from '@ringfence/bytes/result.ts';
import type { AlertChannel, AlertSettings } from '../config/alerts.ts';
import { EventBus } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { eventually, httpReceiver } from '../exports/testing/receivers.ts';
import type { MailSender } from './channels/email.ts';
import { AlertDesk } from './desk.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const secret = 'a-secret-of-some-length';
const trouble: EdgeEvent = {
  type: 'edge.trouble',
  what: 'disk',
  detail: 'no space <!channel> [x](http://y)',
};
const nobody: MailSender = { send: () => Promise.resolve(ok(undefined)) };

function place(): string {
  const home = mkdtempSync(join(tmpdir(), 'ringfence-alerts-'));
  folders.push(home);
  writeFileSync(join(home, 'secret'), `${secret}\n`);
  return home;
}

type Way = Omit<AlertChannel, 'name' | 'mostPerHour'> & { readonly mostPerHour?: number };

function desk(home: string, ways: Readonly<Record<string, Way>>, mail = nobody) {
  const bus = new EventBus(Date.now);
  const heard: EdgeEvent[] = [];
  bus.subscribe((event) => heard.push(event), 'notice');
  const settings: AlertSettings = {
    channels: Object.entries(ways).map(([name, way]) => ({ name, mostPerHour: 30, ...way })),
    rules: [],
    gatherSeconds: 0,
    quietZone: 'UTC',
    quietLevel: 'error',
  };
  return { bus, heard, desk: new AlertDesk({ home, bus, now: Date.now, settings, mail }) };
}

const parsed = (text: string | undefined) => JSON.parse(text ?? '') as Record<string, unknown>;

test('a webhook is signed over time and body', async () => {
  const home = place();
  const receiver = await httpReceiver();
  const url = `http://127.0.0.1:${receiver.port}/hook`;
  const made = desk(home, {
    hook: { webhook: { url, secretFile: join(home, 'secret'), dangerousInside: true } },
  });
  made.bus.emit(trouble);
  await eventually(() => receiver.got.length === 1, 'the webhook');
  const [posted] = receiver.got;
  const body = posted?.body ?? '';
  const [, seconds = '', signature = ''] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(posted?.headers['ringfence-signature'])) ?? [];
  assert.equal(signature, createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
  assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < 60);
  const { version, alerts } = parsed(body) as { version: number; alerts: Record<string, unknown>[] };
  assert.equal(version, 1);
  assert.equal(alerts[0]?.severity, 'error');
  assert.equal(alerts[0]?.kind, 'raised');
  assert.deepEqual(alerts[0]?.event, trouble);
  assert.ok(!body.includes(secret));
  await made.desk.stop();
  await receiver.close();
});

test('without leave a webhook reaches nothing inside, and says why', async () => {
  const home = place();
  const receiver = await httpReceiver();
  const url = `https://127.0.0.1:${receiver.port}/hook`;
  const made = desk(home, { hook: { webhook: { url, secretFile: join(home, 'secret') } } });
  made.bus.emit(trouble);
  await eventually(() => made.heard.some(({ type }) => type === 'alert.channel-failing'), 'the failure');
  const failing = made.heard.find((event) => event.type === 'alert.channel-failing');
  assert.match(failing?.type === 'alert.channel-failing' ? failing.reason : '', /inside address/);
  assert.equal(receiver.got.length, 0);
  await made.desk.stop();
  await receiver.close();
});

test('an outage of the receiver and of the edge loses no alert', async () => {
  const home = place();
  let status = 503;
  const receiver = await httpReceiver(() => status);
  const url = `http://127.0.0.1:${receiver.port}/hook`;
  const ways = { hook: { webhook: { url, secretFile: join(home, 'secret'), dangerousInside: true } } };
  const first = desk(home, ways);
  first.bus.emit(trouble);
  await eventually(() => first.heard.some(({ type }) => type === 'alert.channel-failing'), 'the outage');
  await first.desk.stop();
  status = 200;
  // The time of the next attempt comes sooner for who does not want to wait in a test.
  const file = join(home, 'alerts.json');
  const state = parsed(readFileSync(file, 'utf8')) as { notices: { dueAt: number }[] };
  assert.equal(state.notices.length, 1);
  for (const notice of state.notices) notice.dueAt = 0;
  writeFileSync(file, JSON.stringify(state));
  const second = desk(home, ways);
  await eventually(() => receiver.got.length === 2, 'the alert after the restart');
  assert.match(receiver.got[1]?.body ?? '', /edge\.trouble/);
  await second.desk.stop();
  const left = parsed(readFileSync(file, 'utf8')) as { notices: unknown[]; alerts: unknown[] };
  assert.deepEqual([left.notices.length, left.alerts.length], [0, 1]);
  await receiver.close();
});

test('Slack, Teams, PagerDuty and SMS get what they read, and no markup of a peer', async () => {
  const home = place();
  const receiver = await httpReceiver();
  const base = `http://127.0.0.1:${receiver.port}`;
  const urlFile = (name: string): string => {
    writeFileSync(join(home, name), `${base}/${name}\n`);
    return join(home, name);
  };
  const made = desk(home, {
    slack: { slack: { urlFile: urlFile('slack'), dangerousInside: true } },
    teams: { teams: { urlFile: urlFile('teams'), dangerousInside: true } },
    pager: { pagerduty: { keyFile: join(home, 'secret'), url: `${base}/pager`, dangerousInside: true } },
    sms: {
      sms: {
        url: `${base}/sms`,
        to: ['+4915112345678'],
        contentType: 'application/json',
        body: '{"number": "{{to}}", "message": "{{text}}"}',
        tokenFile: join(home, 'secret'),
        dangerousInside: true,
      },
    },
    form: {
      sms: {
        url: `${base}/form`,
        to: ['+4915112345678'],
        contentType: 'application/x-www-form-urlencoded',
        body: 'to={{to}}&text={{text}}',
        dangerousInside: true,
      },
    },
  });
  made.bus.emit(trouble);
  await eventually(() => receiver.got.length === 5, 'five messages');
  const bodyOf = (path: string): string => receiver.got.find((one) => one.path === path)?.body ?? '';
  assert.ok(!bodyOf('/slack').includes('<!channel>'));
  assert.match(String(parsed(bodyOf('/slack')).text), /^error: edge\.trouble: no space &lt;!channel&gt;/);
  const { attachments } = parsed(bodyOf('/teams')) as {
    attachments: { content: { body: { text: string }[] } }[];
  };
  assert.match(
    attachments[0]?.content.body[0]?.text ?? '',
    /^error: edge\.trouble: no space \\<!channel\\> \\\[x\\\]/,
  );
  const page = parsed(bodyOf('/pager')) as Record<string, Record<string, unknown>>;
  assert.equal(page.routing_key as unknown, secret);
  assert.equal(page.event_action as unknown, 'trigger');
  assert.equal(page.payload?.severity, 'critical');
  const { number, message } = parsed(bodyOf('/sms'));
  assert.equal(number, '+4915112345678');
  assert.match(String(message), /^Ringfence error: edge\.trouble/);
  assert.equal(receiver.got.find(({ path }) => path === '/sms')?.headers.authorization, `Bearer ${secret}`);
  assert.equal(new URLSearchParams(bodyOf('/form')).get('to'), '+4915112345678');
  made.bus.emit({ type: 'edge.trouble-over', what: 'disk', seconds: 3 });
  await eventually(() => receiver.got.filter(({ path }) => path === '/pager').length === 2, 'the end');
  const end = parsed(receiver.got.findLast(({ path }) => path === '/pager')?.body) as Record<string, unknown>;
  assert.equal(end.event_action, 'resolve');
  assert.equal(end.dedup_key, page.dedup_key);
  await made.desk.stop();
  await receiver.close();
});

test('no more messages than the hour allows; what waits goes out together', async () => {
  const home = place();
  const receiver = await httpReceiver();
  const url = `http://127.0.0.1:${receiver.port}/hook`;
  const webhook = { url, secretFile: join(home, 'secret'), dangerousInside: true };
  const made = desk(home, { hook: { webhook, mostPerHour: 1 } });
  made.bus.emit(trouble);
  await eventually(() => receiver.got.length === 1, 'the first');
  made.bus.emit({ type: 'edge.error', where: 'store', detail: 'x' });
  made.bus.emit({ type: 'edge.error', where: 'media', detail: 'y' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(receiver.got.length, 1);
  await made.desk.stop();
  const { notices } = parsed(readFileSync(join(home, 'alerts.json'), 'utf8')) as {
    notices: { dueAt: number }[];
  };
  assert.equal(notices.length, 2);
  for (const { dueAt } of notices) assert.ok(dueAt > Date.now() + 3_000_000);
  await receiver.close();
});

test('a damaged file is put aside and told of', async () => {
  const home = place();
  writeFileSync(join(home, 'alerts.json'), '{"version":1,');
  const made = desk(home, {});
  assert.deepEqual(made.desk.alerts, []);
  assert.ok(made.heard.some((event) => event.type === 'edge.error' && event.where === 'alerts'));
  assert.equal(readFileSync(join(home, 'alerts.json.damaged'), 'utf8'), '{"version":1,');
  await made.desk.stop();
});
