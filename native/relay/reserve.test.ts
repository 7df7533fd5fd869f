import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointConfig, EndpointSpec, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { Reserve } from './reserve.ts';

const spec: EndpointSpec = { local: '127.0.0.1', ports: 'pair', dscp: 46, suites: [] };
const periodMs = 5;

class CountingRelay implements RunningRelay {
  readonly pid = 1;
  readonly instance = 'counting';
  readonly lasting = false;
  readonly requests: number[] = [];
  readonly live = new Set<number>();
  readonly configured = new Map<number, EndpointConfig>();
  full = false;
  #next = 1;
  #listener: (event: RelayEvent) => void = () => undefined;

  async open(specs: readonly EndpointSpec[]) {
    this.requests.push(specs.length);
    if (this.full) return { ok: false as const, error: 'no-ports' as const };
    const value = specs.map(({ local }) => {
      const id = this.#next++;
      this.live.add(id);
      return { id, address: local, rtpPort: 20000 + 2 * id, rtcpPort: 20001 + 2 * id, keys: [] };
    });
    return { ok: true as const, value };
  }

  configure(id: number, config: EndpointConfig): void {
    this.configured.set(id, config);
  }

  async endpoints() {
    return [...this.live];
  }

  async release() {}

  link(): void {}
  unlink(): void {}
  press(): boolean {
    return true;
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }

  async close(ids: readonly number[]) {
    for (const id of ids) this.live.delete(id);
    return [];
  }

  async stats() {
    return [];
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listener = listener;
  }

  down(): void {
    this.#listener({ kind: 'down', reason: 'test' });
  }

  async stop(): Promise<void> {}
}

const until = async (holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 400 && !holds(); i += 1)
    await new Promise((done) => {
      setTimeout(done, periodMs);
    });
  assert.ok(holds());
};

test('a single call is served as it comes and nothing is kept for it', async () => {
  const relay = new CountingRelay();
  const reserve = new Reserve(relay, { periodMs });
  await reserve.open([spec, spec]);
  await new Promise((done) => {
    setTimeout(done, 4 * periodMs);
  });
  assert.deepEqual(relay.requests, [2]);
  assert.equal(reserve.ready, 0);
  await reserve.stop();
});

test('calls that come quickly find their endpoints open, each its own, configured before they are linked', async () => {
  const relay = new CountingRelay();
  const reserve = new Reserve(relay, { periodMs });
  for (let i = 0; i < 8; i += 1) await reserve.open([spec]);
  await until(() => reserve.ready >= 8);
  const before = relay.requests.length;
  const config: EndpointConfig = { media: 'rtp' };
  const opened = await reserve.open([{ ...spec, config }, spec]);
  assert.ok(opened.ok);
  assert.equal(relay.requests.length, before);
  assert.equal(new Set(opened.value.map(({ id }) => id)).size, 2);
  const [first, second] = opened.value.map(({ id }) => id) as [number, number];
  assert.equal(relay.configured.size, 0);
  reserve.link(first, second);
  assert.deepEqual([...relay.configured], [[first, config]]);
  await reserve.stop();
});

test('what nobody asks for is closed again', async () => {
  const relay = new CountingRelay();
  const reserve = new Reserve(relay, { periodMs });
  const taken: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    const opened = await reserve.open([spec]);
    if (opened.ok) taken.push(...opened.value.map(({ id }) => id));
  }
  await until(() => reserve.ready > 0);
  await until(() => reserve.ready === 0);
  assert.deepEqual([...relay.live].sort(), taken.sort());
  await reserve.stop();
});

test('another kind is never served from a stock: address, ports, DSCP and suites must be the same, and nothing of its own is in it', async () => {
  const relay = new CountingRelay();
  const reserve = new Reserve(relay, { periodMs });
  for (let i = 0; i < 8; i += 1) await reserve.open([spec]);
  await until(() => reserve.ready > 0);
  for (const other of [
    { ...spec, local: '127.0.0.2' },
    { ...spec, ports: 'mux' as const },
    { ...spec, dscp: 0 },
    { ...spec, suites: ['AEAD_AES_256_GCM' as const] },
    { ...spec, ice: 'lite' as const },
    { ...spec, dtls: true },
    { ...spec, zrtp: true },
  ]) {
    const before = relay.requests.length;
    await reserve.open([other]);
    assert.equal(relay.requests.length, before + 1);
  }
  await reserve.stop();
});

test("without ports the answer is the relay's own, and a stock that cannot be filled asks no more than once a period", async () => {
  const relay = new CountingRelay();
  const reserve = new Reserve(relay, { periodMs });
  relay.full = true;
  for (let i = 0; i < 8; i += 1)
    assert.deepEqual(await reserve.open([spec]), { ok: false, error: 'no-ports' });
  await new Promise((done) => {
    setTimeout(done, 3 * periodMs);
  });
  assert.ok(relay.requests.length <= 8 + 4);
  await reserve.stop();
});

test('when the media process is gone, so is the stock', async () => {
  const relay = new CountingRelay();
  const reserve = new Reserve(relay, { periodMs });
  for (let i = 0; i < 8; i += 1) await reserve.open([spec]);
  await until(() => reserve.ready > 0);
  relay.down();
  assert.equal(reserve.ready, 0);
  await reserve.stop();
});
