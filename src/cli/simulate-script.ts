/** A simulated device that a Lua entry script plays, run as the engine runs one for a link. */

import { Station, type StationSettings } from '../engine/station.js';
import type { Logger } from '../log.js';
import { buildTransientEngine } from '../main.js';
import type { Connection, ConnectionHandler } from '../transports/connection.js';

/** What a script is run with. */
export interface ScriptedDevice {
  name: string;
  /** Path of the entry script. */
  entry: string;
  /** Values for `mix.server.option`. */
  options: StationSettings['options'];
  /** Folders of `require`. */
  roots: readonly string[];
}

/** A device is slow where its faults make it so, and silent for as long as nobody asks: it is not closed for that. */
const LIMITS = { frameBytes: 65_536, sendBufferBytes: 1024 * 1024, sendStallSeconds: 3600, idleSeconds: 0 };
/** Work of one callback, as engines allow by default. */
const BUDGET = { instructions: 1_000_000, memoryBytes: 32 * 1024 * 1024 };
/** A simulated device shares nothing with others. */
const LUAVM = { queue: { topicSize: 2000, maxTopics: 100 }, redis: [] };
/** Seconds for `on_close` to run. */
const STOP_SECONDS = 1;

/** One script, with one VM for all of its connections. */
export class ScriptPlayer {
  private readonly station: Station;

  constructor({ name, entry, options, roots }: ScriptedDevice, log: Logger) {
    const engine = buildTransientEngine(
      {
        name,
        labels: {},
        script: { ...BUDGET, roots, compile: 'auto', probation: 0 },
        servers: [],
        links: [],
        luavm: LUAVM,
      },
      log,
    );
    this.station = new Station(engine, { name, entry, options, limits: LIMITS });
  }

  /** Loads the script without running a handler, and leaves nothing running. Throws ScriptError. */
  check(): void {
    try {
      this.station.compile();
    } finally {
      this.station.program?.timers.clear();
    }
  }

  /** Loads the script and runs its `init`. Throws ScriptError. */
  load(): Promise<void> {
    return this.station.load();
  }

  /** Lets the script take over as it is now, if it was saved. */
  async reload(): Promise<void> {
    await this.station.reloads.reload({ untried: true });
  }

  /** Makes the owner of a connection, which the caller attaches in this turn. */
  own(connection: Connection): ConnectionHandler {
    const client = this.station.adopt(connection);
    queueMicrotask(() => client.start());
    return client;
  }

  /** Ends its connections, lets `on_close` run and stops its timers. */
  stop(): Promise<void> {
    return this.station.close(STOP_SECONDS);
  }
}
