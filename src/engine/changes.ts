/**
 * Servers and links that come and go while the engine runs. A change is done whole or not at all: what cannot be used
 * leaves everything as it was.
 */

import type { LinkConfig, ServerConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Engine } from './engine.js';
import type { Inheritance } from './handover/saved.js';
import { Link } from './link.js';
import { Server } from './server.js';

/** Seconds that the `init` of a script may take. */
const INIT_SECONDS = 30;
/** Seconds within which the clients of what is removed drain and their `on_close` runs. */
const CLOSE_SECONDS = 5;

/** A server or a link. */
type Part = Server | Link;

export class Changes {
  /** Names of what is being added, replaced or removed. */
  private readonly busy = new Set<string>();
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly ended = new AbortController();
  private resting = false;

  constructor(private readonly engine: Engine) {}

  /**
   * Loads a server's script, runs its `init`, and listens. Rejects, with nothing left open, with ScriptError or
   * MoonwireError: `conflict` (the name or the port is taken), `invalid_argument`, `timeout` (its `init`), `closed`
   * (the engine stops).
   */
  addServer(config: ServerConfig): Promise<Server> {
    return this.add(this.engine.servers, config, () => new Server(this.engine, config));
  }

  /**
   * Loads a link's script, runs its `init`, and begins to open the connection, which need not succeed at once. Rejects
   * as {@link addServer} does; `conflict` also for a line that is lent. With an `inheritance` it takes from that what is
   * its own, and rests.
   */
  addLink(config: LinkConfig, inheritance?: Inheritance): Promise<Link> {
    return this.add(this.engine.links, config, () => new Link(this.engine, config), inheritance);
  }

  /**
   * Puts another configuration and script in the place of a server's: these are made ready first, then the old clients
   * drain and end, and it listens anew. Rejects as {@link addServer} does, and then the old server listens again,
   * without its clients where it had to end first; `not_found` when there is none of that name.
   */
  replaceServer(config: ServerConfig): Promise<Server> {
    const { servers } = this.engine;
    return this.replace(servers, config, async (old) => {
      const server = new Server(this.engine, config);
      await this.readyOrClosed(server);
      if (old.config.port !== config.port) {
        await this.openedOrClosed(server);
        put(servers, old, server);
        await old.close(CLOSE_SECONDS);
        return server;
      }
      await old.close(CLOSE_SECONDS);
      try {
        await this.openedOrClosed(server);
        put(servers, old, server);
        return server;
      } catch (error) {
        const again = new Server(this.engine, old.config);
        put(servers, old, again);
        await this.makeReady(again);
        await again.open();
        throw error;
      }
    });
  }

  /**
   * Puts another configuration and script in the place of a link's: these are made ready first, then the old
   * connection drains and ends, and the new one opens with a client, counters and timers of its own. Rejects as
   * {@link addLink} does, the old link being as it was; `not_found` when there is none of that name.
   */
  replaceLink(config: LinkConfig): Promise<Link> {
    const { links, leases } = this.engine;
    return this.replace(links, config, async (old) => {
      leases.checkFree(old.config);
      leases.checkFree(config);
      const link = new Link(this.engine, config);
      await this.readyOrClosed(link);
      put(links, old, link);
      await old.close(CLOSE_SECONDS);
      await link.open();
      return link;
    });
  }

  /** Puts settings in effect that a server's clients outlive: limits, the script. Rejects as {@link replaceServer}. */
  changeServer(config: ServerConfig): Promise<Server> {
    return this.replace(this.engine.servers, config, async (server) => {
      await server.reconfigure(config);
      return server;
    });
  }

  /** Puts settings in effect that a link's connection outlives: limits, waits, the script. Rejects as {@link replaceLink}. */
  changeLink(config: LinkConfig): Promise<Link> {
    return this.replace(this.engine.links, config, async (link) => {
      await link.reconfigure(config);
      return link;
    });
  }

