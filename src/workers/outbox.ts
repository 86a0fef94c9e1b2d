/** The outboxes of several workers as one. */

import { newOutboxCounters, type OutboxStatus } from '../store/outbox-status.js';

/** Numbers added, the first error, the oldest report; undefined when there is none. */
export function sumOutboxes(statuses: readonly OutboxStatus[]): OutboxStatus | undefined {
  const [first] = statuses;
  if (!first) return undefined;
  const sum = (of: (status: OutboxStatus) => number): number =>
    statuses.reduce((total, status) => total + of(status), 0);
  const least = (of: (status: OutboxStatus) => number | undefined): number | undefined => {
    const known = statuses.map(of).filter((value) => value !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  };
  const counters = newOutboxCounters();
  for (const status of statuses) {
    const { acknowledged, dropped, refused, reports, spilled, ignoredAcknowledgements } = status.counters;
    counters.reports += reports;
    counters.spilled += spilled;
    counters.ignoredAcknowledgements += ignoredAcknowledgements;
    counters.acknowledged.live += acknowledged.live;
    counters.acknowledged.backlog += acknowledged.backlog;
    counters.dropped.full += dropped.full;
    counters.dropped.expired += dropped.expired;
    for (const [code, count] of Object.entries(refused))
      counters.refused[code] = (counters.refused[code] ?? 0) + count;
  }
  const clocks = new Set(statuses.map(({ clock }) => clock));
  return {
    connected: statuses.every(({ connected }) => connected),
    error: statuses.find(({ error }) => error !== undefined)?.error,
    records: sum(({ records }) => records),
    memoryRecords: sum(({ memoryRecords }) => memoryRecords),
    bytes: sum(({ bytes }) => bytes),
    maxBytes: sum(({ maxBytes }) => maxBytes),
    oldest: least(({ oldest }) => oldest),
    ratePerSecond: sum(({ ratePerSecond }) => ratePerSecond),
    // The first that is full drops reports, whatever room the others have.
    holdsSeconds: least(({ holdsSeconds }) => holdsSeconds),
    writtenBytes: sum(({ writtenBytes }) => writtenBytes),
    writtenBytesPerDay: sum(({ writtenBytesPerDay }) => writtenBytesPerDay),
    clock: (['unknown', 'estimated', 'set'] as const).find((clock) => clocks.has(clock)) ?? 'set',
    counters,
    damagedParts: sum(({ damagedParts }) => damagedParts),
    damagedBytes: sum(({ damagedBytes }) => damagedBytes),
  };
}
