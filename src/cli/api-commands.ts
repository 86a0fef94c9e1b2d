/** The commands that ask or tell a running engine or centre something through its API. */

import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { parseAddress } from '../config/address.js';
import { type ApiAddress, ApiClient, ApiRefusal, authorizationOf } from './api-client.js';
import { EXIT } from './exit.js';
import { bytesOfDigits, hexDigits } from './hex-lines.js';

/** Port of an engine's API. */
const DEFAULT_PORT = 6789;
/** Port of the centre's API. */
const CENTER_PORT = 6787;

/** Options of all these commands. */
export interface ApiOptions {
  readonly api: ApiAddress;
  readonly user?: string;
  readonly json?: true;
}

const HELP = `
The password of --user is read from MOONWIRE_API_PASSWORD; without --user, a token from MOONWIRE_API_TOKEN.
MOONWIRE_API_CA names a PEM file of the authorities an https address is trusted by.
The centre's API listens on port 6787. --json prints one JSON value a line.
Exit codes: 0 done, 1 refused or failed, 2 usage, 3 cannot connect, 4 timed out: it may have been done or not.`;

/**
 * Adds `ps`, `forget`, `restart`, `clients`, `devices`, `command`, `bus`, `links`, `reload`, `send`, `publish`, `trace`
 * and `top`.
 */
export function addApiCommands(program: Command): void {
  add(program, 'ps', 'list engines: the one asked, or all that the centre knows').action(
    async (options: ApiOptions) => {
      const { ps } = await import('./ps.js');
      await run(options, (client) => ps(client, options));
    },
  );

  add(program, 'forget', 'on the centre: free the name of an engine that is gone, for another key')
    .argument('<engine>', 'its name')
    .action(async (name: string, options: ApiOptions) => {
      const { forget } = await import('./forget.js');
      await run(options, (client) => forget(client, name, options));
    });

  add(program, 'restart', 'replace the process of an engine by a new one, its connections kept')
    .option('--wait <seconds>', 'time to wait for the new process', wholeNumber(1, 3600), 120)
    .action(async (options) => {
      const { restart } = await import('./restart.js');
      await run(options, (client) => restart(client, options));
    });

  add(program, 'clients', 'list connected clients')
    .option('--engine <name>', 'only those of this engine')
    .option('--server <name>', 'only those of this server or link')
    .option('--device <id>', 'only the one a device is attached to')
    .option('--channel <name>', 'only subscribers of this channel')
    .option('--limit <n>', 'most clients listed', wholeNumber(1, 1_000_000), 100)
    .option('--after <client>', 'only clients with a higher id', clientId)
    .option('--all', 'no limit')
    .action(async (options) => {
      const { clients } = await import('./clients.js');
      await run(options, (client) => clients(client, options));
    });

  add(program, 'devices', 'list devices: where they are attached, and what they reported last', CENTER_PORT)
    .option('--limit <n>', 'most devices listed', wholeNumber(1, 1_000_000), 100)
    .option('--after <device>', 'only devices behind this one')
    .option('--all', 'no limit')
    .action(async (options) => {
      const { devices } = await import('./devices.js');
      await run(options, (client) => devices(client, options));
    });

  add(
    program,
    'command',
    'command a device, wherever it is attached, and wait for what becomes of it',
    CENTER_PORT,
  )
    .argument('<device>', 'its id')
    .argument('<name>', 'what it is to do; its on_command knows what that means')
    .argument('[key=value...]', 'parameters; values are JSON where they can be, otherwise text')
    .option('--ttl <seconds>', 'time within which it must be begun', wholeNumber(1, 2_592_000), 3600)
    .option('--wait <seconds>', 'time to wait for its end', wholeNumber(0, 86_400), 60)
    .option('--key <text>', 'name of this command: given again, it is the same command')
    .option('--idempotent', 'it may be done twice: try again when nobody knows whether it was done')
    .action(async (device: string, name: string, words: string[], options, self: Command) => {
      const { command, paramsOf } = await import('./command.js');
      const params = paramsOf(words) ?? self.error('error: parameters are key=value, such as level=3');
      await run(options, (client) => command(client, device, name, params, options));
    });

  add(program, 'outbox', 'the reports an engine keeps, how long it can, and what was dropped').action(
    async (options: ApiOptions) => {
      const { outbox } = await import('./outbox.js');
      await run(options, (client) => outbox(client, options));
    },
  );

  add(program, 'bus', 'how the buses of an engine fare, or the units of one')
    .argument('[link]', 'name of the bus, or of a link on it')
    .action(async (name: string | undefined, options: ApiOptions) => {
      const { bus } = await import('./bus.js');
      await run(options, (client) => bus(client, name, options));
    });

  add(program, 'links', 'where the links of an engine stand; add one, or remove one that was added')
    .addArgument(new Argument('[action]', 'what to do').choices(['add', 'remove']))
    .argument('[target]', 'add: a file of YAML with the settings of a link; remove: its name')
    .action(
      async (action: 'add' | 'remove' | undefined, target: string | undefined, options, self: Command) => {
        if (action !== undefined && target === undefined)
          self.error(`error: ${action} needs ${action === 'add' ? 'a file' : 'the name of a link'}`);
        const { listLinks, addLink, removeLink } = await import('./links.js');
        await run(options, (client) => {
          if (action === undefined) return listLinks(client, options);
          return (action === 'add' ? addLink : removeLink)(client, target!, options);
        });
      },
    );

  add(
    program,
    'reload',
    'put the saved configuration and scripts in effect; what did not change is not touched',
  )
    .option('--server <name>', 'only the script of this server or link')
    .option('--dry-run', 'only tell what the configuration would change')
    .option('--force', 'without a trial on the frames that came last, and though nothing was saved')
    .action(async (options) => {
      const { reload } = await import('./reload.js');
      await run(options, (client) => reload(client, options));
    });

  addData(
    add(program, 'send', 'send to a client, on whatever node it is').argument('<client>', 'its id', clientId),
  ).action(async (id: string, data: string, options, command: Command) => {
    const { send } = await import('./send.js');
    await run(options, (client) => send(client, id, payloadOf(data, options, command), options));
  });

  addData(
    add(program, 'publish', 'send to the subscribers of a channel, on all nodes').argument('<channel>'),
  ).action(async (channel: string, data: string, options, command: Command) => {
    const { publish } = await import('./publish.js');
    await run(options, (client) => publish(client, channel, payloadOf(data, options, command), options));
  });

  add(
    program,
    'trace',
    'watch a client: bytes in and out, messages, errors; --json writes a capture for replay',
  )
    .argument('<client>', 'its id', clientId)
    .action(async (id: string, options: ApiOptions) => {
      const { trace } = await import('./trace.js');
      await run(options, (client) => trace(client, id, options));
    });

  add(program, 'top', 'watch rates of servers and links, or of engines on the centre')
    .option('--interval <seconds>', 'time between two looks', wholeNumber(1, 3600), 2)
    .option('--once', 'print once, after one interval')
    .action(async (options) => {
      const { top } = await import('./top.js');
      await run(options, (client) => top(client, options));
    });
}