  /**
   * Takes a server or link away: it takes no more clients, those it has drain and end, its bus is left, its timers stop
   * and a lease of it ends. Rejects with `not_found`, or `conflict` while it is being changed already.
   */
  remove(name: string): Promise<void> {
    const { servers, links, leases } = this.engine;
    const part = [...servers, ...links].find(({ config }) => config.name === name);
    if (!part) return Promise.reject(notFound(name));
    return this.change(name, async () => {
      take<Part>(part instanceof Server ? servers : links, part);
      const closed = part.close(CLOSE_SECONDS);
      if (part instanceof Link) await leases.endOf(part.config);
      await closed;
    });
  }

  /** Ends what is under way and takes no more. */
  async close(): Promise<void> {
    this.ended.abort(stopping());
    await Promise.allSettled(this.underWay);
  }

  /** Takes no more until {@link thaw}. Resolves when nothing is under way. */
  async rest(): Promise<void> {
    this.resting = true;
    await Promise.allSettled(this.underWay);
  }

  thaw(): void {
    this.resting = false;
  }

  private replace<P extends Part>(list: P[], { name }: P['config'], run: (old: P) => Promise<P>): Promise<P> {
    const old = list.find(({ config }) => config.name === name);
    return old ? this.change(name, () => run(old)) : Promise.reject(notFound(name));
  }

  private add<P extends Part>(
    list: P[],
    config: P['config'],
    make: () => P,
    inheritance?: Inheritance,
  ): Promise<P> {
    const { servers, links, leases } = this.engine;
    return this.change(config.name, async () => {
      if ([...servers, ...links].some((part) => part.config.name === config.name))
        throw new MoonwireError('conflict', `${config.name} is there already`, config.name);
      if ('kind' in config) leases.checkFree(config);
      const part = make();
      if (inheritance) part.station.freeze();
      await this.readyOrClosed(part);
      await this.openedOrClosed(part, inheritance);
      list.push(part);
      // It may have changed while the script's `init` ran.
      part.station.nodeChanged();
      return part;
    });
  }

  /** Runs one change; nothing else is done with that name meanwhile. */
  private async change<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (this.ended.signal.aborted) throw stopping();
    if (this.resting)
      throw new MoonwireError('conflict', 'another process is about to take over: try again there', name);
    if (this.busy.has(name)) throw new MoonwireError('conflict', `${name} is being changed already`, name);
    this.busy.add(name);
    const done = run().finally(() => {
      this.busy.delete(name);
      this.underWay.delete(done);
    });
    this.underWay.add(done);
    const result = await done;
    this.engine.partsChanged();
    return result;
  }

  private readyOrClosed(part: Part): Promise<void> {
    return orClosed(part, () => this.makeReady(part));
  }

  private openedOrClosed(part: Part, inheritance?: Inheritance): Promise<void> {
    return orClosed(part, async () => {
      await part.open(inheritance);
      this.ended.signal.throwIfAborted();
    });
  }

  private async makeReady(part: Part): Promise<void> {
    const problem = part.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, part.config.name);
    await within(part.station.load(), this.ended.signal, part.config.name);
  }
}

/** Does it; closes the part when that fails. */
async function orClosed(part: Part, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    await part.close(0);
    throw error;
  }
}

function put<T>(list: T[], old: T, next: T): void {
  list[list.indexOf(old)] = next;
}

function take<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}

function notFound(name: string): MoonwireError {
  return new MoonwireError('not_found', `no server or link is named ${name}`, name);
}

function stopping(): MoonwireError {
  return new MoonwireError('closed', 'the engine stops');
}

/** Waits for a script's `init`: not longer than it may take, and not beyond the engine's end. */
function within(loading: Promise<void>, signal: AbortSignal, name: string): Promise<void> {
  let timer: NodeJS.Timeout;
  let abort: () => void;
  const overdue = new Promise<never>((_, reject) => {
    const late = new MoonwireError('timeout', `init took longer than ${INIT_SECONDS} s`, name);
    timer = setTimeout(reject, INIT_SECONDS * 1000, late);
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
  });
  return Promise.race([loading, overdue]).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  });
}
