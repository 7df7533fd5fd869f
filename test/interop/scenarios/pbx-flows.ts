/** Events that a PBX tells its phones, relayed by the edge (RFC 6665); the PBX is a sipp. */
import { expect } from '../harness/case.ts';
import type { Flow } from '../harness/stage.ts';
import { answer, asked, check, expectAnswer, expectFirst, expectRequest, request } from './steps.ts';

type Package = {
  readonly event: string;
  readonly type: string;
  readonly body: string;
  /** In what the phone gets. */
  readonly told: string;
};

const secret = 'inside.pbx.invalid';
const packages: Readonly<Record<string, Package>> = {
  mwi: {
    event: 'message-summary',
    type: 'application/simple-message-summary',
    body: `Messages-Waiting: yes\nMessage-Account: sip:alice@${secret}\nVoice-Message: 4/8 (1/2)\n`,
    told: 'Voice-Message: 4/8',
  },
  dialog: {
    event: 'dialog',
    type: 'application/dialog-info+xml',
    body: `<?xml version="1.0"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:bob@${secret}">\n<dialog id="1"><state>confirmed</state></dialog>\n</dialog-info>`,
    told: 'confirmed',
  },
  presence: {
    event: 'presence',
    type: 'application/pidf+xml',
    body: `<?xml version="1.0"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@${secret}">\n<tuple id="t"><status><basic>open</basic></status></tuple>\n</presence>`,
    told: 'open',
  },
};

const phone = {
  from: '<sip:alice@[domain]>',
  to: '<sip:alice@[domain]>',
  contact: '<sip:alice@[local_ip]:[local_port]>',
};

const subscription = (name: string, { event, type, body, told }: Package): Flow => ({
  name,
  what: `a phone in front of a PBX subscribes to ${event}, is notified, and leaves (RFC 6665)`,
  objects: ({ b }) => ({
    pbx: [
      {
        nodes: [{ name: 'one', target: `sip:${b.address}:${b.port}` }],
        encryption: 'none',
        phones: 'none',
      },
    ],
  }),
  play: async (scene, { a, b }) => {
    const state = (text: string) => [`Event: ${event}`, `Subscription-State: ${text}`];
    const subscribed = answer('200 OK', { headers: ['Expires: 600'] });
    await scene.party('pbx', {
      at: b,
      called: true,
      endless: true,
      steps: [
        '<recv request="OPTIONS" optional="true" next="1"/>',
        '<recv request="REGISTER" optional="true" next="2"/>',
        expectFirst('SUBSCRIBE', check(`Event: *${event}`, 'event')),
        answer('200 OK', { tagged: true, headers: ['Expires: 600'] }),
        asked('NOTIFY', 1, { headers: state('active;expires=600'), type, body }),
        expectAnswer(200),
        expectRequest('SUBSCRIBE', check('Expires: *0', 'leaves')),
        subscribed.replace('Expires: 600', 'Expires: 0'),
        asked('NOTIFY', 2, { headers: state('terminated;reason=timeout') }),
        expectAnswer(200).replace('<recv', '<recv next="3"'),
        '<label id="1"/>',
        answer('200 OK', { tagged: true }).replace('<send', '<send next="3"'),
        '<label id="2"/>',
        subscribed
          .replace('Contact: <sip:called@[local_ip]:[local_port]>', '[last_Contact:]')
          .replace('[last_To:]', '[last_To:];tag=r[call_number]'),
        '<label id="3"/>',
      ],
    });
    const register = request('REGISTER', 1, {
      ...phone,
      first: true,
      uri: 'sip:[domain]',
      headers: ['Expires: 600'],
    });
    await scene.party('register', { at: a, steps: [register, expectAnswer(200)] });
    await scene.ended('register');
    const bob = { ...phone, to: '<sip:bob@[domain]>' };
    await scene.party('phone', {
      at: a,
      steps: [
        request('SUBSCRIBE', 1, {
          ...bob,
          first: true,
          uri: 'sip:bob@[domain]',
          headers: [`Event: ${event}`, `Accept: ${type}`, 'Expires: 600'],
        }),
        expectAnswer(200),
        expectRequest(
          'NOTIFY',
          check(told, 'told') + check(secret, 'inside', true) + check('Subscription-State: *active', 'state'),
        ),
        answer('200 OK'),
        request('SUBSCRIBE', 2, { ...bob, headers: [`Event: ${event}`, 'Expires: 0'] }),
        expectAnswer(200),
        expectRequest('NOTIFY', check('Subscription-State: *terminated', 'state')),
        answer('200 OK'),
      ],
    });
    await scene.ended('phone');
    const complaint = scene.complaint('pbx');
    expect(!/unexpected|Failed/.test(complaint), complaint);
    expect(!scene.messages('pbx').includes(a.address), "the phone's address shows at the PBX");
    return 'its state written anew: no name of the inside; ended with both sides';
  },
});

export const pbxFlows: readonly Flow[] = Object.entries(packages).map(([name, one]) =>
  subscription(`subscribe-${name}`, one),
);
