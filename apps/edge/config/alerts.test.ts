import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfiguration } from './load.ts';

const home = mkdtempSync(join(tmpdir(), 'ringfence-alerts-'));
after(() => rmSync(home, { recursive: true, force: true }));
writeFileSync(join(home, 'secret'), 'a-secret-of-some-length');

const load = (alerts: string) => {
  writeFileSync(join(home, 'ringfence.yaml'), `alerts: { ${alerts} }\n`);
  return loadConfiguration({ home });
};
const hook = '{ name: hook, webhook: { url: "https://hook.example.com/", secretFile: secret } }';

test('alerts that would reach nobody, or the wrong ones, are refused with their line', () => {
  const cases: readonly [string, RegExp][] = [
    ['channels: [{ name: a }]', /^1 alerts\.channels\[0\] has no way to reach anybody/],
    [`channels: [${hook}, ${hook}]`, /has a name twice/],
    [
      'channels: [{ name: a, domain: "no host", webhook: { url: "https://h.example/", secretFile: secret } }]',
      /domain `no host` is not a host name/,
    ],
    ['channels: [{ name: a, slack: { urlFile: nothing } }]', /slack\.urlFile there is no file/],
    ['channels: [{ name: a, webhook: { url: "http://h.example/", secretFile: secret } }]', /is no https URL/],
    [`channels: [${hook}], rules: [{ name: r, channels: [phone] }]`, /channels\[0\] `phone` is no channel/],
    [
      `channels: [${hook}], rules: [{ name: r, channels: [hook], escalate: [{ afterMinutes: 5, channels: [boss] }] }]`,
      /escalate\[0\]\.channels\[0\] `boss` is no channel/,
    ],
    ['quietFrom: "22:00"', /has one end of the quiet hours/],
    ['quietFrom: "25:00", quietTo: "07:00"', /`25:00` is no time of day/],
    ['quietZone: Nowhere/Town', /is no time zone/],
  ];
  for (const [alerts, expected] of cases) {
    const loaded = load(alerts);
    const problems = loaded.ok
      ? []
      : loaded.error.map(({ line, key, problem }) => `${line} ${key} ${problem}`);
    assert.equal(problems.length, 1, `${alerts}: ${problems.join('; ')}`);
    assert.match(problems[0] ?? '', expected, alerts);
  }
});

test('what lets requests inside is told at every start; secrets are paths', () => {
  const loaded = load(
    'channels: [{ name: a, webhook: { url: "http://127.0.0.1:1/", secretFile: secret, dangerousInside: true } }]',
  );
  assert.ok(loaded.ok);
  assert.ok(loaded.value.warnings.some(({ key }) => key === 'alerts.channels[0].webhook.dangerousInside'));
  assert.equal(loaded.value.config.alerts.channels[0]?.webhook?.secretFile, join(home, 'secret'));
});
