/** `mix.report`: what a device measured, on its way to the centre. */

import { type ApiFunction, Failure, optional, value } from '../../script/api.js';
import { LuaError } from '../../script/executor.js';
import { failureOf } from '../../script/mix/failure.js';
import { currentClient, type MixHost } from './host.js';

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
      'Hands a reading of a device over, which is kept until the centre has it. `options`: `time` (Unix seconds; ' +
      'default now), `quality`, `topic`, `durable` (true: on disk before the call returns, which waits; where that ' +
      'fails, the frame at hand is not acknowledged to the device). Returns true, or nil and an error: ' +
      '`invalid_argument`, `too_large`, `queue_full`, `overloaded` when the disk refuses.',
    params: [
      value('device_id', 'text', '1 to 256 characters'),
      value(
        'values',
        'value',
        'plain data: finite numbers, at most 16 levels, `engine.outbox.maxReportBytes`',
      ),
      optional('options', 'value', '`topic` and `quality` have at most 256 characters'),
    ],
    returns: [value('ok', 'boolean')],
    waits: isDurable,
    example: 'mix.report("meter-7", { power = 1250 }, { time = mix.now() })',
    run: (host, deviceId: string, values: unknown, options: ReportOptions = {}) => {
      if (deviceId === '') return new Failure('invalid_argument: the device id is empty');
      const { engine } = host.station;
      const client = currentClient(host);
      const durable = isDurable(deviceId, values, options);
      const failed = (error: unknown): Failure => {
        if (durable && client) engine.unsafe.add(client);
        return failureOf(error);
      };
      const report = {
        deviceId,
        values,
        time: field(options, 'time', 'number') as number | undefined,
        quality: field(options, 'quality', 'string') as string | undefined,
        topic: field(options, 'topic', 'string') as string | undefined,
        durable,
      };
      try {
        const done = engine.parts.report(report);
        return done instanceof Promise ? done.then(() => true, failed) : true;
      } catch (error) {
        return failed(error);
      }
    },
  },
];
