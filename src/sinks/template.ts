/** Topics with placeholders. */

import type { Delivery } from './sink.js';

const FIELDS: Readonly<Record<string, (delivery: Delivery) => string>> = {
  engine: ({ engine }) => encode(engine, /[/+#%\p{Cc}]/gu),
  node: ({ node }) => String(node),
  device: ({ device }) => encode(device, /[/+#%\p{Cc}]/gu),
  topic: ({ topic }) => encode(topic ?? '', /[+#%\p{Cc}]/gu),
};

/**
 * The topic of each report by a template in which `{engine} {node} {device} {topic}` stand for what the report has;
 * the configuration lets no others through. Characters that mean something in MQTT topics (`/ + #`), control
 * characters and `%` become %-codes as in URLs, so that two devices never share a topic by accident; in `{topic}`
 * slashes stay. What a report does not have is written `_`.
 */
export function topicTemplate(template: string): (delivery: Delivery) => string {
  const parts = template.split(/\{([^{}]*)\}/);
  return (delivery) => parts.map((part, i) => (i % 2 === 0 ? part : FIELDS[part]!(delivery) || '_')).join('');
}

function encode(text: string, special: RegExp): string {
  return text.replace(
    special,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
