import { loadConfiguration } from '../config/load.ts';
import type { Configuration } from '../config/schema.ts';
import { domain } from './objects.ts';

/** The defaults with short names: `phones` is TLS and required, `inside` UDP and TCP and preferred, `open` asks nothing. */
export function testConfiguration(): Configuration {
  const loaded = loadConfiguration({ home: '/nonexistent' });
  if (!loaded.ok) throw new Error('the embedded defaults are refused');
  const { config } = loaded.value;
  const at = { address: '198.51.100.1', port: 5060 };
  return {
    ...config,
    domain,
    listeners: [
      { name: 'phones', transport: 'tls', ...at, port: 5061, encryption: 'preferred' },
      { name: 'guarded', transport: 'tls', ...at, port: 5063, encryption: 'required' },
      { name: 'inside', transport: 'udp', ...at, encryption: 'preferred' },
      { name: 'open', transport: 'udp', ...at, port: 5062, encryption: 'none' },
    ],
    numbers: { ...config.numbers, country: 'DE' },
    // It goes by the hour and the day: a test that is about it says so.
    fraud: { ...config.fraud, behaviour: { ...config.fraud.behaviour, enabled: false } },
  };
}
