/** Flows of phones that register and prove themselves by digest (MD5: sipp 3.6 knows no other). */
import { expect } from '../harness/case.ts';
import { sleep, until } from '../harness/process.ts';
import type { Scene } from '../harness/scene.ts';
import type { Flow, Place, Places } from '../harness/stage.ts';
import {
  answer,
  asked,
  audio,
  check,
  expectAnswer,
  expectInvite,
  expectRequest,
  goodbye,
  maybe,
  pauseOf,
  type RequestParts,
  refusedWith,
  request,
  say,
  talk,
  withDigest,
} from './steps.ts';
import { trunkAt } from './trunk-flows.ts';

const password = 'slow-river-88';
const numbers: Readonly<Record<string, string>> = {
  alice: '+12025550101',
  bob: '+12025550102',
  carol: '+12025550103',
};

const phone = (name: string) => ({
  name,
  number: numbers[name]!,
  devices: [{ name, password, encryption: 'none' as const, allowMd5: true }],
});
const users = { users: ['alice', 'bob', 'carol'].map(phone) };
const aor = (name: string) => `<sip:${name}@[domain]>`;
const credentials = (user: string) => ({ user, password });

/** REGISTER, challenged and answered; with what the 200 must say. */
const registering = (name: string, headers: readonly string[] = [], checks = '', contact = ''): string[] => [
  ...withDigest('REGISTER', {
    ...credentials(name),
    uri: 'sip:[domain]',
    from: aor(name),
    to: aor(name),
    contact: `<sip:${name}@[local_ip]:[local_port]>${contact}`,
    headers: ['Expires: 600', ...headers],
  }),
  expectAnswer(200, checks),
];

async function register(scene: Scene, name: string, at: Place, ...more: string[][]): Promise<void> {
  const [headers, checks, contact] = more;
  await scene.party(`register-${name}`, {
    at,
    digestUri: scene.domain,
    steps: registering(name, headers, checks?.join(''), contact?.join('')),
  });
  await scene.ended(`register-${name}`);
}

/** What a phone's requests in and out of dialogs have in common. */
const as = (caller: string, called: string): RequestParts => ({
  uri: `sip:${called}@[domain]`,
  from: aor(caller),
  to: aor(called),
  contact: `<sip:${caller}@[local_ip]:[local_port]>`,
});
const within = (caller: string, called: string): RequestParts => {
  const { uri, ...rest } = as(caller, called);
  return rest;
};

const calling = (caller: string, called: string, parts: RequestParts = {}): string[] => [
  ...withDigest('INVITE', { ...credentials(caller), body: audio(1), ...as(caller, called), ...parts }),
  maybe(100, 180, 181, 183),
  expectAnswer(200),
  request('ACK', 2, within(caller, called)),
];
const taking = (checks = '', body = audio(1)): string[] => [
  expectInvite(checks),
  answer('200 OK', { invite: true, body }),
  expectRequest('ACK'),
];
const hangUp = (caller: string, called: string, cseq: number): string[] => [
  request('BYE', cseq, within(caller, called)),
  expectAnswer(200),
];
/** The edge asks anew, with or without an offer of its own. */
const reasked = (): string[] => [
  expectRequest('INVITE'),
  answer('200 OK', { body: audio(2) }),
  expectRequest('ACK'),
];
const noted = (status: number): string[] => [
  expectRequest('NOTIFY', check(`SIP/2.0 ${status}`, 'progress')),
  answer('200 OK'),
];

async function dial(scene: Scene, name: string, at: Place, called: string, steps: string[]): Promise<void> {
  await scene.party(name, {
    at,
    digestUri: `${called}@${scene.domain}`,
    steps,
  });
}

const plainCall: Flow = {
  name: 'phones',
  what: 'two phones register with digest and call each other (RFC 3665 §2.1, §3.2)',
  objects: () => users,
  play: async (scene, { a, b }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await scene.party('bob', { at: b, called: true, steps: [...taking(), ...goodbye] });
    await dial(scene, 'alice', a, 'bob', [...calling('alice', 'bob'), talk, ...hangUp('alice', 'bob', 3)]);
    await scene.said('alice', 'talk');
    return scene.voice('alice', 'bob');
  },
};

