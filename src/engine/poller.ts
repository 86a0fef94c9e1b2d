/** Calls `on_poll` of a link while it is open, and gives up a link that shows no sign of life. */

import type { LinkConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Client } from './client.js';
import { callHandler } from './handling.js';

/** `poll` of a link. */
type PollSettings = NonNullable<LinkConfig['poll']>;

export class Poller {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly settings: PollSettings) {}

  /**
   * Begins with a new connection. The first call comes at a random moment of the interval, so that links that opened
   * together do not poll in step.
   */
  start(client: Client): void {
    this.stop();
    const ms = this.settings.everySeconds * 1000;
    let busy = false;
    const poll = (): void => {
      if (client.closed) {
        this.stop();
        return;
      }
      if (client.station.frozen || this.giveUp(client)) return;
      // A turn is skipped while the handler is busy.
      if (busy) return;
      const done = callHandler(client, 'on_poll');
      if (!done) return;
      busy = true;
      done.then(() => {
        busy = false;
      });
    };
    this.timer = setTimeout(() => {
      this.timer = setInterval(poll, ms);
      poll();
    }, Math.random() * ms);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Closes a connection on which nothing came for too long. */
  private giveUp(client: Client): boolean {
    const { everySeconds, toleranceSeconds } = this.settings;
    const silence = everySeconds + toleranceSeconds;
    if (toleranceSeconds === 0 || performance.now() - client.lastSeen <= silence * 1000) return false;
    client.station.counters.closedIdle++;
    client.destroy(new MoonwireError('timeout', `no sign of life for ${silence} s`));
    return true;
  }
}
