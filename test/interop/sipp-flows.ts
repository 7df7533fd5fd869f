/** Call flows by sipp, one row each, beside each other at one edge: docs of which is which in README.md. */
import { writeWav } from '@ringfence/audio/wav.ts';
import { runCases } from './harness/run-cases.ts';
import { stage } from './harness/stage.ts';
import { builtInFlows } from './scenarios/built-in-flows.ts';
import { pbxFlows } from './scenarios/pbx-flows.ts';
import { phoneFlows } from './scenarios/phone-flows.ts';
import { trunkFlows } from './scenarios/trunk-flows.ts';

const RATE = 8_000;
const MUSIC_HZ = 600;

export const cases = stage({
  name: 'sipp-flows',
  flows: [...trunkFlows, ...phoneFlows, ...pbxFlows, ...builtInFlows],
  settings: (workspace, proxies) => ({
    media: { bridgeDigits: true },
    calls: { trustedHeaders: ['P-Charging-Vector'], pickup: 'tenant' },
    registrar: { trustedProxies: proxies, serviceRoute: true },
    sounds: {
      holdMusic: workspace.write(
        'music.wav',
        writeWav({
          rate: RATE,
          samples: Int16Array.from({ length: RATE }, (_, index) =>
            Math.round(9_000 * Math.sin((2 * Math.PI * MUSIC_HZ * index) / RATE)),
          ),
        }),
      ),
    },
  }),
});

if (import.meta.main) await runCases(cases);
