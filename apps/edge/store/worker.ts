import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { listAccounts, writeAccounts } from './account-rows.ts';
import { listBans, writeBans } from './ban-rows.ts';
import { bindingWriter, listBindings } from './binding-rows.ts';
import { CallWriter, liveRows } from './call-rows.ts';
import type { Binding } from './contract.ts';
import { inTransaction } from './database.ts';
import { listFactors, writeFactors } from './factor-rows.ts';
import { keepGoodCopy, openOrRepair } from './good-copy.ts';
import { listIncidents, putIncident } from './incident-rows.ts';
import { listKnownPeers, putKnownPeer } from './known-rows.ts';
import { readObjects } from './object-rows.ts';
import { type Batch, lengthOf, type Reply, type Request, type WorkerOptions, Write } from './protocol.ts';
import { openSealer, type Sealer } from './seal.ts';
import { listSpend, writeSpend } from './spend-rows.ts';
import { asStoreError, StoreError } from './store-error.ts';
import { listZrtpPeers, putZrtpPeer } from './zrtp-rows.ts';

interface Opened {
  readonly database: DatabaseSync;
  readonly sealer: Sealer;
  readonly repaired: string | undefined;
}

function open(port: MessagePort, options: WorkerOptions): Opened | undefined {
  let database: DatabaseSync | undefined;
  try {
    const opened = openOrRepair(options.file);
    database = opened.database;
    return { ...opened, sealer: openSealer(database, options.keyFile, options.createKey) };
  } catch (error) {
    database?.close();
    const { code, message } = asStoreError(error, options.file);
    port.postMessage({ kind: 'refused', code, message } satisfies Reply);
    port.close();
    return undefined;
  }
}

