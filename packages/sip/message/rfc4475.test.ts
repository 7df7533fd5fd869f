import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { corpusFile, corpusPath, hasCorpus, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { parseAuthParams } from './auth-params.ts';
import { makeResponse, tagOf } from './build.ts';
import { parseMultipart } from './multipart.ts';
import { parseNameAddr } from './name-addr.ts';
import { parseMessage } from './parse.ts';
import { type ScreenOptions, screenRequest, screenResponse } from './screen.ts';
import { serializeMessage } from './serialize.ts';
import type { NameAddr, SipMessage, SipRequest, SipResponse, SipUri } from './types.ts';

const folder = 'sip/rfc4475';

/** What the edge would screen by, less the methods, which single cases add. */
const screening: ScreenOptions = {
  acceptableBodies: new Set(['application/sdp', 'multipart/mixed', 'text/plain']),
};
const methods = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER', 'MESSAGE']);

type Outcome =
  | { readonly kind: 'accepted'; readonly holds?: (message: SipMessage) => void }
  | {
      readonly kind: 'screened';
      readonly status: number;
      readonly header?: readonly [string, string];
      readonly options?: ScreenOptions;
      readonly holds?: (message: SipMessage) => void;
    }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string }
  | { readonly kind: 'dropped'; readonly code: string };

interface Case {
  readonly section: string;
  readonly name: string;
  readonly outcome: Outcome;
}

const accepted = (holds?: (message: SipMessage) => void): Outcome =>
  holds === undefined ? { kind: 'accepted' } : { kind: 'accepted', holds };
const refused = (code: string, status = 400): Outcome => ({ kind: 'refused', status, code });
const dropped = (code: string): Outcome => ({ kind: 'dropped', code });

const request = (message: SipMessage): SipRequest => {
  assert.equal(message.kind, 'request');
  return message as SipRequest;
};
const response = (message: SipMessage): SipResponse => {
  assert.equal(message.kind, 'response');
  return message as SipResponse;
};
const sip = (value: { readonly uri: NameAddr['uri'] }): SipUri => {
  assert.ok(value.uri.scheme === 'sip' || value.uri.scheme === 'sips', 'a sip URI');
  return value.uri as SipUri;
};
const address = (text: string | undefined): NameAddr => {
  const value = parseNameAddr(text ?? '');
  assert.ok(value.ok, text);
  return value.value;
};

