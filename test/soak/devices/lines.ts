/** Devices that speak in lines, and do what they are told by `do ID NAME`. */

import { type Heard, nothing, readAnswer, type Speech } from './speech.js';

export class LineSpeech implements Speech {
  private rest = '';

  constructor(
    private readonly device: string,
    private readonly kind: string,
    /** Is told the ids of commands. */
    private readonly told: (command: string) => void = () => {},
  ) {}

  report(n: number): Uint8Array {
    return Buffer.from(`${this.kind} ${this.device} ${n}\n`);
  }

  hear(bytes: Buffer): Heard {
    const lines = (this.rest + bytes.toString('latin1')).split('\n');
    this.rest = lines.pop()!;
    const heard = nothing();
    let answer = '';
    for (const line of lines) {
      const command = /^do (\S+) /.exec(line)?.[1];
      if (command === undefined) {
        readAnswer(line, heard);
        continue;
      }
      this.told(command);
      answer += `did ${command} well\n`;
    }
    return answer === '' ? heard : { ...heard, answer: Buffer.from(answer) };
  }
}

/** One report a datagram or a message. */
export class MessageSpeech implements Speech {
  constructor(
    private readonly device: string,
    private readonly kind: string,
  ) {}

  report(n: number): Uint8Array {
    return Buffer.from(`${this.kind} ${this.device} ${n}`);
  }

  hear(bytes: Buffer): Heard {
    const heard = nothing();
    readAnswer(bytes.toString('latin1'), heard);
    return heard;
  }
}
