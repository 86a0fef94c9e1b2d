/**
 * What another node would end the stream for is refused here, before it is sent: one request of a script or of the
 * API must not fail those of others.
 */

import { MAX_DEPTH } from '../codecs/plain.js';
import { messageOf } from '../errors.js';
import { readMessage } from './message-checks.js';
import type { CallMessage, PubMessage, SendMessage } from './messages.js';

/** Half of a character, which UTF-8 cannot express; JSON brings it as "\ud800". */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Why a request cannot be sent, as "code: text"; undefined when it can. */
export function unsendable(message: SendMessage | CallMessage | PubMessage): string | undefined {
  try {
    readMessage(message);
  } catch (error) {
    return `invalid_argument: ${messageOf(error)}`;
  }
  return isText(message) ? undefined : 'invalid_argument: text with half a character in it';
}

/** Whether all text in a value can be UTF-8. Nesting beyond the deepest is refused elsewhere. */
export function isText(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return !LONE_SURROGATE.test(value);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || depth > MAX_DEPTH)
    return true;
  if (value instanceof Map) return isText([...value].flat(), depth + 1);
  if (Array.isArray(value)) return value.every((item) => isText(item, depth + 1));
  return Object.entries(value).every(([key, item]) => isText(key) && isText(item, depth + 1));
}
