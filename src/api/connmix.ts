/**
 * The calls that CONNMIX's clients make, over HTTP and over WebSocket: their parameters, results and codes (see
 * README.md).
 */

import * as v from 'valibot';
import { CONN_CALLS, type Outgoing } from '../engine/mesh.js';
import type { ErrorCode } from '../errors.js';
import { check, clientId, fields, type Schema, text } from './check.js';
import type { ApiHost } from './host.js';

/** Codes of errors. */
export const CODES = {
  invalid: 101,
  consumeFailed: 201,
  consumedAlready: 202,
  cancelFailed: 203,
  callFailed: 301,
  sendFailed: 401,
} as const;
/** One of them. */
export type Code = (typeof CODES)[keyof typeof CODES];

/** An error as it is answered. */
export class ConnmixError extends Error {
  constructor(
    readonly code: Code,
    message: string,
    /** What kept a client from getting it. */
    readonly reason?: ErrorCode,
  ) {
    super(message);
  }

  /** `{"E": …}`. */
  get envelope(): { c: Code; m: string } {
    return { c: this.code, m: this.message };
  }
}

/** A call: what it takes and what it does. */
export interface Call<P> {
  readonly params: Schema<P>;
  /** What it is about, for the audit log. */
  target(params: P): string;
  /** Resolves to what is answered as `r`; rejects with a ConnmixError. */
  run(host: ApiHost, params: P): Promise<unknown>;
}

const data = v.pipe(v.unknown(), v.description('Text, or what the protocol of the client encodes.'));
const type = v.pipe(
  v.optional(v.picklist(['text', 'binary'], 'must be text or binary')),
  v.description('How a WebSocket client gets it; binary: `d` is base64.'),
);
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Most channels of one call. */
const MAX_ARGUMENTS = 1000;

const sendParams = fields({ c: clientId, d: data, t: type });
const publishParams = fields({
  c: v.pipe(text(1, 256), v.description('Channel.')),
  d: data,
  t: type,
});
const callParams = fields({
  c: clientId,
  f: v.picklist(CONN_CALLS, `must be one of ${CONN_CALLS.join(', ')}`),
  a: v.optional(
    v.pipe(
      v.array(v.unknown(), 'must be a list'),
      v.maxLength(MAX_ARGUMENTS, `has at most ${MAX_ARGUMENTS} items`),
    ),
    [],
  ),
});

/** A call with its types. */
function call<P>(params: Schema<P>, rest: Omit<Call<P>, 'params'>): Call<P> {
  return { params, ...rest };
}

/** The calls that reach clients. */
export const CALLS = {
  'mesh.send': call(sendParams, {
    target: ({ c }) => `client ${c}`,
    run: async (host, { c, ...message }) => {
      const failure = await host.send(c, outgoing(message));
      if (failure) throw new ConnmixError(CODES.sendFailed, failure.message, failure.code);
      return { s: true };
    },
  }),
  'mesh.publish': call(publishParams, {
    target: ({ c }) => `channel ${c}`,
    run: async (host, { c, ...message }) => {
      const { success, fail } = await host.publish(c, outgoing(message));
      return { s: success, f: fail, t: success + fail };
    },
  }),
  'conn.call': call(callParams, {
    target: ({ c, f }) => `client ${c} ${f}`,
    run: async (host, { c, f, a }) => {
      const failure = await host.call(c, f, a);
      if (failure) throw new ConnmixError(CODES.callFailed, failure.message, failure.code);
      return { s: true };
    },
  }),
} as const;

/** Checks the parameters of a call. Throws ConnmixError 101. */
export function checkParams<P>(schema: Schema<P>, value: unknown): P {
  try {
    return check(schema, value);
  } catch (error) {
    throw new ConnmixError(CODES.invalid, (error as Error).message);
  }
}

function outgoing({ d, t }: { d?: unknown; t?: 'text' | 'binary' | undefined }): Outgoing {
  if (d === undefined || d === null) throw new ConnmixError(CODES.invalid, 'd is missing');
  if (t !== 'binary') return { data: d, type: t };
  if (typeof d !== 'string' || d.length % 4 !== 0 || !BASE64.test(d))
    throw new ConnmixError(CODES.invalid, 'd must be base64 when t is binary');
  return { data: Buffer.from(d, 'base64'), type: 'binary' };
}
