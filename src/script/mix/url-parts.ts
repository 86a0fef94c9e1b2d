/** The parts of a URL as Go's `net/url` names and splits them. Strings in here are one-byte strings. */

import { MoonwireError } from '../../errors.js';

/** The parts; absent ones are empty. */
export interface UrlParts {
  /** Lower case, without the colon. */
  scheme: string;
  /** What follows the scheme when no slash does: `mailto:x` has `x`. */
  opaque: string;
  /** `name` or `name:password`, as written. */
  user: string;
  /** With the port, as `example.com:8080`. */
  host: string;
  /** Decoded. */
  path: string;
  /** The path as written, when encoding `path` would give something else. */
  raw_path: string;
  /** The URL ends with a "?" and nothing behind it. */
  force_query: boolean;
  raw_query: string;
  /** Decoded. */
  fragment: string;
  raw_fragment: string;
}

/** @throws MoonwireError `invalid_argument` saying what is wrong. */
export function splitUrl(url: string): UrlParts {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be refused.
  if (/[\x00-\x1f\x7f]/.test(url)) throw invalid('control character in URL');
  const [beforeFragment, rawFragment] = cut(url, '#');
  const [scheme, afterScheme] = splitScheme(beforeFragment);
  const forceQuery = afterScheme.endsWith('?') && afterScheme.indexOf('?') === afterScheme.length - 1;
  const [hierarchy, rawQuery] = cut(afterScheme, '?');
  const fragment = percentDecode(rawFragment);
  const parts: UrlParts = {
    scheme,
    opaque: '',
    user: '',
    host: '',
    path: '',
    raw_path: '',
    force_query: forceQuery,
    raw_query: rawQuery,
    fragment,
    raw_fragment: percentEncode(fragment, FRAGMENT_PLAIN) === rawFragment ? '' : rawFragment,
  };
  if (!hierarchy.startsWith('/')) {
    if (scheme !== '') return { ...parts, opaque: hierarchy };
    if (cut(hierarchy, '/')[0].includes(':')) throw invalid('first path segment in URL cannot contain colon');
  }
  let path = hierarchy;
  if (hierarchy.startsWith('//') && (scheme !== '' || !hierarchy.startsWith('///'))) {
    const slash = hierarchy.indexOf('/', 2);
    const authority = hierarchy.slice(2, slash < 0 ? undefined : slash);
    path = slash < 0 ? '' : hierarchy.slice(slash);
    Object.assign(parts, splitAuthority(authority));
  }
  parts.path = percentDecode(path);
  parts.raw_path = percentEncode(parts.path, PATH_PLAIN) === path ? '' : path;
  return parts;
}

function invalid(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', problem);
}

/** What is before and behind the first `separator`; behind it nothing when it is absent. */
function cut(text: string, separator: string): [before: string, after: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function splitScheme(text: string): [scheme: string, rest: string] {
  if (text.startsWith(':')) throw invalid('missing protocol scheme');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
  return scheme === undefined ? ['', text] : [scheme.toLowerCase(), text.slice(scheme.length + 1)];
}

function splitAuthority(authority: string): { user: string; host: string } {
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? '' : authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) throw invalid('invalid userinfo');
  const host = authority.slice(at + 1);
  const port =
    /^\[[^\]]*\](.*)$/s.exec(host)?.[1] ??
    (host.startsWith('[') ? undefined : (/:.*$/s.exec(host)?.[0] ?? ''));
  if (port === undefined) throw invalid("missing ']' in host");
  if (!/^(?::\d*)?$/.test(port)) throw invalid(`invalid port "${port}" after host`);
  return { user, host: percentDecode(host) };
}

/** Undoes percent-encoding; "+" stays. */
function percentDecode(text: string): string {
  return text.replace(/%(.{0,2})/gs, (written, digits: string) => {
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw invalid(`invalid URL escape "${written}"`);
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}

/** The characters that Go leaves as they are in a path, and in a fragment. */
const PATH_PLAIN = /[A-Za-z0-9\-_.~$&+,/:;=@]/;
const FRAGMENT_PLAIN = /[A-Za-z0-9\-_.~$&+,/:;=?@!()*]/;

function percentEncode(text: string, plain: RegExp): string {
  return text.replace(/./gs, (character) =>
    plain.test(character)
      ? character
      : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
