/** Something that goes wrong and is put right again. */

export interface Fault {
  readonly name: string;
  /** How often it comes, against the others. */
  readonly weight: number;
  /** What it has for itself meanwhile: names of members and lines. */
  readonly touches: readonly string[];
  /** Breaks, looks, mends. */
  run(): Promise<void>;
}
