/** What a device says, whatever it says it over. */

/** What was understood of the other side. */
export interface Heard {
  /** Numbers that were acknowledged. */
  readonly taken: number[];
  /** Numbers that were refused. */
  readonly refused: number[];
  /** The device may begin to report. */
  welcome?: boolean;
  /** What is to be sent back. */
  answer?: Uint8Array;
}

/** One conversation; a new connection begins a new one. */
export interface Speech {
  /** What is said first; undefined: the device may report at once. */
  hello?(): Uint8Array;
  report(n: number): Uint8Array;
  hear(bytes: Buffer): Heard;
}

export function nothing(): Heard {
  return { taken: [], refused: [] };
}

/** Reads `ok N` and `no N …`. */
export function readAnswer(text: string, heard: Heard): void {
  const [verdict, n] = text.split(' ');
  if (verdict === 'ok') heard.taken.push(Number(n));
  else if (verdict === 'no') heard.refused.push(Number(n));
}