const blind: Flow = {
  name: 'refer-blind',
  what: 'blind transfer: REFER, NOTIFY of its progress, the edge joins who is left (RFC 3515, RFC 5359 §2.4)',
  objects: () => users,
  play: async (scene, { a, b, c }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await register(scene, 'carol', c);
    await scene.party('carol', { at: c, called: true, steps: [...taking(), ...goodbye] });
    await scene.party('bob', {
      at: b,
      called: true,
      steps: [...taking(), ...reasked(), talk, asked('BYE', 9), expectAnswer(200)],
    });
    await dial(scene, 'alice', a, 'bob', [
      ...calling('alice', 'bob'),
      request('REFER', 3, { ...within('alice', 'bob'), headers: ['Refer-To: <sip:carol@[domain]>'] }),
      expectAnswer(202),
      ...noted(100),
      ...noted(200),
      ...goodbye,
    ]);
    await scene.said('bob', 'talk');
    const heard = await scene.voice('bob', 'carol');
    return `Alice is out of it, Bob and Carol talk: ${heard}`;
  },
};

const attended: Flow = {
  name: 'refer-attended',
  what: 'attended transfer: REFER with Replaces of the second call (RFC 3891, RFC 5359 §2.5)',
  objects: () => users,
  play: async (scene, { a, b, c }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await register(scene, 'carol', c);
    await scene.party('carol', {
      at: c,
      called: true,
      steps: [...taking(), ...reasked(), talk, asked('BYE', 9), expectAnswer(200)],
    });
    await scene.party('bob', { at: b, called: true, steps: [...taking(), ...reasked(), ...goodbye] });
    await dial(scene, 'consultation', { ...a, port: a.port + 2 }, 'carol', [
      ...calling('alice', 'carol'),
      say('up'),
      ...goodbye,
    ]);
    await scene.said('consultation', 'up');
    const [, from, to, id] =
      /^SIP\/2.0 200 OK[\s\S]*?^From: .*;tag=(\S+)[\s\S]*?^To: .*;tag=(\S+)[\s\S]*?^Call-ID: (\S+)/m.exec(
        scene.messages('consultation'),
      )!;
    await scene.party('alice', {
      at: a,
      digestUri: `bob@${scene.domain}`,
      keys: {
        replaced: `${id!.replaceAll('@', '%40')}%3Bto-tag%3D${to}%3Bfrom-tag%3D${from}`,
      },
      steps: [
        ...calling('alice', 'bob'),
        request('REFER', 3, {
          ...within('alice', 'bob'),
          headers: ['Refer-To: <sip:carol@[domain]?Replaces=[replaced]>'],
        }),
        expectAnswer(202),
        ...noted(100),
        ...noted(200),
        ...goodbye,
      ],
    });
    await scene.said('carol', 'talk');
    return `Alice is out of both calls, Bob and Carol talk: ${await scene.voice('bob', 'carol')}`;
  },
};

const music: Flow = {
  name: 'hold-music',
  what: 'who is put on hold hears the music of the edge, and the other party once taken back (RFC 5359 §2.3)',
  objects: () => users,
  play: async (scene, { a, b }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await scene.party('bob', {
      at: b,
      called: true,
      steps: [
        ...taking(),
        // The caller's own ACK may still be on its way, and until then nobody may offer.
        pauseOf(300),
        asked('INVITE', 11, { body: audio(2, 'sendonly') }),
        maybe(100),
        expectAnswer(200, check('a=recvonly', 'held')),
        asked('ACK', 11),
        say('held'),
        pauseOf(1_500),
        asked('INVITE', 12, { body: audio(3) }),
        maybe(100),
        expectAnswer(200, check('a=sendrecv', 'back')),
        asked('ACK', 12),
        talk,
        asked('BYE', 13),
        expectAnswer(200),
      ],
    });
    await dial(scene, 'alice', a, 'bob', [
      ...calling('alice', 'bob'),
      expectRequest('INVITE', check('a=sendonly', 'held')),
      answer('200 OK', { body: audio(2, 'recvonly') }),
      expectRequest('ACK'),
      expectRequest('INVITE', check('a=sendrecv', 'back')),
      answer('200 OK', { body: audio(3) }),
      expectRequest('ACK'),
      ...goodbye,
    ]);
    await scene.said('bob', 'held');
    await until('music', 5_000, () => (scene.packets('alice') > 40 ? true : null));
    const heard = scene.packets('alice');
    expect(scene.packets('bob') === 0, 'who holds hears music');
    await scene.said('bob', 'talk');
    await sleep(200);
    return `${heard} packets of music while nobody spoke; then ${await scene.voice('alice', 'bob')}`;
  },
};

