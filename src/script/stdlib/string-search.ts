/** `string.find match gmatch gsub` of Lua 5.3 (manual §6.4) over our own pattern matcher. */

import { Arguments } from '../arguments.js';
import { type Executor, isTrue, LuaError, type LuaValue, type Native } from '../executor.js';
import { numberToString } from '../numbers.js';
import { BoundedCache } from './bounded-cache.js';
import { Matcher } from './pattern.js';
import { compilePattern, isPlain, type Pattern, type Search } from './pattern-compiler.js';
import { chargeBytes, checkSize, fromStart, indexOf } from './strings.js';

/** A pattern that is used so often is worth a function of its own. */
const OFTEN = 16;

/** Makes functions of patterns. */
export type GenerateSearch = (pattern: Pattern) => Search | undefined;

/** The four functions, sharing caches of compiled patterns. `generate` is given by executors that generate code. */
export function searchFunctions(
  generate?: GenerateSearch,
): Record<'find' | 'match' | 'gmatch' | 'gsub', Native> {
  const cache = (anchorable: boolean) => {
    const compiled = new BoundedCache<Pattern>((source) => compilePattern(source, anchorable));
    return (ex: Executor, source: string): Pattern => {
      const pattern = compiled.get(ex, source);
      if (generate !== undefined && ++pattern.uses === OFTEN) pattern.search = generate(pattern);
      return pattern;
    };
  };
  const patternOf = cache(true);
  const iteratedOf = cache(false);

  /** Shared by `find` and `match`: nil when there is no match. */
  function search(ex: Executor, args: Arguments, find: boolean): LuaValue | LuaValue[] {
    const subject = args.string(1);
    const source = args.string(2);
    const init = Math.max(fromStart(args.integer(3, 1), subject.length), 1);
    if (init > subject.length + 1) return undefined;
    if (find && (isTrue(args.value(4)) || isPlain(source))) {
      const found = indexOf(ex, subject, source, init - 1);
      return found < 0 ? undefined : [found + 1, found + source.length];
    }
    const matcher = new Matcher(ex, patternOf(ex, source), subject);
    if (!matcher.find(init - 1)) return undefined;
    return find ? matcher.append([matcher.start + 1, matcher.end]) : matcher.captures();
  }

  return {
    find: (ex, args) => search(ex, new Arguments(ex, 'find', args), true),
    match: (ex, args) => search(ex, new Arguments(ex, 'match', args), false),

    gmatch(ex, values) {
      const args = new Arguments(ex, 'gmatch', values);
      const subject = args.string(1);
      const matcher = new Matcher(ex, iteratedOf(ex, args.string(2)), subject);
      let next = 0;
      let lastEnd = -1;
      return () => {
        while (matcher.find(next)) {
          const { end } = matcher;
          next = end === lastEnd ? matcher.start + 1 : end;
          if (end === lastEnd) continue;
          lastEnd = end;
          return matcher.captures();
        }
        next = subject.length + 1;
        return undefined;
      };
    },

    gsub(ex, values) {
      const args = new Arguments(ex, 'gsub', values);
      const subject = args.string(1);
      const pattern = patternOf(ex, args.string(2));
      const replace = replacer(ex, args);
      const limit = args.integer(4, subject.length + 1);
      const matcher = new Matcher(ex, pattern, subject);
      const parts: string[] = [];
      let size = 0;
      let copied = 0;
      let count = 0;
      let lastEnd = -1;
      for (let from = 0; count < limit && matcher.find(from); ) {
        const { start, end } = matcher;
        if (end === lastEnd) from = start + 1;
        else {
          count++;
          const replacement = replace(matcher);
          size += start - copied + replacement.length;
          checkSize(size);
          if (start > copied) parts.push(subject.slice(copied, start));
          parts.push(replacement);
          copied = from = lastEnd = end;
        }
        if (pattern.anchored) break;
      }
      if (count === 0) return [subject, 0];
      checkSize(size + subject.length - copied);
      chargeBytes(ex, size + subject.length - copied);
      parts.push(subject.slice(copied));
      return [parts.join(''), count];
    },
  };
}

/** Makes the replacement of one match. */
type Replace = (matcher: Matcher) => string;

function replacer(ex: Executor, args: Arguments): Replace {
  const replacement = args.value(3);
  switch (ex.type(replacement)) {
    case 'string':
    case 'number':
      return templateReplacer(args.string(3));
    case 'table':
      return (matcher) => chosen(ex, ex.index(replacement, matcher.capture(0)), matcher);
    case 'function':
      return (matcher) => {
        const captures = matcher.captures();
        const args = Array.isArray(captures) ? captures : [captures];
        return chosen(ex, ex.call(replacement, args)[0], matcher);
      };
    default:
      return args.fail(3, 'string/function/table expected');
  }
}

/** What a table or function gave: false and nil keep the match as it is. */
function chosen(ex: Executor, value: LuaValue, matcher: Matcher): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberToString(value);
  if (isTrue(value)) throw new LuaError(`invalid replacement value (a ${ex.type(value)})`);
  return matcher.whole();
}

/** Stands for a "%" that escapes nothing; like all mistakes it is raised when it is reached. */
const MISTAKE = -1;

/** A replacement string: `%0`…`%9` are captures, `%%` is a percent sign. */
function templateReplacer(template: string): Replace {
  if (!template.includes('%')) return () => template;
  let parts: (string | number)[] | undefined;
  return (matcher) => {
    parts ??= parseTemplate(template);
    matcher.count(parts.length);
    let text = '';
    for (const part of parts) {
      if (typeof part === 'string') text += part;
      else if (part === MISTAKE) throw new LuaError("invalid use of '%' in replacement string");
      else if (part === 0) text += matcher.whole();
      else text += String(matcher.capture(part - 1));
      checkSize(text.length);
    }
    return text;
  };
}

function parseTemplate(template: string): (string | number)[] {
  const parts: (string | number)[] = [];
  let at = 0;
  for (;;) {
    const percent = template.indexOf('%', at);
    if (percent < 0) break;
    const next = template[percent + 1] ?? '';
    parts.push(template.slice(at, percent));
    if (next >= '0' && next <= '9') parts.push(Number(next));
    else if (next === '%') parts.push('%');
    else return [...parts, MISTAKE];
    at = percent + 2;
  }
  parts.push(template.slice(at));
  return parts;
}
