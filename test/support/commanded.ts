/** Devices that do what they are told, a line at a time, and the script that tells them. */

import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { CommandInfo } from '../../src/api/command-shapes.js';
import type { Cluster, Node } from './cluster.js';

/** `iam ID` attaches a device, `bye ID` detaches it; commands go out as `do ID NAME`, and `did ID TEXT` is the result. */
const SCRIPT = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function on_message(line, conn)
  local verb, id, text = line:match("^(%a+) (%S+) ?(.*)$")
  if verb == "iam" then conn:attach(id)
  elseif verb == "bye" then conn:detach(id)
  elseif verb == "did" then conn:set_context_value(id, text) end
end
function on_command(cmd, conn)
  if cmd.name == "echo" then return { params = cmd.params, device = cmd.device_id, expires = cmd.expires } end
  if cmd.name == "refuse" then return nil, "invalid_argument: the device says no" end
  if cmd.name == "raise" then error("a mistake") end
  if cmd.name == "spin" then while true do end end
  conn:send("do " .. cmd.id .. " " .. cmd.name .. "\\n")
  local text, err = conn:wait_context_value(cmd.id)
  if not text then return nil, err end
  conn:set_context_value(cmd.id, nil)
  return text
end
`;

/** Puts the script above in place of a cluster's; before its engines start. */
export function commandable(cluster: Cluster): void {
  writeFileSync(join(cluster.folder, 'lua/lines.lua'), SCRIPT);
}

/** A device that comes back whenever its connection ends, until it is stopped. */
export class CommandedDevice {
  /** Ids of the commands it was told, in order; one that came twice is there twice. */
  readonly told: string[] = [];
  /** How long it takes, in milliseconds; undefined: it does not answer. */
  delayMs: number | undefined = 0;
  connections = 0;
  private socket: Socket | undefined;
  private stopped = false;
  private rest = '';

  constructor(
    t: Test,
    readonly id: string,
    private port: number,
  ) {
    this.connect();
    t.teardown(() => this.stop());
  }

  /** Goes to another engine. */
  moveTo(node: Node): void {
    this.port = node.port;
    this.socket?.destroy();
  }

  /** Stays away until it is moved. */
  leave(): void {
    this.port = 0;
    this.socket?.destroy();
  }

  stop(): void {
    this.stopped = true;
    this.socket?.destroy();
  }

  private connect(): void {
    if (this.stopped) return;
    if (this.port === 0) {
      setTimeout(() => this.connect(), 20);
      return;
    }
    const socket = connect({ port: this.port, host: '127.0.0.1' });
    this.socket = socket;
    this.rest = '';
    socket.on('connect', () => {
      this.connections++;
      socket.write(`iam ${this.id}\n`);
    });
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(() => this.connect(), 20));
    socket.on('data', (bytes) => {
      const lines = (this.rest + bytes.toString()).split('\n');
      this.rest = lines.pop()!;
      for (const line of lines) this.obey(socket, line.split(' ')[1]!);
    });
  }

  private obey(socket: Socket, command: string): void {
    this.told.push(command);
    if (this.delayMs === undefined) return;
    setTimeout(() => socket.write(`did ${command} ok\n`), this.delayMs);
  }
}

/** Gives a command at the centre; rejects unless it is accepted. */
export async function giveCommand(center: Node, device: string, body: object): Promise<CommandInfo> {
  const answer = await center.request('POST', `/v1/devices/${device}/commands`, body);
  if (answer.status !== 202) throw new Error(`status ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body as CommandInfo;
}

/** Waits until a command is in one of these states. */
export function commandIn(center: Node, id: string, ...states: CommandInfo['state'][]): Promise<CommandInfo> {
  return center.until<CommandInfo>(`/v1/commands/${id}`, ({ state }) => states.includes(state));
}
