import { type Static, Type } from '@sinclair/typebox';
import { HeaderFields, Methods } from '../config/hygiene.ts';
import { IceUse, Keying } from '../config/schema.ts';
import { ZrtpEnrol, ZrtpPolicy } from '../config/zrtp.ts';
import { Remote } from './account-settings.ts';
import { Codecs } from './codec-settings.ts';
import { Pinned } from './pin-settings.ts';

/** Keys of a device that are stored together as one document. */
export const deviceSettings = {
  codecs: Type.Optional(Codecs),
  keying: Type.Optional(Keying),
  ice: Type.Optional(IceUse),
  zrtp: Type.Optional(ZrtpPolicy),
  zrtpEnrol: Type.Optional(ZrtpEnrol),
  pinned: Type.Optional(Pinned),
  remote: Type.Optional(Remote),
  methods: Type.Optional(Methods),
  headers: Type.Optional(HeaderFields),
};

const DeviceSettings = Type.Object(deviceSettings, { additionalProperties: false });
export type DeviceSettings = Static<typeof DeviceSettings>;

const keys = Object.keys(deviceSettings) as (keyof DeviceSettings)[];

/** The settings alone, of whatever has them; absent ones stay absent. */
export const deviceSettingsOf = (from: DeviceSettings): DeviceSettings =>
  Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])));
