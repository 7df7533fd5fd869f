import { codecList } from '../objects/codec-settings.ts';
import type { Device, Trunk } from '../objects/types.ts';
import type { MediaWishes } from './keying.ts';

/** What is configured of the media of a device; an emergency call passes with whatever codecs it has. */
export const deviceWishes = (device: Device | undefined, emergency = false): MediaWishes =>
  device === undefined ? {} : wishesOf(device, emergency ? undefined : device.codecs);

/** The same of a trunk. */
export const trunkWishes = (trunk: Trunk | undefined, emergency: boolean): MediaWishes =>
  trunk === undefined ? {} : wishesOf(trunk, emergency ? undefined : codecList(trunk.codecs));

const wishesOf = ({ keying, ice }: MediaWishes, codecs: readonly string[] | undefined): MediaWishes => ({
  ...(codecs === undefined ? {} : { codecs }),
  ...(keying === undefined ? {} : { keying }),
  ...(ice === undefined ? {} : { ice }),
});
