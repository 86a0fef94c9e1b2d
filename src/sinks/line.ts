/** Reports as JSON, the same for all sinks. */

import { json } from '../codecs/json.js';
import type { Delivery } from './sink.js';

/**
 * `{id, engine, node, device_id, time, received, topic?, quality?, values}`; byte strings as text where they are
 * UTF-8, otherwise as base64. `more` is put in front.
 */
export function toJson(delivery: Delivery, more: object = {}): Uint8Array {
  const { id, engine, node, device, time, values, topic, quality, received } = delivery;
  return json.encode({
    ...more,
    id,
    engine,
    node,
    device_id: device,
    time,
    received,
    ...(topic !== null && { topic }),
    ...(quality !== null && { quality }),
    values,
  });
}

const NEWLINE = Buffer.from('\n');

/** A line of JSON for each. */
export function toLines(batch: readonly Delivery[], more?: object): Buffer {
  return Buffer.concat(batch.flatMap((delivery) => [toJson(delivery, more), NEWLINE]));
}
