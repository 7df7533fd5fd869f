/** The compiler that the install would use. */
export function findCompiler(): string | undefined;
export function findHeaders(): string | undefined;
/** `problem` tells the administrator what is missing; absent when `target` is good. */
export function build(
  target: string,
  options?: { readonly sanitize?: string },
): Promise<{ readonly built: boolean; readonly problem?: string }>;
