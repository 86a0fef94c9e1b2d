/** Which reports a sink is given. */

import type { Delivery } from './sink.js';

/** Patterns in which `*` stands for any characters; an empty list lets everything pass. */
export interface FilterSettings {
  readonly devices: readonly string[];
  readonly topics: readonly string[];
}

/** Whether a report is for a sink. A report without a topic passes only where no topics are named. */
export function filterOf({ devices, topics }: FilterSettings): (delivery: Delivery) => boolean {
  const [device, topic] = [anyOf(devices), anyOf(topics)];
  return (delivery) => device(delivery.device) && topic(delivery.topic);
}

function anyOf(patterns: readonly string[]): (text: string | null) => boolean {
  if (patterns.length === 0) return () => true;
  return (text) => text !== null && patterns.some((pattern) => matches(pattern, text));
}

/** In time proportional to both lengths: a regular expression with several stars may take for ever. */
function matches(pattern: string, text: string): boolean {
  const [first, ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first!)) return false;
  let at = first!.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
