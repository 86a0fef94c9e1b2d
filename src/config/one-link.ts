/** A link that comes from elsewhere than the configuration file, by the rules of that file. */

import * as v from 'valibot';
import { MoonwireError } from '../errors.js';
import type { Bases } from './files.js';
import { formatPath, type Report, type Step } from './problems.js';
import { checkRules, resolveFiles } from './rules.js';
import { configSchema, type LinkConfig } from './schema.js';

/** Most problems that are told. */
const MAX_PROBLEMS = 10;

/**
 * Checks a link as it would be written in `engine.links`, defaults filled in and files found in `bases`. Throws
 * MoonwireError `invalid_argument` that tells all problems; its `where` is the path to the first of them, such as
 * `tcp.port`. Variables of the environment are not replaced.
 */
export function readLink(written: unknown, bases: Bases): LinkConfig {
  const whole = { engine: { name: 'engine', links: [written] } };
  const problems: { path: string; message: string }[] = [];
  const report: Report = (steps, message) => {
    problems.push({ path: formatPath(steps.slice(3)), message });
  };
  const result = v.safeParse(configSchema, whole);
  for (const issue of result.issues ?? []) {
    const steps = issue.path?.map((item) => item.key as Step) ?? [];
    report(steps, issue.message);
  }
  const subject = { written: whole, read: result.output };
  checkRules(subject, report);
  resolveFiles(subject, bases, report);
  const [first] = problems;
  if (result.success && !first) return result.output.engine.links[0]!;
  const told = problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => `${path || 'the link'} ${message}`);
  throw new MoonwireError('invalid_argument', told.join('; '), first?.path || undefined);
}
