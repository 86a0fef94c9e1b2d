/** `sinks[]`: where the centre, or an engine without one, delivers reports. */

import * as v from 'valibot';
import { url } from '../url.js';
import {
  duration,
  flag,
  headerValue,
  list,
  name,
  namedMap,
  numberOf,
  optional,
  path,
  reader,
  required,
  section,
  setting,
  size,
  text,
  wholeNumber,
} from '../values.js';
import { clientTls } from './tls.js';

const DAY = 86_400;

const credentials = {
  username: optional(text(256), 'User.'),
  password: optional(text(1024), 'Password, best taken from the environment.'),
};

const TEMPLATE = /^(?:[^{}+#\0]|\{(?:engine|node|device|topic)\})+$/;

const topicTemplate = reader(
  'a topic of 1 to 1024 characters without + and #, with {engine} {node} {device} {topic} as placeholders',
  (value) => (typeof value === 'string' && value.length <= 1024 && TEMPLATE.test(value) ? value : undefined),
  { type: 'string', maxLength: 1024 },
);

const mqtt = section({
  url: required(url(['mqtt', 'mqtts'], false), 'The broker: mqtt://host:1883, or mqtts:// for TLS.'),
  ...credentials,
  version: setting(numberOf([4, 5]), 5, 'Protocol version: 5, or 4 for MQTT 3.1.1.'),
  clientId: optional(text(128), 'Client identifier; a random one when left out.'),
  topic: setting(
    topicTemplate,
    'moonwire/{engine}/{device}',
    'Topic: {engine} {node} {device} {topic} stand for what the report has; / + # in them become %-codes, but / in {topic} stays.',
  ),
  qos: setting(
    numberOf([0, 1]),
    1,
    'Quality of service; with 0 nothing is confirmed, and reports may be lost.',
  ),
  retain: setting(flag(), false, 'The broker keeps the last report of each topic for new subscribers.'),
  tls: optional(clientTls, 'What mqtts:// uses.'),
});

const http = section({
  url: required(url(['http', 'https'], true), 'Where reports are posted, as JSON.'),
  headers: setting(
    namedMap(headerValue(), 32),
    {},
    'Headers of these requests, such as Authorization; secrets best from the environment.',
  ),
  secret: optional(
    text(1024),
    'Key of the signature (Standard Webhooks), plain text or whsec_ and base64; without it requests are not signed.',
  ),
  tls: optional(clientTls, 'What https:// uses.'),
});

const redis = section({
  url: required(url(['redis', 'rediss'], false), 'The server: redis://host:6379, or rediss:// for TLS.'),
  ...credentials,
  db: setting(wholeNumber(0, 65_535), 0, 'Number of the database.'),
  stream: setting(text(512), 'moonwire:reports', 'Key of the stream.'),
  maxLength: setting(
    wholeNumber(0, Number.MAX_SAFE_INTEGER),
    1_000_000,
    'About so many entries are kept in the stream; 0 all.',
  ),
  tls: optional(clientTls, 'What rediss:// uses.'),
});

const file = section({
  path: required(path(), 'File of JSON lines; old ones get .1, .2, … Relative to the working folder.'),
  rotateBytes: setting(size(2 ** 16, 2 ** 40), '64MiB', 'A file this long makes way for a new one.'),
  rotateAge: setting(duration(0, 3650 * DAY), '1d', 'A file this old makes way for a new one; 0 never.'),
  keep: setting(wholeNumber(1, 10_000), 10, 'Old files that are kept.'),
});

const batch = section({
  records: setting(wholeNumber(1, 10_000), 500, 'Most reports delivered at once.'),
  bytes: setting(size(1024, 2 ** 24), '256KiB', 'Most bytes of them, about; one report may have more.'),
  delay: setting(duration(0, 3600), 0, 'How long reports wait for others to be delivered with.'),
});

const retryFields = section({
  minSeconds: setting(duration(0.05, 3600), '1s', 'First wait after a failure.'),
  maxSeconds: setting(duration(0.05, DAY), '60s', 'Longest wait; the wait doubles until then.'),
  attempts: setting(
    wholeNumber(1, 100),
    5,
    'How often reports are offered to a sink that is there and refuses them, before they become dead letters.',
  ),
});

const retry = v.pipe(
  retryFields,
  v.check(
    ({ minSeconds, maxSeconds }) => minSeconds <= maxSeconds,
    'needs minSeconds to be at most maxSeconds',
  ),
);

const pattern = text(256, 'a pattern');

const fields = section({
  name: optional(
    name(),
    'Name in logs, metrics and the API, and of its place in the store; mqtt, http, … when left out.',
  ),
  mqtt: optional(mqtt, 'Publishes to an MQTT broker.'),
  http: optional(http, 'Posts to a webhook.'),
  redis: optional(redis, 'Adds to a Redis stream.'),
  file: optional(file, 'Writes to a file.'),
  stdout: optional(section({}), 'Writes JSON lines to standard output.'),
  devices: setting(
    list(pattern, 1000),
    [],
    'Device ids that are delivered, * for any characters; all when empty.',
  ),
  topics: setting(
    list(pattern, 1000),
    [],
    'Topics of reports that are delivered, * for any characters; all when empty.',
  ),
  batch: setting(batch, {}, 'How much is delivered at once.'),
  timeout: setting(duration(0.1, 600), '30s', 'Time a sink may take for it.'),
  retry: setting(retry, {}, 'What happens when a sink fails.'),
  deadLetterBytes: setting(
    size(2 ** 12, 2 ** 40),
    '4MiB',
    'Most bytes of reports kept in the store that the sink refused; the oldest go first.',
  ),
});

const KINDS = ['mqtt', 'http', 'redis', 'file', 'stdout'] as const;

/** Schema of one sink: exactly one kind; in the result the name is derived. */
export const sink = v.pipe(
  fields,
  // A raw check, unlike a plain one, also runs when other settings of the sink are wrong.
  v.rawCheck(({ dataset, addIssue }) => {
    const settings: Partial<Record<string, unknown>> = Object(dataset.value);
    const named = KINDS.filter((kind) => settings[kind] !== undefined);
    if (named.length !== 1) {
      addIssue({ message: `needs exactly one of ${KINDS.join(', ')}, has ${named.length}` });
    }
  }),
  v.transform(({ mqtt, http, redis, file, stdout, name, ...rest }) => {
    const common = <const K extends string>(kind: K) => ({ ...rest, name: name ?? kind, kind });
    if (mqtt) return { ...common('mqtt'), mqtt };
    if (http) return { ...common('http'), http };
    if (redis) return { ...common('redis'), redis };
    if (file) return { ...common('file'), file };
    return { ...common('stdout'), stdout: stdout! };
  }),
);
