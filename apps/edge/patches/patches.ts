import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { Configuration } from '../config/schema.ts';
import type { Objects } from '../objects/types.ts';
import { nodeOwner } from '../pbx/nodes.ts';
import { nodeTrunkName } from '../routing/directory.ts';
import { compile, type Seen, type Test } from './match.ts';
import { isBefore, type Product, readProducts } from './product.ts';
import type { Patch, PatchSet } from './schema.ts';

/** A system behind the edge whose holes are looked after: a node of a PBX, or a trunk. */
export interface Behind {
  /** As its health is told of: `pbx:node1@example.test`, `trunk:carrier@example.test`. */
  readonly owner: string;
  /** As the principal of its requests is named. */
  readonly trunk: string;
  readonly products: readonly Product[];
  /** An administrator has said so: what it says of itself changes nothing. */
  readonly fixed: boolean;
}

/** A patch that a request runs into, and for the sake of whom. */
export interface Hit {
  readonly patch: Patch;
  /** Undefined: the patch is on for everybody. */
  readonly product: Product | undefined;
}

interface Compiled {
  readonly patch: Patch;
  readonly tests: readonly Test[];
}

interface Active extends Compiled {
  readonly product: Product | undefined;
}

interface Tenant {
  readonly behind: Map<string, Behind>;
  /** By method; made when the first request asks. `*` stands for methods that no patch names. */
  active: ReadonlyMap<string, readonly Active[]> | undefined;
}

const none: readonly Active[] = [];

/**
 * Virtual patches: requests that would use a known hole of a system behind the edge go no further.
 *
 * Each domain has those for the products that are behind it, and the ones that harm nobody; a domain with nothing
 * behind it has none. Finding out costs a look at a few header fields, in one pass each.
 */
export class VirtualPatches {
  #compiled: readonly Compiled[] = [];
  #settings: Configuration['patches'];
  readonly #tenants = new Map<string, Tenant>();

  constructor(set: PatchSet | undefined, settings: Configuration['patches']) {
    this.#settings = settings;
    this.load(set, settings);
  }

  /** Takes another set, or other settings. */
  load(set: PatchSet | undefined, settings: Configuration['patches']): void {
    this.#settings = settings;
    this.#compiled = (set?.patches ?? []).map((patch) => ({ patch, tests: patch.when.map(compile) }));
    for (const tenant of this.#tenants.values()) tenant.active = undefined;
  }

  /** What is behind the edge from now on; what was seen of those that stay is kept. */
  retain({ pbx = [], trunks }: Objects): void {
    const before = new Map([...this.#tenants.values()].flatMap(({ behind }) => [...behind]));
    this.#tenants.clear();
    const add = (domain: string, owner: string, trunk: string, product: string | undefined): void => {
      const tenant = this.#tenants.get(domain) ?? { behind: new Map(), active: undefined };
      this.#tenants.set(domain, tenant);
      const last = before.get(owner);
      const products = product === undefined ? undefined : readProducts(product);
      tenant.behind.set(owner, {
        owner,
        trunk,
        products: products ?? (last?.fixed === false ? last.products : []),
        fixed: products !== undefined,
      });
    };
    for (const { domain, nodes, product } of pbx)
      for (const { name } of nodes) add(domain, nodeOwner(domain, name), nodeTrunkName(name), product);
    for (const { domain, name, product } of trunks) add(domain, `trunk:${name}@${domain}`, name, product);
  }

  /**
   * A system behind the edge has said what it is, by Server or User-Agent.
   *
   * @returns the patches that are on for its sake from now on; undefined where that is nothing new
   */
  heard(
    owner: string,
    header: string,
  ): { readonly product: Product; readonly patches: string[] } | undefined {
    const domain = owner.slice(owner.lastIndexOf('@') + 1);
    const tenant = this.#tenants.get(domain);
    const known = tenant?.behind.get(owner);
    if (tenant === undefined || known === undefined || known.fixed) return undefined;
    const products = readProducts(header);
    const [product] = products;
    if (product === undefined || same(products, known.products)) return undefined;
    tenant.behind.set(owner, { ...known, products });
    tenant.active = undefined;
    return { product, patches: this.#compiled.filter((one) => affects(one.patch, products)).map(idOf) };
  }

  /** The first patch of that domain that the request runs into. */
  judge(domain: string, bytes: Uint8Array, request: SipRequest): Hit | undefined {
    const tenant = this.#tenants.get(domain);
    if (tenant === undefined) return undefined;
    tenant.active ??= this.#activate(tenant);
    const { active } = tenant;
    const candidates = active.get(request.method) ?? active.get('*') ?? none;
    if (candidates.length === 0) return undefined;
    return first(candidates, { bytes, request });
  }

  /** The patch for octets that are no SIP request that could be read; only named, since they go nowhere anyway. */
  name(bytes: Uint8Array): string | undefined {
    if (!this.#settings.enabled) return undefined;
    const seen: Seen = { bytes, request: undefined };
    return this.#compiled.find(({ patch, tests }) => patch.harmless && tests.every((test) => test(seen)))
      ?.patch.id;
  }

  /** The sender is one of the systems that are protected: nobody has to be protected from it. */
  isBehind(domain: string, trunk: string): boolean {
    for (const one of this.#tenants.get(domain)?.behind.values() ?? [])
      if (one.trunk === trunk && one.products.length > 0) return true;
    return false;
  }

  /** Ids of the patches that are on in a domain. */
  activeIn(domain: string): string[] {
    const tenant = this.#tenants.get(domain);
    if (tenant === undefined) return [];
    tenant.active ??= this.#activate(tenant);
    return [...new Set([...tenant.active.values()].flat().map(idOf))].sort();
  }

  #activate({ behind }: Tenant): ReadonlyMap<string, readonly Active[]> {
    const { enabled, off, on } = this.#settings;
    if (!enabled) return new Map();
    const products = [...behind.values()].flatMap((one) => one.products);
    const active = this.#compiled.flatMap((one): Active[] => {
      const { id, harmless } = one.patch;
      if (off.includes(id)) return [];
      const product = affects(one.patch, products);
      return product !== undefined || harmless || on.includes(id) ? [{ ...one, product }] : [];
    });
    const always = active.filter(({ patch }) => patch.methods.includes('*'));
    const byMethod = new Map<string, readonly Active[]>([['*', always]]);
    for (const method of new Set(active.flatMap(({ patch }) => patch.methods)))
      byMethod.set(
        method,
        active.filter(({ patch }) => patch.methods.includes(method) || patch.methods.includes('*')),
      );
    return byMethod;
  }
}

const idOf = ({ patch }: { readonly patch: Patch }): string => patch.id;

function first(candidates: readonly Active[], seen: Seen): Hit | undefined {
  for (const { patch, tests, product } of candidates) {
    let hit = true;
    for (const test of tests) hit &&= test(seen);
    if (hit) return { patch, product };
  }
  return undefined;
}

/** The product among these that has the hole; one whose version is not known has only what every version has. */
function affects(patch: Patch, products: readonly Product[]): Product | undefined {
  return products.find(({ name, version }) =>
    patch.affected.some(
      ({ product, fixedIn }) =>
        product === name && (fixedIn === undefined || (version !== undefined && isBefore(version, fixedIn))),
    ),
  );
}

const same = (a: readonly Product[], b: readonly Product[]): boolean =>
  a.length === b.length &&
  a.every(({ name, version }, i) => b[i]?.name === name && b[i]?.version === version);
