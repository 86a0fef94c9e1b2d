/** The centre's end of commands to one engine: a stream of its session (design §5, §9). */

import type { MuxStream } from '../mux/index.js';
import { MessageStream } from '../uplink/message-stream.js';
import type { CmdMessage, StateMessage } from '../uplink/messages.js';

/** Bytes that may wait in the stream; further commands wait outside. */
const AHEAD_BYTES = 256 * 1024;

/** Who commands an engine. */
export interface CommandLinkOwner {
  /** The engine says what became of a command. */
  received(link: CommandLink, message: StateMessage): void;
  closed(link: CommandLink): void;
}

export class CommandLink {
  private readonly messages: MessageStream;
  /** Commands that wait until the stream takes more; undefined when there is nothing to be sent after all. */
  private readonly waiting: (() => CmdMessage | undefined)[] = [];

  constructor(
    readonly node: number,
    /** Name of the engine. */
    readonly name: string,
    stream: MuxStream,
    owner: CommandLinkOwner,
  ) {
    this.messages = new MessageStream(stream);
    this.messages.onmessage = (message) => {
      if (message.t === 'state') owner.received(this, message);
      else this.messages.refuse(message);
    };
    this.messages.onclose = () => owner.closed(this);
    this.messages.ondrain = () => this.flush();
  }

  /** Sends what `message` gives, when there is room. */
  send(message: () => CmdMessage | undefined): void {
    this.waiting.push(message);
    this.flush();
  }

  /** Tells the engine that it may forget a command. */
  kept(id: string): void {
    this.messages.send({ t: 'kept', id });
  }

  /** Ends it: another one has taken its place. */
  close(): void {
    this.waiting.length = 0;
    this.messages.close();
  }

  private flush(): void {
    while (this.waiting.length > 0 && this.messages.pendingBytes < AHEAD_BYTES) {
      const message = this.waiting.shift()!();
      if (message) this.messages.send(message);
    }
  }
}
