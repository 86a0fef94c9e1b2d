/**
 * Posts reports to a webhook: `{"reports": […]}`, one request at a time.
 *
 * Each request carries `webhook-id`, `webhook-timestamp` and, with a secret, `webhook-signature` of Standard Webhooks
 * (standardwebhooks.com), for which receivers find libraries; `idempotency-key` is the id again. The id follows from
 * the reports, so a batch that is posted again has the same one; each report has an `id` of its own besides.
 */

import { createHash, createHmac } from 'node:crypto';
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { toJson } from './line.js';
import type { HttpSinkSettings } from './registry.js';
import { Busy, type Delivery, Rejected, type Sink } from './sink.js';
import { tlsOptions } from './tls.js';

/**
 * Answers from 400 to 499 that say nothing about the reports: who may post, where to, how often. Reports wait then,
 * since an operator can put it right.
 */
const NOT_ABOUT_REPORTS = new Set([401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 426, 429, 451]);
const TOO_LARGE = 413;
/** What is read of the answer to a refusal, to tell why. */
const MAX_ANSWER = 4096;
const MAX_REASON = 200;

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Its first bytes, printable. */
  readonly text: string;
}

export class HttpSink implements Sink {
  private readonly isTls: boolean;
  private readonly key: Buffer | undefined;
  private agent: Agent | undefined;

  constructor(private readonly settings: HttpSinkSettings) {
    this.isTls = new URL(settings.url).protocol === 'https:';
    this.key = settings.secret === undefined ? undefined : keyOf(settings.secret);
  }

  async deliver(batch: readonly Delivery[], signal: AbortSignal): Promise<void> {
    const body = toBody(batch);
    const answer = await this.post(body, this.headers(batch, body), signal);
    const { status, text } = answer;
    if (status >= 200 && status < 300) return;
    const reason = text === '' ? `status ${status}` : `status ${status}: ${text}`;
    if (status >= 400 && status < 500 && !NOT_ABOUT_REPORTS.has(status)) {
      throw new Rejected(reason, undefined, status === TOO_LARGE);
    }
    const seconds = retrySeconds(answer.retryAfter);
    throw seconds === undefined ? new Error(reason) : new Busy(reason, seconds);
  }

  async close(): Promise<void> {
    this.agent?.destroy();
    this.agent = undefined;
  }

  private headers(batch: readonly Delivery[], body: Buffer): OutgoingHttpHeaders {
    const id = batchId(batch);
    const timestamp = Math.floor(Date.now() / 1000);
    return {
      'user-agent': 'moonwire',
      ...this.settings.headers,
      'content-type': 'application/json',
      'content-length': body.length,
      'idempotency-key': id,
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      ...(this.key && { 'webhook-signature': sign(this.key, id, timestamp, body) }),
    };
  }

  /** The answer to one request; redirects are not followed. A failed connection is not used again. */
  private async post(body: Buffer, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<Answer> {
    const { url, tls } = this.settings;
    const keep = { keepAlive: true, maxSockets: 1 };
    this.agent ??= this.isTls ? new TlsAgent({ ...keep, ...(await tlsOptions(tls)) }) : new Agent(keep);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const options = { method: 'POST', headers, agent: this.agent, signal };
        const call = (this.isTls ? tlsRequest : request)(url, options, (response) => {
          readAnswer(response).then(resolve, reject);
        });
        call.on('error', reject).end(body);
      });
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}

/** Status and first bytes; the rest is read away for the connection's next request, unless there is much of it. */
async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > MAX_ANSWER) break;
  }
  return {
    status: response.statusCode!,
    retryAfter: response.headers['retry-after'],
    text: Buffer.concat(chunks)
      .toString('utf8')
      .slice(0, MAX_REASON)
      .replace(/[\p{Cc}\s]+/gu, ' ')
      .trim(),
  };
}

function toBody(batch: readonly Delivery[]): Buffer {
  const comma = Buffer.from(',');
  const items = batch.flatMap((delivery, i) => (i === 0 ? [toJson(delivery)] : [comma, toJson(delivery)]));
  return Buffer.concat([Buffer.from('{"reports":['), ...items, Buffer.from(']}')]);
}

/** The same for the same reports. */
function batchId(batch: readonly Delivery[]): string {
  const hash = createHash('sha256');
  for (const { id } of batch) hash.update(`${id}\n`);
  return `msg_${hash.digest('hex').slice(0, 32)}`;
}

/** Standard Webhooks: `whsec_` and base64 are bytes; anything else is taken as it is. */
function keyOf(secret: string): Buffer {
  const prefix = 'whsec_';
  return secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), 'base64') : Buffer.from(secret);
}

/** Standard Webhooks, "Signature scheme": HMAC-SHA256 of `id.timestamp.body`. */
function sign(key: Buffer, id: string, timestamp: number, body: Buffer): string {
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body);
  return `v1,${mac.digest('base64')}`;
}

/** Seconds of a Retry-After header, which has seconds or a date (RFC 9110 §10.2.3); undefined for neither. */
function retrySeconds(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}
