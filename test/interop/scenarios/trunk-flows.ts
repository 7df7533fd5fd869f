/** Flows between trunks: nobody registers, an address says who calls. */
import { expect } from '../harness/case.ts';
import { sleep } from '../harness/process.ts';
import type { Flow, Place, Places } from '../harness/stage.ts';
import { type FlowScenarios, flows as plain } from './flows.ts';
import {
  answer,
  asked,
  audio,
  bye,
  check,
  describe,
  expectAnswer,
  expectInvite,
  expectReinvite,
  expectRequest,
  goodbye,
  maybe,
  pauseOf,
  refusedWith,
  request,
  say,
  talk,
} from './steps.ts';

export const trunkAt = (name: string, { address, port }: Place) => ({
  name,
  target: `sip:${address}:${port}`,
  addresses: [`${address}/32`],
  encryption: 'none' as const,
});
const toRight = [{ match: '+*', from: 'any' as const, to: { trunk: 'right' } }];
export const leftRight = ({ a, b }: Places) => ({
  trunks: [trunkAt('left', a), trunkAt('right', b)],
  routes: toRight,
});

const call = (body = audio(1), headers: readonly string[] = []): string =>
  request('INVITE', 1, { body, headers });
const upTo = (checks = ''): readonly string[] => [
  maybe(100, 180, 183),
  expectAnswer(200, checks),
  request('ACK', 1),
];
/** Takes the call and waits to be hung up. */
const taken = (checks = '', headers: readonly string[] = []): readonly string[] => [
  expectInvite(checks),
  answer('200 OK', { invite: true, body: audio(1), headers }),
  expectRequest('ACK'),
  ...goodbye,
];

/** Both scenarios as written, and then voice. */
const spoken = (name: string, what: string, { caller, called }: FlowScenarios): Flow => ({
  name,
  what,
  objects: leftRight,
  play: async (scene, { a, b }) => {
    await scene.party('called', { at: b, steps: called, called: true });
    await scene.party('caller', { at: a, steps: caller });
    await scene.said('caller', 'talk');
    const heard = await scene.voice('caller', 'called');
    await scene.ended('caller');
    expect(!scene.messages('called').includes(a.address), "the caller's address shows at the called party");
    return `${heard}; nothing of the caller's side shown`;
  },
});

/** Nobody speaks: what is written on the wire is all there is to see. */
const signalled = (
  name: string,
  what: string,
  evidence: string,
  { caller, called }: FlowScenarios,
  calls = 3,
): Flow => ({
  name,
  what,
  objects: leftRight,
  play: async (scene, { a, b }) => {
    await scene.party('called', { at: b, steps: called, called: true, calls });
    await scene.party('caller', { at: a, steps: caller, calls });
    await scene.ended('caller');
    return `${calls} calls: ${evidence}`;
  },
});

const earlyDialogs: Flow = {
  name: 'early-dialogs',
  what: 'early media (183) of two early dialogs behind one trunk; the second takes the call (RFC 3261 §12.1.2)',
  objects: leftRight,
  play: async (scene, { a, b, c }) => {
    const far = scene.media('first', c);
    const second = (status: string) => answer(status, { invite: true, tag: 'y', body: audio(1) });
    await scene.party('second', {
      at: b,
      called: true,
      keys: { far: c.address, farport: String((await far).port) },
      steps: [
        expectInvite(),
        answer('183 Session Progress', {
          invite: true,
          tag: 'x',
          body: describe(1, { address: '[far]', port: '[farport]' }),
        }),
        pauseOf(300),
        second('183 Session Progress').replace('retrans="500"', ''),
        pauseOf(2_200),
        second('200 OK'),
        expectRequest('ACK'),
        ...goodbye,
      ],
    });
    await scene.party('caller', {
      at: a,
      steps: [
        call(),
        maybe(100, 180),
        expectAnswer(183, check('m=audio', 'early')),
        say('early'),
        ...upTo(),
        talk,
        ...bye(2),
      ],
    });
    await scene.said('caller', 'early');
    await sleep(500);
    const early = await scene.voice('caller', 'second');
    await scene.said('caller', 'talk');
    return `${early} before the answer, and ${await scene.voice('caller', 'second')} after it`;
  },
};

