import type { EventBus } from '../events/bus.ts';
import type { Registrar } from '../registrar/registrar.ts';
import type { Directory } from '../routing/directory.ts';
import type { AccountRow } from '../store/account-rows.ts';
import type { Store } from '../store/contract.ts';
import { Accounts } from './accounts.ts';

/** What the edge has for its accounts. */
export interface AccountSources {
  readonly rows: readonly AccountRow[];
  readonly store: Store;
  readonly bus: EventBus;
  readonly registrar: Registrar;
  directory(): Directory;
  page(): string | undefined;
  now(): number;
  failed(error: unknown): void;
}

/** The accounts of all domains, as their objects stand at each question. */
export function joinAccounts(sources: AccountSources): Accounts {
  const { directory, registrar } = sources;
  return new Accounts(
    {
      store: sources.store,
      bus: sources.bus,
      now: () => sources.now(),
      policy: (domain) => directory().domain(domain)?.accounts,
      device: (domain, user, device) => {
        const of = directory().domain(domain);
        if (of?.pbx !== undefined) return user.toLowerCase() === device.toLowerCase() ? {} : undefined;
        const entry = of?.devices.get(device);
        return entry?.user.name.toLowerCase() === user.toLowerCase() ? entry.device : undefined;
      },
      hasUser: (domain, user) => {
        const of = directory().domain(domain);
        return of?.pbx !== undefined || of?.users.has(user.toLowerCase()) === true;
      },
      bindingOf: (flow) => registrar.byFlow(flow),
      page: () => sources.page(),
      failed: (error) => sources.failed(error),
    },
    sources.rows,
  );
}
