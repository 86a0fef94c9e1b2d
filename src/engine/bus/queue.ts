/** Who is next: the most urgent requests first, and among these the units in turn. */

import { type BusRequest, PRIORITIES, type Priority } from './request.js';
import type { Unit } from './unit.js';

export class RequestQueue {
  /** By priority, the requests of each unit in order; a unit that had its turn goes to the end. */
  private readonly lanes: Record<Priority, Map<Unit, BusRequest[]>> = {
    command: new Map(),
    request: new Map(),
    poll: new Map(),
  };
  length = 0;

  /** Puts a request behind those of its unit; `first`: before them, as one that is tried again. */
  add(request: BusRequest, first = false): void {
    const lane = this.lanes[request.priority];
    const waiting = lane.get(request.unit);
    if (!waiting) lane.set(request.unit, [request]);
    else if (first) waiting.unshift(request);
    else waiting.push(request);
    this.length++;
  }

  /** Takes the next request that `ready` lets pass. */
  take(ready: (request: BusRequest) => boolean): BusRequest | undefined {
    for (const priority of PRIORITIES) {
      const lane = this.lanes[priority];
      for (const [unit, waiting] of lane) {
        const at = waiting.findIndex(ready);
        if (at < 0) continue;
        const [request] = waiting.splice(at, 1);
        lane.delete(unit);
        if (waiting.length > 0) lane.set(unit, waiting);
        this.length--;
        return request;
      }
    }
    return undefined;
  }

  /** Takes all requests out that `unwanted` names. */
  remove(unwanted: (request: BusRequest) => boolean): BusRequest[] {
    const removed: BusRequest[] = [];
    for (let request = this.take(unwanted); request; request = this.take(unwanted)) removed.push(request);
    return removed;
  }

  /** Requests waiting by priority. */
  counts(): Record<Priority, number> {
    const count = (priority: Priority): number =>
      [...this.lanes[priority].values()].reduce((sum, { length }) => sum + length, 0);
    return { command: count('command'), request: count('request'), poll: count('poll') };
  }

  /** When the first of them has waited too long; Infinity for none. */
  get earliest(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const lane of Object.values(this.lanes)) {
      for (const waiting of lane.values()) {
        for (const { until } of waiting) earliest = Math.min(earliest, until);
      }
    }
    return earliest;
  }
}
