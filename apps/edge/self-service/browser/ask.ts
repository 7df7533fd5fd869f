/** The server has said no; `problem` is its word for why. */
export class Problem extends Error {
  readonly problem: string;

  constructor(problem: string) {
    super(problem);
    this.problem = problem;
  }
}

/** Asks the server of the page. The cookie goes along by itself, and is nothing that a script could read. */
export async function ask<T = unknown>(
  operation: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/account/do/${operation}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(fields),
      credentials: 'same-origin',
      redirect: 'error',
    });
  } catch {
    throw new Problem('network');
  }
  const body = (await response.json().catch(() => ({}))) as { readonly problem?: string };
  if (!response.ok) throw new Problem(body.problem ?? 'edge');
  return body as T;
}

export interface Phone {
  readonly id: string;
  readonly device: string;
  readonly phone: string;
  readonly network: string | null;
  readonly since: number;
  readonly state: string;
  readonly why: string;
  readonly by: string;
  readonly here: boolean;
}

export interface Account {
  readonly signedIn: true;
  readonly account: string;
  readonly proof: string | null;
  readonly leave: string | null;
  readonly trusted: boolean;
  readonly phones: readonly Phone[];
  readonly registered: readonly {
    readonly device: string;
    readonly phone: string;
    readonly rings: boolean;
  }[];
  readonly factors: readonly {
    readonly id: string;
    readonly kind: string;
    readonly label: string;
    readonly since: number;
    readonly left: number | null;
  }[];
  readonly helpDesk: readonly string[];
  readonly canMail: boolean;
  readonly passkeys: boolean;
}

export type State = Account | { readonly signedIn: false };

export interface LinkFacts {
  readonly purpose: 'confirm' | 'enrol';
  readonly account: string;
  readonly device?: string;
  readonly network?: string;
  readonly phone?: string;
  readonly since?: number;
}
