/** `mix.report`: what a device measured, on its way to the centre. */

import { type ApiFunction, Failure, optional, value } from '../../script/api.js';
import { LuaError } from '../../script/executor.js';
import type { MixHost } from './host.js';

interface ReportOptions {
  time?: unknown;
  quality?: unknown;
  topic?: unknown;
  durable?: unknown;
}

const isDurable = (_id: string, _values: unknown, options?: ReportOptions): boolean =>
  options?.durable === true;

function field(options: ReportOptions, name: keyof ReportOptions, type: 'number' | 'string'): unknown {
  const item = options[name];
  if (item === undefined || typeof item === type) return item;
  throw new LuaError(`mix.report: ${name} must be a ${type}`);
}

export const reportFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.report',
    doc:
      'Hands a reading of a device over. `options`: `time` (Unix seconds; default now), `quality`, `topic`, ' +
      '`durable` (true: on disk before the call returns, which waits). Returns true, or nil and an error.',
    params: [
      value('device_id', 'text'),
      value('values', 'value', 'a table of plain data'),
      optional('options', 'value'),
    ],
    returns: [value('ok', 'boolean')],
    waits: isDurable,
    example: 'mix.report("meter-7", { power = 1250 }, { time = mix.now() })',
    run: ({ station }, deviceId: string, values: unknown, options: ReportOptions = {}) => {
      if (deviceId === '') return new Failure('invalid_argument: the device id is empty');
      const done = station.engine.parts.report({
        deviceId,
        values,
        time: field(options, 'time', 'number') as number | undefined,
        quality: field(options, 'quality', 'string') as string | undefined,
        topic: field(options, 'topic', 'string') as string | undefined,
        durable: isDurable(deviceId, values, options),
      });
      return done instanceof Promise ? done.then(() => true) : true;
    },
  },
];
