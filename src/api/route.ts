/** A route of the HTTP API as data: the router, access control and `/openapi.json` all come from it. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure } from '../errors.js';
import type { Caller, Need } from './access.js';
import type { Schema } from './check.js';
import type { EventStreams } from './event-stream.js';
import type { ApiHost } from './host.js';
import type { HealthReport } from './shapes.js';

/** What tells how the process fares; see monitor.ts. */
export interface ApiMonitor {
  health(): HealthReport;
  /** In Prometheus' text format. */
  metrics(): string | Promise<string>;
}

/** What routes work with. */
export interface ApiContext {
  readonly host: ApiHost;
  readonly monitor: ApiMonitor | undefined;
  readonly streams: EventStreams;
  /** The API as OpenAPI. */
  describe(): Promise<object>;
}

/** A checked request. */
export interface ApiRequest<P, Q, B> {
  /** What stands in the path. */
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** An answer that is text as it is. */
export interface TextAnswer {
  readonly contentType: string;
  readonly text: string;
  /** 200 when undefined. */
  readonly status?: number;
}

/** What became of a request. */
export type Answer =
  /** Plain values, answered as JSON. */
  | {
      readonly json: unknown;
      /** That of the row when undefined. */
      readonly status?: number;
      /** Where what was made is found. */
      readonly location?: string;
    }
  | TextAnswer
  /** Nothing to say: 204. */
  | 'done'
  /** `run` has answered itself. */
  | 'answered'
  | Failure;

/** One route. */
export interface Route<P = unknown, Q = unknown, B = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for each parameter. */
  readonly path: string;
  readonly needs: Need;
  /** What it does, in one sentence. */
  readonly summary: string;
  readonly params?: Schema<P>;
  readonly query?: Schema<Q>;
  readonly body?: Schema<B>;
  /** The JSON it answers, or the type of another content. */
  readonly answer: Schema | string;
  /** Status of a good answer, when it is not 200. */
  readonly status?: 201 | 202;
  /** CONNMIX's: answers and errors are `{"E", "r"}`, with status 200. */
  readonly envelope?: true;
  /** How the log names a change, and what it is made to. */
  readonly audit?: { readonly action: string; target(request: ApiRequest<P, Q, B>): string };
  run(context: ApiContext, request: ApiRequest<P, Q, B>): Answer | Promise<Answer>;
}

/** A route with the types its schemas give it. */
export function route<P, Q, B>(row: Route<P, Q, B>): Route {
  // Each request is checked by the row's own schemas before its functions see it.
  return row as unknown as Route;
}

/** A result as JSON; a failure as it is. */
export function jsonOr<T extends object>(result: T | Failure): Answer {
  return result instanceof Failure ? result : { json: result };
}
