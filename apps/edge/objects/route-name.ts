import type { RouteObject } from './schema.ts';

/** Routes may go without a name; then what they match names them, so that applying a file twice changes nothing. */
export const routeName = (route: RouteObject): string =>
  route.name ?? generatedRouteName(route.from ?? 'users', route.match);

export const generatedRouteName = (from: string, match: string): string => `${from}:${match}`;
