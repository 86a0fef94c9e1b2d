/** Counts wrong passwords by address, so that nobody can try many. */

/** Wrong passwords an address may send in a minute. */
const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; beyond it the oldest is forgotten. */
const MAX_ADDRESSES = 10_000;

export class Attempts {
  private readonly entries = new Map<string, { failures: number; until: number }>();

  /** Whole seconds an address has to wait; 0 when it need not. */
  wait(address: string, now = performance.now()): number {
    const entry = this.entries.get(network(address));
    if (!entry || entry.failures < MAX_FAILURES || now >= entry.until) return 0;
    return Math.ceil((entry.until - now) / 1000);
  }

  /** Notes a wrong password. */
  failed(address: string, now = performance.now()): void {
    const key = network(address);
    const entry = this.entries.get(key);
    if (entry && now < entry.until) {
      entry.failures++;
      return;
    }
    this.entries.delete(key);
    if (this.entries.size >= MAX_ADDRESSES) this.entries.delete(this.entries.keys().next().value!);
    this.entries.set(key, { failures: 1, until: now + WINDOW_MS });
  }
}

/** One household or host has a whole /64 of IPv6 addresses. */
function network(address: string): string {
  return address.includes(':') ? address.split(':').slice(0, 4).join(':') : address;
}
