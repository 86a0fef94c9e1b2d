/** A command to a device as the centre knows it (design §9 "Command states"). */

/**
 * `queued`: waits for its device, or its turn · `sent`: handed to an engine, on disk before it left · `done`, `failed`:
 * as the device's script says · `unknown`: begun, and nobody knows how it ended · `expired`, `cancelled`: never begun.
 */
export const COMMAND_STATES = [
  'queued',
  'sent',
  'done',
  'failed',
  'unknown',
  'expired',
  'cancelled',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

/** What never changes of a command; its parameters are kept apart. */
export interface CommandOrder {
  /** Unique for ever, rising with time. */
  readonly id: string;
  readonly device: string;
  readonly name: string;
  /** Unix seconds. */
  readonly created: number;
  /** Unix seconds until which it may be begun. */
  readonly expires: number;
  /** Whether it may be done twice: then it is tried again rather than `unknown`. */
  readonly idempotent: boolean;
  /** The requester's own name for it. */
  readonly key: string | undefined;
}

/** What changes of a command; its result is kept apart. */
export interface CommandProgress {
  readonly state: CommandState;
  /** The engine it was sent to last: node number, 0 for none, and name. */
  readonly node: number;
  readonly engine: string;
  /** Unix seconds. */
  readonly sent: number | undefined;
  readonly ended: number | undefined;
  /** How often it was sent. */
  readonly attempts: number;
  /** "code: text": why it failed or waits again, or what is missing from its result. */
  readonly error: string | undefined;
}

/** A command at one time. */
export interface CommandView extends CommandOrder, CommandProgress {}

/** How a command begins. */
export const QUEUED: CommandProgress = {
  state: 'queued',
  node: 0,
  engine: '',
  sent: undefined,
  ended: undefined,
  attempts: 0,
  error: undefined,
};

/** A command, as it is now. */
export class Command {
  progress: CommandProgress = QUEUED;
  /** It is on disk. */
  stored = false;
  /** A change of state is on its way to the disk: nothing is decided meanwhile. */
  busy = false;
  /** It is not sent before that time of `performance.now()`. */
  notBefore = 0;
  /** How often in a row it was given back. */
  returned = 0;

  constructor(readonly order: CommandOrder) {}

  get state(): CommandState {
    return this.progress.state;
  }

  /** Whether it may still change. */
  get isOpen(): boolean {
    return this.state === 'queued' || this.state === 'sent';
  }

  view(): CommandView {
    return { ...this.order, ...this.progress };
  }
}
