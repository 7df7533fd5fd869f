/** What a program and everything it forked cost, read from /proc (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: the unit of utime and stime, 100 on every Linux platform that Node supports. */
const TICKS_PER_SECOND = 100;

type Stat = { readonly parent: number; readonly ticks: number };

function statOf(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may hold spaces and brackets of its own: fields count from the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // ppid is field 4; utime, stime, cutime and cstime are fields 14 to 17, and field 3 is the first here.
    const ticks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
    return { parent: Number(fields[1]), ticks };
  } catch {
    return null;
  }
}

/** The processes themselves and all their descendants alive now. */
export function processTree(roots: readonly number[]): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const stat = statOf(pid);
    if (stat === null) continue;
    const siblings = childrenOf.get(stat.parent);
    if (siblings) siblings.push(pid);
    else childrenOf.set(stat.parent, [pid]);
  }
  const found = new Set<number>(roots);
  for (const pid of found) for (const child of childrenOf.get(pid) ?? []) found.add(child);
  return [...found];
}

/** CPU seconds, user and system, of all threads of the tree, with children that ended and were waited for. */
export function cpuSeconds(roots: readonly number[]): number {
  let ticks = 0;
  for (const pid of processTree(roots)) ticks += statOf(pid)?.ticks ?? 0;
  return ticks / TICKS_PER_SECOND;
}

export type Memory = { readonly rssKb: number; readonly pssKb: number };

/** Resident memory of the tree; proportional set size counts pages shared by forked workers only once. */
export function memory(roots: readonly number[]): Memory {
  let rssKb = 0;
  let pssKb = 0;
  for (const pid of processTree(roots)) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      rssKb += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
      pssKb += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return { rssKb, pssKb };
}
