/** Asks one unit after the other on an open line. */

import { defaultCodecs } from '../codecs/registry.js';
import { OfflinePeer } from '../engine/offline.js';
import { OfflineScript } from '../engine/offline-script.js';
import type { Protocol } from '../engine/protocol.js';
import { MoonwireError } from '../errors.js';
import { silentLogger } from '../log.js';
import { Failure } from '../script/api.js';
import type { Connection } from '../transports/connection.js';
import { scriptRoots } from './roots.js';
import type { ScanProtocol } from './scan-settings.js';

/** What one unit did. */
export type Probed =
  /** It answered: with a response or an exception, either shows that it is there. */
  | { readonly kind: 'found'; readonly answer: string }
  | { readonly kind: 'silent' }
  /** Bytes came that are no answer of this unit: other settings, another protocol, another master. */
  | { readonly kind: 'noise'; readonly bytes: number };

const MAX_FRAME = 512;
/** Bytes of a short request and its reply together, with the silence around them. */
const EXCHANGE_BYTES: Readonly<Record<ScanProtocol, number>> = { modbus_rtu: 28, modbus_ascii: 40 };
/** Bits of a character with start, parity and stop. */
const CHARACTER_BITS = 11;
/** First function asked for, which nearly every device has: read one holding register. */
const PROBE = { function_code: 3, address: 0, quantity: 1 };

/** A line on which units can be asked, one at a time. */
export class Prober {
  private readonly protocol: Protocol;
  private listener: ((bytes: Uint8Array) => void) | undefined;
  private lost: Error | undefined;
  /** Ends an exchange on a line that is lost. */
  private stop = (): void => {};

  constructor(private readonly name: ScanProtocol) {
    const roots = scriptRoots();
    const codecs = defaultCodecs(roots);
    const script = new OfflineScript({ roots, codecs, frameBytes: MAX_FRAME, log: silentLogger });
    this.protocol = script.load(`protocols.${name}`, false);
  }

  /** Takes a new line; the one before must be closed. Resolves when this one is. */
  attach(connection: Connection): Promise<void> {
    this.lost = undefined;
    return new Promise((resolve) => {
      connection.attach({
        data: (bytes) => this.listener?.(bytes),
        close: (error) => {
          this.lost = error ?? new MoonwireError('closed', `${connection.remote} was closed`);
          this.stop();
          resolve();
        },
      });
    });
  }

  /**
   * Asks a unit for one register. Waits as long as the exchange takes at `baudRate`, and `deviceMs` for the device.
   * Throws MoonwireError when the line is gone.
   */
  async ask(connection: Connection, unit: number, baudRate: number, deviceMs: number): Promise<Probed> {
    const peer = new OfflinePeer(this.protocol, MAX_FRAME);
    const request = this.protocol.encodeJs({ unit, ...PROBE }, peer);
    if (request instanceof Failure) throw new MoonwireError('internal', request.message);
    let noise = 0;
    const waitMs = deviceMs + (EXCHANGE_BYTES[this.name] * CHARACTER_BITS * 1000) / baudRate;
    const answer = await new Promise<string | undefined>((resolve) => {
      const take = (bytes: Uint8Array, last: boolean): string | undefined => {
        noise += bytes.length;
        const { messages } = peer.feed(bytes, last);
        const replies = messages as Record<string, unknown>[];
        const reply = replies.find((message) => message.unit === unit);
        return reply && describe(reply);
      };
      // What stands before a reply may look like the begin of a longer one, which is given up at the end.
      const timer = setTimeout(() => resolve(take(new Uint8Array(), true)), waitMs);
      const end = (found: string | undefined): void => {
        clearTimeout(timer);
        resolve(found);
      };
      this.stop = () => end(undefined);
      this.listener = (bytes) => {
        const found = take(bytes, false);
        if (found !== undefined) end(found);
      };
      connection.write(request);
    });
    this.listener = undefined;
    if (this.lost) throw this.lost;
    if (answer !== undefined) return { kind: 'found', answer };
    return noise > 0 ? { kind: 'noise', bytes: noise } : { kind: 'silent' };
  }
}

function describe(message: Record<string, unknown>): string {
  return message.type === 'exception'
    ? `refuses register 0: ${String(message.exception_name ?? message.exception)}`
    : 'answers';
}
