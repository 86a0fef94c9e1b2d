/**
 * The way to one other engine: its own session, or the relay at the centre. It changes over without changing the
 * order of what is sent: while requests are under way on a path that lives, later ones wait.
 */

import { MAX_DEPTH } from '../codecs/plain.js';
import type { Done, Route } from './routes.js';

/** Which way requests take. */
export type PathName = 'direct' | 'relay' | 'none';

/** Sends one request along a route. */
export type Attempt = (route: Route, done: Done) => void;

/** A request that may have to wait. */
export interface PathRequest {
  readonly attempt: Attempt;
  readonly done: Done;
  /** What it keeps in memory while it waits. */
  readonly data: unknown;
  /** The relay would send it to others too. */
  readonly directOnly?: boolean;
}

/** A stretch of time on one route. Requests keep theirs, so that late failures do not count on the next. */
interface Stretch {
  readonly route: Route;
  underWay: number;
}

const UNREACHABLE = 'not_connected: neither that node nor the centre can be reached';
/** Most requests, and most of their bytes, that wait for a path to change. */
const MAX_WAITING = 10_000;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** The path to one engine. */
export class MeshPath {
  /** How often the route in use was changed. */
  changes = 0;
  private directRoute: Route | undefined;
  private relayRoute: Route | undefined;
  private stretch: Stretch | undefined;
  private readonly waiting: { readonly request: PathRequest; readonly bytes: number }[] = [];
  private waitingBytes = 0;
  private flushing = false;

  /** Its own session's route, preferred while it is there. */
  get direct(): Route | undefined {
    return this.directRoute?.open ? this.directRoute : undefined;
  }
  set direct(route: Route | undefined) {
    this.directRoute = route;
    this.settle();
  }

  /** The route to the centre, which relays. */
  get relay(): Route | undefined {
    return this.relayRoute?.open ? this.relayRoute : undefined;
  }
  set relay(route: Route | undefined) {
    this.relayRoute = route;
    this.settle();
  }

  /** The path new requests take, at once or after those under way. */
  get name(): PathName {
    if (this.direct) return 'direct';
    return this.relay ? 'relay' : 'none';
  }

  /** Requests under way or waiting. */
  get outstanding(): number {
    return (this.stretch?.underWay ?? 0) + this.waiting.length;
  }

  /** Makes a request now, or when those under way on another path are done. */
  request(request: PathRequest): void {
    this.choose();
    if (!this.stretch) request.done(0, 1, UNREACHABLE);
    else if (this.waiting.length === 0 && this.chosen) this.run(request, this.stretch);
    else this.wait(request);
  }

  /**
   * A request that the relay sends to several engines, this one among them, is under way: the returned function ends
   * it. For use while {@link name} is `relay`.
   */
  relayed(): () => void {
    this.choose();
    return this.stretch ? this.begin(this.stretch) : () => {};
  }

  private wait(request: PathRequest): void {
    const bytes = weightOf(request.data);
    if (this.waiting.length >= MAX_WAITING || this.waitingBytes + bytes > MAX_WAITING_BYTES) {
      request.done(0, 1, 'queue_full: too many requests wait for the path to that node to change');
      return;
    }
    this.waiting.push({ request, bytes });
    this.waitingBytes += bytes;
  }

  /** Lets what waited go, if it may. */
  private settle(): void {
    this.choose();
    if (this.flushing) return;
    this.flushing = true;
    let next = 0;
    while (next < this.waiting.length && (this.chosen || !this.stretch)) {
      const { request, bytes } = this.waiting[next++]!;
      this.waitingBytes -= bytes;
      if (this.stretch) this.run(request, this.stretch);
      else request.done(0, 1, UNREACHABLE);
      this.choose();
    }
    this.waiting.splice(0, next);
    this.flushing = false;
  }

  /** Whether the route in use is the one to use. */
  private get chosen(): boolean {
    return this.stretch !== undefined && this.stretch.route === (this.direct ?? this.relay);
  }

  /** Changes over to the better route, unless requests are under way on the one in use and it lives. */
  private choose(): void {
    const { stretch } = this;
    const best = this.direct ?? this.relay;
    if (stretch?.route === best || (stretch?.route.open && stretch.underWay > 0)) return;
    if (stretch) this.changes++;
    this.stretch = best && { route: best, underWay: 0 };
  }

  private run({ attempt, done, directOnly }: PathRequest, stretch: Stretch): void {
    if (directOnly && stretch.route !== this.directRoute) {
      done(0, 1, 'not_connected: the session with that node ended');
      return;
    }
    const end = this.begin(stretch);
    attempt(stretch.route, (success, fail, error) => {
      end();
      done(success, fail, error);
    });
  }

  private begin(stretch: Stretch): () => void {
    stretch.underWay++;
    return () => {
      stretch.underWay--;
      if (stretch.underWay === 0 && stretch === this.stretch) this.settle();
    };
  }
}

/** Bytes that data keeps in memory, roughly. Nesting beyond what can be sent does not count. */
function weightOf(data: unknown, depth = 0): number {
  if (typeof data === 'string') return 2 * data.length;
  if (data instanceof Uint8Array) return data.length;
  if (typeof data !== 'object' || data === null || depth > MAX_DEPTH) return 8;
  let weight = 64;
  for (const [key, value] of Object.entries(data)) weight += key.length + weightOf(value, depth + 1);
  return weight;
}
