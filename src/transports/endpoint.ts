import { MoonwireError } from '../errors.js';
import type { Connection, ConnectionHandler, MessageType } from './connection.js';

/** Milliseconds that `end` may take to send the rest and see the peer close; then the connection is cut. */
export const END_MS = 10_000;

/**
 * What all transports share: one owner, and an end that is told exactly once, with its first cause.
 *
 * A transport implements `start`, `flushAndClose` and `abort`, and calls {@link finish} when its resource is
 * released, never from within a call of the owner.
 */
export abstract class Endpoint implements Connection {
  abstract readonly transport: string;
  abstract readonly remote: string;
  abstract readonly local: string;
  abstract readonly datagram: boolean;
  abstract readonly pendingBytes: number;
  abstract write(bytes: Uint8Array, type?: MessageType): void;
  abstract pause(): void;
  abstract resume(): void;

  /** Undefined until the owner attached. */
  protected handler: ConnectionHandler | undefined;
  private phase: 'open' | 'closing' | 'over' = 'open';
  private cause: Error | undefined;
  private bound: NodeJS.Timeout | undefined;

  get closed(): boolean {
    return this.phase !== 'open';
  }

  /** True once the resource is released and `close` was told. */
  protected get over(): boolean {
    return this.phase === 'over';
  }

  attach(handler: ConnectionHandler): void {
    if (this.handler) throw new MoonwireError('internal', 'the connection has an owner already', this.remote);
    this.handler = handler;
    if (this.over) queueMicrotask(() => handler.close(this.cause));
    else this.start();
  }

  end(code?: number, reason?: string): void {
    if (this.closed) return;
    this.phase = 'closing';
    this.bound = setTimeout(cutOff, END_MS, this).unref();
    this.flushAndClose(code, reason);
  }

  destroy(error?: Error): void {
    if (this.over) return;
    this.cause ??= error;
    this.phase = 'closing';
    this.abort();
  }

  /** Another process has the resource: releases it here, and tells nobody. */
  letGo(): void {
    if (this.over) return;
    this.phase = 'over';
    clearTimeout(this.bound);
    this.abort();
  }

  /** The owner is there: let data flow. */
  protected abstract start(): void;
  /** Send what is queued, drop what still arrives, then release the resource. */
  protected abstract flushAndClose(code?: number, reason?: string): void;
  /** Release the resource at once. May be called again, and after `flushAndClose`. */
  protected abstract abort(): void;

  /** The resource failed and is about to be released; an earlier cause stays. */
  protected blame(error: Error): void {
    this.cause ??= error;
    if (!this.over) this.phase = 'closing';
  }

  /** The resource is released. */
  protected finish(): void {
    if (this.over) return;
    this.phase = 'over';
    clearTimeout(this.bound);
    this.handler?.close(this.cause);
  }
}

function cutOff(endpoint: Endpoint): void {
  const rest = endpoint.pendingBytes;
  endpoint.destroy(
    rest > 0
      ? new MoonwireError(
          'timeout',
          `${rest} bytes were not taken within ${END_MS / 1000} s`,
          endpoint.remote,
        )
      : undefined,
  );
}
