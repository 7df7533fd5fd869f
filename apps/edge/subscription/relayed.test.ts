import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeResponse, tagOf } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { leftovers } from '../testing/cast.ts';
import { domain } from '../testing/objects.ts';
import { pbxObject, TestPbx } from '../testing/pbx.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const inside = '10.0.0.5';
const summary = 'Messages-Waiting: yes\r\nMessage-Account: sip:101@10.0.0.5\r\nVoice-Message: 1/0 (0/0)\r\n';

/** A PBX that accepts subscriptions, and a phone that answers NOTIFY and remembers it. */
class Office {
  readonly world: World;
  readonly pbx: TestPbx;
  readonly phone: Phone;
  readonly subscribes: SipRequest[] = [];
  readonly notified: SipRequest[] = [];
  /** The PBX's side of the subscription. */
  theirs: Dialog | undefined = undefined;
  /** The phone's side of it. */
  mine: Dialog | undefined = undefined;
  granted = 600;
  /** Checks the digest within the dialog too, and that its URI is the Request-URI. */
  strict = false;
  /** What the phone says to a NOTIFY. */
  phoneSays = 200;

  constructor() {
    this.world = new World({ objects: { pbx: [pbxObject([inside])] } });
    this.pbx = new TestPbx(this.world, inside);
    const judge = this.pbx.refuse;
    this.pbx.refuse = (request) =>
      request.method === 'SUBSCRIBE' ? this.#subscribed(request) : judge(request);
    this.phone = new Phone(this.world, {
      name: '101',
      transport: 'tls',
      address: '203.0.113.1',
      port: 40_001,
      media: 'srtp',
      realm: domain,
    });
    this.phone.refuse = (request) => {
      if (request.method !== 'NOTIFY') return undefined;
      this.notified.push(request);
      this.mine?.receive(request);
      return makeResponse(request, this.phoneSays);
    };
  }

  async begin(): Promise<this> {
    assert.equal((await this.phone.register()).status, 200);
    return this;
  }

  #subscribed(request: SipRequest): SipResponse {
    this.subscribes.push(request);
    const within = tagOf(request.to) !== undefined;
    if ((!within || this.strict) && !this.pbx.proven(request)) return this.pbx.challenge(request, 407);
    const asked = Number(request.headers.get('Expires') ?? 3600);
    const headers = new HeaderList([
      ['Contact', '<sip:pbx@10.0.0.5>'],
      ['Expires', String(Math.min(asked, this.granted))],
    ]);
    if (this.theirs !== undefined) {
      const order = this.theirs.receive(request);
      return makeResponse(request, order.ok ? 200 : order.status, undefined, { headers });
    }
    const response = makeResponse(request, 200, undefined, { toTag: 'pbxtag', headers });
    this.theirs = Dialog.uas(request, response);
    return response;
  }

  /** Subscribes as a phone does, its digest included; gives the last answer. */
  async subscribe(
    event = 'message-summary',
    expires = 3600,
    more: readonly (readonly [string, string])[] = [],
    to = '101',
  ): Promise<SipResponse> {
    const { phone } = this;
    const make = (extra: readonly (readonly [string, string])[]): SipRequest =>
      this.mine === undefined
        ? {
            ...phone.make('SUBSCRIBE', to, [
              ['Event', event],
              ['Expires', String(expires)],
              ...more,
              ...extra,
            ]),
          }
        : this.mine.request('SUBSCRIBE', {
            contact: phone.contact,
            headers: new HeaderList([['Event', event], ['Expires', String(expires)], ...more, ...extra]),
          });
    let request = make([]);
    let answered = await phone.request(request);
    if (typeof answered !== 'string' && answered.status === 407) {
      const challenges = new HeaderList();
      for (const value of answered.headers.all('Proxy-Authenticate'))
        challenges.add('WWW-Authenticate', value);
      const credentials = phone.credentials(request, { ...answered, headers: challenges });
      request = make([['Proxy-Authorization', credentials ?? '']]);
      answered = await phone.request(request);
    }
    if (typeof answered === 'string') throw new Error(answered);
    if (answered.status === 200 && this.mine === undefined) this.mine = Dialog.uac(request, answered);
    return answered;
  }

  /** NOTIFY of the PBX; gives the status of its answer. */
  async notify(
    body = summary,
    state = 'active;expires=599',
    event = 'message-summary',
    type = 'application/simple-message-summary',
  ): Promise<number> {
    const headers = new HeaderList([
      ['Event', event],
      ['Subscription-State', state],
      ['Server', 'pbx-one.inside'],
    ]);
    if (body !== '') headers.add('Content-Type', type);
    const request = this.theirs!.request('NOTIFY', {
      contact: '<sip:pbx@10.0.0.5>',
      headers,
      body: Buffer.from(body, 'utf8'),
    });
    const answered = await this.pbx.request(request);
    return typeof answered === 'string' ? 408 : answered.status;
  }

  /** What must be gone once everything is over: the registration's watch over the PBX stays. */
  async over(milliseconds = 70_000): Promise<void> {
    await this.world.run(milliseconds);
    assert.deepEqual(
      leftovers(this.world).filter((text) => !/client transactions|timers/.test(text)),
      [],
    );
  }
}

