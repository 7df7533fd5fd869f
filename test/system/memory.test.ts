import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EdgeProcess, residentKib } from './harness/edge-process.ts';
import { Home } from './harness/place.ts';
import { pause } from './harness/waiting.ts';

/** A guard against growth; what is aimed for stands in the bench's results. */
const boundKib = 190 * 1024;

test('idle, edge and media process together have a bounded resident memory', async (t) => {
  const home = new Home({
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'required' },
      { name: 'phones6', transport: 'tls', address: '::1', encryption: 'required' },
      { name: 'inside', transport: 'udp', encryption: 'preferred' },
      { name: 'inside-tcp', transport: 'tcp', encryption: 'preferred' },
    ],
  });
  try {
    // The first start compiles; the second is what runs for months.
    await (await EdgeProcess.start(home.path)).stop();
    const edge = await EdgeProcess.start(home.path);
    try {
      const media = edge.mediaPid ?? 0;
      let last = 0;
      let both = { edge: 0, media: 0 };
      for (let i = 0; i < 12; i += 1) {
        await pause(500);
        both = { edge: residentKib(edge.pid), media: residentKib(media) };
        const sum = both.edge + both.media;
        if (i > 3 && Math.abs(sum - last) < 512) break;
        last = sum;
      }
      const mib = (kib: number): string => (kib / 1024).toFixed(1);
      t.diagnostic(
        `resident when idle: edge ${mib(both.edge)} MiB, media ${mib(both.media)} MiB, together ${mib(both.edge + both.media)} MiB`,
      );
      assert.ok(both.media > 0);
      assert.ok(both.edge + both.media <= boundKib, `${mib(both.edge + both.media)} MiB`);
    } finally {
      await edge.stop();
    }
  } finally {
    home.remove();
  }
});
