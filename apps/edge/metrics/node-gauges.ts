import { X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Gauge, type Registry } from 'prom-client';
import type { LiveState } from '../trunks/live-state.ts';

/** What of the node is looked up when somebody asks for metrics. */
export interface NodeLook {
  readonly version: string;
  now(): number;
  calls(): number;
  legs(): number;
  registrations(): number;
  transactions(): number;
  isMediaUp(): boolean;
  trunks(): Omit<LiveState, 'pid' | 'at'>;
  /** PEM by name: that of the node, and those of tenants. */
  certificates(): readonly { readonly name: string; readonly pem: string }[];
}

const startedAt = Date.now() / 1000 - process.uptime();

/** Names of processes are those that every Prometheus library has. */
export class NodeGauges {
  readonly #look: NodeLook;
  readonly #calls: Gauge;
  readonly #legs: Gauge;
  readonly #bindings: Gauge;
  readonly #transactions: Gauge;
  readonly #media: Gauge;
  readonly #target: Gauge<'owner' | 'target'>;
  readonly #registered: Gauge<'trunk'>;
  readonly #usage: Gauge<'limit' | 'kind'>;
  readonly #expiry: Gauge<'certificate'>;
  readonly #cpu: Gauge;
  readonly #memory: Gauge;
  readonly #descriptors: Gauge;
  readonly #busy: Gauge;
  #utilization = performance.eventLoopUtilization();

  constructor(look: NodeLook, registry: Registry) {
    this.#look = look;
    const registers = [registry];
    new Gauge({ name: 'ringfence_build_info', help: 'Always 1', labelNames: ['version'], registers }).set(
      { version: look.version },
      1,
    );
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    this.#calls = gauge('ringfence_calls', 'Calls that are up or being set up');
    this.#legs = gauge('ringfence_legs', 'Their dialogs');
    this.#bindings = gauge('ringfence_registered_contacts', 'Contacts of registered phones');
    this.#transactions = gauge('ringfence_transactions', 'SIP transactions that have not ended');
    this.#media = gauge('ringfence_media_up', '1 where the media engine answers');
    this.#target = new Gauge({
      name: 'ringfence_target_up',
      help: 'Targets of trunks and nodes of PBXs: 1 in use, 0 in quarantine',
      labelNames: ['owner', 'target'],
      registers,
    });
    this.#registered = new Gauge({
      name: 'ringfence_trunk_registered',
      help: 'Trunks that we register with: 1 where the provider has us',
      labelNames: ['trunk'],
      registers,
    });
    this.#usage = new Gauge({
      name: 'ringfence_limit_usage',
      help: 'Calls that count against a limit, and that wait for it',
      labelNames: ['limit', 'kind'],
      registers,
    });
    this.#expiry = new Gauge({
      name: 'ringfence_tls_cert_expiry_timestamp_seconds',
      help: 'When a certificate runs out, Unix seconds',
      labelNames: ['certificate'],
      registers,
    });
    this.#cpu = gauge('process_cpu_seconds_total', 'Processor time of the edge process');
    this.#memory = gauge('process_resident_memory_bytes', 'Resident memory of the edge process');
    this.#descriptors = gauge('process_open_fds', 'Open descriptors of the edge process');
    this.#busy = gauge(
      'ringfence_signalling_utilization_ratio',
      'How much of the time since the last look signalling was busy, 0 to 1',
    );
    gauge('process_start_time_seconds', 'Start of the edge process, Unix seconds').set(startedAt);
  }

  look(): void {
    const look = this.#look;
    this.#calls.set(look.calls());
    this.#legs.set(look.legs());
    this.#bindings.set(look.registrations());
    this.#transactions.set(look.transactions());
    this.#media.set(look.isMediaUp() ? 1 : 0);
    this.#trunks();
    this.#expiry.reset();
    for (const { name, pem } of look.certificates())
      this.#expiry.set({ certificate: name }, Date.parse(new X509Certificate(pem).validTo) / 1000);
    const { user, system } = process.cpuUsage();
    this.#cpu.set((user + system) / 1e6);
    this.#memory.set(process.memoryUsage.rss());
    const descriptors = openDescriptors();
    if (descriptors !== undefined) this.#descriptors.set(descriptors);
    const now = performance.eventLoopUtilization();
    this.#busy.set(performance.eventLoopUtilization(now, this.#utilization).utilization);
    this.#utilization = now;
  }

  #trunks(): void {
    const { targets, usage, registrations } = this.#look.trunks();
    this.#target.reset();
    for (const { owner, target, state } of targets)
      this.#target.set({ owner, target }, state === 'quarantined' ? 0 : 1);
    this.#usage.reset();
    for (const { key, calls, waiting } of usage) {
      this.#usage.set({ limit: key, kind: 'calls' }, calls);
      this.#usage.set({ limit: key, kind: 'waiting' }, waiting);
    }
    this.#registered.reset();
    for (const { owner, state } of registrations)
      this.#registered.set({ trunk: owner }, state === 'registered' ? 1 : 0);
  }
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
