import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfiguration } from './load.ts';

const home = mkdtempSync(join(tmpdir(), 'ringfence-exports-'));
after(() => rmSync(home, { recursive: true, force: true }));

const load = (text: string) => {
  writeFileSync(join(home, 'ringfence.yaml'), text);
  return loadConfiguration({ home });
};
const problemsOf = (text: string): string[] => {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.error.map(({ line, key, problem }) => `${line} ${key} ${problem}`);
};

test('exports and metrics that would tell the wrong people are refused, with their line', () => {
  const cases: readonly [string, RegExp][] = [
    ['exports: [{ name: a, format: hep3, to: "udp://192.0.2.1:9060" }]', /^1 exports\[0\]\.to .*can be read/],
    ['exports: [{ name: a, format: hep3, to: "https://192.0.2.1/" }]', /nothing that hep3 can go to/],
    ['exports: [{ name: a, format: otlp, to: "file:x" }]', /nothing that otlp can go to/],
    ['exports: [{ name: a, format: json, to: "tls://logs.example.com" }]', /has no port/],
    ['exports: [{ name: a, format: json, to: "https://u:p@logs.example.com/" }]', /holds a password/],
    ['exports: [{ name: a, format: json, to: "file:x", events: ["calls"] }]', /events\[0\]/],
    [
      'exports: [{ name: a, format: json, to: "file:x" }, { name: a, format: json, to: "file:y" }]',
      /is taken/,
    ],
    ['metrics: { enabled: true, address: 192.0.2.1 }', /is not loopback, and `tls` is not set/],
    ['metrics: { enabled: true, address: 192.0.2.1, tls: true }', /`tokenFile` is missing/],
    ['metrics: { enabled: true, address: somewhere }', /is not an IP address/],
  ];
  for (const [text, expected] of cases) {
    const problems = problemsOf(text);
    assert.equal(problems.length, 1, `${text}: ${problems.join('; ')}`);
    assert.match(problems[0] ?? '', expected, text);
  }
});

test('what weakens an export is told at every start; paths are taken from the folder of the file', () => {
  const loaded = load(
    'exports: [{ name: a, format: hep3, to: "udp://192.0.2.1:9060", dangerousPlaintext: true, dangerousUnmasked: true }, { name: b, format: json, to: "file:events.jsonl", secretFile: s }]\nmetrics: { enabled: true, address: 0.0.0.0, dangerousOpen: true, tokenFile: t }\n',
  );
  assert.ok(loaded.ok);
  const { config, warnings } = loaded.value;
  assert.deepEqual(
    warnings
      .map(({ key }) => key)
      .filter((key) => /exports|metrics/.test(key))
      .sort(),
    ['exports[0].dangerousPlaintext', 'exports[0].dangerousUnmasked', 'metrics.dangerousOpen'],
  );
  assert.equal(config.exports[1]?.to, `file://${join(home, 'events.jsonl')}`);
  assert.equal(config.exports[1]?.secretFile, join(home, 's'));
  assert.equal(config.metrics.tokenFile, join(home, 't'));
  assert.deepEqual(config.exports[0]?.captures, ['sip', 'rtcp', 'logs']);
});
