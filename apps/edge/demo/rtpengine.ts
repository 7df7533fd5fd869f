import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';

const startMs = 10_000;

/** An rtpengine for the demo, on loopback and in userspace, with a control port of its own. */
export interface DemoRtpengine {
  readonly port: number;
  stop(): Promise<void>;
}

/** Rejects where it is not installed, or does not answer its control port. */
export async function startRtpengine(): Promise<DemoRtpengine> {
  const port = await freePort();
  const first = 30_000 + Math.floor((port % 100) * 200);
  const child = spawn(
    'rtpengine',
    [
      '--foreground',
      // Not what Debian's file says: a control port of its own, and others.
      '--config-file=none',
      '--log-stderr',
      '--log-level=3',
      '--table=-1',
      '--interface=outside/127.0.0.1',
      '--interface=outside/::1',
      '--interface=inside/127.0.0.1',
      `--listen-ng=127.0.0.1:${port}`,
      `--port-min=${first}`,
      `--port-max=${first + 199}`,
      '--num-threads=1',
      '--delete-delay=0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let problem = '';
  child.stderr.on('data', (chunk: Buffer) => {
    problem = `${problem}${chunk.toString()}`.slice(-500);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      problem = error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const until = performance.now() + startMs;
  while (!(await answers(port))) {
    if (child.exitCode !== null || child.pid === undefined || performance.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`rtpengine does not run (Debian's package is rtpengine-daemon): ${problem.trim()}`);
    }
  }
  return { port, stop: () => end(child, exited) };
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 3000);
  await exited;
  clearTimeout(kill);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (value: boolean): void => {
      clearTimeout(timer);
      socket.close(() => resolve(value));
    };
    const timer = setTimeout(() => done(false), 100);
    socket.on('error', () => {});
    socket.once('message', () => done(true));
    socket.send('ready d7:command4:pinge', port, '127.0.0.1');
  });
}