const cases: readonly Case[] = [
  {
    section: '3.1.1.1',
    name: 'wsinv',
    outcome: accepted((m) => {
      assert.equal(request(m).maxForwards, 68);
      assert.deepEqual(m.cseq, { number: 9, method: 'INVITE' });
      assert.equal(m.from.display, 'J Rosenberg \\"');
      assert.equal(tagOf(m.from), '98asjd8');
      assert.equal(tagOf(m.to), '1918181833n');
      assert.deepEqual(
        m.via.map((via) => [via.transport, via.host, via.branch]),
        [
          ['UDP', '192.0.2.2', '390skdjuw'],
          ['TCP', 'spindle.example.com', 'z9hG4bK9ikj8'],
          ['UDP', '192.168.255.111', 'z9hG4bK30239'],
        ],
      );
      assert.equal(m.headers.get('subject'), '');
      assert.equal(m.headers.get('newfangledheader'), 'newfangled value continued newfangled value');
      assert.equal(m.headers.get('UnknownHeaderWithUnusualValue'), ';;,,;;,;');
      assert.equal(sip(address(m.headers.get('route'))).params.get('unknown-no-value'), true);
      const contact = address(m.headers.get('contact'));
      assert.equal(contact.display, 'Quoted string ""');
      assert.equal(contact.params.get('newparam'), 'newvalue');
      assert.equal(contact.params.get('secondparam'), true);
      assert.equal(contact.params.get('q'), '0.33');
      assert.equal(m.body.length, 150);
    }),
  },
  {
    section: '3.1.1.2',
    name: 'intmeth',
    outcome: {
      kind: 'screened',
      status: 501,
      options: { ...screening, supportedMethods: methods },
      holds: (m) => {
        assert.equal(request(m).method, "!interesting-Method0123456789_*+`.%indeed'~");
        const uri = sip(request(m));
        assert.equal(uri.user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
        assert.equal(uri.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
        assert.equal(uri.host, 'example.com');
        assert.equal(m.to.display, 'BEL:\x07 NUL:\x00 DEL:\x7f');
        assert.equal(m.from.display, "token1~` token2'+_ token3*%!.-");
        assert.equal(m.from.params.get("fromparam''~+*_!.-%"), '"работающий"');
        assert.equal(tagOf(m.from), "_token~1'+`*%!-.");
        assert.equal(m.headers.get("extensionHeader-!.%*+_`'~"), '\ufeff大停電');
      },
    },
  },
  {
    section: '3.1.1.3',
    name: 'esc01',
    outcome: accepted((m) => {
      assert.equal(request(m).uri.scheme, 'sip');
      assert.equal(sip(request(m)).user, 'sips:user@example.com');
      assert.equal(sip(request(m)).host, 'example.net');
      assert.equal(sip(m.to).user, 'user');
      assert.equal(sip(m.from).user, 'I have spaces');
      const contact = sip(address(m.headers.get('contact')));
      assert.equal(contact.user, 'caller');
      assert.equal(contact.params.get('lr'), true);
      assert.equal(contact.params.get('name'), 'value%41');
    }),
  },
  {
    section: '3.1.1.4',
    name: 'escnull',
    outcome: accepted((m) => {
      assert.equal(sip(m.to).user, 'null-\0-null');
      assert.deepEqual(
        m.headers.all('contact').map((value) => sip(address(value)).user),
        ['\0', '\0\0'],
      );
    }),
  },
  {
    section: '3.1.1.5',
    name: 'esc02',
    outcome: {
      kind: 'screened',
      status: 501,
      options: { ...screening, supportedMethods: methods },
      holds: (m) => {
        assert.equal(request(m).method, 'RE%47IST%45R');
        assert.equal(m.to.display, '%Z%45');
        assert.equal(m.via[0]?.branch, 'z9hG4bK209%fzsnel234');
        assert.deepEqual(m.headers.all('contact'), [
          '<sip:alias1@host1.example.com>',
          '<sip:alias3@host3.example.com>',
        ]);
        assert.equal(m.headers.get('c%6fntact'), '<sip:alias2@host2.example.com>');
      },
    },
  },
  {
    section: '3.1.1.6',
    name: 'lwsdisp',
    outcome: accepted((m) => {
      assert.equal(m.from.display, 'caller');
      assert.equal(sip(m.from).user, 'caller');
    }),
  },
  {
    section: '3.1.1.7',
    name: 'longreq',
    outcome: accepted((m) => {
      assert.equal(m.via.length, 34);
      assert.equal(m.via[0]?.host, 'sip33.example.com');
      assert.equal(m.via[33]?.params.get('received'), '192.0.2.5');
      assert.ok(m.via[33]?.branch?.endsWith('longlongbranchvalue'));
      assert.equal(sip(m.to).params.size, 3);
      assert.equal(m.from.params.size, 3);
    }),
  },
  {
    section: '3.1.1.8',
    name: 'dblreq',
    outcome: accepted((m) => {
      assert.equal(request(m).method, 'REGISTER');
      assert.equal(m.body.length, 0);
    }),
  },
  {
    section: '3.1.1.9',
    name: 'semiuri',
    outcome: accepted((m) => {
      assert.equal(sip(request(m)).user, 'user;par=u@example.net');
      assert.equal(sip(request(m)).params.size, 0);
      assert.equal(sip(request(m)).host, 'example.com');
      assert.equal(m.headers.values('accept').length, 6);
    }),
  },
  {
    section: '3.1.1.10',
    name: 'transports',
    outcome: accepted((m) => {
      assert.deepEqual(
        m.via.map((via) => via.transport),
        ['UDP', 'SCTP', 'TLS', 'UNKNOWN', 'TCP'],
      );
    }),
  },
  {
    section: '3.1.1.11',
    name: 'mpart01',
    outcome: accepted((m) => {
      assert.equal(m.body.length, 553);
      const parts = parseMultipart(m.headers.get('content-type') ?? '', m.body);
      assert.ok(parts.ok);
      assert.deepEqual(
        parts.value.map((part) => part.headers.get('content-type')),
        ['text/plain', 'application/octet-stream'],
      );
      assert.equal(Buffer.from(parts.value[0]!.body).toString(), 'Hello');
      assert.ok(parts.value[1]!.body.includes(0), 'binary octets are kept');
    }),
  },
  {
    section: '3.1.1.12',
    name: 'unreason',
    outcome: accepted((m) => {
      assert.equal(response(m).status, 200);
      assert.equal(response(m).reason, '= 2**3 * 5**2 но сто девяносто девять - простое');
    }),
  },
  {
    section: '3.1.1.13',
    name: 'noreason',
    outcome: accepted((m) => {
      assert.equal(response(m).status, 100);
      assert.equal(response(m).reason, '');
    }),
  },
  { section: '3.1.2.1', name: 'badinv01', outcome: refused('bad-via') },
  { section: '3.1.2.2', name: 'clerr', outcome: refused('short-body') },
  { section: '3.1.2.3', name: 'ncl', outcome: refused('bad-content-length') },
  { section: '3.1.2.4', name: 'scalar02', outcome: refused('bad-cseq') },
  { section: '3.1.2.5', name: 'scalarlg', outcome: dropped('bad-cseq') },
  { section: '3.1.2.6', name: 'quotbal', outcome: refused('bad-name-addr') },
  { section: '3.1.2.7', name: 'ltgtruri', outcome: refused('bad-start-line') },
  { section: '3.1.2.8', name: 'lwsruri', outcome: refused('bad-start-line') },
  { section: '3.1.2.9', name: 'lwsstart', outcome: refused('bad-start-line') },
  { section: '3.1.2.10', name: 'trws', outcome: refused('bad-start-line') },
  { section: '3.1.2.11', name: 'escruri', outcome: refused('bad-start-line') },
  {
    section: '3.1.2.12',
    name: 'baddate',
    // The section wants it refused by none but elements to which Date matters.
    outcome: accepted((m) => assert.equal(m.headers.get('date'), 'Fri, 01 Jan 2010 16:00:00 EST')),
  },
  { section: '3.1.2.13', name: 'regbadct', outcome: { kind: 'screened', status: 400 } },
  { section: '3.1.2.14', name: 'badaspec', outcome: refused('bad-name-addr') },
  { section: '3.1.2.15', name: 'baddn', outcome: refused('bad-name-addr') },
  { section: '3.1.2.16', name: 'badvers', outcome: refused('unsupported-version', 505) },
  { section: '3.1.2.17', name: 'mismatch01', outcome: refused('cseq-method-mismatch') },
  { section: '3.1.2.18', name: 'mismatch02', outcome: refused('cseq-method-mismatch') },
  { section: '3.1.2.19', name: 'bigcode', outcome: dropped('bad-start-line') },
  { section: '3.2.1', name: 'badbranch', outcome: refused('bad-branch') },
  // Without From, To and Call-ID no response can be made (RFC 3261 §8.2.6.2); the section wants no crash.
  { section: '3.3.1', name: 'insuf', outcome: dropped('missing-header') },
  { section: '3.3.2', name: 'unkscm', outcome: { kind: 'screened', status: 416 } },
  { section: '3.3.3', name: 'novelsc', outcome: { kind: 'screened', status: 416 } },
  {
    section: '3.3.4',
    name: 'unksm2',
    outcome: {
      kind: 'screened',
      status: 400,
      holds: (m) => {
        assert.deepEqual(m.to.uri, { scheme: 'other', text: 'isbn:2983792873' });
        assert.deepEqual(m.from.uri, { scheme: 'other', text: 'http://www.example.com' });
        assert.deepEqual(address(m.headers.get('contact')).uri, { scheme: 'other', text: 'name:John_Smith' });
      },
    },
  },
  {
    section: '3.3.5',
    name: 'bext01',
    outcome: {
      kind: 'screened',
      status: 420,
      header: [
        'unsupported',
        'nothingSupportsThis, nothingSupportsThisEither, noProxiesSupportThis, norDoAnyProxiesSupportThis',
      ],
    },
  },
  {
    section: '3.3.6',
    name: 'invut',
    outcome: {
      kind: 'screened',
      status: 415,
      header: ['accept', 'application/sdp, multipart/mixed, text/plain'],
    },
  },
  {
    section: '3.3.7',
    name: 'regaut01',
    outcome: accepted((m) => {
      const credentials = parseAuthParams(m.headers.get('authorization') ?? '');
      assert.ok(credentials.ok);
      assert.equal(credentials.value.scheme, 'nooneknowsthisscheme');
      assert.equal(credentials.value.params.get('opaque-data'), 'here');
    }),
  },
  { section: '3.3.8', name: 'multi01', outcome: refused('duplicate-header') },
  { section: '3.3.9', name: 'mcl01', outcome: refused('duplicate-header') },
  {
    section: '3.3.10',
    name: 'bcast',
    outcome: { kind: 'dropped', code: 'not-ours' },
  },
  { section: '3.3.11', name: 'zeromf', outcome: { kind: 'screened', status: 483 } },
  {
    section: '3.3.12',
    name: 'cparam01',
    outcome: accepted((m) => {
      const contact = address(m.headers.get('contact'));
      assert.equal(contact.params.get('unknownparam'), true);
      assert.equal(sip(contact).params.size, 0);
    }),
  },
  {
    section: '3.3.13',
    name: 'cparam02',
    outcome: accepted((m) => {
      const contact = address(m.headers.get('contact'));
      assert.equal(contact.params.size, 0);
      assert.equal(sip(contact).params.get('unknownparam'), true);
    }),
  },
  {
    section: '3.3.14',
    name: 'regescrt',
    outcome: accepted((m) => {
      assert.equal(sip(address(m.headers.get('contact'))).headers.get('route'), '<sip:sip.example.com>');
    }),
  },
  { section: '3.3.15', name: 'sdp01', outcome: { kind: 'screened', status: 406 } },
  {
    section: '3.4.1',
    name: 'inv2543',
    outcome: accepted((m) => {
      assert.equal(m.via[0]?.branch, undefined);
      assert.equal(tagOf(m.from), undefined);
      assert.equal(request(m).maxForwards, undefined);
      assert.equal(m.body.length, 105);
    }),
  },
];

/** A refusal must be writable, echo the request's own fields and stay smaller than request plus 200 octets. */
const checkAnswer = (original: SipRequest, status: number, reason: string, requestLength: number): void => {
  const answer = serializeMessage(makeResponse(original, status, reason, { toTag: 'ringfence' }));
  const again = parseMessage(answer);
  assert.ok(again.ok || again.error.code === 'bad-cseq', 'the refusal is a message');
  if (again.ok) {
    assert.deepEqual(again.value.via, original.via);
    assert.equal(again.value.callId, original.callId);
    assert.deepEqual(again.value.cseq, original.cseq);
  }
  assert.ok(answer.length < requestLength + 200);
};

const run = ({ name, outcome }: Case): void => {
  const bytes = corpusFile(`${folder}/${name}.dat`);
  const parsed = parseMessage(bytes);
  if (outcome.kind === 'refused') {
    assert.ok(!parsed.ok, 'refused');
    assert.equal(parsed.error.code, outcome.code, parsed.error.detail);
    const { respond } = parsed.error;
    assert.ok(respond !== undefined, 'answered');
    assert.equal(respond.status, outcome.status);
    checkAnswer(respond.request, respond.status, respond.reason, bytes.length);
    return;
  }
  if (outcome.kind === 'dropped') {
    if (parsed.ok) {
      assert.equal(screenResponse(response(parsed.value))?.code, outcome.code);
    } else {
      assert.equal(parsed.error.code, outcome.code, parsed.error.detail);
      assert.equal(parsed.error.respond, undefined);
    }
    return;
  }
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.error.code}: ${parsed.error.detail}`);
  const message = parsed.value;
  outcome.holds?.(message);

  if (outcome.kind === 'accepted') {
    if (message.kind === 'request') assert.equal(screenRequest(message, screening), undefined);
    else assert.equal(screenResponse(message), undefined);
  } else {
    const refusal = screenRequest(request(message), outcome.options ?? screening);
    assert.ok(refusal !== undefined, 'screened');
    assert.equal(refusal.status, outcome.status, refusal.detail);
    if (outcome.header !== undefined) assert.equal(refusal.headers.get(outcome.header[0]), outcome.header[1]);
    checkAnswer(request(message), refusal.status, refusal.reason, bytes.length);
  }

  const again = parseMessage(serializeMessage(message));
  assert.ok(again.ok);
  assert.deepEqual(
    { ...again.value, headers: [...again.value.headers] },
    { ...message, headers: [...message.headers] },
  );
};

describe('RFC 4475 torture messages', () => {
  let ran = 0;
  for (const entry of cases) {
    test(`RFC 4475 §${entry.section} ${entry.name}`, needsCorpus(folder), () => {
      run(entry);
      ran++;
    });
  }
  after(() => {
    if (!hasCorpus(folder)) return;
    const files = readdirSync(corpusPath(folder)).filter((file) => file.endsWith('.dat'));
    assert.deepEqual(
      cases.map((entry) => `${entry.name}.dat`).sort(),
      files.sort(),
      'every file of the corpus has its case',
    );
    assert.equal(ran, 49);
  });
});