/** Bob's phone sends the call on: to Carol, or to a number outside by a trusted trunk that is told why. */
const forwarding: Flow = {
  name: 'forwarding',
  what: '302 of a phone: at once, after ringing, to a trusted trunk that hears of it; busy alone is busy (RFC 5359 §2.7, §2.9, RFC 5806)',
  objects: ({ d }: Places) => ({
    ...users,
    trunks: [{ ...trunkAt('carrier', d), trusted: true }],
    routes: [{ match: '+49*', to: { trunk: 'carrier' } }],
  }),
  play: async (scene, { a, b, c, d }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await register(scene, 'carol', c);
    const movedTo = (target: string, headers: readonly string[] = []) =>
      answer('302 Moved Temporarily', { invite: true, headers }).replace(
        'Contact: <sip:called@[local_ip]:[local_port]>',
        ['Contact: ', target, headers.length === 0 ? '' : `\n${headers.join('\n')}`].join(''),
      );
    const toCarol = movedTo('<sip:carol@[domain]>');
    const rounds: readonly [string, string[], string][] = [
      ['unconditional', [expectInvite(), toCarol, expectRequest('ACK')], 'carol'],
      [
        'no-answer',
        [
          expectInvite(),
          answer('180 Ringing', { invite: true }),
          pauseOf(600),
          toCarol,
          expectRequest('ACK'),
        ],
        'carol',
      ],
      ['outside', [expectInvite(), movedTo('<sip:+498912345@[domain]>'), expectRequest('ACK')], 'carrier'],
    ];
    const heard: string[] = [];
    for (const [name, steps, last] of rounds) {
      const told =
        last === 'carrier' ? check('Diversion: .*[+]12025550102@.*reason=unconditional', 'forwarded') : '';
      await scene.party(`${name}-last`, {
        at: last === 'carrier' ? d : c,
        called: true,
        steps: [...taking(told), ...goodbye],
      });
      await scene.party(`${name}-bob`, { at: b, called: true, steps });
      await dial(scene, `${name}-alice`, a, 'bob', [
        ...calling('alice', 'bob'),
        talk,
        ...hangUp('alice', 'bob', 3),
      ]);
      await scene.said(`${name}-alice`, 'talk');
      heard.push(`${name}: ${await scene.voice(`${name}-alice`, `${name}-last`)}`);
      await scene.over();
    }
    await scene.party('busy', {
      at: b,
      called: true,
      steps: [expectInvite(), answer('486 Busy Here', { invite: true }), expectRequest('ACK')],
    });
    await dial(scene, 'alice', a, 'bob', [
      ...withDigest('INVITE', { ...credentials('alice'), body: audio(1), ...as('alice', 'bob') }),
      ...refusedWith(486, 2, '', as('alice', 'bob')),
    ]);
    return `${heard.join('; ')}; busy without a target is 486`;
  },
};

const messages: Flow = {
  name: 'message',
  what: 'MESSAGE to a user, from who the sender has proven to be (RFC 3428)',
  objects: () => users,
  play: async (scene, { a, b }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await scene.party('bob', {
      at: b,
      called: true,
      calls: 3,
      steps: [
        expectRequest('MESSAGE', check('Watson, come here', 'text') + check('From: .*alice@', 'sender')),
        answer('200 OK', { tagged: true }),
      ],
    });
    await scene.party('alice', {
      at: a,
      calls: 3,
      digestUri: `bob@${scene.domain}`,
      steps: [
        ...withDigest('MESSAGE', {
          ...credentials('alice'),
          ...as('alice', 'bob'),
          type: 'text/plain',
          body: 'Watson, come here',
        }),
        expectAnswer(200),
      ],
    });
    return '3 messages arrived';
  },
};

const screening: Flow = {
  name: 'screening',
  what: 'a user takes no calls from another: 403, and no phone rings (RFC 5359 §2.13)',
  objects: () => ({
    users: users.users.map((user) =>
      user.name === 'bob' ? { ...user, screening: { block: [numbers.alice] } } : user,
    ),
  }),
  play: async (scene, { a, b, c }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await register(scene, 'carol', c);
    await dial(scene, 'alice', a, 'bob', [
      ...withDigest('INVITE', { ...credentials('alice'), body: audio(1), ...as('alice', 'bob') }),
      ...refusedWith(403, 2, check('text="policy"', 'why'), as('alice', 'bob')),
    ]);
    await scene.ended('alice');
    await scene.party('bob', { at: b, called: true, steps: [...taking(), ...goodbye] });
    await dial(scene, 'carol', c, 'bob', [...calling('carol', 'bob'), talk, ...hangUp('carol', 'bob', 3)]);
    await scene.said('carol', 'talk');
    return `Alice is refused, Carol is not: ${await scene.voice('carol', 'bob')}`;
  },
};

const instance = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6';

