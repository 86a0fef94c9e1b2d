/** A sink as monitoring sees it, for tests. */

import type { SinkFigures } from '../../src/api/monitor-sources.js';

export function sinkFigures(more: Partial<SinkFigures> = {}): SinkFigures {
  return {
    name: 'broker',
    kind: 'mqtt',
    ok: true,
    error: undefined,
    since: undefined,
    delivered: 10,
    retried: 2,
    dead: 0,
    dropped: 0,
    filtered: 3,
    unreadable: 0,
    pending: 4,
    lag: 1.5,
    lastDelivered: 1_800_000_000,
    ...more,
  };
}
