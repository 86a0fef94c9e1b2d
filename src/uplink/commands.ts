/** The engine's end of commands (design §5, §9): one stream of each session with the centre. */

import type { Outcome } from '../engine/commands.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { MuxStream } from '../mux/index.js';
import { MessageStream } from './message-stream.js';
import type { CmdMessage, StateMessage } from './messages.js';

/** Milliseconds until a stream that ended in a session that goes on is opened again. */
const REOPEN_MS = 1000;

/** Who does the commands; `Commands` of `src/engine`. */
export interface CommandRunner {
  onoutcome: (outcome: Outcome) => void;
  /** What the centre may not have yet. */
  outcomes(): Iterable<Outcome>;
  run(command: CmdMessage): Promise<void>;
  confirm(id: string): void;
}

/** Brings commands from the centre, and tells it what became of them until it says that it has kept that. */
export class CommandChannel {
  private messages: MessageStream | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** `open`: opens a stream of type commands; throws while there is no session. */
  constructor(
    private readonly runner: CommandRunner,
    private readonly open: () => MuxStream,
    private readonly log: Logger,
  ) {
    runner.onoutcome = (outcome) => this.tell(outcome);
  }

  /** There is a session. */
  up(): void {
    this.down();
    const messages = new MessageStream(this.open());
    this.messages = messages;
    messages.onmessage = (message) => {
      if (messages !== this.messages) return;
      if (message.t === 'cmd') void this.runner.run(message);
      else if (message.t === 'kept') this.runner.confirm(message.id);
      else messages.refuse(message);
    };
    messages.onclose = () => {
      if (messages !== this.messages) return;
      this.messages = undefined;
      this.timer = setTimeout(() => this.again(), REOPEN_MS).unref();
    };
    for (const outcome of this.runner.outcomes()) this.tell(outcome);
  }

  /** There is none any more. */
  down(): void {
    clearTimeout(this.timer);
    const { messages } = this;
    this.messages = undefined;
    messages?.close();
  }

  private again(): void {
    try {
      this.up();
    } catch (error) {
      this.log.debug('commands are not reopened', { reason: messageOf(error) });
    }
  }

  /** Tells an outcome; what cannot be sent as it is goes without its result. */
  private tell({ id, state, at, result, error }: Outcome): void {
    const plain: StateMessage = { t: 'state', id, state, at, ...(error !== undefined && { error }) };
    const refused = this.messages?.send(result === undefined ? plain : { ...plain, result });
    if (refused && refused.code !== 'closed') {
      this.messages?.send({ ...plain, error: `${refused.code}: its result is left out: ${refused.message}` });
    }
  }
}