const outbound: Flow = {
  name: 'outbound',
  what: 'SIP Outbound over TCP, GRUUs, and a call that rings that phone alone (RFC 5626, RFC 5627, RFC 6223)',
  objects: () => users,
  play: async (scene, { a, b }) => {
    await register(scene, 'alice', a);
    await scene.party('register-bob', {
      at: b,
      digestUri: scene.domain,
      steps: registering(
        'bob',
        ['Supported: outbound, gruu, path'],
        check('Require: *outbound', 'outbound') +
          check('Flow-Timer: *[0-9]+', 'timer') +
          check('pub-gruu="[^"]+"', 'public') +
          check('temp-gruu="[^"]+"', 'temporary'),
        `;reg-id=1;+sip.instance="&lt;${instance}&gt;"`,
      ).map((step) => step.replaceAll('&lt;', '<').replaceAll('&gt;', '>')),
    });
    await scene.ended('register-bob');
    const gruu = /temp-gruu="sip:([^";]+)[^"]*"/.exec(scene.messages('register-bob'))![1]!;
    expect(!gruu.includes('bob'), 'a temporary GRUU names its user');
    const name = gruu.split('@')[0]!;
    await scene.party('bob', { at: b, called: true, steps: [...taking(), ...goodbye] });
    const parts = { ...as('alice', 'bob'), uri: `sip:${name}@[domain];gr`, to: `<sip:${name}@[domain];gr>` };
    await scene.party('alice', {
      at: a,
      digestUri: `${name}@${scene.domain};gr`,
      steps: [
        ...calling('alice', 'bob', parts),
        talk,
        request('BYE', 3, { ...within('alice', 'bob'), to: parts.to }),
        expectAnswer(200),
      ].map((step) =>
        step.includes('ACK [next_url]') ? step.replace('<sip:bob@[domain]>', parts.to) : step,
      ),
    });
    await scene.said('alice', 'talk');
    return `called by a temporary GRUU that names nobody: ${await scene.voice('alice', 'bob')}`;
  },
};

const path: Flow = {
  name: 'path',
  what: 'a trusted proxy registers for a phone: Path is kept and followed, Service-Route told (RFC 3327, RFC 3608)',
  objects: () => users,
  play: async (scene, { a, d }) => {
    await register(scene, 'alice', a);
    // The phone stands behind the proxy at d; nobody but the proxy reaches it.
    await scene.party('register-bob', {
      at: d,
      digestUri: scene.domain,
      steps: registering(
        'bob',
        ['Supported: path', 'Path: <sip:[local_ip]:[local_port];lr;token=42>'],
        check('Path: .*token=42', 'path') + check('Service-Route: .*;lr', 'route'),
      ).map((step) => step.replaceAll('<sip:bob@[local_ip]:[local_port]>', '<sip:bob@192.0.2.77:5060>')),
    });
    await scene.ended('register-bob');
    await scene.party('proxy', {
      at: d,
      called: true,
      steps: [
        ...taking(check('Route: .*token=42', 'route') + check('INVITE sip:bob@192.0.2.77', 'phone')),
        ...goodbye,
      ],
    });
    await dial(scene, 'alice', a, 'bob', [...calling('alice', 'bob'), talk, ...hangUp('alice', 'bob', 3)]);
    await scene.said('alice', 'talk');
    return `the call went by the Path: ${await scene.voice('alice', 'proxy')}`;
  },
};

const pickup: Flow = {
  name: 'pickup',
  what: 'a call that rings at Bob is taken by Carol, who dials *8 (RFC 5359 §2.16)',
  objects: () => users,
  play: async (scene, { a, b, c }) => {
    await register(scene, 'alice', a);
    await register(scene, 'bob', b);
    await register(scene, 'carol', c);
    await scene.party('bob', {
      at: b,
      called: true,
      steps: [
        expectInvite(),
        answer('180 Ringing', { invite: true }),
        say('rings'),
        expectRequest('CANCEL', check('cause=200', 'elsewhere')),
        answer('200 OK'),
        answer('487 Request Terminated', { kept: true }),
        expectRequest('ACK'),
      ],
    });
    await dial(scene, 'alice', a, 'bob', [...calling('alice', 'bob'), ...reasked(), ...goodbye]);
    await scene.said('bob', 'rings');
    await scene.party('carol', {
      at: c,
      digestUri: `*8@${scene.domain}`,
      steps: [...calling('carol', '*8'), talk, ...hangUp('carol', '*8', 3)],
    });
    await scene.said('carol', 'talk');
    return `Bob notes no missed call; ${await scene.voice('carol', 'alice')}`;
  },
};

export const phoneFlows: readonly Flow[] = [
  plainCall,
  blind,
  attended,
  music,
  forwarding,
  messages,
  screening,
  outbound,
  path,
  pickup,
];
