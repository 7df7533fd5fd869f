import type { Account, LinkFacts, Phone } from './ask.ts';
import { kindText, phoneName, problemText, whyText } from './words.ts';

const element = <T extends Element = HTMLElement>(id: string): T =>
  document.getElementById(id) as unknown as T;

/** All of it is text: nothing that a phone or a server says becomes markup. */
function made(tag: string, text: string, className = ''): HTMLElement {
  const one = document.createElement(tag);
  one.textContent = text;
  if (className !== '') one.className = className;
  return one;
}

function button(text: string, run: () => void, id = ''): HTMLButtonElement {
  const one = document.createElement('button');
  one.type = 'button';
  one.textContent = text;
  if (id !== '') one.id = id;
  one.addEventListener('click', run);
  return one;
}

export interface Doings {
  confirm(phone: Phone): void;
  mail(phone: Phone): void;
  remove(factor: string): void;
}

const when = (at: number): string =>
  new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** What is seen. */
export class View {
  readonly #doings: Doings;

  constructor(doings: Doings) {
    this.#doings = doings;
  }

  show(id: string, visible: boolean): void {
    element(id).hidden = !visible;
  }

  problem(problem: string): void {
    const text = problem === '' ? '' : problemText(problem);
    element('problem').textContent = text;
    this.show('problem', text !== '');
    if (text !== '') this.done('');
  }

  done(text: string): void {
    element('done').textContent = text;
    this.show('done', text !== '');
  }

  signedOut(): void {
    document.body.dataset.session = 'out';
    element('line').textContent = '';
    this.show('account', false);
    this.show('sign-in', true);
    for (const id of ['recovery-codes', 'totp-key', 'totp-picture']) element(id).replaceChildren();
    this.show('totp', false);
    this.show('recovery', false);
  }

  account(state: Account): void {
    document.body.dataset.session = state.proof === null ? 'in' : 'proven';
    element('line').textContent = state.account;
    this.show('sign-in', false);
    this.show('account', true);
    this.#phones(state);
    const { factors, proof, leave } = state;
    this.show('prove', factors.length > 0 && proof === null);
    const passkey = factors.some(({ kind }) => kind === 'passkey');
    this.show('passkey-use', passkey && state.passkeys);
    this.show('leave', factors.length === 0 && leave === null);
    this.show('mail-enrol', state.canMail);
    this.show('set-up', leave !== null);
    this.show('passkey-begin', state.passkeys);
    this.show('recovery-make', proof !== null);
    this.show('no-factor', factors.length === 0);
    element('factor-list').replaceChildren(
      ...factors.map(({ id, kind, label, since, left }) => {
        const row = document.createElement('li');
        const name = kind === 'passkey' ? `${kindText(kind)}: ${label}` : kindText(kind);
        row.append(made('strong', left === null ? name : `${name}: ${left} left`));
        row.append(made('span', `Set up ${when(since)}`, 'hint'));
        if (proof !== null) row.append(button('Remove', () => this.#doings.remove(id)));
        return row;
      }),
    );
  }

  #phones(state: Account): void {
    const waiting = state.phones.filter((phone) => phone.state === 'pending');
    const aside = state.phones.some((phone) => phone.state === 'quarantined');
    const help = state.helpDesk.length === 0 ? '' : ` Help desk: ${state.helpDesk.join(', ')}.`;
    element('standing').textContent =
      waiting.length > 0
        ? `${waiting.length === 1 ? 'One phone waits' : `${waiting.length} phones wait`} to be confirmed.${help}`
        : aside
          ? `Your account was put aside.${help}`
          : 'No phone of yours waits to be confirmed.';
    const rows = state.phones.map((phone) => this.#phone(phone, state));
    for (const { device, phone, rings } of state.registered) {
      const row = document.createElement('li');
      row.append(
        made('strong', phoneName(phone)),
        made('span', `Signed in as ${device}; it ${rings ? 'rings' : 'does not ring'}.`),
      );
      rows.push(row);
    }
    element('phones').replaceChildren(...rows);
  }

  #phone(phone: Phone, { proof, canMail }: Account): HTMLLIElement {
    const row = document.createElement('li');
    row.dataset.state = phone.state;
    const place =
      phone.network === null
        ? 'in another network than this page'
        : phone.network === ''
          ? 'everywhere'
          : `in the network ${phone.network}${phone.here ? ', as this page is' : ''}`;
    row.append(
      made('strong', phone.state === 'quarantined' ? 'Your account' : phoneName(phone.phone)),
      made(
        'span',
        `${phone.device === '' ? 'All phones' : phone.device}, ${place}, since ${when(phone.since)}`,
      ),
      made('span', whyText(phone.state, phone.why, phone.by), 'state'),
    );
    if (phone.state !== 'pending') return row;
    if (proof !== null) {
      const confirm = button('This is my phone: confirm it', () => this.#doings.confirm(phone));
      confirm.className = 'main confirm';
      row.append(confirm);
    } else if (canMail) row.append(button('Send a link to my mailbox', () => this.#doings.mail(phone)));
    return row;
  }

  link({ purpose, account, device, network, phone, since }: LinkFacts): void {
    const facts: [string, string][] = [['Account', account]];
    if (purpose === 'confirm')
      facts.push(
        ['Phone', phone ?? ''],
        ['Signed in as', device ?? ''],
        ['Network', network ?? ''],
        ['Since', when(since ?? 0)],
      );
    element('link-title').textContent =
      purpose === 'confirm' ? 'Is this your phone?' : 'Set up how phones are confirmed';
    element('link-hint').textContent =
      purpose === 'confirm'
        ? 'If you do not know it, press No, and tell your administrator: somebody else has the password of your phone.'
        : 'Sign in first. If you did not ask for this, close the page, and tell your administrator.';
    element('link-use').textContent = purpose === 'confirm' ? 'Yes, confirm it' : 'Go on';
    element('link-facts').replaceChildren(
      ...facts.flatMap(([name, value]) => [made('dt', name), made('dd', value)]),
    );
    this.show('link', true);
  }

  totp(key: string, { size, path }: { readonly size: number; readonly path: string }): void {
    const picture = element<SVGSVGElement>('totp-picture');
    picture.setAttribute('viewBox', `0 0 ${size} ${size}`);
    const squares = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    squares.setAttribute('d', path);
    picture.replaceChildren(squares);
    element('totp-key').textContent = (key.match(/.{1,4}/g) ?? []).join(' ');
    this.show('totp', true);
    element<HTMLInputElement>('totp-code').focus();
  }

  codes(codes: readonly string[]): void {
    element('recovery-codes').replaceChildren(...codes.map((code) => made('li', code)));
    this.show('recovery', true);
  }

  /** Text of a field, which is emptied. */
  take(id: string): string {
    const field = element<HTMLInputElement>(id);
    const { value } = field;
    field.value = '';
    return value.trim();
  }

  on(id: string, type: 'click' | 'submit', run: () => void): void {
    element(id).addEventListener(type, (event) => {
      event.preventDefault();
      run();
    });
  }
}
