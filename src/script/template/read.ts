/** From the text of a template to a checked {@link Template}, or to one error with all problems and their places. */

import * as v from 'valibot';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { MoonwireError, messageOf } from '../../errors.js';
import { completeTemplate } from './rules.js';
import { type Template, templateSchema } from './schema.js';

/** Longest file in characters. */
const MAX_CHARACTERS = 256 * 1024;
/** Most problems told at once. */
const MAX_PROBLEMS = 20;
/** Most values that may come from YAML aliases. */
const MAX_ALIASES = 100;

/**
 * Reads a template; `file` names it in errors. Throws MoonwireError `invalid_argument` with a line
 * `file:line:column points[3].register: what is wrong` for each problem.
 */
export function readTemplate(text: string, file: string): Template {
  const problems: { offset: number; line: string }[] = [];
  const lines = new LineCounter();
  const add = (offset: number, path: readonly (string | number)[], message: string): void => {
    const { line, col } = lines.linePos(offset);
    const subject = path.length > 0 ? `${formatPath(path)}: ` : '';
    problems.push({ offset, line: `${file}:${Math.max(1, line)}:${Math.max(1, col)} ${subject}${message}` });
  };
  const end = (): never => {
    const shown = problems.sort((a, b) => a.offset - b.offset).slice(0, MAX_PROBLEMS);
    const more = problems.length - shown.length;
    const text = shown.map(({ line }) => line).join('\n') + (more > 0 ? `\nand ${more} more` : '');
    throw new MoonwireError('invalid_argument', text, file);
  };

  if (text.length > MAX_CHARACTERS) {
    add(0, [], `is too large: at most ${MAX_CHARACTERS} characters`);
    return end();
  }
  let document: Document.Parsed;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
    for (const { message, pos } of document.errors) add(pos[0], [], `is not valid YAML: ${message}`);
    if (problems.length === 0) value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    add(0, [], `is not valid YAML: ${messageOf(error)}`);
    return end();
  }
  if (problems.length > 0) return end();
  const report = (path: readonly (string | number)[], message: string): void =>
    add(offsetOf(document, path), path, message);
  const checked = v.safeParse(templateSchema, value);
  if (!checked.success) {
    for (const { path, message } of checked.issues) {
      report(path?.map(({ key }) => key as string | number) ?? [], message);
    }
    return end();
  }
  const template = completeTemplate(checked.output, report);
  return problems.length > 0 ? end() : template;
}

/** Where a setting stands; for one that is not in the file, what it would be in. */
function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function formatPath(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  );
}
