/** All sinks of a process. */

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { SinkConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Feed } from '../store/feed.js';
import { SinkDelivery, type SinkStatus } from './delivery.js';
import { openSink } from './registry.js';
import type { Sink } from './sink.js';

export class Sinks {
  private deliveries: readonly SinkDelivery[] = [];

  private constructor(
    private readonly feed: Feed,
    private readonly deadLetters: string,
    private readonly log: Logger,
    private readonly given: ReadonlyMap<string, Sink>,
  ) {}

  /**
   * Begins to deliver what `feed` holds, of which each sink's name must be a reader. Dead letters go to files in the
   * folder `deadLetters`, one for each sink. None of the sinks has to be there. `given`: sinks by name that are made
   * already.
   */
  static async start(
    configs: readonly SinkConfig[],
    feed: Feed,
    deadLetters: string,
    log: Logger,
    given: ReadonlyMap<string, Sink> = new Map(),
  ): Promise<Sinks> {
    const sinks = new Sinks(feed, deadLetters, log, given);
    await sinks.change(configs);
    return sinks;
  }

  /**
   * Puts these in the place of those there are. One whose settings are the same is not touched; one with others goes
   * on behind the last report that the old one of its name has taken; a new one begins with the next report. Rejects,
   * with nothing changed, for settings that do not fit each other.
   */
  async change(configs: readonly SinkConfig[]): Promise<void> {
    const kept = new Map(this.deliveries.map((delivery) => [delivery.config.name, delivery]));
    const opened = new Map<SinkConfig, Sink>();
    try {
      for (const config of configs) {
        if (!isDeepStrictEqual(kept.get(config.name)?.config, config))
          opened.set(config, this.given.get(config.name) ?? (await openSink(config)));
      }
    } catch (error) {
      await Promise.all([...opened.values()].map((sink) => sink.close()));
      throw error;
    }
    const ends = this.deliveries.filter(
      ({ config }) => !configs.some((next) => isDeepStrictEqual(config, next)),
    );
    await Promise.all(ends.map((delivery) => delivery.close()));
    this.deliveries = configs.map((config) => {
      const sink = opened.get(config);
      return sink ? this.deliver(config, sink) : kept.get(config.name)!;
    });
    for (const { config } of ends)
      if (!configs.some(({ name }) => name === config.name)) this.forget(config.name);
    for (const delivery of this.deliveries) delivery.start();
  }

  /** How each fares, in the order of the configuration. */
  readonly status = (): SinkStatus[] => this.deliveries.map((delivery) => delivery.status());

  /** Ends within seconds; what was not delivered stays in the feed. Never fails. */
  async close(): Promise<void> {
    await Promise.all(this.deliveries.map((delivery) => delivery.close()));
  }

  private forget(name: string): void {
    const { pending } = this.feed.cursor(name);
    this.feed.removeReader(name);
    if (pending > 0) this.log.warn(`sink ${name} is gone; ${pending} reports are no longer kept for it`);
  }

  private deliver(config: SinkConfig, sink: Sink): SinkDelivery {
    this.feed.addReader(config.name);
    const letters = join(this.deadLetters, `${config.name}.jsonl`);
    return new SinkDelivery(config, sink, this.feed, letters, this.log.child({ sink: config.name }));
  }
}
