/** `engine.links[].bus`: how requests share a line. Defaults follow from the line's settings where it is opened. */

import { choice, duration, name, optional, section, wholeNumber } from '../values.js';

const breaker = section({
  failures: optional(
    wholeNumber(0, 1000),
    'Failures in a row after which a unit is left alone; 0 never. Default 3.',
  ),
  minSeconds: optional(
    duration(0.05, 86_400),
    'First time a unit is left alone before it is probed. Default 5 s.',
  ),
  maxSeconds: optional(
    duration(0.05, 86_400),
    'Longest such time; it doubles until then. Default 5 minutes.',
  ),
});

/** Schema of a link's `bus`. */
export const bus = section({
  name: optional(name(), 'Links that name the same bus take turns. Default: the name of the link.'),
  baudRate: optional(
    wholeNumber(50, 4_000_000),
    'Bits a second of the line behind a converter: times follow from it as on a serial port, which states its own.',
  ),
  timeout: optional(
    duration(0.001, 3600),
    'Time from the end of a request to the first byte of its reply. Default 0.5 s on serial lines, else 1 s.',
  ),
  retries: optional(
    wholeNumber(0, 10),
    'How often a request is sent again when no good reply comes. Default 1.',
  ),
  gap: optional(
    duration(0, 60),
    'Silence between frames. Default 3.5 characters of 11 bits, at least 1.75 ms; none over a network without baudRate.',
  ),
  turnaround: optional(
    duration(0, 60),
    'Silence after a broadcast, in which units act on it. Default 0.1 s.',
  ),
  silence: optional(
    duration(0.001, 60),
    'Silence within a frame after which its rest is not waited for. Default 20 characters, at least 0.1 s.',
  ),
  echo: optional(
    choice(['auto', 'on', 'off']),
    'Whether the adapter returns what is sent; auto (default on serial lines, else off) finds out with the first replies.',
  ),
  queue: optional(wholeNumber(1, 100_000), 'Requests that may wait. Default 256.'),
  queueSeconds: optional(
    duration(0.05, 3600),
    'How long a request may wait, for its turn or for a line that is unplugged. Default 30 s.',
  ),
  breaker: optional(breaker, 'When a unit that does not answer is left alone.'),
});
