import { randomFillSync } from 'node:crypto';
import { accountPageUrl } from '../config/account-page.ts';
import type { Configuration } from '../config/schema.ts';
import type { ControlServer } from '../control/server.ts';
import type { Edge } from '../edge.ts';
import type { EventBus } from '../events/bus.ts';
import { Mailer } from '../mail/mailer.ts';
import type { Store } from '../store/contract.ts';
import type { ListenerState } from '../transport/contract.ts';
import { AccountDoor } from './answer.ts';
import { handleFactors } from './commands.ts';
import { Desk } from './desk.ts';
import { Factors } from './factors.ts';
import { mailPhonesThatWait } from './mail-phones.ts';
import { PasskeyThread } from './passkeys.ts';

export interface SelfServiceParts {
  readonly store: Pick<Store, 'factors' | 'putFactors'>;
  readonly bus: EventBus;
  now(): number;
  edge(): Edge;
  config(): Configuration;
  /** Those that are open. */
  listeners(): readonly ListenerState[];
}

/** Self-service of the running edge: the account page, second factors, and what administrators do about them. */
export class SelfService {
  readonly door: AccountDoor;
  readonly #parts: SelfServiceParts;
  readonly #desk: Desk;
  readonly #passkeys = new PasskeyThread();
  readonly #stopMails: () => void;

  private constructor(parts: SelfServiceParts, factors: Factors) {
    this.#parts = parts;
    const { bus, edge, config } = parts;
    const mailer = new Mailer(() => config().mail);
    this.#desk = new Desk({
      bus,
      factors,
      passkeys: this.#passkeys,
      get accounts() {
        return edge().accounts;
      },
      now: () => parts.now(),
      random: (bytes) => randomFillSync(new Uint8Array(bytes)),
      settings: () => config().accountPage,
      defaultDomain: () => config().domain,
      directory: () => edge().directory,
      bindings: (domain, user) => edge().registrar.lookup(domain, user, parts.now()),
      url: () => this.url,
      mail: mailer,
      failedSignIn: (username, address, domain) =>
        edge().detection.failedSignIn(username, address, domain, parts.now()),
    });
    this.door = new AccountDoor(this.#desk);
    this.#stopMails = mailPhonesThatWait(this.#desk);
  }

  static async open(parts: SelfServiceParts): Promise<SelfService> {
    const rows = await parts.store.factors();
    const random = (bytes: number): Uint8Array => randomFillSync(new Uint8Array(bytes));
    return new SelfService(parts, new Factors({ store: parts.store, now: () => parts.now(), random }, rows));
  }

  /** Where users open the page; undefined where no listener has it. */
  get url(): string | undefined {
    const { listeners, config } = this.#parts;
    return accountPageUrl(
      config(),
      (listener) => listeners().find(({ name }) => name === listener)?.bound.port,
    );
  }

  handle(control: ControlServer): void {
    handleFactors(control, this.#desk);
  }

  /** Domain objects have changed. */
  follow(): void {
    const { directory } = this.#parts.edge();
    this.#desk.parts.factors
      .retain((domain, user) => directory.domain(domain)?.users.has(user) === true)
      .catch((error: unknown) =>
        this.#parts.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) }),
      );
  }

  async stop(): Promise<void> {
    this.#stopMails();
    await this.#passkeys.stop();
  }
}