function add(program: Command, name: string, description: string, port = DEFAULT_PORT): Command {
  return program
    .command(name)
    .description(description)
    .addOption(
      new Option('--api <host:port>', 'address of the API, https://… where it speaks TLS')
        .argParser((text) => addressAt(text, port))
        .default({ host: '127.0.0.1', port }, `127.0.0.1:${port}`),
    )
    .option('--user <name>', 'who asks')
    .option('--json', 'for machines')
    .addHelpText('after', HELP);
}

/** What is sent; the form that CONNMIX's calls take. */
export interface Payload {
  readonly d: unknown;
  readonly t?: 'text' | 'binary';
}

interface DataOptions {
  readonly binary?: true;
  readonly value?: true;
  readonly type?: 'text' | 'binary';
}

function addData(command: Command): Command {
  return command
    .argument('<data>', 'text, unless an option says otherwise')
    .option('--binary', 'the data are hexadecimal bytes')
    .option('--value', 'the data are JSON: a message that the protocol of the client encodes')
    .option('--type <type>', 'how a WebSocket client gets it: text or binary', frameType);
}

/** What is to be sent; ends with a usage error when the data are not what the options say. */
function payloadOf(data: string, { binary, value, type }: DataOptions, command: Command): Payload {
  if (binary && value) command.error('error: --binary and --value exclude each other');
  if (value) {
    const parsed = json(data);
    if (parsed === undefined)
      command.error('error: with --value, data are JSON such as \'{"type":"reboot"}\'');
    return { d: parsed, ...(type && { t: type }) };
  }
  if (!binary && type !== 'binary') return { d: data, ...(type && { t: type }) };
  const bytes = binary ? bytesOfDigits(hexDigits(data)) : Buffer.from(data, 'utf8');
  if (!bytes) command.error('error: with --binary, data are hexadecimal bytes such as 78780d01');
  return { d: Buffer.from(bytes).toString('base64'), t: 'binary' };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Runs a command against the API and sets the exit code. What cannot be reached is thrown. */
async function run(options: ApiOptions, command: (client: ApiClient) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command(new ApiClient(options.api, authorizationOf(options.user, process.env)));
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    process.stderr.write(`moonwire: ${error.message}\n`);
    process.exitCode = EXIT.failed;
  }
}

/** Reads the address of an API; for options. */
export function apiAddress(text: string): ApiAddress {
  return addressAt(text, DEFAULT_PORT);
}

function addressAt(text: string, port: number): ApiAddress {
  const tls = text.startsWith('https://');
  const parsed = parseAddress(text.replace(/^https?:\/\//, ''), port);
  if (parsed) return { ...parsed, tls };
  throw new InvalidArgumentError(
    `It must be a host, host:port, http://host:port or https://host:port, such as 127.0.0.1:${port}.`,
  );
}

function clientId(text: string): string {
  if (/^\d{1,16}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a decimal number, as moonwire clients lists them.');
}

function frameType(text: string): string {
  if (text === 'text' || text === 'binary') return text;
  throw new InvalidArgumentError('It must be text or binary.');
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
