import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { PackedAddress } from '@ringfence/datagram/socket.ts';
import fc from 'fast-check';
import { UdpFlow, UdpFlows } from './udp-flows.ts';

const make = (limit: number): UdpFlows => {
  let ids = 0;
  const sender = { pack: () => new Uint8Array(28) as PackedAddress, sendTo: () => true };
  return new UdpFlows((remote) => {
    const local = { address: '192.0.2.1', port: 5060 };
    return new UdpFlow({ id: ++ids, local, remote, sentBy: '192.0.2.1:5060', listener: 'u' }, sender);
  }, limit);
};

it('flows are bounded, what is in use stays, what is kept stays for ever', () => {
  const flows = make(100);
  const busy = flows.get('192.0.2.50', 1);
  const kept = flows.get('192.0.2.51', 1);
  const idle = flows.get('192.0.2.52', 1);
  assert.equal(flows.keep(kept.id, true), true);
  for (let i = 0; i < 10_000; i++) {
    flows.get(`198.51.100.${i & 255}`, 1024 + (i >> 8));
    if (i % 50 === 0) assert.equal(flows.get('192.0.2.50', 1), busy);
  }
  assert.ok(flows.size <= 201);
  assert.equal(flows.byId(kept.id), kept);
  assert.equal(flows.get('192.0.2.51', 1), kept);
  assert.equal(flows.byId(idle.id), undefined);
  flows.keep(kept.id, false);
  for (let i = 0; i < 300; i++) flows.get('203.0.113.1', 1024 + i);
  assert.equal(flows.byId(kept.id), undefined);
  assert.equal(flows.keep(kept.id, true), false);
});

it('property: any sequence of uses finds the same flow for the same place, by address as by id', () => {
  const step = fc.record({
    host: fc.nat(5),
    port: fc.integer({ min: 1, max: 6 }),
    keep: fc.option(fc.boolean()),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 12 }), (steps, limit) => {
      const flows = make(limit);
      let kept = new Set<number>();
      for (const { host, port, keep } of steps) {
        const address = `192.0.2.${host}`;
        const flow = flows.get(address, port);
        assert.deepEqual(flow.remote, { address, port });
        assert.equal(flows.get(address, port), flow);
        assert.equal(flows.byId(flow.id), flow);
        if (keep !== null) {
          flows.keep(flow.id, keep);
          kept = new Set(kept);
          if (keep) kept.add(flow.id);
          else kept.delete(flow.id);
          assert.equal(flows.get(address, port), flow);
        }
        for (const id of kept) assert.equal(flows.byId(id)?.id, id);
        assert.ok(flows.size <= 2 * limit + kept.size);
      }
    }),
    { numRuns: 300 },
  );
});
