import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRequest } from '@ringfence/sip/message/build.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import fc from 'fast-check';
import { DialogNames } from './dialog-names.ts';
import { bodyFor, eventOf } from './packages.ts';
import { readState, writeState } from './state.ts';
import { parseXml, writeXml, type XmlElement } from './xml.ts';

const names = new DialogNames(new Uint8Array(32).fill(3));
const context = { domain: 'example.test', names };

function notify(event: string, type: string, body: string) {
  const uri = parseUri('sip:101@198.51.100.1');
  assert.ok(uri.ok);
  const party = { uri: uri.value, params: new Map() };
  return makeRequest({
    method: 'NOTIFY',
    uri: uri.value,
    from: party,
    to: party,
    callId: 'x',
    cseq: 1,
    headers: [
      ['Event', event],
      ['Content-Type', type],
    ],
    body: Buffer.from(body, 'utf8'),
  });
}

function rewritten(event: string, type: string, body: string): string | null | undefined {
  const request = notify(event, type, body);
  return bodyFor(eventOf(request)!.package!, request, context);
}

// After the example of RFC 4235 §5, with what a PBX adds.
const dialogs = `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" xmlns:x="http://10.0.0.5/private" version="7" state="full" entity="sip:102@10.0.0.5:5060">
  <!-- node one -->
  <dialog id="as7d900as8" call-id="a84b4c76e66710@10.0.0.5" local-tag="1928301774" remote-tag="456887766" direction="initiator">
    <state event="remote-busy" code="486">terminated</state>
    <duration>145</duration>
    <x:server>pbx-one.inside</x:server>
    <route-set><hop>sip:10.0.0.5;lr</hop></route-set>
    <local><identity display="Ann &amp; Co">sip:102@10.0.0.5</identity>
      <target uri="sip:102@192.168.7.7:5062;ob"><param pname="+sip.rendering" pval="no"/></target></local>
    <remote><identity>tel:+4989123456</identity><session-description type="application/sdp">c=IN IP4 10.0.0.5</session-description></remote>
  </dialog>
</dialog-info>`;

test('dialog state loses addresses, routes and session descriptions, and its dialogs get other names (RFC 4235 §4.1)', () => {
  const text = rewritten('dialog', 'application/dialog-info+xml', dialogs) ?? '';
  assert.doesNotMatch(
    text,
    /10\.0\.0|192\.168|inside|1928301774|456887766|a84b4c76|route-set|session-description|node one/,
  );
  assert.match(
    text,
    /<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="7" state="full" entity="sip:102@example.test">/,
  );
  assert.match(text, /<state event="remote-busy" code="486">terminated<\/state><duration>145<\/duration>/);
  assert.match(text, /<identity display="Ann &amp; Co">sip:102@example.test<\/identity>/);
  assert.match(
    text,
    /<target uri="sip:102@example.test"><param pname="\+sip.rendering" pval="no"\/><\/target>/,
  );
  assert.match(text, /<identity>sip:\+4989123456@example.test<\/identity>/);
  const callId = /call-id="([^"]+)"/.exec(text)?.[1] ?? '';
  assert.equal(names.reveal('example.test', callId), 'a84b4c76e66710@10.0.0.5');
  assert.equal(names.reveal('b.test', callId), undefined);
  assert.equal(rewritten('dialog', 'application/dialog-info+xml', dialogs), text, 'the same each time');
});

test('presence and registration state are written anew (RFC 3863, RFC 3680 §5)', () => {
  const pidf = `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:pp="urn:ietf:params:xml:ns:pidf:person" xmlns:ep="urn:ietf:params:xml:ns:pidf:rpid:rpid-person" entity="pres:102@10.0.0.5">
    <pp:person><status><ep:activities><ep:on-the-phone/></ep:activities></status></pp:person>
    <note>On the phone</note><tuple id="102"><contact priority="1">sip:102@10.0.0.5:5060</contact><status><basic>open</basic></status></tuple></presence>`;
  const text = rewritten('presence', 'application/pidf+xml', pidf) ?? '';
  assert.doesNotMatch(text, /10\.0\.0/);
  assert.match(text, /entity="pres:102@example.test"/);
  assert.match(text, /<ep:on-the-phone\/>/);
  assert.match(text, /<contact priority="1">sip:102@example.test<\/contact><status><basic>open<\/basic>/);
  const reginfo = `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full"><registration aor="sip:102@10.0.0.5" id="0x7f12" state="active"><contact id="0x7f99" state="active" event="registered" callid="secret" expires="60"><uri>sip:tok@198.51.100.1</uri></contact></registration></reginfo>`;
  const reg = rewritten('reg', 'application/reginfo+xml', reginfo) ?? '';
  assert.doesNotMatch(reg, /10\.0\.0|0x7f|secret|198\.51/);
  assert.match(reg, /aor="sip:102@example.test"/);
});