test('message waiting: two dialogs, own identifiers on each, the body written anew (RFC 6665 §4.1, RFC 3842)', async () => {
  const office = await new Office().begin();
  const answered = await office.subscribe('message-summary;id=77');
  assert.equal(answered.status, 200);
  assert.equal(answered.headers.get('Expires'), '600');
  assert.equal(office.subscribes.length, 2, 'the PBX has challenged the phone');
  assert.equal(await office.notify(), 200);
  const [heard] = office.notified;
  assert.equal(heard?.headers.get('Event'), 'message-summary;id=77');
  assert.equal(heard?.headers.get('Subscription-State'), 'active;expires=599');
  assert.match(
    Buffer.from(heard!.body).toString(),
    /Message-Account: sip:101@example.test\r\nVoice-Message: 1\/0/,
  );
  assert.notEqual(heard?.callId, office.theirs?.callId);
  assert.notEqual(tagOf(heard!.from), 'pbxtag');
  for (const text of office.world.sentTo('203.0.113.1'))
    assert.doesNotMatch(text, /10\.0\.0\.5|inside|pbxtag/);
  for (const text of office.world.sentTo(inside)) assert.doesNotMatch(text, /203\.0\.113|Testphone|id=77/);
});

test("a refresh is the PBX's to grant, and its end ends both dialogs (RFC 6665 §4.1.2.2, §4.1.2.3)", async () => {
  const office = await new Office().begin();
  await office.subscribe();
  await office.world.run(300_000);
  office.world.edge.expire();
  assert.equal((await office.phone.register()).status, 200);
  const refreshed = await office.subscribe();
  assert.equal(refreshed.status, 200);
  assert.equal(refreshed.headers.get('Expires'), '600');
  assert.equal(office.world.edge.subscriptions, 1);
  assert.equal((await office.subscribe('message-summary', 0)).status, 200);
  assert.equal(await office.notify(summary, 'terminated;reason=timeout'), 200);
  assert.equal(office.notified.at(-1)?.headers.get('Subscription-State'), 'terminated;reason=timeout');
  assert.equal(office.world.edge.subscriptions, 0);
  assert.equal(await office.notify(), 481);
  await office.over();
});

test('a NOTIFY that comes before the answer to the SUBSCRIBE is passed on after it (RFC 6665 §4.1.2.4)', async () => {
  const office = await new Office().begin();
  const { pbx } = office;
  const judge = pbx.refuse;
  let early: Promise<number> | undefined;
  pbx.refuse = (request) => {
    const response = judge(request);
    if (request.method === 'SUBSCRIBE' && response?.status === 200) {
      // The answer is lost on its way and comes with the repetition.
      early = office.notify();
      office.world.network.weather = { ...office.world.network.weather, loss: 1 };
      office.world.time.after(2, () => {
        office.world.network.weather = { ...office.world.network.weather, loss: 0 };
      });
    }
    return response;
  };
  assert.equal((await office.subscribe()).status, 200);
  await office.world.until(() => office.notified.length === 1);
  assert.equal(await early, 200);
});

test('a forked SUBSCRIBE has one subscription: the NOTIFY of another fork gets 481 (RFC 6665 §4.4.1)', async () => {
  const office = await new Office().begin();
  await office.subscribe();
  const { pbx } = office;
  const request = office.theirs!.request('NOTIFY', {
    contact: '<sip:pbx@10.0.0.5>',
    headers: new HeaderList([
      ['Event', 'message-summary'],
      ['Subscription-State', 'active;expires=60'],
    ]),
  });
  const fork = { ...request, from: { ...request.from, params: new Map([['tag', 'other']]) } };
  const answered = await pbx.request(fork);
  assert.equal(typeof answered !== 'string' && answered.status, 481);
  assert.equal(office.notified.length, 0);
});

test('packages that are not passed on get 489, documents that cannot be read 415', async () => {
  const office = await new Office().begin();
  const refused = await office.subscribe('conference');
  assert.equal(refused.status, 489);
  assert.match(refused.headers.get('Allow-Events') ?? '', /message-summary, dialog, presence, reg/);
  assert.equal(office.subscribes.length, 0);
  await office.subscribe('dialog', 3600, [], '102');
  assert.equal(await office.notify('<x/>', 'active', 'dialog', 'application/dialog-info+xml'), 415);
  assert.equal(await office.notify(summary, 'active', 'message-summary'), 489);
  const busy = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:102@10.0.0.5"><dialog id="1" call-id="c@10.0.0.5"><state>confirmed</state></dialog></dialog-info>`;
  assert.equal(await office.notify(busy, 'active;expires=60', 'dialog', 'application/dialog-info+xml'), 200);
  assert.match(
    Buffer.from(office.notified.at(-1)!.body).toString(),
    /entity="sip:102@example.test".*<state>confirmed/,
  );
});

