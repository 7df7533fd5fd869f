import type { AlertDesk } from '../alerts/desk.ts';
import type { Configuration } from '../config/schema.ts';
import type { Edge } from '../edge.ts';
import type { EventBus } from '../events/bus.ts';
import type { NodeLook } from '../metrics/node-gauges.ts';
import type { MessageTap } from '../transport/message-tap.ts';

/** What can be told to the outside, or asked from there, while it is configured. */
interface Outlet {
  stop(): Promise<void>;
}

export interface MonitoringParts {
  readonly home: string;
  readonly bus: EventBus;
  readonly version: string;
  readonly now: () => number;
  /** Undefined until it runs. */
  readonly edge: () => Edge | undefined;
  readonly isMediaUp: () => boolean;
  readonly certificates: {
    key(): string;
    cert(): string;
    domains?(): readonly { readonly domain: string; readonly certificate: string }[];
  };
}

/**
 * What watches the edge from outside: metrics, exports, alerts. Each part is loaded only where it is configured, hears
 * nothing of the event stream before, and is begun anew when its own settings change.
 */
export class Monitoring {
  /** Present while somebody captures SIP. */
  tap: MessageTap | undefined = undefined;
  /** Present while there are ways to tell people. */
  alerts: AlertDesk | undefined = undefined;
  readonly #parts: MonitoringParts;
  readonly #running = new Map<string, { readonly settings: string; readonly outlet: Outlet }>();

  constructor(parts: MonitoringParts) {
    this.#parts = parts;
  }

  /** @throws MisuseError where a part cannot be begun; the parts before it run */
  async configure(config: Configuration): Promise<void> {
    await this.#replace('metrics', config.metrics.enabled ? config.metrics : undefined, () =>
      this.#metrics(config.metrics),
    );
    await this.#replace('exports', config.exports.length > 0 ? config.exports : undefined, () =>
      this.#exports(config.exports),
    );
    const { alerts, mail } = config;
    await this.#replace('alerts', alerts.channels.length > 0 ? { alerts, mail } : undefined, () =>
      this.#alerts(alerts, mail),
    );
  }

  async stop(): Promise<void> {
    const outlets = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(outlets.map(({ outlet }) => outlet.stop()));
  }

  async #replace(name: string, wanted: unknown, begin: () => Promise<Outlet>): Promise<void> {
    const settings = JSON.stringify(wanted);
    const known = this.#running.get(name);
    if (known?.settings === settings) return;
    this.#running.delete(name);
    await known?.outlet.stop();
    if (wanted !== undefined) this.#running.set(name, { settings, outlet: await begin() });
  }

  async #metrics(settings: Configuration['metrics']): Promise<Outlet> {
    const { bus, certificates } = this.#parts;
    const [{ EdgeMetrics }, { MetricsListener }] = await Promise.all([
      import('../metrics/edge-metrics.ts'),
      import('../metrics/listener.ts'),
    ]);
    const metrics = new EdgeMetrics(this.#look());
    const listener = await MetricsListener.open({
      settings,
      key: () => certificates.key(),
      cert: () => certificates.cert(),
      contentType: metrics.contentType,
      text: () => metrics.text(),
    });
    const unsubscribe = bus.subscribe(metrics.subscriber);
    return {
      stop: async () => {
        unsubscribe();
        await listener.close();
      },
    };
  }

  async #exports(settings: Configuration['exports']): Promise<Outlet> {
    const { Exports } = await import('../exports/exports.ts');
    const { bus, version, now, edge } = this.#parts;
    const exports = new Exports(settings, {
      bus,
      version,
      now,
      callIds: (call) => edge()?.calls.get(call)?.callIds ?? [],
    });
    this.tap = exports.tap;
    return {
      stop: () => {
        this.tap = undefined;
        return exports.stop();
      },
    };
  }

  async #alerts(settings: Configuration['alerts'], mail: Configuration['mail']): Promise<Outlet> {
    const [{ AlertDesk }, { Mailer }] = await Promise.all([
      import('../alerts/desk.ts'),
      import('../mail/mailer.ts'),
    ]);
    const { bus, home, now } = this.#parts;
    const desk = new AlertDesk({ home, bus, now, settings, mail: new Mailer(() => mail) });
    this.alerts = desk;
    return {
      stop: () => {
        this.alerts = undefined;
        return desk.stop();
      },
    };
  }

  #look(): NodeLook {
    const { edge, version, now, isMediaUp, certificates } = this.#parts;
    return {
      version,
      now,
      isMediaUp,
      calls: () => edge()?.calls.size ?? 0,
      legs: () => edge()?.legs ?? 0,
      registrations: () => edge()?.registrar.size ?? 0,
      transactions: () => {
        const { server, client } = edge()?.layer.size ?? { server: 0, client: 0 };
        return server + client;
      },
      trunks: () => edge()?.liveState() ?? { targets: [], usage: [], registrations: [] },
      certificates: () => [
        { name: 'node', pem: certificates.cert() },
        ...(certificates.domains?.() ?? []).map(({ domain, certificate }) => ({
          name: domain,
          pem: certificate,
        })),
      ],
    };
  }
}
