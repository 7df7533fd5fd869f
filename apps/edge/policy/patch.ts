import type { Product } from '../patches/product.ts';
import type { Patch } from '../patches/schema.ts';
import type { Decision } from './types.ts';

/** A request that would use a known hole of a system behind the edge is refused, whoever sends it. */
export const decidePatch = (
  { id, version, title, cve, link }: Patch,
  product: Product | undefined,
): Decision => ({
  verdict: 'refuse',
  cause: 'policy',
  status: 403,
  reason: 'Forbidden',
  reasons: [
    {
      rule: `patch.${id}`,
      text: title,
      evidence: {
        cve: cve.join(', '),
        link,
        patch: `version ${version}`,
        product: product === undefined ? 'any' : `${product.name} ${product.version ?? ''}`.trim(),
      },
    },
  ],
});
