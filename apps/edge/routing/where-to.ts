import { pbxRoute } from '../pbx/route.ts';
import type { Principal } from '../policy/types.ts';
import type { Registrar } from '../registrar/registrar.ts';
import type { DomainDirectory } from './directory.ts';
import { type Destination, type Dialled, findRoute, type RouteNote } from './find-route.ts';

/** Where a call goes: by the routes of its domain, or to the PBX that serves the domain. */
export const whereTo = (
  directory: DomainDirectory,
  principal: Principal,
  dialled: Dialled,
  registrar: Registrar,
  emergencyTrunk: string | undefined,
  now: number,
  note?: RouteNote,
): Destination =>
  directory.pbx === undefined
    ? findRoute(directory, principal, dialled, emergencyTrunk, note)
    : pbxRoute(directory, directory.pbx, principal, dialled, registrar, emergencyTrunk, now, note);
