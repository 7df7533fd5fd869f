import type { Addon } from '../../tools/build-addon.mjs';

export const addon: Addon;