const again = audio(2);
const glare: FlowScenarios = {
  caller: [
    call(),
    ...upTo(),
    // Refused by the other side, and tried again.
    request('INVITE', 2, { body: again }),
    maybe(100),
    expectAnswer(491),
    request('ACK', 2, { back: 3, uri: '[next_url]' }),
    pauseOf(200),
    request('INVITE', 3, { body: audio(3) }),
    maybe(100),
    expectAnswer(200, check('m=audio', 'again')),
    request('ACK', 3),
    talk,
    ...bye(4),
  ],
  called: [
    expectInvite(),
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK'),
    expectReinvite(),
    answer('491 Request Pending'),
    expectRequest('ACK'),
    expectReinvite(),
    // Its own offer crosses the one that it has.
    asked('INVITE', 11, { body: again }),
    maybe(100),
    expectAnswer(491),
    asked('ACK', 11, { back: 3 }),
    answer('200 OK', { kept: true, tag: '', body: again }),
    expectRequest('ACK'),
    ...goodbye,
  ],
};

const cancelled = answer('487 Request Terminated', { kept: true });
const cancelling = (back: number): readonly string[] => [
  request('CANCEL', 1, { back }),
  expectAnswer(200),
  expectAnswer(487),
  request('ACK', 1, { back: back + 3 }),
];

const cancel = signalled('cancel', 'CANCEL while it rings (RFC 3261 §9)', '487 at the caller, both sides', {
  caller: [call(), maybe(100), expectAnswer(180), ...cancelling(3)],
  called: [
    expectInvite(),
    answer('180 Ringing', { invite: true }),
    expectRequest('CANCEL'),
    answer('200 OK'),
    cancelled,
    expectRequest('ACK'),
  ],
});

const cancelEarly = signalled(
  'cancel-early',
  'CANCEL before the called side has said anything: it is cancelled as soon as it may be (RFC 3261 §9.1)',
  'CANCEL after the 180, 487 at the caller',
  {
    caller: [call(), expectAnswer(100), pauseOf(50), ...cancelling(3)],
    called: [
      expectInvite(),
      pauseOf(400),
      answer('180 Ringing', { invite: true }),
      expectRequest('CANCEL'),
      answer('200 OK'),
      cancelled,
      expectRequest('ACK'),
    ],
  },
);

const cancelCrossing = signalled(
  'cancel-crossing',
  'CANCEL that crosses the 200 of the called side: acknowledged and hung up (RFC 3261 §9.1, §13.2.2.4)',
  '487 at the caller; ACK and BYE at the called party',
  {
    caller: [call(), maybe(100), expectAnswer(180), ...cancelling(3)],
    called: [
      expectInvite(),
      answer('180 Ringing', { invite: true }),
      expectRequest('CANCEL'),
      answer('200 OK'),
      answer('200 OK', { kept: true, body: audio(1) }),
      expectRequest('ACK'),
      ...goodbye,
    ],
  },
);

const cancelLate = spoken('cancel-late', 'CANCEL after the 200 changes nothing (RFC 3261 §9.2)', {
  caller: [
    call(),
    maybe(100),
    expectAnswer(200),
    // Answered for its transaction, which is over: the call stands.
    request('CANCEL', 1, { back: 3 }),
    expectAnswer(200, check('CSeq: *1 CANCEL', 'late')),
    request('ACK', 1),
    talk,
    ...bye(2),
  ],
  called: taken(),
});

