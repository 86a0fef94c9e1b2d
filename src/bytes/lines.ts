/** Frames that are lines of text, however they end. */

import type { FramerSpec } from './framer.js';
import { framer } from './framers.js';

/** Lines that end with LF or CR LF, without these; empty ones are left out. `max`: longest line in bytes, 64 KiB. */
export function lines(options: { readonly max?: number } = {}): FramerSpec {
  return framer('delimiter', { ...options, ends: ['\r\n', '\n'] });
}
