/** What may be wrong with the configuration. */

import type { HealthCheck } from './health.js';
import type { ConfigHost } from './host.js';

/** What the file says is what runs. */
export function configCheck({ source }: Pick<ConfigHost, 'source'>): HealthCheck {
  return function* check() {
    const from = source?.();
    if (from?.source !== 'last_good') return;
    yield { code: 'config_fallback', text: `${from.file} cannot be used; what it said when it ran last is` };
  };
}
