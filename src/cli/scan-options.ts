/** The options of `moonwire scan`. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { apiAddress } from './api-commands.js';
import { EXIT } from './exit.js';
import type { ScanOptions } from './scan.js';
import {
  type CharacterFormat,
  LIKELY_BAUDS,
  LIKELY_FORMATS,
  parseFormats,
  parseUnits,
  SCAN_PROTOCOLS,
} from './scan-settings.js';

const HELP = `
An engine that runs the link lends its line: its polls wait, and go on afterwards, also when the scan is killed.
The password of --user is read from MOONWIRE_API_PASSWORD; without --user, a token from MOONWIRE_API_TOKEN.
Exit codes: 0 units found, 1 none found or refused, 2 usage, 3 cannot connect.`;
const MAX_TIMEOUT_MS = 10_000;

/** Adds the command. */
export function addScan(program: Command): void {
  program
    .command('scan')
    .description('find the units on a Modbus line, and how the line is set; end with Ctrl-C')
    .argument('[link]', 'a link of the configuration')
    .option('-f, --file <file>', 'configuration that has the link')
    .option('--port <path>', 'a serial port instead of a link')
    .addOption(new Option('--tcp <host:port>', 'a serial converter instead of a link').argParser(address))
    .addOption(new Option('--protocol <name>', 'what to speak').choices(SCAN_PROTOCOLS).default('modbus_rtu'))
    .addOption(new Option('--units <list>', 'as 1-20,100').argParser(units).default(units('1-247'), '1-247'))
    .addOption(
      new Option('--bauds <list>', 'in the order to try')
        .argParser(bauds)
        .default([...LIKELY_BAUDS], LIKELY_BAUDS.join()),
    )
    .option(
      '--formats <list>',
      `data bits, parity and stop bits in the order to try (default: ${LIKELY_FORMATS.modbus_rtu}; modbus_ascii: ${LIKELY_FORMATS.modbus_ascii})`,
      formats,
    )
    .addOption(
      new Option('--timeout <ms>', 'what a device may take, beside the time on the line')
        .argParser(timeout)
        .default(100),
    )
    .option('--json', 'for programs')
    .addOption(
      new Option('--api <host:port>', 'API of the engine that runs the link (default: as in FILE)').argParser(
        apiAddress,
      ),
    )
    .option('--user <name>', 'who asks it')
    .addHelpText('after', HELP)
    .action(async (link: string | undefined, options: ScanOptions, command: Command) => {
      const targets = [link, options.port, options.tcp].filter((one) => one !== undefined).length;
      if (targets !== 1 || (link !== undefined) !== (options.file !== undefined)) {
        command.error('give one of: a link with -f FILE, --port, --tcp', { exitCode: EXIT.usage });
      }
      process.exitCode = await (await import('./scan.js')).scan(link, options);
    });
}

function address(text: string): { host: string; port: number } {
  const match = /^(.+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port < 1 || port > 65_535) throw new InvalidArgumentError('It is HOST:PORT.');
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}

function units(text: string): number[] {
  const list = parseUnits(text);
  if (!list) throw new InvalidArgumentError('It is a list of units from 1 to 247, such as 1-20,100.');
  return list;
}

function bauds(text: string): number[] {
  const list = text.split(',').map(Number);
  if (list.length <= 32 && list.every((baud) => Number.isInteger(baud) && baud >= 50 && baud <= 4_000_000)) {
    return list;
  }
  throw new InvalidArgumentError('It is a list of whole numbers from 50 to 4000000.');
}

function formats(text: string): CharacterFormat[] {
  const list = parseFormats(text);
  if (!list) throw new InvalidArgumentError('It is a list such as 8N1,8E1,7E1,8N2.');
  return list;
}

function timeout(text: string): number {
  const ms = Number(text);
  if (ms >= 1 && ms <= MAX_TIMEOUT_MS) return ms;
  throw new InvalidArgumentError(`It is from 1 to ${MAX_TIMEOUT_MS}.`);
}
