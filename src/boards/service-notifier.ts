/**
 * Tells systemd how the service is (sd_notify(3)). Node has no Unix datagram sockets, so each message is sent by the
 * program `systemd-notify`; the unit needs `NotifyAccess=all`, since that is another process.
 */

import { execFile } from 'node:child_process';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';

/** What the service tells; without a service manager each call does nothing. Nothing here rejects. */
export interface ServiceNotifier {
  /**
   * The service has started; from now on the watchdog is fed. `replaced`: this process has taken the place of the one
   * that systemd knows.
   */
  ready(replaced?: boolean): Promise<void>;
  /** The service ends; the watchdog is no longer fed. */
  stopping(): Promise<void>;
}

/** Variables systemd gives a service. */
export type ServiceEnvironment = Readonly<Record<string, string | undefined>>;

/** A message takes some 10 ms; one that takes longer than this is given up. */
const SEND_MS = 5000;
/** Each feeding is a process: not more of them than this, however short the watchdog's time. */
const MIN_FEED_MS = 200;

/**
 * Feeds the watchdog at half of its time, as sd_watchdog_enabled(3) advises, as long as `alive` says so: a service
 * whose event loop hangs does not come to ask, and one whose buses hang answers false; systemd ends both.
 * @param alive whether all that the service is for still works
 */
export function serviceNotifier(
  alive: () => boolean,
  log: Logger,
  env: ServiceEnvironment = process.env,
): ServiceNotifier {
  if (!env.NOTIFY_SOCKET) return { ready: async () => {}, stopping: async () => {} };
  return new SystemdNotifier(alive, log, env);
}

class SystemdNotifier implements ServiceNotifier {
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private told = false;
  private starved = false;
  private failed = false;

  constructor(
    private readonly alive: () => boolean,
    private readonly log: Logger,
    private readonly env: ServiceEnvironment,
  ) {}

  async ready(replaced = false): Promise<void> {
    if (this.told) return;
    this.told = true;
    await this.send('READY=1', ...(replaced ? [`MAINPID=${process.pid}`] : []));
    const every = feedInterval(this.env);
    // The engine keeps the process alive, not its watchdog.
    if (every !== undefined) this.timer ??= setInterval(() => this.feed(), every).unref();
  }

  async stopping(): Promise<void> {
    clearInterval(this.timer);
    await this.sending;
    await this.send('STOPPING=1');
  }

  private feed(): void {
    const alive = this.isAlive();
    if (alive === this.starved) {
      this.starved = !alive;
      if (alive) this.log.info('the watchdog is fed again');
      else this.log.error('the watchdog is not fed any more: the service does not do its work');
    }
    if (!alive || this.sending) return;
    this.sending = this.send('WATCHDOG=1').finally(() => {
      this.sending = undefined;
    });
  }

  private isAlive(): boolean {
    try {
      return this.alive();
    } catch (error) {
      this.log.error(`whether the service is alive cannot be told: ${messageOf(error)}`);
      return false;
    }
  }

  /**
   * Waits until systemd has taken the message, which is the program's default: it looks up the sender's unit by its
   * process, which must not have ended before.
   */
  private send(...message: string[]): Promise<void> {
    return new Promise((resolve) => {
      execFile('systemd-notify', message, { env: this.env, timeout: SEND_MS }, (error) => {
        if (error && !this.failed)
          this.log.error(`systemd is not told ${message.join(' ')}: ${explain(error)}`);
        this.failed = error !== null;
        resolve();
      });
    });
  }
}

function explain(error: Error): string {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error.message.trim();
  return 'there is no program systemd-notify (apt-get install systemd)';
}

/** Milliseconds between two feedings; undefined when the watchdog is off, or another process's. */
function feedInterval({ WATCHDOG_USEC, WATCHDOG_PID }: ServiceEnvironment): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined;
  const half = Number(WATCHDOG_USEC) / 2000;
  return Number.isFinite(half) && half > 0 ? Math.max(half, MIN_FEED_MS) : undefined;
}
