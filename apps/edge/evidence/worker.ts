import { once } from 'node:events';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { makeEvidence } from './maker.ts';
import type { FromWorker, ToWorker, WorkOrder } from './protocol.ts';

/** Makes one bundle and ends. */
async function run({ request, folder }: WorkOrder, tell: (message: FromWorker) => void): Promise<void> {
  const port = parentPort;
  if (port === null) return;
  const made = await makeEvidence(request, async (callIds) => {
    const answer = once(port, 'message');
    tell({ kind: 'find', callIds });
    const [found] = (await answer) as [ToWorker];
    return found;
  });
  try {
    const { bytes, id, messages } = made;
    const file = writeNew(folder, request.incident.id, request.now, bytes);
    await made.made(file);
    tell({ kind: 'made', file, id, octets: bytes.length, messages });
  } finally {
    await made.close();
  }
}

/** Evidence is never written over: what has the name already keeps it. */
function writeNew(folder: string, incident: string, now: number, bytes: Uint8Array): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  const draft = join(folder, `${incident}.${stamp}Z.${process.pid}.new`);
  try {
    const descriptor = openSync(draft, 'w', 0o600);
    writeFileSync(descriptor, bytes);
    fsyncSync(descriptor);
    closeSync(descriptor);
    for (let count = 1; ; count += 1) {
      const file = join(folder, `${incident}.${stamp}Z${count === 1 ? '' : `-${count}`}.tar`);
      try {
        linkSync(draft, file);
        return file;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || count > 100) throw error;
      }
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

const tell = (message: FromWorker): void => parentPort?.postMessage(message);
run(workerData as WorkOrder, tell).then(
  () => parentPort?.close(),
  (error: unknown) => {
    tell({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
    parentPort?.close();
  },
);
