import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { loadConfiguration } from './load.ts';
import { type ConfigProblem, formatProblem } from './problem.ts';
import type { Configuration } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringfence-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'ringfence.yaml');

function load(text: string | Uint8Array) {
  writeFileSync(file, text);
  return loadConfiguration({ home: folder, file });
}

function accepted(text: string): Configuration {
  const loaded = load(text);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.error.map(formatProblem).join('\n'));
  return loaded.value.config;
}

function refused(text: string | Uint8Array): readonly ConfigProblem[] {
  const loaded = load(text);
  assert.ok(!loaded.ok, 'was accepted');
  assert.ok(loaded.error.length > 0);
  return loaded.error;
}

const listener = (fields: string) =>
  `listeners:\n  - {name: a, transport: udp, address: 127.0.0.1, port: 5060, ${fields}}\n`;

test('without a file the embedded defaults hold, at every depth', () => {
  const loaded = loadConfiguration({ home: join(folder, 'nowhere') });
  assert.ok(loaded.ok);
  const { config, warnings } = loaded.value;
  assert.equal(loaded.value.file, undefined);
  assert.deepEqual(warnings, []);
  assert.equal(config.media.ports.from, 20000);
  assert.equal(config.listeners.find((l) => l.transport === 'tls')?.encryption, 'required');
  assert.equal(config.listeners.find((l) => l.transport === 'udp')?.encryption, 'preferred');
  assert.ok(config.listeners.every((l) => l.clientCertificate === 'none'));
});

test('ringfence.yaml in the data folder is found without being named', () => {
  writeFileSync(file, 'domain: found.example');
  const loaded = loadConfiguration({ home: folder });
  assert.ok(loaded.ok);
  assert.equal(loaded.value.config.domain, 'found.example');
  assert.equal(loaded.value.file, file);
});

test('an empty file, a file of comments and an empty group give defaults', () => {
  for (const text of ['', '# nothing\n', 'media:\n', 'media:\n  ports:\n']) {
    assert.equal(accepted(text).media.ports.to, 39999);
  }
});

test('an unknown key names file, line, column, key and the nearest known one', () => {
  const [problem] = refused('domain: a.example\nmedia:\n  ports: {from: 30000, too: 30100}\n');
  assert.deepEqual(problem, {
    file,
    line: 3,
    column: 24,
    key: 'media.ports.too',
    problem: 'the key is unknown',
    instead: 'Did you mean `to`?',
  });
  assert.equal(
    formatProblem(problem!),
    `${file}:3:24: media.ports.too: the key is unknown. Did you mean \`to\`?`,
  );
});

test('a mistyped dangerous key is unknown, not ignored', () => {
  const [problem] = refused(listener('dangerousPlantext: true'));
  assert.match(problem!.instead, /`dangerousPlaintext`/);
});

test('all problems are told at once, up to 50', () => {
  assert.equal(refused('domian: x\nmedia: {dscp: 64}\nnumbers: 3\n').length, 3);
  assert.equal(refused(Array.from({ length: 500 }, (_, i) => `key${i}: 1`).join('\n')).length, 50);
});