test('a phone that knows nothing of it, or is gone, ends it at the PBX too (RFC 6665 §4.2.2)', async () => {
  const office = await new Office().begin();
  await office.subscribe();
  office.phoneSays = 481;
  assert.equal(await office.notify(), 481);
  assert.equal(office.world.edge.subscriptions, 0);

  const second = await new Office().begin();
  await second.subscribe();
  second.world.network.break(second.phone.flow);
  assert.equal(await second.notify(), 481);
  await second.over();
});

test('a phone that has connected anew is notified there', async () => {
  const office = await new Office().begin();
  await office.subscribe();
  office.world.network.break(office.phone.flow);
  Object.assign(office.phone.options, { port: 40_002 });
  office.phone.connect();
  assert.equal((await office.phone.register()).status, 200);
  assert.equal(await office.notify(), 200);
  assert.equal(office.notified.length, 1);
});

test('a subscription whose time is up is ended with both sides, and leaves nothing', async () => {
  const office = await new Office().begin();
  office.granted = 60;
  await office.subscribe();
  await office.world.run(50_000);
  assert.equal(office.world.edge.subscriptions, 1);
  await office.world.run(45_000);
  office.world.edge.expire();
  await office.world.run(1_000);
  assert.equal(office.world.edge.subscriptions, 0);
  assert.equal(office.notified.at(-1)?.headers.get('Subscription-State'), 'terminated;reason=timeout');
  await office.over();
});

test('a user has a bounded number of subscriptions', async () => {
  const office = await new Office().begin();
  office.pbx.proven = () => true;
  let refused = 0;
  for (let i = 0; i < 260; i += 1) {
    office.mine = undefined;
    office.theirs = undefined;
    const { status } = await office.subscribe('dialog', 3600, [], `2${i}`);
    if (status === 403) refused += 1;
    await office.world.run(60);
  }
  assert.equal(refused, 4);
  assert.equal(office.world.edge.subscriptions, 256);
});

test('a PBX that has lost the subscription says 481 to its refresh, and so it is over (RFC 6665 §4.1.2.2)', async () => {
  const office = await new Office().begin();
  await office.subscribe();
  const judge = office.pbx.refuse;
  office.pbx.refuse = (request) =>
    request.method === 'SUBSCRIBE' && tagOf(request.to) !== undefined
      ? makeResponse(request, 481)
      : judge(request);
  assert.equal((await office.subscribe()).status, 481);
  assert.equal(office.world.edge.subscriptions, 0);
});

test('a PBX that checks the digest of a refresh gets a new subscription in its place', async () => {
  const office = await new Office().begin();
  await office.subscribe();
  office.strict = true;
  assert.equal((await office.subscribe()).status, 481);
  assert.equal(office.world.edge.subscriptions, 0);
  office.mine = undefined;
  office.theirs = undefined;
  assert.equal((await office.subscribe()).status, 200);
});

test('a message, a publication and unasked news of waiting messages pass (RFC 3428, RFC 3903, RFC 3842 §3.6)', async () => {
  const office = await new Office().begin();
  const { phone, pbx, world } = office;
  const message = phone.make('MESSAGE', '102', [['Content-Type', 'text/plain;charset=utf-8']]);
  const sent = await phone.request({ ...message, body: Buffer.from('hello') });
  assert.equal(typeof sent !== 'string' && sent.status, 200);
  const got = pbx.heard.findLast(
    (one): one is SipRequest => one.kind === 'request' && one.method === 'MESSAGE',
  );
  assert.equal(Buffer.from(got!.body).toString(), 'hello');
  assert.notEqual(got!.callId, message.callId);

  const pidf = `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:101@203.0.113.1"><tuple id="a"><status><basic>open</basic></status></tuple></presence>`;
  const publish = phone.make('PUBLISH', '101', [
    ['Event', 'presence'],
    ['Content-Type', 'application/pidf+xml'],
  ]);
  const published = await phone.request({ ...publish, body: Buffer.from(pidf) });
  assert.equal(typeof published !== 'string' && published.status, 200);
  const state = pbx.heard.findLast(
    (one): one is SipRequest => one.kind === 'request' && one.method === 'PUBLISH',
  );
  assert.doesNotMatch(Buffer.from(state!.body).toString(), /203\.0\.113/);

  const { token } = world.edge.registrar.lookup(domain, '101', world.time.now)[0]!.upstream!;
  const notice = pbx.make('NOTIFY', `sip:${token}@198.51.100.1`, [
    ['Event', 'message-summary'],
    ['Content-Type', 'application/simple-message-summary'],
  ]);
  const told = await pbx.request({ ...notice, body: Buffer.from(summary) });
  assert.equal(typeof told !== 'string' && told.status, 200);
  assert.match(Buffer.from(office.notified.at(-1)!.body).toString(), /sip:101@example.test/);
  const other = pbx.make('NOTIFY', `sip:${token}@198.51.100.1`, [['Event', 'refer']]);
  const refused = await pbx.request(other);
  assert.equal(typeof refused !== 'string' && refused.status, 489);
});

