/** `engine.mqtt`: what all MQTT servers of an engine keep for their devices. */

import { duration, flag, section, setting, size, text, wholeNumber } from '../values.js';

/** Schema of `engine.mqtt`. */
export const mqtt = section({
  forward: setting(
    flag(),
    true,
    'What a device publishes goes to the subscribers of its topic, as a broker does; false: to the script only.',
  ),
  sendTopic: setting(
    text(1024, 'a topic'),
    'moonwire/{client_id}',
    'Topic of what is sent to one device without naming a topic; {client_id} is its MQTT client id.',
  ),
  sessions: setting(wholeNumber(1, 1_000_000), 10_000, 'Sessions kept, those of connected devices included.'),
  sessionSeconds: setting(
    duration(0, 30 * 86_400),
    '1h',
    'How long the session of a device that is away is kept at most, in memory.',
  ),
  queueMessages: setting(wholeNumber(0, 100_000), 100, 'Messages of QoS 1 and 2 that wait for one device.'),
  queueBytes: setting(size(0, 2 ** 30), '256KiB', 'Bytes of these.'),
  inflight: setting(wholeNumber(1, 65_535), 20, 'Messages to one device under way at a time.'),
  receiveMaximum: setting(
    wholeNumber(1, 65_535),
    100,
    'Messages from one device under way at a time (MQTT 5).',
  ),
  subscriptions: setting(wholeNumber(1, 10_000), 100, 'Subscriptions of one device.'),
  retainedMessages: setting(wholeNumber(0, 1_000_000), 10_000, 'Retained messages, in memory.'),
  retainedBytes: setting(size(0, 2 ** 32), '4MiB', 'Bytes of these.'),
});
