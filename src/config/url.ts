/** Addresses written as URLs. */

import { type Reader, reader } from './values.js';

const MAX_URL = 2048;

function isUrl(value: unknown, schemes: readonly string[], allowsPath: boolean): value is string {
  if (typeof value !== 'string' || value.length > MAX_URL || !URL.canParse(value)) return false;
  const { protocol, hostname, username, password, pathname, search } = new URL(value);
  if (!schemes.includes(protocol.slice(0, -1)) || hostname === '' || username + password !== '') return false;
  return allowsPath || ((pathname === '' || pathname === '/') && search === '');
}

function expected(schemes: readonly string[]): string {
  return `an address that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}, without user and password`;
}

/** An address with one of some schemes. What was given is never repeated in a message: it may hold a secret. */
export function url(schemes: readonly string[], allowsPath: boolean): Reader<string> {
  return reader(
    expected(schemes),
    (value) => (isUrl(value, schemes, allowsPath) ? value : undefined),
    { type: 'string', format: 'uri' },
    () => 'something else',
  );
}

/** One such address, or a list of up to `max`; a list either way. */
export function urls(
  schemes: readonly string[],
  allowsPath: boolean,
  max: number,
): Reader<readonly string[]> {
  return reader(
    `${expected(schemes)}, or a list of at most ${max}`,
    (value) => {
      const written: unknown[] = Array.isArray(value) ? value : [value];
      const isList = written.length >= 1 && written.length <= max;
      return isList && written.every((one) => isUrl(one, schemes, allowsPath)) ? written : undefined;
    },
    { type: ['string', 'array'] },
    () => 'something else',
  );
}
