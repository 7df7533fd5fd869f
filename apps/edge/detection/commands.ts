import { optional, readArguments, text, whole } from '../control/arguments.ts';
import type { ControlServer } from '../control/server.ts';
import type { Detection } from './detection.ts';
import type { RecentFinding } from './report.ts';

/** Findings in one answer at most. */
const most = 600;

/** `threat list`: what was found lately, latest first. */
export interface ThreatList {
  readonly findings: readonly RecentFinding[];
  /** Found since the start and not told one by one: too many came in one second. */
  readonly untold: number;
  /** Sources remembered now, those that had to make room, and the octets they take. */
  readonly sources: { readonly sources: number; readonly evicted: number; readonly octets: number };
}

/** Commands about what was found. */
export function handleThreats(control: ControlServer, detection: Detection): void {
  control.handle(
    'threat list',
    (args): ThreatList => {
      const { domain, limit = most } = readArguments(
        { domain: optional(text()), limit: optional(whole(1, most)) },
        args,
      );
      const all = detection.report.recent();
      const findings = domain === undefined ? all : all.filter((finding) => finding.domain === domain);
      return {
        findings: findings.slice(0, limit),
        untold: detection.report.untold,
        sources: detection.size,
      };
    },
    { reads: true },
  );
}
