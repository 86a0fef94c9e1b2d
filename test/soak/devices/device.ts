/** A device that reports one number after the other, each once, and comes back whenever it is cut off. */

import { type Campaign, pause } from '../campaign.js';
import type { Account } from '../ledger.js';
import type { Speech } from './speech.js';

/** How long an answer is waited for. */
const ANSWER_MS = 5_000;
const RECONNECT_MS = 300;

/** A way to bytes on the other side. */
export interface Wire {
  send(bytes: Uint8Array): void;
  /** Ends it, politely or not. */
  close(abruptly: boolean): void;
}

/** Opens a wire; rejects when nobody is there. `closed` is called once, whoever closes. */
export type Dial = (hear: (bytes: Buffer) => void, closed: () => void) => Promise<Wire>;

export interface DeviceOptions {
  readonly account: Account;
  readonly dial: Dial;
  readonly speech: () => Speech;
  /** Time between reports, about. */
  readonly everyMs: number;
}

export class Device {
  private wire: Wire | undefined;
  private speech: Speech | undefined;
  private welcome = false;
  private answered = new Set<number>();
  private wake = (): void => {};

  constructor(
    private readonly campaign: Campaign,
    private readonly options: DeviceOptions,
  ) {}

  /** Lives until the campaign is over. */
  async live(): Promise<void> {
    const { campaign } = this;
    while (!campaign.over) {
      if (!campaign.active) {
        this.wire?.close(false);
        await pause(100);
        continue;
      }
      if (!this.wire && !(await this.connect())) {
        await pause(RECONNECT_MS + campaign.random.below(500));
        continue;
      }
      await this.reportOne();
      await pause(campaign.random.below(2 * this.options.everyMs));
      // Churn: some leave without a word.
      if (campaign.random.below(60) === 0) this.wire?.close(campaign.random.below(2) === 0);
    }
    this.wire?.close(true);
  }

  private async connect(): Promise<boolean> {
    const speech = this.options.speech();
    this.speech = speech;
    this.welcome = speech.hello === undefined;
    let closed = false;
    try {
      const wire = await this.options.dial(
        (bytes) => this.hear(speech, bytes),
        () => {
          closed = true;
          if (this.speech === speech) this.wire = undefined;
          this.wake();
        },
      );
      if (closed) return false;
      this.wire = wire;
      this.campaign.count('connections');
    } catch {
      return false;
    }
    if (speech.hello) this.wire.send(speech.hello());
    await this.until(() => this.welcome);
    if (!this.welcome) this.wire?.close(true);
    return this.welcome && this.wire !== undefined;
  }

  private async reportOne(): Promise<void> {
    const { account } = this.options;
    if (!this.wire) return;
    const n = account.next();
    this.wire.send(this.speech!.report(n));
    await this.until(() => this.answered.has(n));
    if (this.answered.has(n)) this.answered.clear();
    else this.campaign.count(this.wire ? 'reports without an answer' : 'reports cut off');
  }

  private hear(speech: Speech, bytes: Buffer): void {
    const { taken, refused, welcome, answer } = speech.hear(bytes);
    for (const n of taken) this.options.account.acknowledge(n);
    for (const n of [...taken, ...refused]) this.answered.add(n);
    this.campaign.count('reports refused', refused.length);
    if (this.speech === speech) {
      if (welcome) this.welcome = true;
      if (answer) this.wire?.send(answer);
    }
    this.wake();
  }

  /** Waits for a condition while the wire is there, not for ever. */
  private async until(condition: () => boolean): Promise<void> {
    const timer = setTimeout(() => this.wake(), ANSWER_MS);
    const end = Date.now() + ANSWER_MS;
    while (!condition() && this.wire && Date.now() < end) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    clearTimeout(timer);
  }
}
