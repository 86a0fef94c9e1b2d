#!/usr/bin/env node
/** The `moonwire` command. The memory profile is set before anything else is loaded. */

import { setFlagsFromString } from 'node:v8';

// The sizes of the heap are fixed by now; only the command line of node sets them.
setFlagsFromString('--optimize-for-size');

const { run } = await import('./program.js');
await run(process.argv);
