import { type Account, ask, type LinkFacts, Problem, type State } from './ask.ts';
import { View } from './view.ts';

/** What `@simplewebauthn/browser` puts on the page. */
declare const SimpleWebAuthnBrowser: {
  startRegistration(options: { readonly optionsJSON: unknown }): Promise<unknown>;
  startAuthentication(options: { readonly optionsJSON: unknown }): Promise<unknown>;
};

/** Joins what the person does, the server, and what is seen. One thing at a time. */
const view = new View({
  confirm: ({ id }) =>
    act(async () => {
      await ask('confirm', { id });
      view.done('Confirmed. The phone can call and rings from now on.');
    }),
  mail: ({ id }) =>
    act(async () => {
      await ask('mail-phone', { id });
      view.done('A link is on its way to your mailbox.');
    }),
  remove: (id) =>
    act(async () => {
      await ask('remove', { id });
      view.done('Removed.');
    }),
});
let busy = false;
/** Of a link that brought the person here; behind the #, it was sent to no server. */
let token = new URLSearchParams(location.hash.slice(1)).get('link') ?? '';
let link: LinkFacts | undefined;
if (token !== '') history.replaceState(null, '', location.pathname);

function act(step: () => Promise<void>): void {
  if (busy) return;
  busy = true;
  view.problem('');
  void step()
    .catch((error: unknown) => {
      view.problem(error instanceof Problem ? error.problem : nameOf(error));
    })
    .then(refresh)
    .finally(() => {
      busy = false;
    });
}

/** Browsers refuse a passkey with an error of their own; what it says is for programmers. */
const nameOf = (error: unknown): string =>
  error instanceof Error &&
  ['NotAllowedError', 'InvalidStateError', 'SecurityError', 'AbortError'].includes(error.name)
    ? 'passkey'
    : 'edge';

async function refresh(): Promise<void> {
  try {
    const state = await ask<State>('state');
    if (state.signedIn) view.account(state satisfies Account);
    else view.signedOut();
  } catch (error) {
    view.signedOut();
    view.problem(error instanceof Problem ? error.problem : 'edge');
  }
}

view.on('sign-in', 'submit', () =>
  act(async () => {
    await ask('sign-in', { name: view.take('name'), password: takePassword() });
  }),
);

function takePassword(): string {
  const field = document.getElementById('password') as HTMLInputElement;
  const { value } = field;
  field.value = '';
  return value;
}

view.on('sign-out', 'click', () =>
  act(async () => {
    await ask('sign-out');
  }),
);
view.on('code-form', 'submit', () =>
  act(async () => {
    await ask('code', { code: view.take('code') });
  }),
);
view.on('invite-form', 'submit', () =>
  act(async () => {
    await ask('invite', { code: view.take('invite') });
    view.done('You can set up how you confirm phones now.');
  }),
);
view.on('mail-enrol', 'click', () =>
  act(async () => {
    await ask('mail-enrol');
    view.done('A link is on its way to your mailbox.');
  }),
);
view.on('totp-begin', 'click', () =>
  act(async () => {
    const { key, picture } = await ask<{ key: string; picture: { size: number; path: string } }>(
      'totp-begin',
    );
    view.totp(key, picture);
  }),
);
view.on('totp', 'submit', () =>
  act(async () => {
    await ask('totp-keep', { code: view.take('totp-code') });
    view.show('totp', false);
    view.done('The authenticator app is set up. Make recovery codes too, for the day when it is lost.');
  }),
);
view.on('passkey-begin', 'click', () =>
  act(async () => {
    const { options } = await ask<{ options: unknown }>('passkey-begin');
    const response = await SimpleWebAuthnBrowser.startRegistration({ optionsJSON: options });
    await ask('passkey-keep', { response, label: navigator.platform });
    view.done('The passkey is set up.');
  }),
);
view.on('passkey-use', 'click', () =>
  act(async () => {
    const { options } = await ask<{ options: unknown }>('passkey-ask');
    const response = await SimpleWebAuthnBrowser.startAuthentication({ optionsJSON: options });
    await ask('passkey-use', { response });
  }),
);
view.on('recovery-make', 'click', () =>
  act(async () => {
    const { codes } = await ask<{ codes: string[] }>('recovery-make');
    view.codes(codes);
  }),
);
view.on('link-use', 'click', () =>
  act(async () => {
    await ask('link-use', { token });
    view.done(
      link?.purpose === 'confirm'
        ? 'Confirmed. The phone can call and rings from now on.'
        : 'You can set up how you confirm phones now.',
    );
    token = '';
    view.show('link', false);
  }),
);
view.on('link-no', 'click', () => {
  token = '';
  view.show('link', false);
  view.done('Nothing was changed. If somebody else has your password, tell your administrator.');
});

act(async () => {
  if (token === '') return;
  // Looking changes nothing: only the button does.
  link = await ask<LinkFacts>('link-look', { token });
  view.link(link);
});