const trust: Flow = {
  name: 'identity',
  what: 'privacy and asserted identity inside and outside of the trust domain; P-headers that are listed (RFC 3323, 3325, 7315)',
  objects: ({ a, b, c, d }) => ({
    trunks: [
      { ...trunkAt('left', a), trusted: true },
      { ...trunkAt('right', b), trusted: true },
      trunkAt('stranger', c),
      trunkAt('liar', d),
    ],
    routes: [
      { match: '+1*', from: 'any', to: { trunk: 'right' } },
      { match: '+33*', from: 'any', to: { trunk: 'stranger' } },
    ],
  }),
  play: async (scene, { a, b, c, d }) => {
    const claims = [
      'P-Asserted-Identity: <sip:+12025550177@[local_ip]>',
      'Privacy: id',
      'P-Charging-Vector: icid-value=1234',
    ];
    const from = '"Anonymous" <sip:anonymous@anonymous.invalid>';
    const placed = [
      request('INVITE', 1, { body: audio(1), headers: claims, from }),
      ...upTo(),
      request('BYE', 2, { from }),
      expectAnswer(200),
    ];
    await scene.party('friend', {
      at: b,
      called: true,
      calls: 2,
      steps: taken(
        check('P-Asserted-Identity: *<sip:[+]12025550177@', 'known') +
          check('Privacy: *id', 'hidden') +
          check('P-Charging-Vector: *icid-value=1234', 'listed'),
      ),
    });
    await scene.party('stranger', {
      at: c,
      called: true,
      calls: 2,
      steps: taken(
        check('P-Asserted-Identity', 'known', true) +
          check('2025550177', 'number', true) +
          check('P-Charging-Vector', 'listed', true) +
          check('From: .*anonymous', 'hidden'),
      ),
    });
    await scene.party('caller', { at: a, calls: 2, steps: placed });
    await scene.ended('caller');
    await scene.party('caller-out', { at: a, calls: 2, steps: placed, keys: { dialled: '+33155512345' } });
    await scene.ended('caller-out');
    await scene.ended('friend');
    // Who is not trusted says who it is in vain.
    await scene.party('friend-again', {
      at: b,
      called: true,
      steps: taken(check('2025550177', 'claimed', true) + check('icid-value', 'listed', true)),
    });
    await scene.party('liar', {
      at: d,
      steps: [call(audio(1), claims.toSpliced(1, 1)), ...upTo(), ...bye(2)],
    });
    await scene.over();
    return 'the trusted trunk knows who hides, the other does not; claims of a trunk that is not trusted count for nothing';
  },
};

const forwardings: Flow = {
  name: 'diversion',
  what: 'Diversion of one trusted trunk is History-Info for the other, and nothing for strangers (RFC 5806, RFC 7044)',
  objects: ({ a, b, c }) => ({
    trunks: [
      { ...trunkAt('left', a), trusted: true },
      { ...trunkAt('right', b), trusted: true, forwardings: 'history-info' },
      trunkAt('stranger', c),
    ],
    routes: [
      { match: '+1*', from: 'any', to: { trunk: 'right' } },
      { match: '+33*', from: 'any', to: { trunk: 'stranger' } },
    ],
  }),
  play: async (scene, { a, b, c }) => {
    const placed = [
      call(audio(1), ['Diversion: <sip:+12025550144@[local_ip]>;reason=user-busy;counter=1']),
      ...upTo(),
      ...bye(2),
    ];
    await scene.party('friend', {
      at: b,
      called: true,
      calls: 2,
      steps: taken(
        check('History-Info: *<sip:[+]12025550144@[^>]*>;index=1', 'first') +
          check('cause=486', 'busy') +
          check('Diversion', 'other', true),
      ),
    });
    await scene.party('stranger', {
      at: c,
      called: true,
      steps: taken(check('History-Info', 'none', true) + check('Diversion', 'other', true)),
    });
    await scene.party('caller', { at: a, calls: 2, steps: placed });
    await scene.ended('caller');
    await scene.party('caller-out', { at: a, steps: placed, keys: { dialled: '+33155512345' } });
    await scene.over();
    return 'converted with its cause; the stranger was told nothing';
  },
};

