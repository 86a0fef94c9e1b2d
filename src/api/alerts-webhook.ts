/**
 * Posts notifications to a webhook, one at a time, until it takes them. Nothing here holds up anybody: what waits
 * is bounded, and a notification that is overtaken by its opposite is not sent at all.
 */

import type { OutgoingHttpHeaders } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Notification } from './alerts.js';

/** Where notifications go. */
export interface WebhookOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Name of this engine or centre: `source` of what is posted. */
  readonly source: string;
  /** Milliseconds before the first retry; doubles up to {@link maxRetryMs}. */
  readonly minRetryMs?: number;
  readonly maxRetryMs?: number;
  /** Milliseconds one attempt may take. */
  readonly timeoutMs?: number;
}

/** Most notifications that wait. */
const MAX_WAITING = 1000;
/** Answers that may be another one later; all others but 2xx are final. */
const PASSING = new Set([408, 425, 429]);

/** A notification that waits. */
interface Waiting {
  readonly notification: Notification;
  /** It was posted in vain; the receiver may have taken it all the same. */
  readonly tried: boolean;
}

export class Webhook {
  /** Posted and taken; refused for good by the receiver; dropped because too many waited; attempts that failed. */
  readonly counters = { sent: 0, refused: 0, dropped: 0, failed: 0 };
  /** What waits, by condition, in the order it came. */
  private readonly waiting = new Map<string, Waiting>();
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private readonly settings: Required<WebhookOptions>;

  constructor(
    options: WebhookOptions,
    private readonly log: Logger,
  ) {
    this.settings = { minRetryMs: 1000, maxRetryMs: 300_000, timeoutMs: 10_000, ...options };
  }

  /** Takes a notification; returns at once. */
  readonly notify = (notification: Notification): void => {
    if (this.stopped.signal.aborted) return;
    const key = `${notification.alert} ${notification.where}`;
    const before = this.waiting.get(key);
    if (before && !before.tried) {
      // The receiver knows nothing of the one that waits, and holds already what this one would tell it.
      this.waiting.delete(key);
      return;
    }
    if (!before && this.waiting.size >= MAX_WAITING) {
      if (this.counters.dropped++ === 0)
        this.log.warn('alerts are dropped: too many wait for the webhook', { waiting: MAX_WAITING });
      return;
    }
    this.waiting.set(key, { notification, tried: false });
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  };

  /** Gives up what waits. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  /** Posts until nothing waits. */
  private async run(): Promise<void> {
    const { minRetryMs, maxRetryMs } = this.settings;
    let delay = minRetryMs;
    while (!this.stopped.signal.aborted) {
      const next = this.waiting.entries().next();
      if (next.done) return;
      const [key, { notification }] = next.value;
      this.waiting.delete(key);
      const problem = await this.attempt(notification);
      if (problem === undefined) {
        delay = minRetryMs;
        continue;
      }
      if (this.stopped.signal.aborted) return;
      this.counters.failed++;
      this.restore(key, notification);
      this.log.warn('the alert webhook does not take an alert; it is tried again', { problem });
      // Half of it at random, so that many gateways do not come back in step.
      const pause = delay * (0.5 + Math.random() / 2);
      await wait(pause, undefined, { signal: this.stopped.signal, ref: false }).catch(() => {});
      delay = Math.min(delay * 2, maxRetryMs);
    }
  }

  /** Puts back at the front what was not taken, unless its opposite came meanwhile, which tells more. */
  private restore(key: string, notification: Notification): void {
    const others = [...this.waiting];
    const newer = this.waiting.get(key)?.notification ?? notification;
    this.waiting.clear();
    this.waiting.set(key, { notification: newer, tried: true });
    for (const [otherKey, other] of others) if (otherKey !== key) this.waiting.set(otherKey, other);
  }

  /** Posts once. Resolves to undefined when that is done with, for good or for bad, or to why to try again. */
  private async attempt(notification: Notification): Promise<string | undefined> {
    let status: number;
    try {
      status = await this.post({ ...notification, source: this.settings.source });
    } catch (error) {
      return messageOf(error);
    }
    if (status >= 500 || PASSING.has(status)) return `status ${status}`;
    if (status >= 200 && status < 300) this.counters.sent++;
    else {
      this.counters.refused++;
      this.log.error('the alert webhook refuses an alert', { status, alert: notification.alert });
    }
    return undefined;
  }

  /** The status of the answer; rejects when there is none in time. Redirects are not followed. */
  private async post(body: object): Promise<number> {
    const { url, timeoutMs } = this.settings;
    const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
    const json = Buffer.from(JSON.stringify(body));
    const headers: OutgoingHttpHeaders = {
      'user-agent': 'moonwire',
      ...this.settings.headers,
      'content-type': 'application/json',
      'content-length': json.length,
    };
    const signal = AbortSignal.any([this.stopped.signal, AbortSignal.timeout(timeoutMs)]);
    return new Promise((resolve, reject) => {
      const call = request(url, { method: 'POST', headers, agent: false, signal }, (response) => {
        resolve(response.statusCode!);
        // What it says beside its status is of no use, however long it is.
        response.destroy();
      });
      call.on('error', reject).end(json);
    });
  }
}
