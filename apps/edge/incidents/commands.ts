import { boolean, oneOf, optional, readArguments, text, whole } from '../control/arguments.ts';
import { CommandRefused } from '../control/command-refused.ts';
import type { ControlServer } from '../control/server.ts';
import type { Incidents } from './incidents.ts';
import { incidentKinds } from './types.ts';

/** Commands about incidents. */
export function handleIncidents(control: ControlServer, incidents: Incidents): void {
  const refuse = (why: string | undefined, id: string): { incident: string } => {
    if (why !== undefined) throw new CommandRefused('not-done', `Incident ${id}: ${why}.`);
    return { incident: id };
  };
  control.handle(
    'incident list',
    (args) => {
      const { domain, all } = readArguments({ domain: optional(text()), all: optional(boolean) }, args);
      return incidents
        .list()
        .filter(
          (one) =>
            (all === true || one.state !== 'closed') &&
            (domain === undefined || one.domains.includes(domain)),
        )
        .slice(0, 500);
    },
    { reads: true },
  );
  control.handle(
    'incident show',
    (args) => {
      const { incident } = readArguments({ incident: text(40) }, args);
      const found = incidents.find(incident);
      if (found === undefined)
        throw new CommandRefused(
          'no-such-incident',
          `There is no incident ${incident}; \`ringfence incident list --all\` shows which there are.`,
        );
      return found;
    },
    { reads: true },
  );
  control.handle('incident open', (args, by) => {
    const asked = readArguments(
      {
        kind: oneOf(...incidentKinds),
        text: text(300),
        account: optional(text()),
        source: optional(text(60)),
      },
      args,
    );
    const involved = {
      ...(asked.account === undefined ? {} : { account: asked.account }),
      ...(asked.source === undefined ? {} : { source: asked.source }),
    };
    return incidents.open(asked.kind, asked.text, by, involved);
  });
  control.handle('incident step', (args, by) => {
    const { incident, step, word } = readArguments(
      { incident: text(40), step: whole(1, 100), word: oneOf('approve', 'reject', 'undo') },
      args,
    );
    return refuse(incidents.say(incident, step, word, by), incident);
  });
  control.handle('incident note', (args, by) => {
    const { incident, text: note } = readArguments({ incident: text(40), text: text(300) }, args);
    return refuse(incidents.note(incident, note, by), incident);
  });
  control.handle('incident close', (args, by) => {
    const { incident } = readArguments({ incident: text(40) }, args);
    return refuse(incidents.close(incident, by), incident);
  });
}
