/**
 * One edge for many flows: each flow is a tenant with addresses of its own, so that they run beside each other.
 *
 * The edge starts with the first flow and stays until the process ends.
 */
import { type Edge, type EdgeObjects, startEdge } from '../edge.ts';
import { sippVersion } from '../peers/sipp.ts';
import type { Case } from './case.ts';
import { freePort } from './ports.ts';
import { type Place, Scene } from './scene.ts';
import { Workspace } from './workspace.ts';

export type { Place } from './scene.ts';

/** Two or three parties, and a fourth where a flow has one. */
export type Places = {
  readonly a: Place;
  readonly b: Place;
  readonly c: Place;
  readonly d: Place;
  readonly domain: string;
};

export type Flow = {
  readonly name: string;
  readonly what: string;
  readonly objects: (at: Places) => EdgeObjects;
  readonly play: (scene: Scene, at: Places) => Promise<string>;
};

export type StageOptions = {
  readonly name: string;
  /** Added to the configuration of the edge that all flows share. */
  readonly settings: (workspace: Workspace, proxies: readonly string[]) => Readonly<Record<string, unknown>>;
  readonly flows: readonly Flow[];
};

/** A network of the loopback for this run, in which every party has an address. */
const net = 16 + Math.floor(Math.random() * 200);

async function placesOf(number: number, domain: string): Promise<Places> {
  const at = async (party: number): Promise<Place> => {
    const address = `127.${net}.${number}.${party}`;
    return { address, port: await freePort(address) };
  };
  return { a: await at(1), b: await at(2), c: await at(3), d: await at(4), domain };
}

/** The flows as cases that run beside each other. */
export function stage({ name, settings, flows }: StageOptions): Case[] {
  let running: Promise<{ edge: Edge; places: Map<Flow, Places> }> | undefined;
  const open = async () => {
    const workspace = new Workspace(name);
    process.once('exit', () => workspace.remove());
    const places = new Map<Flow, Places>();
    for (const [number, flow] of flows.entries())
      places.set(flow, await placesOf(number + 1, `${flow.name.toLowerCase()}.test`));
    const all = [...places].map(([flow, at]) => inDomain(flow.objects(at), at.domain));
    const objects = Object.fromEntries(
      (['domains', 'users', 'trunks', 'routes', 'pbx'] as const).map((key) => [
        key,
        all.flatMap((one) => one[key] ?? []),
      ]),
    ) as EdgeObjects;
    const edge = await startEdge({
      workspace,
      address: `127.${net}.0.1`,
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'none' },
        { name: 'tcp', transport: 'tcp', encryption: 'none' },
      ],
      objects,
      settings: settings(
        workspace,
        [...places.values()].map(({ d }) => `${d.address}/32`),
      ),
    });
    return { edge, places };
  };
  return flows.map((flow) => ({
    name: `sipp-${flow.name}`,
    peer: 'sipp',
    version: sippVersion,
    what: flow.what,
    beside: name,
    run: async (context) => {
      running ??= open();
      const { edge, places } = await running;
      const at = places.get(flow)!;
      const scene = new Scene(
        context,
        at.domain,
        { address: edge.address, port: edge.port('udp') },
        edge.log,
      );
      const evidence = await flow.play(scene, at);
      await scene.over();
      return evidence;
    },
  }));
}

function inDomain(objects: EdgeObjects, domain: string): EdgeObjects {
  return Object.fromEntries(
    Object.entries(objects).map(([key, list]) => [
      key,
      (list as readonly object[]).map((item) =>
        key === 'domains' ? { name: domain, ...item } : { domain, ...item },
      ),
    ]),
  );
}
