#!/usr/bin/env node
/** The `moonwire` command. The memory profile is set before anything else is loaded. */

import { setFlagsFromString } from 'node:v8';

// Small young generation: many short-lived messages, few survivors; the default of 16 MiB a space stays resident.
setFlagsFromString('--max-semi-space-size=2');
setFlagsFromString('--optimize-for-size');

const { run } = await import('./program.js');
await run(process.argv);