for (const [what, text, key, line] of [
  ['a word for a number', 'media:\n  dscp: high', 'media.dscp', 2],
  ['a fraction', 'media: {dscp: 4.5}', 'media.dscp', 1],
  ['a number out of range', 'media: {dscp: 64}', 'media.dscp', 1],
  ['infinity', 'media: {dscp: .inf}', 'media.dscp', 1],
  ['a port above 65535', listener('').replace('5060', '65536'), 'listeners[0].port', 2],
  ['a list for a group', 'media: [1]', 'media', 1],
  ['a group for a list', 'listeners: {a: 1}', 'listeners', 1],
  ['a word for a boolean', 'tls: {trustSystemAuthorities: yes}', 'tls.trustSystemAuthorities', 1],
  ['a boolean for text', 'domain: true', 'domain', 1],
  ['a domain with a space', 'domain: "a b"', 'domain', 1],
  ['a domain with CR LF', 'domain: "a.example\\r\\nVia: x"', 'domain', 1],
  ['a missing port', 'listeners:\n  - {name: a, transport: udp, address: 127.0.0.1}', 'listeners[0]', 2],
  ['an address that is none', listener('').replace('127.0.0.1', 'localhost'), 'listeners[0].address', 2],
  ['an unknown transport', listener('').replace('udp', 'upd'), 'listeners[0].transport', 2],
  ['origins without WebSocket', listener('origins: ["https://a.example"]'), 'listeners[0].origins', 2],
  [
    'an origin with a path',
    listener('origins: ["https://a.example/x"]').replace('udp', 'ws'),
    'listeners[0].origins[0]',
    2,
  ],
  ['every origin at once', listener('origins: ["*"]').replace('udp', 'ws'), 'listeners[0].origins[0]', 2],
  ['a phone page without TLS', listener('phonePage: true').replace('udp', 'ws'), 'listeners[0].phonePage', 2],
  [
    'WebSockets without TLS on a public address',
    listener('').replace('udp', 'ws').replace('127.0.0.1', '192.0.2.1'),
    'listeners[0].transport',
    2,
  ],
  [
    'a trusted proxy by name',
    'registrar: {trustedProxies: [proxy.example]}',
    'registrar.trustedProxies[0]',
    1,
  ],
  [
    'a certificate of a domain that is not there',
    'tls: {domains: [{domain: a.example, certificate: nowhere.crt, key: nowhere.key}]}',
    'tls.domains[0].certificate',
    1,
  ],
  ['an emergency number as a honeypot', 'detection: {honeypots: ["112"]}', 'detection.honeypots[0]', 1],
  ['a honeypot with blanks', 'detection: {honeypots: ["a b"]}', 'detection.honeypots[0]', 1],
  ['a rule that does what none does', 'detection: {rules: {scanner: ban}}', 'detection.rules.scanner', 1],
  [
    'a place whose network is none',
    'detection: {places: [{name: x, networks: [10.0.0.1/8]}]}',
    'detection.places[0].networks[0]',
    1,
  ],
  ['no listener at all', 'listeners: []', 'listeners', 1],
  ['a port range upside down', 'media: {ports: {from: 3000, to: 2000}}', 'media.ports', 1],
  ['a port range without room', 'media: {ports: {from: 3000, to: 3002}}', 'media.ports', 1],
  ['a wildcard media address', 'media: {addresses: ["::"]}', 'media.addresses[0]', 1],
  ['an unknown country', 'numbers: {country: XQ}', 'numbers.country', 1],
  ['no emergency number', 'numbers: {emergency: []}', 'numbers.emergency', 1],
  [
    'expiries upside down',
    'registrar: {minimumExpires: 90, maximumExpires: 60}',
    'registrar.minimumExpires',
    1,
  ],
  ['a header that shows the inside', 'calls: {allowedHeaders: [Subject, VIA]}', 'calls.allowedHeaders[1]', 1],
  [
    'a listener that passes what the edge writes',
    'listeners: [{name: a, transport: tls, address: 127.0.0.1, port: 0, headers: {allow: [Via]}}]',
    'listeners[0].headers.allow[0]',
    1,
  ],
  [
    'a method that is none',
    'listeners: [{name: a, transport: tls, address: 127.0.0.1, port: 0, methods: [INVIT]}]',
    'listeners[0].methods[0]',
    1,
  ],
  ['a session shorter than the least', 'calls: {sessionExpires: 89}', 'calls.sessionExpires', 1],
  ['a header that would be two', 'calls: {allowedHeaders: ["A: b"]}', 'calls.allowedHeaders[0]', 1],
  [
    'a blocked user agent that blocks all',
    'admission: {blockedUserAgents: [" "]}',
    'admission.blockedUserAgents[0]',
    1,
  ],
  ['unknown groups', 'tls: {groups: "X25519:NoSuchGroup"}', 'tls.groups', 1],
  ['a certificate without key', `tls: {certificate: ${'/etc/hostname'}}`, 'tls.certificate', 1],
  ['a certificate file that is not there', 'tls: {certificate: no.pem, key: no.pem}', 'tls.certificate', 1],
  [
    'client certificates without TLS',
    listener('clientCertificate: required'),
    'listeners[0].clientCertificate',
    2,
  ],
] as const) {
  test(`refused: ${what}`, () => {
    const problems = refused(text);
    const found = problems.find((p) => p.key === key);
    assert.ok(found, problems.map(formatProblem).join('\n'));
    assert.equal(found.line, line);
    assert.ok(found.column > 0);
    assert.ok(found.instead.endsWith('.'));
  });
}

