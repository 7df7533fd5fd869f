/**
 * A network of the bench's own. With root's rights it runs itself again in a fresh network namespace: nobody else's
 * ports or packets are there, and the three parties have private addresses, so that limits which spare 127.0.0.0/8
 * do their work. Without, it stays on the loopback of the machine.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { Places } from './contenders.ts';

const INSIDE: Places = { server: '10.77.0.1', caller: '10.77.0.2', called: '10.77.0.3' };
const LOOPBACK: Places = { server: '127.0.0.1', caller: '127.0.0.2', called: '127.0.0.3' };
const MARK = 'RINGFENCE_BENCH_NAMESPACE';

export type Network = { readonly places: Places; readonly described: string };

/** Resolves with the network to use; in the outer process it runs the inner one, and ends as that ends. */
export async function ownNetwork(wanted: boolean): Promise<Network> {
  const outside = { places: LOOPBACK, described: 'loopback addresses of the machine' };
  if (process.env[MARK] === '1') {
    const ip = (...args: string[]) => spawnSync('ip', args).status === 0;
    let ready = ip('link', 'set', 'lo', 'up');
    for (const address of Object.values(INSIDE))
      ready = ready && ip('addr', 'add', `${address}/32`, 'dev', 'lo');
    if (!ready) throw new Error('the namespace got no addresses: is iproute2 installed?');
    return {
      places: INSIDE,
      described: 'private addresses on the loopback of a network namespace of its own',
    };
  }
  const can = process.getuid?.() === 0 && spawnSync('unshare', ['--net', 'ip', 'link']).status === 0;
  if (!wanted || !can) return outside;
  // All parties alike go before other work of the machine, which would else be measured with them.
  const before = ['nice', '-n', '-10'];
  const child = spawn('unshare', ['--net', ...before, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  // First of all: who else listens for these ends this process at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.prependListener(signal, () => child.kill(signal));
  const code = await new Promise<number>((resolve) => child.once('exit', (status) => resolve(status ?? 1)));
  process.exit(code);
}
