import type { DatabaseSync } from 'node:sqlite';
import type { KnownPeer } from '../policy/known-peers.ts';
import { inTransaction } from './database.ts';

/** One row a party, the one before is replaced; `forget`: parties that make room. */
export function putKnownPeer(database: DatabaseSync, peer: KnownPeer, forget: readonly string[]): void {
  inTransaction(database, () => {
    // Deleted first, so that it stands last: the order is that of the last change.
    const drop = database.prepare('DELETE FROM known_peers WHERE party = ?');
    for (const party of [peer.party, ...forget]) drop.run(party);
    database
      .prepare('INSERT INTO known_peers (party, seen) VALUES (?,?)')
      .run(peer.party, JSON.stringify(peer));
  });
}

/** All of them, those that changed last at the end; what cannot be read is left out. */
export function listKnownPeers(database: DatabaseSync): KnownPeer[] {
  return database
    .prepare('SELECT seen FROM known_peers ORDER BY rowid')
    .all()
    .flatMap(({ seen }) => {
      try {
        return [JSON.parse(String(seen)) as KnownPeer];
      } catch {
        return [];
      }
    });
}
