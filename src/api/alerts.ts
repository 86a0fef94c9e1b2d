/**
 * Alerts for those without Prometheus: conditions that last are told once when they begin and once when they end.
 */

import type { AlertsConfig } from '../config/schema.js';
import { monotonicSeconds } from './health.js';

/** What is told; the same strings as in `configs/alerts.yml`, there in camel case. */
export const ALERTS = ['engine_lost', 'device_silent', 'queue_full', 'uplink_flapping'] as const;
/** One of them. */
export type AlertName = (typeof ALERTS)[number];

/** A condition as a check finds it. */
export interface Condition {
  readonly alert: AlertName;
  /** Which one: an engine, a device, a topic. */
  readonly where: string;
  readonly text: string;
  /** Seconds since it began, where the check knows. */
  readonly age?: number;
}

/** Looks for conditions; `now` in seconds of a clock that only rises. Fast, never fails. */
export type AlertCheck = (now: number) => Iterable<Condition>;

/** What is sent: one for each change. */
export interface Notification {
  readonly alert: AlertName;
  readonly state: 'firing' | 'resolved';
  /** When the condition began, in whole Unix seconds. */
  readonly since: number;
  readonly where: string;
  readonly text: string;
}

/** Takes notifications; must not fail, and must not wait. */
export type Notifier = (notification: Notification) => void;

/** Most conditions that are followed at a time; what is beyond is counted. */
const MAX_CONDITIONS = 10_000;

/** A condition that is followed. Times by the clock that only rises. */
interface Followed {
  readonly began: number;
  readonly seen: number;
  readonly condition: Condition;
  /** Whether its beginning was told. */
  told: boolean;
  /** Since when it is not there any more. */
  gone: number | undefined;
}

export class Alerts {
  private readonly followed = new Map<string, Followed>();
  /** Conditions not followed because there were too many; rises with each look. */
  overlooked = 0;

  /** A condition is told when it lasted `minSeconds`, and its end when it was away for as long. */
  constructor(
    private readonly checks: readonly AlertCheck[],
    private readonly minSeconds: AlertsConfig['minSeconds'],
    private readonly notify: Notifier,
  ) {}

  /** Looks once. */
  look(now = monotonicSeconds()): void {
    const found = new Set<string>();
    for (const check of this.checks) {
      for (const condition of check(now)) {
        const key = `${condition.alert} ${condition.where}`;
        found.add(key);
        this.follow(key, condition, now);
      }
    }
    for (const [key, followed] of this.followed) {
      if (!found.has(key)) this.unfollow(key, followed, now);
    }
  }

  /** How many conditions were told and last, by alert. */
  firing(): ReadonlyMap<AlertName, number> {
    const counts = new Map<AlertName, number>(ALERTS.map((alert) => [alert, 0]));
    for (const { condition, told } of this.followed.values()) {
      if (told) counts.set(condition.alert, counts.get(condition.alert)! + 1);
    }
    return counts;
  }

  private follow(key: string, condition: Condition, now: number): void {
    let followed = this.followed.get(key);
    if (!followed) {
      if (this.followed.size >= MAX_CONDITIONS) {
        this.overlooked++;
        return;
      }
      followed = { began: now - (condition.age ?? 0), seen: now, condition, told: false, gone: undefined };
      this.followed.set(key, followed);
    }
    followed.gone = undefined;
    if (followed.told || now - followed.seen < this.minSeconds) return;
    followed.told = true;
    this.tell('firing', followed, condition.text, now);
  }

  private unfollow(key: string, followed: Followed, now: number): void {
    followed.gone ??= now;
    if (followed.told && now - followed.gone < this.minSeconds) return;
    this.followed.delete(key);
    if (followed.told) this.tell('resolved', followed, followed.condition.text, now);
  }

  private tell(
    state: Notification['state'],
    { began, condition }: Followed,
    text: string,
    now: number,
  ): void {
    const { alert, where } = condition;
    this.notify({ alert, state, since: Math.round(Date.now() / 1000 - (now - began)), where, text });
  }
}
