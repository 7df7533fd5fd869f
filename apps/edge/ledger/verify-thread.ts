import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type RemovalReach, Removals } from '@ringfence/ledger/removal.ts';
import type { ChunkFindings } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';
import { openPlace } from './place.ts';
import type { LedgerPlace } from './protocol.ts';
import { type Part, verifyPart } from './verify-part.ts';

export interface VerifyThreadOptions {
  readonly place: LedgerPlace;
  readonly sizes: readonly number[];
  readonly removals: ReadonlyMap<string, RemovalReach>;
}

/** One for each part, in their order. */
export type VerifyThreadReply =
  | { readonly findings: ChunkFindings }
  | { readonly code: string; readonly message: string };

/** A reader with a connection of its own: parts come in, what was found goes out. */
function begin(port: MessagePort, { place, sizes, removals }: VerifyThreadOptions): void {
  const options = { sizes, removals: new Removals(removals) };
  let opened: Promise<LedgerBackend> | undefined;
  let before: Promise<unknown> = Promise.resolve();
  const verify = async (part: Part): Promise<void> => {
    let reply: VerifyThreadReply;
    try {
      opened ??= openPlace(place, false);
      reply = { findings: await verifyPart(await opened, part, options) };
    } catch (error) {
      const { code = '', message = String(error) } = error as { code?: string; message?: string };
      reply = { code, message };
    }
    port.postMessage(reply);
  };
  port.on('message', (part: Part) => {
    before = before.then(() => verify(part));
  });
}

// imported outside a thread, to be compiled, it does nothing
if (parentPort !== null) begin(parentPort, workerData as VerifyThreadOptions);
