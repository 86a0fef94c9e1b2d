/** The commands that look at the machine itself. */

import type { Command } from 'commander';

const ROOT = [
  '--root <folder>',
  "another root for /dev, /sys, /proc and /etc, such as the host's in a container",
] as const;

/** Adds `ports` and `doctor`. */
export function addDeviceCommands(program: Command): void {
  program
    .command('ports')
    .description('list the serial ports of this machine, with their names and who holds them')
    .option('--json', 'for programs')
    .option(...ROOT)
    .action(async (options) => (await import('./ports.js')).ports(options));

  program
    .command('doctor')
    .description('check this machine against its board and a configuration, and tell what to type')
    .option('-f, --file <file>', 'configuration')
    .option('--json', 'for programs')
    .option(...ROOT)
    .action(async (options) => {
      process.exitCode = await (await import('./doctor.js')).doctor(options);
    });
}
