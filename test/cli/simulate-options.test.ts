import { Command, CommanderError } from 'commander';
import t from 'tap';
import { addSimulate } from '../../src/cli/simulate-options.js';
import { moonwire } from '../support/cli.js';

/** What is told about wrong options; fails when they are right. */
async function complaintOf(args: string[]): Promise<string> {
  let told = '';
  const writeErr = (text: string): void => {
    told += text;
  };
  const program = new Command('moonwire').exitOverride().configureOutput({ writeErr });
  addSimulate(program);
  try {
    await program.parseAsync(['simulate', ...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return told;
    throw error;
  }
  throw new Error(`nothing is wrong with ${args.join(' ')}`);
}

const to = ['--tcp', '127.0.0.1:9'];
const one = ['--hex', '00'];

t.test('what is asked for wrongly is told with what is allowed', async (t) => {
  for (const [args, problem] of [
    [one, /one of --tcp, --udp, --serial and --listen/],
    [[...to, ...one, '--udp', '127.0.0.1:9'], /one of --tcp/],
    [to, /one of --file, --hex and --script/],
    [[...to, ...one, '--file', 'x'], /one of --file, --hex and --script/],
    [['--listen', '127.0.0.1:9', ...one, '--devices', '2'], /--devices goes with/],
    [['--tcp', '127.0.0.1', ...one], /host and a port from 1 to 65535/],
    [['--tcp', '127.0.0.1:65536', ...one], /host and a port from 1 to 65535/],
    [['--serial', '/dev/x:9600,9N1', '--nonsense'], /unknown option/],
    [['--serial', '/dev/x:49', ...one], /speed of 50 to 4000000/],
    [[...to, '--hex', '0'], /hexadecimal bytes/],
    [[...to, ...one, '--corrupt', '1.5'], /a number from 0 to 1/],
    [[...to, ...one, '--drop', '-1'], /a number from 0 to 1/],
    [[...to, ...one, '--every', 'often'], /a number from 0 to 86400/],
    [[...to, ...one, '--delay', '60001'], /a number from 0 to 60000/],
    [[...to, ...one, '--repeat', '0'], /a whole number from 1 to 1000000000/],
    [[...to, ...one, '--merge', '1001'], /a whole number from 1 to 1000/],
    [[...to, ...one, '--split', '0'], /a whole number from 1 to 65536/],
    [[...to, ...one, '--seed', '4294967296'], /a whole number from 0 to 4294967295/],
    [[...to, ...one, '--option', 'x'], /a name and a value/],
  ] as [string[], RegExp][]) {
    t.match(await complaintOf(args), problem, args.join(' '));
  }
});

t.test('the command ends with 2 then', async (t) => {
  const { code, stdout, stderr } = await moonwire(['simulate', ...to]);
  t.equal(code, 2);
  t.equal(stdout, '');
  t.match(stderr, /^error: say what is played/);
});
