/** An engine as another process takes it over. */

import { MoonwireError } from '../../errors.js';
import { type Handle, isOpen } from '../../transports/handles.js';
import type { Client } from '../client.js';
import type { Engine, EngineParts } from '../engine.js';
import { catchUp, refusedOf } from './arriving.js';
import type { Arrived, Estate, Heir, LetGo, SendAccepted, SendHandle, Surroundings } from './estate.js';
import { bringToRest, byTransport, goOn, handlesOf, type Leaving, lateOf, leave, letGo } from './leaving.js';
import type { Inheritance, SavedEngine } from './saved.js';

/** Milliseconds in which handlers may end of clients that cannot be handed over. */
const HANDLER_MS = 5000;
/** Milliseconds in which all of these are drained: as long as a connection takes to end, and their handlers before. */
const DRAIN_MS = 16_000;
/** Milliseconds between two looks whether it is. */
const LOOK_MS = 20;

export class EngineEstate implements Estate {
  private readonly sent = new Map<string, Handle>();
  private leaving: Leaving | undefined;
  /** What is drained. */
  private left: readonly Client[] = [];
  /** Reports of their `on_close` that nobody took. */
  private unreported = 0;

  constructor(
    private readonly engine: Engine,
    private readonly around: Surroundings,
  ) {}

  ahead(send: SendHandle): Promise<void> {
    return this.send(handlesOf(this.engine), send);
  }

  rest(ms: number): Promise<void> {
    return bringToRest(this.engine, ms);
  }

  suspend(): Promise<void> {
    return this.around.suspend();
  }

  async leave(send: SendHandle): Promise<SavedEngine> {
    this.leaving = leave(this.engine);
    await this.send(this.leaving.handles, send);
    return this.leaving.saved;
  }

  async late(): Promise<unknown> {
    return lateOf(this.engine);
  }

  async letGo(refused: unknown, accepted: SendAccepted): Promise<LetGo> {
    const { engine } = this;
    const { moved, staying, saved } = this.leaving!;
    const unwanted = new Set(refused as readonly number[]);
    const gone = [...moved].filter(({ id }) => !unwanted.has(id));
    this.left = [...staying, ...[...moved].filter(({ id }) => unwanted.has(id))];
    const closed = byTransport(this.left);
    for (const client of gone) client.letGo();
    for (const [server, handle] of letGo(engine)) {
      await accepted(server, handle).catch(() => {});
      handle.close();
    }
    return { clients: gone.length, listeners: listenersOf(engine, saved), closed };
  }

  async drain(): Promise<void> {
    const { left: clients, engine } = this;
    if (clients.length === 0) return;
    engine.parts = { ...engine.parts, report: this.watched(engine.parts.report) };
    const began = performance.now();
    const open = new Set(clients);
    for (;;) {
      const passed = performance.now() - began;
      for (const client of open) {
        // What a handler that waits sends afterwards is to leave, too.
        if (client.handling && passed < HANDLER_MS) continue;
        open.delete(client);
        client.end(1012, 'service restart');
        // Its peer's end is to be seen; what else it sends is dropped.
        client.connection.thaw?.();
      }
      if (clients.every(({ over }) => over) || passed >= DRAIN_MS) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    engine.log.info('restart: connections that could not be handed over are closed', {
      clients: clients.length,
    });
    if (this.unreported > 0)
      engine.log.error(
        'restart: what on_close of these reported was refused, since another process has the store',
        {
          reports: this.unreported,
        },
      );
  }

  /** Counts the reports that are refused. */
  private watched(report: EngineParts['report']): EngineParts['report'] {
    const refused = (error: unknown): never => {
      this.unreported++;
      throw error;
    };
    return (reading) => {
      try {
        return report(reading)?.catch(refused);
      } catch (error) {
        return refused(error);
      }
    };
  }

  async goOn(): Promise<void> {
    goOn(this.engine);
  }

  resume(): Promise<void> {
    return this.around.resume();
  }

  async abandon(): Promise<void> {
    for (const client of this.leaving?.moved ?? [])
      client.destroy(new MoonwireError('closed', 'the process that took it over ended'));
  }

  private async send(handles: ReadonlyMap<string, Handle>, send: SendHandle): Promise<void> {
    for (const [name, handle] of handles) {
      if (this.sent.get(name) === handle) continue;
      this.sent.set(name, handle);
      try {
        await send(name, handle);
      } catch (error) {
        // Ahead, clients still come and go: one may have gone while its turn was waited for.
        if (isOpen(handle)) throw error;
      }
    }
  }
}

/** An engine that was taken over. */
export class EngineHeir implements Heir {
  readonly arrived: Arrived;
  readonly refused: readonly number[];

  constructor(
    private readonly engine: Engine,
    { saved }: Inheritance,
  ) {
    this.refused = refusedOf(engine, saved);
    this.arrived = {
      clients: saved.parts.flatMap(({ clients }) => clients).length - this.refused.length,
      listeners: listenersOf(engine, saved),
      closed: saved.staying,
    };
  }

  async goOn(late: unknown): Promise<void> {
    catchUp(this.engine, (late ?? {}) as Readonly<Record<string, unknown>>);
    goOn(this.engine);
  }

  accept(server: string, handle: Handle): void {
    const { listener } = this.engine.servers.find(({ config }) => config.name === server) ?? {};
    if (listener?.receive) listener.receive(handle);
    else handle.close();
  }
}

/** How many servers listen themselves. */
function listenersOf({ parts: { sockets } }: Engine, { parts }: SavedEngine): number {
  return parts.filter(({ name, listening }) => listening !== undefined && !sockets?.(name)).length;
}
