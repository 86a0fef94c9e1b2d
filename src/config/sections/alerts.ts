/** `alerts`: what is told to a webhook, for those without Prometheus. */

import {
  duration,
  headerValue,
  namedMap,
  optional,
  reader,
  section,
  setting,
  wholeNumber,
} from '../values.js';

const DAY = 86_400;
const MAX_URL = 2048;

/** An address to post to. What was given is never repeated in a message: it may hold a secret. */
const webhook = reader(
  `an http:// or https:// address of at most ${MAX_URL} characters`,
  (value) => (typeof value === 'string' && isWebAddress(value) ? value : undefined),
  { type: 'string', format: 'uri' },
  () => 'something else',
);

function isWebAddress(value: string): boolean {
  if (value.length > MAX_URL) return false;
  try {
    return ['http:', 'https:'].includes(new URL(value).protocol);
  } catch {
    return false;
  }
}

const uplinkFlapping = section({
  times: setting(wholeNumber(1, 1000), 5, 'How often the uplink is lost …'),
  within: setting(duration(1, DAY), '10m', '… within this time.'),
});

/** Schema of `alerts`. */
export const alerts = section({
  webhook: optional(webhook, 'Where alerts are posted as JSON; without it none are sent.'),
  headers: setting(
    namedMap(headerValue(), 32),
    {},
    'Headers of these requests, such as Authorization; secrets best from the environment.',
  ),
  minSeconds: setting(
    duration(0, DAY),
    '30s',
    'How long a condition must last before it is told, and be over before that is told.',
  ),
  deviceSilent: setting(
    duration(0, 365 * DAY),
    '1h',
    'Silence of a device that was attached or reported before; 0 never.',
  ),
  engineLost: setting(duration(0, DAY), '1m', 'Absence of an engine; told by the centre.'),
  uplinkFlapping: setting(uplinkFlapping, {}, 'An uplink that is lost again and again.'),
});
