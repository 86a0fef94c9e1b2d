/** All sinks of a process. */

import { join } from 'node:path';
import type { SinkConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Feed } from '../store/feed.js';
import { SinkDelivery, type SinkStatus } from './delivery.js';
import { openSink } from './registry.js';
import type { Sink } from './sink.js';

export class Sinks {
  private constructor(private readonly deliveries: readonly SinkDelivery[]) {}

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
    const deliveries = await Promise.all(
      configs.map(async (config) => {
        const own = log.child({ sink: config.name });
        const letters = join(deadLetters, `${config.name}.jsonl`);
        const sink = given.get(config.name) ?? (await openSink(config));
        return new SinkDelivery(config, sink, feed, letters, own);
      }),
    );
    for (const delivery of deliveries) delivery.start();
    return new Sinks(deliveries);
  }

  /** How each fares, in the order of the configuration. */
  readonly status = (): SinkStatus[] => this.deliveries.map((delivery) => delivery.status());

  /** Ends within seconds; what was not delivered stays in the feed. Never fails. */
  async close(): Promise<void> {
    await Promise.all(this.deliveries.map((delivery) => delivery.close()));
  }
}
