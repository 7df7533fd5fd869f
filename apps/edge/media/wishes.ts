import { codecList } from '../objects/codec-settings.ts';
import type { Device, Trunk } from '../objects/types.ts';
import type { MediaWishes } from './keying.ts';

/** What is configured of the media of a device; an emergency call passes with whatever codecs it has. */
export const deviceWishes = (device: Device | undefined, emergency = false): MediaWishes =>
  device === undefined ? inEmergency(emergency) : wishesOf(device, emergency, device.codecs);

/** The same of a trunk. */
export const trunkWishes = (trunk: Trunk | undefined, emergency: boolean): MediaWishes =>
  trunk === undefined ? inEmergency(emergency) : wishesOf(trunk, emergency, codecList(trunk.codecs));

const inEmergency = (emergency: boolean): MediaWishes => (emergency ? { emergency } : {});

const wishesOf = (
  { keying, ice, zrtp, zrtpEnrol, pinned }: MediaWishes,
  emergency: boolean,
  codecs: readonly string[] | undefined,
): MediaWishes => ({
  ...(codecs === undefined || emergency ? {} : { codecs }),
  ...(zrtp === undefined ? {} : { zrtp }),
  ...(zrtpEnrol === true ? { zrtpEnrol } : {}),
  ...(pinned === undefined || emergency ? {} : { pinned }),
  ...inEmergency(emergency),
  ...(keying === undefined ? {} : { keying }),
  ...(ice === undefined ? {} : { ice }),
});
