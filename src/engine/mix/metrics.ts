/** `mix.metrics`: counters and gauges that scripts add to the engine's own. */

import { MoonwireError } from '../../errors.js';
import { type ApiFunction, optional, value } from '../../script/api.js';
import { LuaError } from '../../script/executor.js';
import { orFailure } from '../../script/mix/failure.js';
import { numberToString } from '../../script/numbers.js';
import { MAX_LABEL_BYTES, MAX_LABELS, MAX_SERIES } from '../script-metrics.js';
import type { MixHost } from './host.js';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/;
const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,63}$/;

const LIMITS =
  `An engine's scripts have at most ${MAX_SERIES} series (combinations of name and labels); beyond that the call ` +
  'fails with `queue_full`. Returns true, or nil and an error.';

const metricName = value(
  'name',
  'text',
  'letters, digits, `_` and `:`, not beginning with a digit; shown as `moonwire_script_…`',
);
const metricLabels = optional(
  'labels',
  'value',
  `a table of at most ${MAX_LABELS} names to strings, numbers or booleans`,
);

function checkName(call: string, name: string): void {
  if (!NAME.test(name)) throw new LuaError(`${call}: ${JSON.stringify(name)} is not a metric's name`);
}

/** Labels as text. Their names are the script's own and raise; their values may come from a device and fail. */
function readLabels(call: string, given: unknown): Record<string, string> {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given) || given instanceof Uint8Array) {
    throw new LuaError(`${call}: labels must be a table of names to values`);
  }
  const entries = Object.entries(given);
  if (entries.length > MAX_LABELS) throw new LuaError(`${call}: at most ${MAX_LABELS} labels are allowed`);
  return Object.fromEntries(
    entries.map(([name, item]) => {
      if (!LABEL.test(name)) throw new LuaError(`${call}: ${JSON.stringify(name)} is not a label's name`);
      return [name, labelValue(name, item)];
    }),
  );
}

function labelValue(name: string, item: unknown): string {
  const text =
    typeof item === 'number' ? numberToString(item) : typeof item === 'boolean' ? String(item) : item;
  if (typeof text !== 'string' || Buffer.byteLength(text) > MAX_LABEL_BYTES) {
    const limit = `text (UTF-8) of at most ${MAX_LABEL_BYTES} bytes, a number or a boolean`;
    throw new MoonwireError('invalid_argument', `label ${name} must be ${limit}`);
  }
  return text;
}

export const metricsFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.metrics.counter',
    doc: `Adds to a counter, which begins at 0 and only rises. ${LIMITS}`,
    params: [
      metricName,
      { ...metricLabels, doc: `${metricLabels.doc}; may be left out before \`n\`` },
      optional('n', 'number', 'what to add, 0 or more; default 1'),
    ],
    returns: [value('ok', 'boolean')],
    example: 'mix.metrics.counter("logins", { model = "GT06" })\nmix.metrics.counter("pulses", 12)',
    run: ({ station }, name: string, labelsOrN: unknown, n?: number) => {
      checkName('mix.metrics.counter', name);
      const [labels, amount] = typeof labelsOrN === 'number' ? [undefined, labelsOrN] : [labelsOrN, n ?? 1];
      return orFailure(() => {
        if (!(amount >= 0 && amount < Number.POSITIVE_INFINITY)) {
          throw new MoonwireError('invalid_argument', `a counter rises by 0 or more, got ${amount}`);
        }
        station.engine.services.metrics.add(name, readLabels('mix.metrics.counter', labels), amount);
        return true;
      });
    },
  },
  {
    name: 'mix.metrics.gauge',
    doc: `Sets a gauge: a value that rises and falls. ${LIMITS}`,
    params: [metricName, value('value', 'number'), metricLabels],
    returns: [value('ok', 'boolean')],
    example: 'mix.metrics.gauge("tank_level", 0.82, { tank = "north" })',
    run: ({ station }, name: string, level: number, labels: unknown) => {
      checkName('mix.metrics.gauge', name);
      return orFailure(() => {
        station.engine.services.metrics.set(name, readLabels('mix.metrics.gauge', labels), level);
        return true;
      });
    },
  },
];
