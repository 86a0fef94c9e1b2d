/** What simulated devices sent, received and suffered: as lines while it happens, as one line at the end. */

import type { Fault, FaultObserver } from '../transports/faults.js';

const FAULT_WORDS: Readonly<Record<Fault, string>> = {
  drop: 'dropped',
  corrupt: 'corrupted',
  merge: 'merged',
  split: 'split',
  delay: 'delayed',
};

/** Counts for all devices of a run. */
export class Tally {
  private sent = { count: 0, bytes: 0 };
  private received = { count: 0, bytes: 0 };
  private lost = 0;
  private readonly faults = new Map<Fault, number>();

  /** `print` takes each line; undefined when only the summary is wanted. */
  constructor(private readonly print: ((line: string) => void) | undefined) {}

  /** The observer of one device, which `label` names in its lines. */
  observer(label: string): FaultObserver {
    return {
      sent: (bytes) => this.pass(this.sent, `${label}sent    `, bytes),
      received: (bytes) => this.pass(this.received, `${label}received`, bytes),
      fault: (kind) => {
        this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
      },
      closed: (byOwner, error) => {
        if (byOwner) return;
        this.lost++;
        this.print?.(`${label}lost the connection${error ? `: ${error.message}` : ''}`);
      },
    };
  }

  /** `sent 12 (340 bytes), received 6 (60 bytes), 2 connections lost; faults: 3 split, 1 dropped`. */
  summary(): string {
    const amounts = [
      `sent ${this.sent.count} (${this.sent.bytes} bytes)`,
      `received ${this.received.count} (${this.received.bytes} bytes)`,
    ];
    if (this.lost > 0) amounts.push(`${this.lost} connections lost`);
    const faults = [...this.faults].map(([kind, count]) => `${count} ${FAULT_WORDS[kind]}`);
    return `${amounts.join(', ')}; faults: ${faults.join(', ') || 'none'}`;
  }

  private pass(total: { count: number; bytes: number }, what: string, bytes: Uint8Array): void {
    total.count++;
    total.bytes += bytes.length;
    this.print?.(`${what} ${Buffer.from(bytes).toString('hex')}`);
  }
}
