import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Binding, Upstream } from './contract.ts';

export function bindingWriter(database: DatabaseSync): {
  put(binding: Binding): void;
  remove(domain: string, user: string, key: string): void;
} {
  const put = database.prepare('INSERT OR REPLACE INTO bindings VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)');
  const remove = database.prepare('DELETE FROM bindings WHERE domain = ? AND user = ? AND key = ?');
  return {
    put(b) {
      put.run(
        b.domain,
        b.user,
        b.key,
        b.device,
        b.contact,
        b.callId,
        b.cseq,
        b.expiresAt,
        b.transport,
        b.source,
        b.listener,
        b.userAgent,
        b.updatedAt,
        b.upstream === undefined ? '' : JSON.stringify(b.upstream),
        b.path === undefined ? '' : JSON.stringify(b.path),
      );
    },
    remove(domain, user, key) {
      remove.run(domain, user, key);
    },
  };
}

export function listBindings(database: DatabaseSync): Binding[] {
  return database.prepare('SELECT * FROM bindings').all().map(readBinding);
}

function readBinding(row: Record<string, SQLOutputValue>): Binding {
  return {
    domain: String(row.domain),
    user: String(row.user),
    device: String(row.device),
    key: String(row.key),
    contact: String(row.contact),
    callId: String(row.call_id),
    cseq: Number(row.cseq),
    expiresAt: Number(row.expires_at),
    transport: String(row.transport),
    source: String(row.source),
    listener: String(row.listener),
    userAgent: String(row.user_agent),
    updatedAt: Number(row.updated_at),
    ...(row.path === '' ? {} : { path: JSON.parse(String(row.path)) as string[] }),
    ...(row.upstream === '' ? {} : { upstream: JSON.parse(String(row.upstream)) as Upstream }),
  };
}
