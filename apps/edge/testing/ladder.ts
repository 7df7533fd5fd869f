import type { World } from './world.ts';

/**
 * The messages between the edge and one address, as call flows are drawn: `<INVITE` came in, `>180` went out.
 *
 * 100 is left out, as it depends on time alone. `since`: index into the log of the network.
 */
export function ladder(world: World, address: string, since = 0): string[] {
  return world.network.log.slice(since).flatMap(({ out, flow, text }) => {
    if (flow.remote.address !== address) return [];
    const [first = '', second = ''] = text.split(' ', 2);
    const what = first === 'SIP/2.0' ? second : first;
    return what === '100' ? [] : [`${out ? '>' : '<'}${what}`];
  });
}
