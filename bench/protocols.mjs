// What each module of lua/protocols costs: framing and `decode` alone, in this process, without sockets and handlers.
import { readdirSync } from 'node:fs';
import { decode, loader } from './support/decoder.mjs';
import { inputs } from './support/vectors.mjs';

const WARM_UP_MS = 600;
const SLICES = 8;
const SLICE_MS = 150;
const MESSAGES_A_LOOK = 100;

/** One row a module, slowest last; those without vectors have a name only. */
export async function protocolRows(note) {
  const loadProtocol = await loader();
  const rows = [];
  for (const file of readdirSync(new URL('../lua/protocols/', import.meta.url))) {
    if (!file.endsWith('.lua') || file.endsWith('_test.lua')) continue;
    const name = file.slice(0, -'.lua'.length);
    note(`protocol ${name}`);
    rows.push({ name, ...measure(loadProtocol(`protocols.${name}`), inputs(name)) });
  }
  return rows.sort((a, b) => (a.microseconds ?? 0) - (b.microseconds ?? 0));
}

/** Markdown of the rows. */
export function protocolTable(rows) {
  const measured = rows.filter(({ microseconds }) => microseconds !== undefined);
  const rest = rows.filter(({ microseconds }) => microseconds === undefined).map(({ name }) => `\`${name}\``);
  return [
    '| protocol | messages/s | µs a message | ns a byte | frames | messages | bytes |',
    '|---|---|---|---|---|---|---|',
    ...measured.map(
      ({ name, microseconds, frames, messages, bytes }) =>
        `| \`${name}\` | ${Math.round(1e6 / microseconds)} | ${microseconds.toFixed(1)} | ${Math.round((microseconds * 1000 * messages) / bytes)} | ${frames} | ${messages} | ${bytes} |`,
    ),
    ...(rest.length > 0 ? ['', `Without vectors: ${rest.join(', ')}.`] : []),
  ].join('\n');
}

/** CPU microseconds a message, and what was decoded in one pass: the inputs that decode without any failure. */
function measure(protocol, all) {
  const good = all.filter((bytes) => {
    const { messages, failures } = decode(protocol, [bytes]);
    return messages > 0 && failures === 0;
  });
  if (good.length === 0) return {};
  const pass = () => decode(protocol, good);
  run(pass, WARM_UP_MS);
  // The fastest: what else the machine does can only add to it.
  const slices = Array.from({ length: SLICES }, () => run(pass, SLICE_MS));
  return { microseconds: Math.min(...slices), ...pass() };
}

/** Repeats `pass` for about `ms` of CPU; microseconds of CPU a message. */
function run(pass, ms) {
  const before = process.cpuUsage();
  let messages = 0;
  for (;;) {
    // Reading the clock costs as much as a short message.
    const due = messages + MESSAGES_A_LOOK;
    while (messages < due) messages += pass().messages;
    const { user, system } = process.cpuUsage(before);
    if (user + system >= ms * 1000) return (user + system) / messages;
  }
}