test('a message that is no text, or longer than a message may be, goes nowhere (RFC 3428 §8)', async () => {
  const { phone, pbx } = await new Office().begin();
  const binary = phone.make('MESSAGE', '102', [['Content-Type', 'application/octet-stream']]);
  const refused = await phone.request({ ...binary, body: Buffer.from('x') });
  assert.equal(typeof refused !== 'string' && refused.status, 415);
  const long = phone.make('MESSAGE', '102', [['Content-Type', 'text/plain']]);
  const tooLong = await phone.request({ ...long, body: Buffer.alloc(1_301, 'x') });
  assert.equal(typeof tooLong !== 'string' && tooLong.status, 513);
  assert.ok(!pbx.heard.some((one) => one.kind === 'request' && one.method === 'MESSAGE'));
});

test('RFC 5359 §2.16: in front of a PBX a phone picks up a call that its busy lamp shows: the PBX is named its own dialog (RFC 3891 §3, RFC 4235)', async () => {
  const office = await new Office().begin();
  await office.subscribe('dialog', 3600, [], '102');
  const ringing = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:102@10.0.0.5"><dialog id="1" call-id="c77@10.0.0.5" local-tag="lt1" remote-tag="rt1" direction="recipient"><state>early</state></dialog></dialog-info>`;
  assert.equal(
    await office.notify(ringing, 'active;expires=60', 'dialog', 'application/dialog-info+xml'),
    200,
  );
  const shown = Buffer.from(office.notified.at(-1)!.body).toString();
  const id = (name: string): string => new RegExp(`${name}="([^"]+)"`).exec(shown)?.[1] ?? '';
  office.pbx.onInvite = (call) => call.answer();
  const replaces = `${id('call-id')};to-tag=${id('local-tag')};from-tag=${id('remote-tag')};early-only`;
  const call = office.phone.call('102', { headers: [['Replaces', replaces]] });
  await office.world.until(() => call.state !== 'calling');
  assert.equal(call.status, 200, JSON.stringify(office.world.events.slice(-3)));
  assert.equal(
    office.pbx.calls.at(-1)?.request?.headers.get('Replaces'),
    'c77@10.0.0.5;to-tag=lt1;from-tag=rt1;early-only',
  );
});

test('RFC 5359 §2.17: automatic redial: a phone whose call found the other busy hears when it is free, and calls again', async () => {
  const office = await new Office().begin();
  const { world, phone, pbx } = office;
  const busy = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:102@10.0.0.5"><dialog id="1"><state>confirmed</state></dialog></dialog-info>`;
  pbx.onInvite = (call) => call.reject(486);
  const first = phone.call('102');
  await world.until(() => first.state === 'over');
  assert.equal(first.status, 486);
  assert.equal((await office.subscribe('dialog', 3600, [], '102')).status, 200);
  const told = async (document: string): Promise<string> => {
    const status = await office.notify(
      document,
      'active;expires=600',
      'dialog',
      'application/dialog-info+xml',
    );
    assert.equal(status, 200);
    return Buffer.from(office.notified.at(-1)!.body).toString();
  };
  assert.match(await told(busy), /<state>confirmed<\/state>/);
  assert.match(
    await told(busy.replace('version="1"', 'version="2"').replace('confirmed', 'terminated')),
    /<state>terminated<\/state>/,
  );
  pbx.onInvite = (call) => call.answer();
  const second = phone.call('102');
  await world.until(() => second.state === 'up');
  assert.equal((await office.subscribe('dialog', 0)).status, 200);
  second.hangUp();
  await office.over();
});

test('a domain that loses its PBX loses its registrations and subscriptions; phones are told', async () => {
  const office = await new Office().begin();
  await office.subscribe();
  office.world.edge.replaceObjects({ users: [], trunks: [], routes: [] });
  await office.world.run(1_000);
  assert.equal(office.world.edge.subscriptions, 0);
  assert.equal(office.notified.at(-1)?.headers.get('Subscription-State'), 'terminated;reason=deactivated');
  assert.equal(office.world.edge.registrar.size, 0);
  assert.equal((await office.phone.register()).status, 401, 'the edge challenges by itself');
  assert.deepEqual(office.world.errors, []);
});