const codecs: Flow = {
  name: 'codecs',
  what: 'codec order and filter of a trunk; nothing in common is 488',
  objects: ({ a, b }) => ({
    trunks: [trunkAt('left', a), { ...trunkAt('right', b), codecs: ['PCMU', 'PCMA'] }],
    routes: toRight,
  }),
  play: async (scene, { a, b }) => {
    await scene.party('called', {
      at: b,
      called: true,
      steps: taken(check('m=audio [0-9]+ RTP/AVP 0 8 101', 'order') + check('G729', 'filtered', true)),
    });
    await scene.party('refused', {
      at: a,
      calls: 3,
      steps: [
        call(describe(1, { codecs: ['G729'] })),
        ...refusedWith(488, 1, check('Warning', 'why') + check('text="media"', 'reason')),
      ],
    });
    await scene.ended('refused');
    await scene.party('caller', {
      at: a,
      steps: [
        call(describe(1, { codecs: ['PCMA', 'G729', 'PCMU'] })),
        ...upTo(check('m=audio [0-9]+ RTP/AVP 0', 'taken') + check('G729', 'filtered', true)),
        talk,
        ...bye(2),
      ],
    });
    await scene.said('caller', 'talk');
    return `0 8 101 of 8 18 0 101; G.729 alone is 488; ${await scene.voice('caller', 'called')}`;
  },
};

const failover: Flow = {
  name: 'failover',
  what: 'the next target after 503, the next trunk after 408; 486 goes to the caller (RFC 3263 §4.3)',
  objects: ({ a, b, c, d }) => ({
    trunks: [
      trunkAt('left', a),
      {
        name: 'first',
        targets: [
          { target: `sip:${c.address}:${c.port}`, priority: 1 },
          { target: `sip:${d.address}:${d.port}`, priority: 2 },
        ],
        health: { options: false, intervalSeconds: 30, failures: 100 },
        encryption: 'none',
      },
      { name: 'right', target: `sip:${b.address}:${b.port}`, encryption: 'none' },
    ],
    routes: [{ match: '+*', from: 'any', to: { trunks: ['first', 'right'] } }],
  }),
  play: async (scene, { a, b, c, d }) => {
    const refusing = (status: string) => [
      expectInvite(),
      answer(status, { invite: true }),
      expectRequest('ACK'),
    ];
    await scene.party('one', {
      at: c,
      called: true,
      calls: 3,
      steps: refusing('503 Service Unavailable'),
    });
    await scene.party('two', { at: d, called: true, calls: 3, steps: refusing('408 Request Timeout') });
    await scene.party('busy', { at: b, called: true, calls: 2, steps: refusing('486 Busy Here') });
    await scene.party('caller-busy', { at: a, calls: 2, steps: [call(), ...refusedWith(486, 1)] });
    await scene.ended('caller-busy');
    await scene.ended('busy');
    await scene.party('called', { at: b, called: true, steps: taken() });
    await scene.party('caller', { at: a, steps: [call(), ...upTo(), talk, ...bye(2)] });
    await scene.said('caller', 'talk');
    const heard = await scene.voice('caller', 'called');
    await scene.over();
    return `503, 408, then the second trunk; ${heard}`;
  },
};

const recordRoutes: FlowScenarios = {
  caller: [call(), ...upTo(), talk, ...bye(2)],
  called: [
    expectInvite(),
    answer('200 OK', {
      invite: true,
      body: audio(1),
      headers: [
        'Record-Route: <sip:[local_ip]:[local_port];lr;out=1>',
        'Record-Route: <sip:[local_ip]:[local_port];lr;in=2>',
      ],
    }),
    expectRequest('ACK'),
    expectRequest('BYE', check('Route: .*in=2.*out=1', 'both')),
    answer('200 OK'),
  ],
};

const multipart: FlowScenarios = {
  caller: [
    request('INVITE', 1, {
      type: 'multipart/mixed;boundary=b',
      body: [
        '--b',
        'Content-Type: application/sdp',
        '',
        audio(1),
        '--b',
        'Content-Type: text/plain',
        'Content-Disposition: render;handling=optional',
        '',
        'secret of the inside',
        '--b--',
      ].join('\n'),
    }),
    ...upTo(),
    talk,
    ...bye(2),
  ],
  called: taken(check('secret', 'other', true) + check('Content-Type: *application/sdp', 'alone')),
};

