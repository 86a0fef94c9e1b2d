/** JSON lines in a file. */

import { resolve } from 'node:path';
import { toLines } from './line.js';
import type { FileSinkSettings } from './registry.js';
import { RotatedFile } from './rotated-file.js';
import type { Delivery, Sink } from './sink.js';

export class FileSink implements Sink {
  private readonly file: RotatedFile;

  constructor(settings: FileSinkSettings) {
    this.file = new RotatedFile({ ...settings, path: resolve(settings.path) });
  }

  deliver(batch: readonly Delivery[]): Promise<void> {
    return this.file.append(toLines(batch));
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
