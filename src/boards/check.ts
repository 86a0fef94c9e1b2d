/** What an examination of this machine finds. */

/** How serious a finding is: `problem` keeps something configured from working, `unknown` could not be seen. */
export type CheckState = 'ok' | 'warning' | 'problem' | 'unknown';

/** One thing that was looked at. */
export interface Check {
  /** What was looked at: board, port, enabled, permission, held, console, parity, rs485, clock, memory, disk, watchdog, profile. */
  readonly name: string;
  /** The link it concerns. */
  readonly link?: string;
  readonly state: CheckState;
  /** One sentence. */
  readonly text: string;
  /** What to type to mend it, line by line. */
  readonly type?: readonly string[];
}

/** What one look yields: how it is, one sentence, and what to type. */
export type Finding = readonly [state: CheckState, text: string, type?: readonly string[]];

/** A finding under the name of what was looked at. */
export function toCheck(name: string, [state, text, type]: Finding, link?: string): Check {
  return { name, ...(link !== undefined && { link }), state, text, ...(type && type.length > 0 && { type }) };
}
