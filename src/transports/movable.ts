/** What moves from one process to another that takes its place; see src/handover/README.md. */

import type { Handle } from './handles.js';

/** What another process opens it from. Beside the handles all of it is data (of the structured clone algorithm). */
export interface Passage {
  /** Absent where it lives on the handle of its listener. */
  readonly handle?: Handle | undefined;
  /** Accepted by a listener, and nobody's yet. */
  readonly accepted?: readonly Handle[];
  readonly state?: unknown;
}

/** A connection or listener that can move. */
export interface Movable {
  /** Stops reading, or accepting, at the system; what was read before is delivered. Sending goes on. */
  freeze(): void;
  /** Goes on as before; also begins what was opened from a {@link Passage}. */
  thaw(): void;
  /**
   * What the other process opens it from, while it is frozen. Undefined when it cannot move: its encryption is bound
   * to this process, it is closing, what was sent has not left yet, or half of a message has come.
   */
  passage(): Passage | undefined;
}