/** Three parties of the caller's side, each refused for another cause. */
const rejections: Flow = {
  name: 'rejections',
  what: 'each reason to refuse a call is the same word on the wire: Reason and Warning',
  objects: ({ a, b }) => ({
    trunks: [
      trunkAt('left', a),
      { ...trunkAt('right', b), limits: { calls: 1, status: 503, retryAfterSeconds: 7 } },
    ],
    routes: [
      { match: '+1*', from: 'any', to: { trunk: 'right' } },
      { match: '+1900*', from: 'any', to: { block: 'premium' } },
    ],
  }),
  play: async (scene, { a, b, d }) => {
    await scene.party('called', { at: b, called: true, steps: taken() });
    await scene.party('caller', { at: a, steps: [call(), ...upTo(), talk, ...bye(2)] });
    await scene.said('caller', 'talk');
    const text = (word: string) => check(`Reason: *Q.850;cause=[0-9]+;text="${word}"`, 'reason');
    const cases: readonly [string, string, number, string, string?][] = [
      ['rate', '+12025550123', 503, text('rate') + check('Retry-After: *7', 'later')],
      ['no-route', '+442079460018', 404, text('no-route')],
      ['policy', '+19005550123', 403, text('policy')],
      ['malformed', '+12025550123', 400, text('malformed') + check('Warning', 'why'), 'v=0\nm=nonsense'],
    ];
    for (const [name, dialled, status, checks, body] of cases)
      await scene.party(name, {
        at: { ...a, port: a.port + 2 + cases.findIndex(([one]) => one === name) },
        keys: { dialled },
        calls: 2,
        steps: [call(body ?? audio(1)), ...refusedWith(status, 1, checks)],
      });
    for (const [name] of cases) await scene.ended(name);
    // Nobody's address: challenged, and told nothing.
    await scene.party('nobody', {
      at: d,
      steps: [call(), ...refusedWith(401, 1, check('Reason', 'told', true))],
    });
    await scene.party('interval', {
      at: { ...a, port: a.port + 9 },
      keys: { dialled: '+19995550123' },
      steps: [
        call(audio(1), ['Supported: timer', 'Session-Expires: 30']),
        ...refusedWith(422, 1, check('Min-SE: *90', 'least')),
      ],
    });
    await scene.ended('interval');
    const heard = await scene.voice('caller', 'called');
    await scene.over();
    return `rate, no-route, policy, malformed, authentication, 422 with Min-SE; meanwhile ${heard}`;
  },
};

const loops: Flow = {
  name: 'loops',
  what: 'Max-Forwards and Max-Breadth have an end (RFC 3261 §16.3, RFC 5393)',
  objects: leftRight,
  play: async (scene, { a }) => {
    await scene.party('no-hop-left', {
      at: a,
      calls: 2,
      steps: [call().replace('Max-Forwards: 70', 'Max-Forwards: 0'), ...refusedWith(483, 1)],
    });
    await scene.ended('no-hop-left');
    await scene.party('no-breadth-left', {
      at: a,
      calls: 2,
      steps: [call(audio(1), ['Max-Breadth: 0']), ...refusedWith(440, 1)],
    });
    await scene.over();
    return '483 and 440';
  },
};

const sips: Flow = {
  name: 'sips',
  what: 'a sips URI over UDP is refused with 416 (RFC 5630 §3.1)',
  objects: leftRight,
  play: async (scene, { a }) => {
    const uri = 'sips:[dialled]@[remote_ip]:[remote_port]';
    await scene.party('caller', {
      at: a,
      calls: 3,
      steps: [
        request('INVITE', 1, { body: audio(1), uri, to: `<${uri}>` }),
        ...refusedWith(416, 1, '', { uri, to: `<${uri}>` }),
      ],
    });
    await scene.over();
    return 'three calls, 416 each';
  },
};

