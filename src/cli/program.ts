/** The commands and their options; each command's code is loaded when it is called. */

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type ErrorCode, MoonwireError, messageOf } from '../errors.js';
import { version } from '../package.js';
import { EXIT } from './exit.js';

const EXIT_BY_CODE: Partial<Record<ErrorCode, number>> = {
  timeout: EXIT.timeout,
  not_connected: EXIT.connect,
};

/** Runs the command line; sets the exit code. */
export async function run(argv: string[]): Promise<void> {
  // Who reads our output may have read enough, as `head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.done);
  });
  const program = new Command('moonwire')
    .description('A Lua-scriptable gateway for edge and IoT devices.')
    .version(version())
    .exitOverride()
    .showHelpAfterError('(moonwire --help lists the commands)');

  program
    .command('dev')
    .description('run a centre and an engine with a talkative log, and again when a script is saved')
    .requiredOption('-f, --file <file>', 'configuration')
    .action(async ({ file }) => (await import('./dev.js')).dev(file));

  for (const [command, what] of [
    ['engine', 'run an engine'],
    ['center', 'run a centre, which engines join'],
    ['single', 'run a centre and an engine in one process'],
  ] as const) {
    program
      .command(command)
      .description(what)
      .requiredOption('-f, --file <file>', 'configuration')
      .action(async ({ file }) => (await import('./serve.js')).serve(command, file));
  }

  program
    .command('worker', { hidden: true })
    .description('a process of engine.workers, which its primary starts')
    .action(async () => (await import('./worker.js')).worker());

  program
    .command('check')
    .description('check a configuration (.yaml) with its scripts, or a script (.lua)')
    .argument('<file>')
    .action(async (file) => {
      process.exitCode = await (await import('./check.js')).check(file);
    });

  program
    .command('decode')
    .description('decode bytes of a device with a protocol module; each input line is hex')
    .argument('<module>', 'a Lua file, or a module name such as protocols.gt06')
    .argument('[input]', '- reads standard input')
    .option('--hex <hex>', 'bytes to decode')
    .option('--file <file>', 'file of hex lines')
    .option('--session', 'the lines are one connection, in order')
    .option('--datagram', 'each line is a datagram: not framed')
    .action(async (module, input, options) => {
      process.exitCode = await (await import('./decode.js')).decode(module, input, options);
    });

  program
    .command('test')
    .description('run the tests of scripts: files named *_test.lua, and case folders')
    .argument('[path]', 'a file or folder', 'lua')
    .option('--seed <number>', 'for the random splits of the input', seed)
    .option('--watch', 'run again when a Lua file is saved')
    .action(async (path, options) => {
      process.exitCode = await (await import('./test.js')).test(path, options);
    });

  program
    .command('replay')
    .description('play a capture through a protocol: hex lines, pcap or pcapng')
    .argument('<capture>')
    .argument('<script>', 'a Lua file, or a module name such as protocols.gt06')
    .addOption(
      new Option('--port <number>', 'only what devices send to this port of a gateway').argParser(port),
    )
    .addOption(
      new Option('--device-port <number>', 'only what a gateway asks devices that listen on this port')
        .argParser(port)
        .conflicts('port'),
    )
    .action(async (capture, script, options) => {
      process.exitCode = await (await import('./replay.js')).replay(capture, script, options);
    });

  program
    .command('new')
    .description('write files to start from')
    .command('protocol')
    .description('a protocol module, its test and a sample entry')
    .argument('<name>', 'lower-case letters, digits and _')
    .option('--into <folder>', 'folder of scripts', 'lua')
    .action(async (name, { into }) => (await import('./new.js')).newProtocol(name, into));

  (await import('./simulate-options.js')).addSimulate(program);
  (await import('./device-commands.js')).addDeviceCommands(program);
  (await import('./scan-options.js')).addScan(program);
  (await import('./api-commands.js')).addApiCommands(program);

  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    process.stderr.write(`moonwire: ${describe(error)}\n`);
    process.exitCode = (error instanceof MoonwireError && EXIT_BY_CODE[error.code]) || EXIT.failed;
  }
}

const seed = wholeNumber(0, 2 ** 32 - 1);
const port = wholeNumber(1, 65_535);

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

/** One clear sentence for what is expected to go wrong; the whole stack for what is not. */
function describe(error: unknown): string {
  if (error instanceof MoonwireError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
