import type { DatabaseSync } from 'node:sqlite';
import type { Incident } from '../incidents/types.ts';

/** Closed ones are kept for so many. */
const mostClosed = 2_000;

export function putIncident(database: DatabaseSync, incident: Incident): void {
  const closed = incident.state === 'closed' ? 1 : 0;
  database
    .prepare('INSERT OR REPLACE INTO incidents VALUES (?,?,?,?)')
    .run(incident.id, closed, incident.lastAt, JSON.stringify(incident));
  if (closed === 1)
    database
      .prepare(
        'DELETE FROM incidents WHERE closed = 1 AND id NOT IN (SELECT id FROM incidents WHERE closed = 1 ORDER BY last_at DESC LIMIT ?)',
      )
      .run(mostClosed);
}

/** Open ones, and the latest of those that are closed; the oldest first. */
export const listIncidents = (database: DatabaseSync, latestClosed: number): Incident[] =>
  database
    .prepare(
      `SELECT incident FROM (SELECT * FROM incidents WHERE closed = 0
       UNION ALL SELECT * FROM (SELECT * FROM incidents WHERE closed = 1 ORDER BY last_at DESC LIMIT ?))
       ORDER BY last_at`,
    )
    .all(latestClosed)
    .map(({ incident }) => JSON.parse(String(incident)) as Incident);
