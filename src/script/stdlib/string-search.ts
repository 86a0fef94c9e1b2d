/** `string.find match gmatch gsub` of Lua 5.3 (manual §6.4) over our own pattern matcher. */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue, type Native } from '../executor.js';
import { numberToString } from '../numbers.js';
import { BoundedCache } from './bounded-cache.js';
import { Matcher, NO_MATCH } from './pattern.js';
import { compilePattern, isPlain, type Pattern } from './pattern-compiler.js';
import { chargeBytes, checkSize, fromStart, indexOf } from './strings.js';

/** The four functions, sharing one cache of compiled patterns. */
export function searchFunctions(): Record<'find' | 'match' | 'gmatch' | 'gsub', Native> {
  const patterns = new BoundedCache<Pattern>((source) => compilePattern(source, true));
  const iterated = new BoundedCache<Pattern>((source) => compilePattern(source, false));

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
    const pattern = patterns.get(ex, source);
    const matcher = new Matcher(ex, pattern, subject);
    let from = init - 1;
    let to = NO_MATCH;
    for (; from <= subject.length; from++) {
      if (!pattern.anchored) from = matcher.candidate(from);
      to = matcher.matchAt(from);
      if (to !== NO_MATCH || pattern.anchored) break;
    }
    matcher.settle();
    if (to === NO_MATCH) return undefined;
    return matcher.captures(find ? [from + 1, to] : [], from, to, !find);
  }

  return {
    find: (ex, args) => search(ex, new Arguments(ex, 'find', args), true),
    match: (ex, args) => search(ex, new Arguments(ex, 'match', args), false),

    gmatch(ex, values) {
      const args = new Arguments(ex, 'gmatch', values);
      const subject = args.string(1);
      const matcher = new Matcher(ex, iterated.get(ex, args.string(2)), subject);
      let next = 0;
      let lastEnd = NO_MATCH;
      return () => {
        for (let from = next; from <= subject.length; from++) {
          from = matcher.candidate(from);
          const to = matcher.matchAt(from);
          if (to === NO_MATCH || to === lastEnd) continue;
          matcher.settle();
          next = lastEnd = to;
          return matcher.captures([], from, to, true);
        }
        matcher.settle();
        next = subject.length + 1;
        return undefined;
      };
    },

    gsub(ex, values) {
      const args = new Arguments(ex, 'gsub', values);
      const subject = args.string(1);
      const pattern = patterns.get(ex, args.string(2));
      const replace = replacer(ex, args);
      const limit = args.integer(4, subject.length + 1);
      const matcher = new Matcher(ex, pattern, subject);
      const parts: string[] = [];
      let size = 0;
      let copied = 0;
      let count = 0;
      let lastEnd = NO_MATCH;
      for (let from = 0; count < limit && from <= subject.length; ) {
        if (!pattern.anchored) from = matcher.candidate(from);
        const to = matcher.matchAt(from);
        if (to !== NO_MATCH && to !== lastEnd) {
          count++;
          const replacement = replace(matcher, from, to);
          size += from - copied + replacement.length;
          checkSize(size);
          if (from > copied) parts.push(subject.slice(copied, from));
          parts.push(replacement);
          copied = from = lastEnd = to;
        } else {
          from++;
        }
        if (pattern.anchored) break;
      }
      matcher.settle();
      if (count === 0) return [subject, 0];
      checkSize(size + subject.length - copied);
      chargeBytes(ex, size + subject.length - copied);
      parts.push(subject.slice(copied));
      return [parts.join(''), count];
    },
  };
}

/** Makes the replacement of one match. */
type Replace = (matcher: Matcher, from: number, to: number) => string;

function replacer(ex: Executor, args: Arguments): Replace {
  const replacement = args.value(3);
  switch (ex.type(replacement)) {
    case 'string':
    case 'number':
      return templateReplacer(args.string(3));
    case 'table':
      return (matcher, from, to) =>
        chosen(ex, ex.index(replacement, matcher.capture(0, from, to)), matcher, from, to);
    case 'function':
      return (matcher, from, to) =>
        chosen(ex, ex.call(replacement, matcher.captures([], from, to, true))[0], matcher, from, to);
    default:
      return args.fail(3, 'string/function/table expected');
  }
}

/** What a table or function gave: false and nil keep the match as it is. */
function chosen(ex: Executor, value: LuaValue, matcher: Matcher, from: number, to: number): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberToString(value);
  if (isTrue(value)) throw new LuaError(`invalid replacement value (a ${ex.type(value)})`);
  return matcher.whole(from, to);
}

/** Stands for a "%" that escapes nothing; like all mistakes it is raised when it is reached. */
const MISTAKE = -1;

/** A replacement string: `%0`…`%9` are captures, `%%` is a percent sign. */
function templateReplacer(template: string): Replace {
  if (!template.includes('%')) return () => template;
  let parts: (string | number)[] | undefined;
  return (matcher, from, to) => {
    parts ??= parseTemplate(template);
    matcher.count(parts.length);
    let text = '';
    for (const part of parts) {
      if (typeof part === 'string') text += part;
      else if (part === MISTAKE) throw new LuaError("invalid use of '%' in replacement string");
      else if (part === 0) text += matcher.whole(from, to);
      else text += String(matcher.capture(part - 1, from, to));
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

function isTrue(value: LuaValue): boolean {
  return value !== undefined && value !== false;
}