function serve(port: MessagePort, options: WorkerOptions, { database, sealer, repaired }: Opened): void {
  const reply = (message: Reply): void => port.postMessage(message);
  const calls = new CallWriter(database);
  const bindings = bindingWriter(database);

  /** Applies the write at `at` and gives where the next one stands. */
  const apply = (writes: Batch, at: number): number => {
    switch (writes[at]) {
      case Write.live:
        calls.live(writes[at + 1] as number, writes[at + 2] as string, writes[at + 3] as string);
        return at + 4;
      case Write.ended:
        calls.ended(writes[at + 1] as number, writes[at + 2] as string);
        return at + 3;
      case Write.bind:
        bindings.put(JSON.parse(writes[at + 1] as string) as Binding);
        return at + 2;
      case Write.unbind:
        bindings.remove(writes[at + 1] as string, writes[at + 2] as string, writes[at + 3] as string);
        return at + 4;
      default:
        throw new RangeError(`unknown write ${writes[at]}`);
    }
  };

  const commit = (writes: Batch): void => {
    database.exec('BEGIN IMMEDIATE');
    try {
      for (let at = 0; at < writes.length; ) at = apply(writes, at);
      calls.sweep();
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };

  /** After a failed batch: one bad record must not take the others' with it. Gives how many could not be written. */
  const commitEach = (writes: Batch): number => {
    let failed = 0;
    inTransaction(database, () => {
      for (let at = 0; at < writes.length; at += lengthOf[writes[at] as number]!) {
        database.exec('SAVEPOINT one');
        try {
          apply(writes, at);
        } catch {
          failed += 1;
          database.exec('ROLLBACK TO one');
        }
        database.exec('RELEASE one');
      }
    });
    return failed;
  };

  const write = (writes: Batch): void => {
    try {
      commit(writes);
    } catch (error) {
      const known = asStoreError(error, options.file);
      if (known.code !== 'store-write-failed') throw known;
      const failed = commitEach(writes);
      if (failed > 0)
        throw new StoreError('store-write-failed', `${failed} records were refused: ${known.message}`);
    }
  };

  const { version } = database
    .prepare("SELECT value AS version FROM meta WHERE key = 'objects_version'")
    .get() as { version: number };
  let objectsVersion = version;
  let dataVersion = -1;
  const dataVersionNow = database.prepare('PRAGMA data_version');
  const objectsVersionNow = database.prepare(
    "SELECT value AS version FROM meta WHERE key = 'objects_version'",
  );
  const keepGood = (): void => {
    try {
      keepGoodCopy(database, options.file);
    } catch {
      // No room for it, mostly: then the one before stays.
    }
  };
  // data_version changes with every commit of another connection and costs one read of shared memory
  const watch = setInterval(() => {
    try {
      const seen = (dataVersionNow.get() as { data_version: number }).data_version;
      if (seen === dataVersion) return;
      dataVersion = seen;
      const now = (objectsVersionNow.get() as { version: number }).version;
      if (now === objectsVersion) return;
      objectsVersion = now;
      reply({ kind: 'objects-changed' });
      keepGood();
    } catch {
      // locked for the moment: the next look finds it
    }
  }, options.watchMilliseconds);

  const answer = (request: Request): void => {
    switch (request.kind) {
      case 'batch':
        try {
          write(request.writes);
          reply({ kind: 'committed' });
        } catch (error) {
          const { code, message } = asStoreError(error, options.file);
          reply({ kind: 'uncommitted', code, message });
        }
        return;
      case 'objects':
        reply({ kind: 'objects', id: request.id, objects: readObjects(database, sealer) });
        return;
      case 'bindings':
        reply({ kind: 'bindings', id: request.id, bindings: listBindings(database) });
        return;
      case 'open-calls':
        reply({ kind: 'open-calls', id: request.id, calls: liveRows(database) });
        return;
      case 'close-interrupted':
        reply({
          kind: 'count',
          id: request.id,
          count: inTransaction(database, () => calls.closeInterrupted(request.now, request.keep)),
        });
        return;
      case 'zrtp-peers':
        reply({ kind: 'zrtp-peers', id: request.id, peers: listZrtpPeers(database, sealer) });
        return;
      case 'put-zrtp-peer':
        putZrtpPeer(database, sealer, request.peer);
        reply({ kind: 'count', id: request.id, count: 1 });
        return;
      case 'known-peers':
        reply({ kind: 'known-peers', id: request.id, peers: listKnownPeers(database) });
        return;
      case 'put-known-peer':
        putKnownPeer(database, request.peer, request.forget);
        reply({ kind: 'count', id: request.id, count: 1 });
        return;
      case 'bans':
        reply({ kind: 'bans', id: request.id, bans: listBans(database) });
        return;
      case 'put-bans':
        writeBans(database, request.write);
        reply({ kind: 'count', id: request.id, count: request.write.put.length });
        return;
      case 'accounts':
        reply({ kind: 'accounts', id: request.id, rows: listAccounts(database) });
        return;
      case 'put-accounts':
        writeAccounts(database, request.put, request.remove);
        reply({ kind: 'count', id: request.id, count: request.put.length });
        return;
      case 'factors':
        reply({ kind: 'factors', id: request.id, factors: listFactors(database, sealer) });
        return;
      case 'put-factors':
        writeFactors(database, sealer, request.put, request.remove);
        reply({ kind: 'count', id: request.id, count: request.put.length });
        return;
      case 'incidents':
        reply({ kind: 'incidents', id: request.id, incidents: listIncidents(database, 200) });
        return;
      case 'put-incident':
        putIncident(database, request.incident);
        reply({ kind: 'count', id: request.id, count: 1 });
        return;
      case 'spend':
        reply({ kind: 'spend', id: request.id, rows: listSpend(database) });
        return;
      case 'put-spend':
        writeSpend(database, request.put, request.remove);
        reply({ kind: 'count', id: request.id, count: request.put.length });
        return;
      case 'close':
        clearInterval(watch);
        sealer.wipe();
        database.close();
        reply({ kind: 'count', id: request.id, count: 0 });
        port.close();
    }
  };

  port.on('message', (request: Request) => {
    try {
      answer(request);
    } catch (error) {
      const { code, message } = asStoreError(error, options.file);
      if ('id' in request) reply({ kind: 'failed', id: request.id, code, message });
      else throw error;
    }
  });
  reply({ kind: 'opened', sequence: calls.nextSequence(), repaired });
  setImmediate(keepGood);
}

// imported outside a thread, to be compiled, it does nothing
if (parentPort !== null) {
  const options = workerData as WorkerOptions;
  const opened = open(parentPort, options);
  if (opened !== undefined) serve(parentPort, options, opened);
}