test('message waiting keeps its counts, and its account in the domain (RFC 3842 §5.2)', () => {
  const body =
    'Messages-Waiting: yes\r\nMessage-Account: sip:101@10.0.0.5\r\nVoice-Message: 2/8 (0/2)\r\nX-Server: inside\r\n\r\nFrom: <sip:boss@10.0.0.5>\r\n';
  assert.equal(
    rewritten('message-summary', 'application/simple-message-summary', body),
    'Messages-Waiting: yes\r\nMessage-Account: sip:101@example.test\r\nVoice-Message: 2/8 (0/2)\r\n',
  );
  assert.equal(rewritten('message-summary', 'application/simple-message-summary', 'rubbish'), undefined);
  assert.equal(rewritten('message-summary', 'text/plain', body), undefined);
});

for (const [what, text] of [
  ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]><dialog-info/>'],
  ['an unknown entity', '<dialog-info entity="&a;"/>'],
  ['a character that is none', '<dialog-info>&#0;</dialog-info>'],
  ['CDATA', '<dialog-info><![CDATA[x]]></dialog-info>'],
  ['tags that cross', '<a><b></a></b>'],
  ['no end', '<a><b>'],
  ['two roots', '<a/><b/>'],
  ['an attribute without quotes', '<a b=c/>'],
  ['too deep a nest', `${'<a>'.repeat(40)}${'</a>'.repeat(40)}`],
  ['too many elements', `<a>${'<b/>'.repeat(1_001)}</a>`],
  ['too many attributes', `<a ${Array.from({ length: 40 }, (_, i) => `x${i}="1"`).join(' ')}/>`],
  ['nothing', ''],
] as const)
  test(`S13: XML is refused with ${what}`, () => {
    assert.equal(parseXml(text), undefined);
  });

test('what is written reads as what it was written from', () => {
  const root = parseXml(`<a b='&lt;&quot;&#x41;'>x &amp; y<c/></a>`)!;
  assert.deepEqual(parseXml(writeXml(root)), root);
});

test('Subscription-State keeps state, seconds and the known reasons (RFC 6665 §8.2.3)', () => {
  const state = (value: string) => {
    const request = notify('dialog', 'x/y', '');
    request.headers.add('Subscription-State', value);
    const read = readState(request);
    return read === undefined ? undefined : writeState(read);
  };
  assert.equal(state('active;expires=60;x=10.0.0.5'), 'active;expires=60');
  assert.equal(
    state('Terminated ;reason=NoResource;retry-after=5'),
    'terminated;reason=noresource;retry-after=5',
  );
  assert.equal(state('terminated;reason=pbx-one.inside'), 'terminated');
  assert.equal(state('asleep'), undefined);
});

const hostile = fc.constantFrom(
  '10.0.0.5',
  'pbx.inside',
  'sip:x@10.0.0.5',
  'sips:x@pbx.inside:5061;transport=tls',
  'pres:x@10.0.0.5',
  'tel:+1;phone-context=pbx.inside',
  'http://10.0.0.5/',
);
const localNames = fc.constantFrom(
  'dialog-info',
  'dialog',
  'state',
  'local',
  'identity',
  'target',
  'param',
  'replaces',
  'route-set',
  'x:server',
  'presence',
  'tuple',
  'contact',
);
const attributeNames = fc.constantFrom(
  'entity',
  'uri',
  'id',
  'call-id',
  'local-tag',
  'pval',
  'x:y',
  'xmlns',
  'xmlns:x',
);
const treesOf = (depth: number): fc.Arbitrary<XmlElement> =>
  fc.record({
    name: localNames,
    attributes: fc.uniqueArray(fc.tuple(attributeNames, hostile), {
      comparator: ([a], [b]) => a === b,
      maxLength: 4,
    }),
    children: depth === 0 ? fc.constant([]) : fc.array(treesOf(depth - 1), { maxLength: 3 }),
  });
const trees = treesOf(3);

test('whatever a PBX writes where URIs, names and parameters stand, no host of the inside is left', () => {
  let kept = 0;
  fc.assert(
    fc.property(trees, fc.constantFrom('dialog', 'presence'), hostile, (tree, event, uri) => {
      const root = {
        name: event === 'dialog' ? 'dialog-info' : 'presence',
        attributes: tree.attributes,
        children: [
          tree,
          { name: event === 'dialog' ? 'identity' : 'contact', attributes: [], children: [uri] },
        ],
      };
      const type = event === 'dialog' ? 'application/dialog-info+xml' : 'application/pidf+xml';
      const text = rewritten(event, type, writeXml(root));
      assert.ok(typeof text === 'string');
      kept += text.includes('example.test') ? 1 : 0;
      assert.doesNotMatch(text, /10\.0\.0\.5|inside/);
      assert.ok(parseXml(text) !== undefined);
    }),
    { numRuns: 500 },
  );
  assert.ok(kept > 100, `${kept}`);
});

test('no text makes the reader throw', () => {
  let ran = 0;
  const scraps = fc.constantFrom(
    '<',
    '>',
    '</',
    '/>',
    'a',
    '=',
    '"',
    "'",
    '&',
    '&lt;',
    '&#x41;',
    '<!--',
    '-->',
    '<?xml',
    '?>',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(scraps, { maxLength: 60 }), (parts) => {
      ran += 1;
      const root = parseXml(parts.join(''));
      if (root !== undefined) assert.deepEqual(parseXml(writeXml(root)), root);
    }),
    { numRuns: 2_000 },
  );
  assert.equal(ran, 2_000);
});