test('listeners with one name, or on one port, are refused', () => {
  const two = (second: string) =>
    `listeners:\n  - {name: a, transport: tcp, address: 127.0.0.1, port: 5060}\n  - ${second}\n`;
  assert.equal(
    refused(two('{name: a, transport: udp, address: 127.0.0.1, port: 5061}'))[0]?.key,
    'listeners[1].name',
  );
  assert.equal(
    refused(two('{name: b, transport: tls, address: 127.0.0.1, port: 5060}'))[0]?.key,
    'listeners[1].port',
  );
  accepted(two('{name: b, transport: udp, address: 127.0.0.1, port: 5060}'));
  accepted(
    'listeners:\n  - {name: a, transport: tcp, address: 127.0.0.1, port: 0}\n  - {name: b, transport: tcp, address: 127.0.0.1, port: 0}\n',
  );
});

test('plaintext outside loopback and private addresses needs dangerousPlaintext, and is then warned of', () => {
  for (const address of ['0.0.0.0', '"::"', '198.51.100.1', '"2001:db8::1"', '100.64.0.1', '172.32.0.1']) {
    const at = (fields: string) => listener(fields).replace('127.0.0.1', address);
    assert.equal(refused(at(''))[0]?.key, 'listeners[0].transport', address);
    assert.equal(refused(at('encryption: none'))[0]?.key, 'listeners[0].encryption', address);
    assert.equal(refused(at('encryption: preferred').replace('udp', 'tls')).length, 1, address);
    accepted(at('encryption: required'));
    const loaded = load(at('encryption: none, dangerousPlaintext: true'));
    assert.ok(loaded.ok);
    assert.equal(loaded.value.warnings[0]?.key, 'listeners[0].dangerousPlaintext');
    assert.match(loaded.value.warnings[0]?.meaning ?? '', /heard/);
  }
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '"::1"',
    '"fd00::1"',
    '"fe80::1"',
  ]) {
    assert.equal(accepted(listener('').replace('127.0.0.1', address)).listeners[0]?.encryption, 'preferred');
  }
});

test('rtpengine: an engine without instances, names and addresses that cannot be, and keys over a network are refused', () => {
  const media = (fields: string) => `media: { engine: rtpengine, rtpengine: [ ${fields} ] }\n`;
  const keyOf = (text: string) => refused(text)[0]?.key;
  assert.equal(keyOf(media('')), 'media.engine');
  assert.equal(keyOf(media('{ address: engine.example.com }')), 'media.rtpengine[0].address');
  assert.equal(keyOf(media('{ address: 127.0.0.1, outside: "a b" }')), 'media.rtpengine[0].outside');
  assert.equal(keyOf(media('{ address: 127.0.0.1, inside: lo }')), 'media.rtpengine[0].inside');
  assert.equal(keyOf(media('{ address: 127.0.0.1, weight: -1 }')), 'media.rtpengine[0].weight');
  assert.equal(keyOf(media('{ address: 10.0.0.5 }')), 'media.rtpengine[0].address');
  const side = (field: string) =>
    `${media('{ address: 127.0.0.1 }')}listeners: [ { name: a, transport: udp, address: 127.0.0.1, port: 5060, ${field} } ]\n`;
  for (const field of ['keying: dtls', 'keying: any', 'ice: lite', 'ice: full'])
    assert.equal(keyOf(side(field)), `listeners[0].${field.split(':')[0]}`);
  accepted(side('keying: sdes, ice: answer'));
  const config = accepted(media('{ address: 127.0.0.1 }'));
  assert.deepEqual(config.media.rtpengine, [{ address: '127.0.0.1', port: 2223, weight: 1 }]);
  const clear = load(media('{ address: 10.0.0.5, dangerousClearControl: true }'));
  assert.ok(clear.ok);
  assert.deepEqual(
    clear.value.warnings.map(({ key }) => key),
    ['media.rtpengine[0].dangerousClearControl'],
  );
});

