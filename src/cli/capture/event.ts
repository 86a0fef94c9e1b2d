/** What a capture holds, whatever its format: what went over connections, in order. */

/** A piece of one connection. */
export interface CaptureEvent {
  /** Names the connection; different for a later one between the same two ends. */
  connection: string;
  /** `data`: bytes of a stream; `datagram`; `lost`: bytes of a stream that the capture lacks; `end` of the connection. */
  kind: 'data' | 'datagram' | 'lost' | 'end';
  /** Whether the device sent it; the other side is the gateway. */
  fromDevice: boolean;
  /** Unix seconds; absent where the capture has no times. */
  time?: number;
  /** Only of `data` and `datagram`. */
  bytes: Uint8Array;
  /** How many bytes; as `bytes` has, or as are lost. */
  count: number;
}

/** What a reader passed over, by reason. */
export type PassedOver = Map<string, number>;

/** Counts one more for a reason. */
export function passOver(passed: PassedOver, reason: string): void {
  passed.set(reason, (passed.get(reason) ?? 0) + 1);
}
