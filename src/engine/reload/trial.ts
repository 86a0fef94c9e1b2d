/**
 * What new code does to the world outside while it is tried aside, in its main chunk, `init` and `on_reload`: it is held
 * back, done in its order once that code takes over, and never when it is refused.
 */

import { messageOf } from '../../errors.js';
import type { Logger } from '../../log.js';
import { type ApiFunction, Failure } from '../../script/api.js';

/** Calls that are held back, and what each returns meanwhile, as if it were done. */
const RETURNS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['mix.report', true],
  ['mix.queue.push', 1],
  ['mix.store.set', true],
  ['mix.mesh.send', undefined],
  ['mix.mesh.publish', [0, 0]],
]);
/** Most calls that are held back. */
const MAX_HELD = 1000;

/** Whose calls are held back while there is a trial. */
interface OnTrial {
  readonly program: { readonly trial: Trial | undefined };
}

export class Trial {
  private held: { readonly name: string; run(): unknown }[] = [];
  /** What `mix.store` has for this code alone. */
  private readonly values = new Map<string, unknown>();

  /** Does what was held back. What of it fails is logged. */
  end(log: Logger): void {
    const { held } = this;
    this.held = [];
    for (const { name, run } of held) {
      const failed = (reason: string): void => log.error(`${name} of new code failed`, { reason });
      const told = (result: unknown): void => {
        if (result instanceof Failure) failed(result.message);
      };
      try {
        const result = run();
        if (result instanceof Promise) result.then(told, (error) => failed(messageOf(error)));
        else told(result);
      } catch (error) {
        failed(messageOf(error));
      }
    }
  }

  hold(name: string, args: readonly unknown[], run: () => unknown): unknown {
    if (this.held.length >= MAX_HELD)
      return new Failure(`queue_full: ${MAX_HELD} calls wait for this code to take over`);
    this.held.push({ name, run });
    if (name === 'mix.store.set') this.values.set(args[0] as string, args[1]);
    return RETURNS.get(name);
  }

  /** What `mix.store.get` returns, if this code has set it. */
  kept(key: string): { readonly value: unknown } | undefined {
    return this.values.has(key) ? { value: this.values.get(key) } : undefined;
  }
}

/** The same functions, but for what they do while their program is on trial. */
export function heldBack<Host extends OnTrial>(
  entries: readonly ApiFunction<Host>[],
): readonly ApiFunction<Host>[] {
  return entries.map((entry) => {
    const { name } = entry;
    if (name === 'mix.store.get')
      return {
        ...entry,
        run: (host, key: string) => {
          const own = host.program.trial?.kept(key);
          return own ? own.value : entry.run(host, key);
        },
      };
    if (!RETURNS.has(name)) return entry;
    return {
      ...entry,
      run: (host, ...args) => {
        const { trial } = host.program;
        return trial ? trial.hold(name, args, () => entry.run(host, ...args)) : entry.run(host, ...args);
      },
    };
  });
}
