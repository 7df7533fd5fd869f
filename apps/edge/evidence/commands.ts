import { readArguments, text } from '../control/arguments.ts';
import { CommandRefused } from '../control/command-refused.ts';
import type { ControlServer } from '../control/server.ts';
import type { Incidents } from '../incidents/incidents.ts';
import type { EvidenceDesk } from './desk.ts';

/** Commands about evidence that need what the running edge has in its memory. */
export function handleEvidence(control: ControlServer, desk: EvidenceDesk, incidents: Incidents): void {
  control.handle('evidence make', async (args, by) => {
    const { incident } = readArguments({ incident: text(40) }, args);
    const found = incidents.find(incident);
    if (found === undefined)
      throw new CommandRefused(
        'no-such-incident',
        `There is no incident ${incident}; \`ringfence incident list --all\` shows which there are.`,
      );
    try {
      return await desk.make(() => incidents.find(incident) ?? found, by);
    } catch (error) {
      throw new CommandRefused(
        'not-made',
        `The evidence of ${incident} was not made: ${error instanceof Error ? error.message : String(error)}.`,
      );
    }
  });
}
