/** How the workers fare, for the health of the primary. */

import type { Finding, HealthCheck, HealthCode } from '../api/health.js';
import type { Workers } from './workers.js';

/** All of them serve, and what each says of itself; the worst of them is what counts. */
export function workersCheck(workers: Workers): HealthCheck {
  return function* check(): Generator<Finding> {
    const none = workers.ready.length === 0;
    for (const { name, report } of workers.all) {
      if (!report) {
        yield { code: 'worker_down', where: name, text: `worker ${name} does not run`, unready: none };
        continue;
      }
      const { ready, reasons } = report.health;
      for (const { code, text, since } of reasons) {
        yield {
          // A worker is the same program.
          code: code as HealthCode,
          where: `${name} ${text}`,
          text: `${name}: ${text}`,
          unready: !ready,
          ...(since !== undefined && { age: Math.max(0, Date.now() / 1000 - since) }),
        };
      }
    }
  };
}
