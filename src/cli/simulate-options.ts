import type { Command } from 'commander';

/** Adds `moonwire simulate`. */
export function addSimulate(_program: Command): void {}
