/** What becomes of reports: kept by an engine's outbox, taken in, delivered to sinks, or only shown. */

import { join } from 'node:path';
import type { Intake, ReportObserver } from '../center/reports.js';
import type { Report } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Sinks } from '../sinks/sinks.js';
import type { Clock } from '../store/clock.js';
import type { Feed } from '../store/feed.js';
import type { Outbox } from '../store/outbox.js';
import type { Setting } from './process.js';

/** How long the note of how far a sink has come waits for others: what was delivered meanwhile may come again. */
const CURSOR_DELAY_MS = 1000;

/**
 * Opens what takes reports in and keeps them for the sinks. Undefined when the disk allows nothing of the kind: then
 * reports stay where they come from.
 */
export async function openReports(
  { config, log, store, closing }: Setting,
  observe?: ReportObserver,
): Promise<{ intake: Intake; feed: Feed } | undefined> {
  const { openIntake } = await import('../center/reports-open.js');
  const readers = config.sinks.map(({ name }) => name);
  const own = log.child({ at: 'reports' });
  try {
    const opened = await openIntake({
      store: config.store,
      values: await store.map('cursors', CURSOR_DELAY_MS),
      readers,
      log: own,
      ...(observe && { observe }),
    });
    closing.add(() => opened.feed.close());
    return opened;
  } catch (error) {
    own.error('no reports can be taken in', { reason: messageOf(error) });
    return undefined;
  }
}

/** Begins to deliver what is taken in. */
export async function openSinks({ config, log, options, closing }: Setting, feed: Feed): Promise<Sinks> {
  const { Sinks } = await import('../sinks/sinks.js');
  const letters = join(config.store.path, 'dead-letters');
  const sinks = await Sinks.start(config.sinks, feed, letters, log.child({ at: 'sinks' }), options.sinks);
  closing.add(() => sinks.close());
  return sinks;
}

/** The engine's outbox; it closes after all that reports and all that takes from it. */
export async function outboxOf({
  config,
  log,
  store,
  closing,
}: Setting): Promise<{ outbox: Outbox; clock: Clock }> {
  const { openOutbox } = await import('../store/outbox-open.js');
  const shared = config.engine.centerRegistry.length === 0;
  const opened = await openOutbox(config, store, shared, log.child({ at: 'outbox' }));
  closing.add(() => opened.outbox.close());
  return opened;
}

/** What an intake counts. */
export function intakeCounters({ counters, received }: Intake): Record<string, object> {
  return { intake: counters, received: received.counters };
}

/** Reports are shown in the log where nobody else shows them. */
export function logReport(log: Logger, { deviceId, values, time, quality, topic }: Report): void {
  log.info(`report from ${deviceId}`, {
    ...(values !== null && typeof values === 'object' && !Array.isArray(values) ? values : { values }),
    ...(time !== undefined && { time: readableTime(time) }),
    ...(topic !== undefined && { topic }),
    ...(quality !== undefined && { quality }),
  });
}

/** Unix seconds as ISO 8601; as they are where a calendar has no such day. */
function readableTime(seconds: number): string | number {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? seconds : date.toISOString();
}
