import { boolean, optional, readArguments, text } from '../control/arguments.ts';
import { CommandRefused } from '../control/command-refused.ts';
import type { ControlServer } from '../control/server.ts';
import type { Alert } from './alert.ts';
import type { AlertDesk } from './desk.ts';

/** `alert list`: the newest first. */
export interface AlertList {
  readonly alerts: readonly Alert[];
}

/** Commands about alerts; `desk` is undefined while none are configured. */
export function handleAlerts(control: ControlServer, desk: () => AlertDesk | undefined): void {
  control.handle(
    'alert list',
    (args): AlertList => {
      const { all, domain } = readArguments({ all: optional(boolean), domain: optional(text()) }, args);
      const alerts = (desk()?.alerts ?? []).filter(
        (alert) =>
          (all === true || alert.state !== 'over') && (domain === undefined || alert.domain === domain),
      );
      return { alerts };
    },
    { reads: true },
  );
  control.handle('alert ack', (args, by) => {
    const { alert: id } = readArguments({ alert: text(64) }, args);
    const alert = desk()?.acknowledge(id, by);
    if (alert === undefined)
      throw new CommandRefused(
        'no-such-alert',
        `There is no alert ${id}; \`ringfence alert list\` shows which there are.`,
      );
    return { alert: id, state: alert.state };
  });
}
