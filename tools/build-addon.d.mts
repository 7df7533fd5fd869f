export interface Addon {
  /** What it is called towards an administrator. */
  readonly what: string;
  readonly package: string;
  /** Folder of the sources. */
  readonly sources: string;
}

/** The compiler that the install would use. */
export function findCompiler(): string | undefined;
export function findHeaders(): string | undefined;
/** `problem` tells the administrator what is missing; absent when `target` is good. */
export function buildAddon(
  addon: Addon,
  target: string,
  options?: { readonly sanitize?: string },
): Promise<{ readonly built: boolean; readonly problem?: string }>;
export function install(addon: Addon, folder: string, file: string): Promise<void>;