test('numbers keep their zeros and signs where text is asked for', () => {
  assert.deepEqual(accepted('numbers: {emergency: [112, 000, +4911, 0911]}').numbers.emergency, [
    '112',
    '000',
    '+4911',
    '0911',
  ]);
});

for (const [what, text, words] of [
  ['a key twice', 'domain: a\ndomain: b\n', /twice/],
  ['a tab', 'media:\n\tdscp: 1\n', /tab/i],
  ['two documents', 'domain: a\n---\ndomain: b\n', /more than one document/],
  ['an open bracket', 'listeners: [', /not YAML/],
  ['an anchor', 'domain: &a x.example\n', /anchors/],
  ['an alias', 'a: &a [1]\nb: *a\n', /anchors|alias/],
  ['a tag', 'domain: !secret x\n', /tag/],
  ['a key that is a list', '[a]: 1\n', /key/],
] as const) {
  test(`refused: ${what}`, () => {
    assert.match(refused(text).map(formatProblem).join('\n'), words);
  });
}

test('refused at once: bombs of aliases and brackets, and files too large', () => {
  const began = performance.now();
  let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x]\n';
  for (let i = 1; i < 12; i++)
    bomb += `a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(',')}]\n`;
  refused(bomb);
  refused('['.repeat(100_000));
  refused('{a: '.repeat(50_000));
  refused('- '.repeat(100_000));
  refused('? '.repeat(100_000));
  refused(Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'));
  assert.match(refused(`domain: ${'a'.repeat(300_000)}`)[0]!.problem, /bytes/);
  assert.ok(performance.now() - began < 10_000);
});

test('what cannot be read is said plainly', () => {
  const at = (path: string) => {
    const loaded = loadConfiguration({ home: folder, file: path });
    assert.ok(!loaded.ok);
    return loaded.error[0]!.problem;
  };
  assert.match(at(join(folder, 'missing.yaml')), /no such file/);
  assert.match(at(folder), /folder/);
  assert.match(refused(Uint8Array.of(0x64, 0xff, 0xfe, 0xc3))[0]!.problem, /UTF-8/);
});

test('any text gives a configuration or problems with a place, never an exception', () => {
  const word = fc.constantFrom(
    'domain',
    'listeners',
    'media',
    'ports',
    'name',
    ':',
    ' ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '"',
    "'",
    '&a',
    '*a',
    '!x',
    '#',
    '|',
    '>',
    '%',
    '---',
    '?',
    '0x',
    '1e9',
    'null',
    '\t',
    '\u0000',
    '\u2028',
    'é',
    '5060',
  );
  let runs = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.array(word, { maxLength: 60 }).map((parts) => parts.join('')),
      ),
      (text) => {
        runs += 1;
        const loaded = load(text);
        if (loaded.ok) return;
        assert.ok(loaded.error.length > 0 && loaded.error.length <= 50);
        for (const p of loaded.error) assert.doesNotMatch(formatProblem(p).replace(file, ''), /[\r\n]/);
      },
    ),
    { numRuns: 1500 },
  );
  assert.equal(runs, 1500);
});
