/** The HTTP API as a Hono application: each route's row becomes a handler that checks, runs, audits and answers. */

import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { json } from '../codecs/json.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import type { Caller, Gate } from './access.js';
import { audited } from './audit.js';
import { check } from './check.js';
import { CODES, ConnmixError } from './connmix.js';
import { errorOf, PROBLEM_TYPE, problemOf } from './problem.js';
import type { Answer, ApiContext, ApiRequest, Route } from './route.js';
import { ROUTES } from './routes.js';
import { CHALLENGE } from './worker-sockets.js';

type Env = { Bindings: HttpBindings; Variables: { caller: Caller } };

/** What the router needs beside its context. */
export interface RouterOptions {
  readonly gate: Gate;
  /** Refuses requests that are not to be served whoever sends them. Throws MoonwireError. */
  guard(incoming: HttpBindings['incoming']): void;
  /** Origins that may read answers. */
  readonly origins: readonly string[];
  readonly bodyBytes: number;
  readonly log: Logger;
}

/** Builds the application. */
export function createRouter(context: ApiContext, options: RouterOptions): Hono<Env> {
  const app = new Hono<Env>();
  const { gate, origins, bodyBytes, log } = options;
  const tooLarge = (): never => {
    throw new MoonwireError('too_large', `a body has at most ${bodyBytes} bytes`);
  };
  const limited = bodyLimit({ maxSize: bodyBytes, onError: tooLarge });

  app.use(async (c, next) => {
    options.guard(c.env.incoming);
    const { origin } = c.env.incoming.headers;
    if (origin !== undefined && origins.includes(origin)) {
      // On the response itself: a trace writes it without Hono.
      c.env.outgoing.setHeader('access-control-allow-origin', origin);
      c.env.outgoing.setHeader('vary', 'Origin');
      if (c.req.method === 'OPTIONS') return preflight(c);
    }
    return next();
  });
  for (const row of ROUTES) {
    const path = honoPath(row);
    app.on(row.method, path, (c, next) => {
      c.set('caller', gate.enter(c.env.incoming, row.needs));
      return next();
    });
    // Nothing is read of a body before its sender was let in.
    if (row.body) app.on(row.method, path, limited);
    app.on(row.method, path, (c) => serve(c, row, context, log));
  }
  for (const path of new Set(ROUTES.map(honoPath))) {
    const allow = ROUTES.filter((row) => honoPath(row) === path).map(({ method }) => method);
    app.all(path, (c) => {
      c.header('allow', allow.join(', '));
      return answerProblem(c, { status: 405, code: 'invalid_argument', detail: `use ${allow.join(' or ')}` });
    });
  }
  app.notFound((c) =>
    answerProblem(c, { status: 404, code: 'not_found', detail: `there is no ${c.req.path}` }),
  );
  const throttle = new LogThrottle();
  const logInternal = (error: Error): void => {
    const message = messageOf(error);
    const suppressed = throttle.pass(message);
    if (suppressed < 0) return;
    // A failure that was expected, such as an engine's senseless answer, is no defect here and has no stack worth showing.
    const stack = error instanceof MoonwireError ? undefined : error.stack;
    log.error(`API: ${message}`, { ...(stack && { stack }), ...(suppressed > 0 && { suppressed }) });
  };
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (problem.code === 'internal') logInternal(error);
    if (problem.status === 401) c.header('www-authenticate', CHALLENGE);
    if (problem.status === 429) c.header('retry-after', String(gate.retryAfter(c.env.incoming)));
    // The rest of a body that is too large is not worth reading.
    if (problem.status === 413) c.header('connection', 'close');
    return answerProblem(c, problem);
  });
  return app;
}

async function serve(c: Context<Env>, row: Route, context: ApiContext, log: Logger): Promise<Response> {
  const { incoming, outgoing } = c.env;
  try {
    const request = {
      params: row.params && check(row.params, c.req.param()),
      query: row.query && check(row.query, c.req.query()),
      body: row.body && check(row.body, readBody(new Uint8Array(await c.req.arrayBuffer()))),
      caller: c.get('caller'),
      incoming,
      outgoing,
    };
    return respond(c, await run(row, context, request, log), row.status);
  } catch (error) {
    if (!row.envelope) throw error;
    return respond(c, { json: { E: envelopeOf(error) } });
  }
}

/** Runs a route; a change is audited. Throws what is answered as a problem. */
async function run(
  row: Route,
  context: ApiContext,
  request: ApiRequest<unknown, unknown, unknown>,
  log: Logger,
): Promise<Exclude<Answer, Failure>> {
  const perform = async (): Promise<Exclude<Answer, Failure>> => {
    const answer = await row.run(context, request);
    if (answer instanceof Failure) throw errorOf(answer);
    return answer;
  };
  const { audit } = row;
  return audit ? audited(log, request.caller, audit.action, audit.target(request), perform) : perform();
}

function respond(c: Context<Env>, answer: Exclude<Answer, Failure>, status?: number): Response {
  if (answer === 'answered') return RESPONSE_ALREADY_SENT;
  if (answer === 'done') return c.body(null, 204);
  c.header('cache-control', 'no-store');
  if ('text' in answer) return c.body(answer.text, 200, { 'content-type': answer.contentType });
  if (answer.location !== undefined) c.header('location', answer.location);
  c.header('content-type', 'application/json');
  return c.newResponse(
    json.encode(answer.json) as Uint8Array<ArrayBuffer>,
    (answer.status ?? status ?? 200) as 200,
  );
}

function answerProblem(c: Context<Env>, problem: { status: number; code: string; detail: string }): Response {
  return c.body(JSON.stringify(problem), problem.status as 400, { 'content-type': PROBLEM_TYPE });
}

/** The answer to a browser that asks what a page may do (WHATWG Fetch, "CORS-preflight fetch"). */
function preflight(c: Context<Env>): Response {
  c.header('access-control-allow-methods', 'GET, POST, PUT, DELETE');
  c.header('access-control-allow-headers', 'authorization, content-type');
  c.header('access-control-max-age', '600');
  return c.body(null, 204);
}

function readBody(bytes: Uint8Array): unknown {
  try {
    return json.decode(bytes);
  } catch (error) {
    throw new MoonwireError('invalid_argument', `the body is not JSON: ${messageOf(error)}`);
  }
}

function envelopeOf(error: unknown): ConnmixError['envelope'] {
  if (error instanceof ConnmixError) return error.envelope;
  if (error instanceof MoonwireError && error.code === 'invalid_argument')
    return { c: CODES.invalid, m: error.message };
  throw error;
}

function honoPath({ path }: Route): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}
