/** `engine.luavm`: what all scripts of an engine share. */

import { type Address, parseAddress } from '../address.js';
import {
  duration,
  list,
  name,
  optional,
  reader,
  required,
  section,
  setting,
  text,
  wholeNumber,
} from '../values.js';

const address = reader<Address>(
  'a host and port such as localhost:6379',
  (value) => (typeof value === 'string' ? parseAddress(value, 6379) : undefined),
  { type: 'string' },
);

const queue = section({
  topicSize: setting(wholeNumber(1, 10_000_000), 2000, 'Messages one topic holds; a push beyond it fails.'),
  maxTopics: setting(wholeNumber(1, 100_000), 100, 'Topics.'),
});

const redis = section({
  name: setting(name(), 'default', 'Name for mix.redis.connection(name).'),
  addr: setting(address, 'localhost:6379', 'Host and port.'),
  password: optional(text(1024), 'Password, best taken from the environment.'),
  db: setting(wholeNumber(0, 65_535), 0, 'Number of the database.'),
  poolSize: setting(wholeNumber(1, 1000), 20, 'Most connections.'),
  minIdleConns: setting(wholeNumber(0, 1000), 10, 'Connections kept open while idle.'),
  maxConnAge: setting(duration(0, 30 * 86_400), 0, 'A connection older than this is replaced; 0 never.'),
  idleTimeout: setting(duration(0, 30 * 86_400), '300s', 'An idle connection is closed after it; 0 never.'),
});

/** Schema of `engine.luavm`. */
export const luavm = section({
  queue: setting(queue, {}, 'Queues of mix.queue.push.'),
  redis: setting(list(required(redis, 'One Redis.'), 32), [], 'Redis servers scripts may use.'),
});
