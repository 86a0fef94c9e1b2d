/**
 * A session between two engines that have proved themselves: control carries announcements of channels, one route
 * stream the requests, and heartbeats notice a link that is dead.
 */

import { Heartbeat, type MuxStream, type TypedSession } from '../mux/index.js';
import { MessageStream } from './message-stream.js';
import { type ChanMessage, type Message, STREAM } from './messages.js';
import { announceAll, PeerChannels } from './peer-channels.js';
import { Route, type RouteOptions, type RouteRequests } from './routes.js';

/** Milliseconds for an answer to a probe, unless requests have another time limit. */
const PROBE_MS = 10_000;

/** What both ends of every session are given. */
export interface MeshSessionOptions {
  /** Answers the other engine's requests. */
  readonly requests: RouteRequests;
  /** All channels with subscribers here. */
  readonly channels: () => Iterable<string>;
  readonly heartbeat: { readonly intervalMs: number; readonly toleranceMs: number };
  readonly route: RouteOptions;
}

/** What the owner of a session is told. */
export interface MeshSessionEvents {
  /** Requests may be made now: the route is open, and the other engine's channels are known. */
  ready(): void;
  /** The session is over; requests under way have failed. Called once. */
  closed(reason: string): void;
}

/** One session. */
export class MeshSession {
  /** `performance.now()` when it was proved. */
  readonly since = performance.now();
  /** Channels of the other engine. */
  readonly channels = new PeerChannels();
  private readonly heartbeat: Heartbeat;
  private openedRoute: Route | undefined;
  private probing: NodeJS.Timeout | undefined;
  private isReady = false;
  private over = false;

  /** @param dialled whether this end opened the connection: it opens the route stream too */
  constructor(
    readonly dialled: boolean,
    private readonly typed: TypedSession,
    private readonly control: MessageStream,
    private readonly options: MeshSessionOptions,
    private readonly events: MeshSessionEvents,
  ) {
    control.onmessage = (message) => this.receive(message);
    control.onclose = (error) => this.close(error?.message ?? 'the other engine ended the control stream');
    typed.session.closed.then(({ error }) => this.end(error.message));
    this.heartbeat = new Heartbeat(typed, options.heartbeat);
    this.heartbeat.start();
    if (dialled) this.useRoute(typed.open(STREAM.route));
    else typed.handle(STREAM.route, (stream) => this.useRoute(stream));
    for (const piece of announceAll(options.channels())) control.send(piece);
  }

  /** The route, once the session is ready. */
  get route(): Route | undefined {
    return this.isReady ? this.openedRoute : undefined;
  }

  /** The last round trip of a heartbeat in milliseconds. */
  get roundTripMs(): number | undefined {
    return this.heartbeat.roundTripMs;
  }

  /** Announces channels that changed here. */
  announce(message: ChanMessage): void {
    this.control.send(message);
  }

  /** Ends the session; requests under way fail at once. */
  close(reason: string): void {
    if (this.over) return;
    this.typed.session.close();
    this.end(reason);
  }

  private receive(message: Message): void {
    if (message.t !== 'chan') {
      this.control.refuse(message);
      return;
    }
    this.channels.apply(message);
    this.becomeReady();
  }

  private useRoute(stream: MuxStream): void {
    if (this.openedRoute) {
      stream.reset('protocol');
      return;
    }
    this.openedRoute = new Route(new MessageStream(stream), this.options.requests, this.options.route);
    this.openedRoute.onclose = (error) => this.close(error?.message ?? 'the other engine ended the route');
    this.openedRoute.ontimeout = () => this.probe();
    this.becomeReady();
  }

  /** Requests were not answered: looks whether anybody is there, since heartbeats may be minutes apart. */
  private probe(): void {
    if (this.probing || this.over) return;
    const { timeoutMs = PROBE_MS } = this.options.route;
    const stop = () => {
      clearTimeout(this.probing);
      this.probing = undefined;
    };
    this.probing = setTimeout(() => this.close('the other engine does not answer'), timeoutMs).unref();
    this.heartbeat.beat().then(stop, stop);
  }

  private becomeReady(): void {
    if (this.isReady || this.over || !this.openedRoute || !this.channels.complete) return;
    this.isReady = true;
    this.events.ready();
  }

  private end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.openedRoute?.close();
    this.events.closed(reason);
  }
}
