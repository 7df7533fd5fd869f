import { type FraudRule, fraudRules, type Mode, modes } from '@ringfence/fraud/rules.ts';
import { boolean, oneOf, optional, readArguments, text } from '../../control/arguments.ts';
import { CommandRefused } from '../../control/command-refused.ts';
import type { ControlServer } from '../../control/server.ts';
import type { EventBus } from '../../events/bus.ts';
import type { Behaviour, Judged } from './behaviour.ts';

export interface BehaviourControl {
  readonly control: ControlServer;
  readonly behaviour: Behaviour;
  readonly bus: EventBus;
  /** Share of yesterday's calls that a rule may have stopped. */
  mostTouched(): number;
  hasDomain(domain: string): boolean;
  now(): number;
}

/** A rule as it stands for a tenant. */
export interface RuleState {
  readonly rule: FraudRule;
  readonly mode: Mode;
  readonly weight: number;
  /** Of yesterday's calls (today's where there were none) those that it would have stopped; only of rules in `watch`. */
  readonly calls?: number;
  readonly wouldStop?: number;
}

export interface FraudRulesAnswer {
  readonly domain: string;
  readonly name: string;
  readonly version: number;
  readonly bits: { readonly watch: number; readonly challenge: number; readonly block: number };
  readonly rules: readonly RuleState[];
}

const stops = (mode: Mode): boolean => modes.indexOf(mode) >= modes.indexOf('challenge');

/** Commands about rules that judge the behaviour of accounts. */
export function handleBehaviour({
  control,
  behaviour,
  bus,
  mostTouched,
  hasDomain,
  now,
}: BehaviourControl): void {
  const known = (domain: string): string => {
    const name = domain.toLowerCase();
    if (!hasDomain(name)) throw new CommandRefused('no-such-domain', `There is no tenant ${name}.`);
    return name;
  };
  control.handle(
    'fraud rules',
    (args): FraudRulesAnswer => {
      const given = readArguments({ domain: text() }, args);
      const domain = known(given.domain);
      const set = behaviour.rulesOf(domain);
      return {
        domain,
        name: set.name,
        version: set.version,
        bits: set.bits,
        rules: fraudRules.map((rule) => {
          const { mode, weight } = set.rules[rule];
          const share = mode === 'watch' ? behaviour.touched.share(domain, rule, now()) : undefined;
          return {
            rule,
            mode,
            weight,
            ...(share === undefined ? {} : { calls: share.calls, wouldStop: share.stopped }),
          };
        }),
      };
    },
    { reads: true },
  );
  control.handle('fraud mode', (args, by) => {
    const given = readArguments(
      { domain: text(), rule: oneOf(...fraudRules), mode: oneOf(...modes), force: optional(boolean) },
      args,
    );
    const { rule, mode, force = false } = given;
    const domain = known(given.domain);
    const before = behaviour.rulesOf(domain).rules[rule].mode;
    const share = behaviour.touched.share(domain, rule, now());
    if (stops(mode) && before === 'watch' && !force) {
      if (share === undefined)
        throw new CommandRefused(
          'nothing-known',
          `No call of ${domain} has been judged yet, so nobody knows whom ${rule} would stop. Wait a day, try it with \`ringfence replay\`, or add --force, which the ledger keeps.`,
        );
      if (share.stopped / share.calls > mostTouched())
        throw new CommandRefused(
          'touches-too-many',
          `${rule} would have stopped ${share.stopped} of ${share.calls} calls of ${domain} that went out, more than ${(mostTouched() * 100).toFixed(2)} %. Add --force to do it all the same; the ledger keeps that.`,
        );
    }
    behaviour.setMode(domain, rule, mode);
    bus.emit({
      type: 'fraud.rule-changed',
      domain,
      rule,
      from: before,
      to: mode,
      forced: force,
      calls: share?.calls ?? 0,
      wouldStop: share?.stopped ?? 0,
      by: by === '' ? 'administrator' : by,
    });
    return { domain, rule, from: before, to: mode };
  });
  control.handle(
    'fraud why',
    (args): readonly Judged[] => behaviour.why(readArguments({ what: text() }, args).what),
    { reads: true },
  );
}