const digits: Flow = {
  name: 'digits',
  what: 'keys by INFO on one side and RFC 4733 on the other, both ways',
  objects: leftRight,
  play: async (scene, { a, b }) => {
    await scene.party('called', { at: b, called: true, steps: taken(check('telephone-event', 'offered')) });
    await scene.party('caller', {
      at: a,
      talkMs: 600,
      steps: [
        call(describe(1, { events: false })),
        ...upTo(),
        talk,
        request('INFO', 2, { type: 'application/dtmf-relay', body: 'Signal=5\nDuration=160' }),
        expectAnswer(200),
        expectRequest('INFO', check('Signal= *7', 'key')),
        answer('200 OK'),
        ...bye(3),
      ],
    });
    await scene.said('caller', 'talk');
    const [left, right] = [scene.end('caller'), scene.end('called')];
    const toCaller = scene.mediaOf('called');
    const talking = [left.send(scene.mediaOf('caller'), 120), right.send(toCaller, 60)];
    await talking[1];
    await right.press(toCaller, 7);
    await right.send(toCaller, 20);
    await talking[0];
    const keys = right.others.filter((packet) => (packet[1]! & 127) === 101);
    expect(keys.length > 0 && keys.every((packet) => packet[12] === 5), `${keys.length} packets of the key`);
    await scene.over();
    return `INFO 5 became ${keys.length} event packets, the event 7 an INFO`;
  },
};

const info = spoken('info', 'a key by INFO passes to a side that knows INFO too (RFC 6086 §1.2)', {
  caller: [
    call(describe(1, { events: false })),
    ...upTo(),
    request('INFO', 2, { type: 'application/dtmf-relay', body: 'Signal=5\nDuration=160' }),
    expectAnswer(200),
    talk,
    ...bye(3),
  ],
  called: [
    expectInvite(),
    answer('200 OK', { invite: true, body: describe(1, { events: false }) }),
    expectRequest('ACK'),
    expectRequest('INFO', check('Signal= *5', 'key')),
    answer('200 OK'),
    ...goodbye,
  ],
});

const reasons: Flow = {
  name: 'reason',
  what: 'Reason of a BYE, a CANCEL and a refusal reaches the other side without its text (RFC 3326, RFC 6432)',
  objects: leftRight,
  play: async (scene, { a, b }) => {
    const told = (cause: number) =>
      check(`Reason: *Q.850; *cause=${cause}`, 'cause') + check('secret', 'text', true);
    const why = (cause: number) => [`Reason: Q.850;cause=${cause};text=secret`];
    const rounds: readonly [string, readonly string[], readonly string[]][] = [
      [
        'bye',
        [call(), ...upTo(), request('BYE', 2, { headers: why(16) }), expectAnswer(200)],
        [...taken().slice(0, -2), expectRequest('BYE', told(16)), answer('200 OK')],
      ],
      [
        'cancel',
        [
          call(),
          maybe(100),
          expectAnswer(180),
          ...cancelling(3).with(0, request('CANCEL', 1, { back: 3, headers: why(26) })),
        ],
        [
          expectInvite(),
          answer('180 Ringing', { invite: true }),
          expectRequest('CANCEL', told(26)),
          answer('200 OK'),
          cancelled,
          expectRequest('ACK'),
        ],
      ],
      [
        'refusal',
        [call(), ...refusedWith(486, 1, told(17))],
        [expectInvite(), answer('486 Busy Here', { invite: true, headers: why(17) }), expectRequest('ACK')],
      ],
    ];
    for (const [name, caller, called] of rounds) {
      await scene.party(`${name}-called`, { at: b, called: true, calls: 2, steps: called });
      await scene.party(`${name}-caller`, { at: a, calls: 2, steps: caller });
      await scene.ended(`${name}-caller`);
      await scene.ended(`${name}-called`);
    }
    return 'two calls of each: causes 16, 26 and 17, no text';
  },
};

export const trunkFlows: readonly Flow[] = [
  ...Object.entries(plain).map(([name, scenarios]) =>
    spoken(`flow-${name}`, `${name}: both scenarios as written`, scenarios),
  ),
  earlyDialogs,
  spoken('glare', 'offers that cross: 491 from either side, then one of them (RFC 3261 §14)', glare),
  cancel,
  cancelEarly,
  cancelCrossing,
  cancelLate,
  reasons,
  trust,
  forwardings,
  codecs,
  failover,
  spoken('record-routes', 'two Record-Routes of one proxy: both are followed (RFC 5658)', recordRoutes),
  spoken('multipart', 'a body of two parts: the description passes, the rest does not (RFC 5621)', multipart),
  rejections,
  loops,
  sips,
  digits,
  info,
];
