/** Commands as the API shows them. */

import * as v from 'valibot';
import { COMMAND_STATES } from '../center/command.js';
import type { CommandDetail } from '../center/commands.js';

const seconds = v.number();

/** A command. */
export const commandInfo = v.object({
  id: v.pipe(v.string(), v.description('Unique for ever; rises with time.')),
  device: v.string(),
  name: v.string(),
  params: v.unknown(),
  state: v.pipe(
    v.picklist(COMMAND_STATES),
    v.description(
      'queued: waits for its device or its turn; sent: an engine has it, or had; done, failed: as its script says; ' +
        'unknown: begun, and nobody knows how it ended; expired, cancelled: never begun.',
    ),
  ),
  created_at: seconds,
  expires_at: v.pipe(seconds, v.description('Until when it may be begun.')),
  idempotent: v.boolean(),
  idempotency_key: v.optional(v.string()),
  engine: v.pipe(v.optional(v.string()), v.description('The engine it was sent to last.')),
  sent_at: v.optional(seconds),
  ended_at: v.optional(seconds),
  attempts: v.pipe(v.number(), v.description('How often it was sent.')),
  result: v.optional(v.unknown()),
  error: v.pipe(
    v.optional(v.string()),
    v.description('"code: text": why it failed or waits again, or what is missing from its result.'),
  ),
});
/** A command. */
export type CommandInfo = v.InferOutput<typeof commandInfo>;

/** A command of the centre as the API shows it. */
export function describeCommand(command: CommandDetail): CommandInfo {
  const { id, device, name, params, state, idempotent, attempts } = command;
  return {
    id,
    device,
    name,
    params,
    state,
    created_at: command.created,
    expires_at: command.expires,
    idempotent,
    ...(command.key !== undefined && { idempotency_key: command.key }),
    ...(command.engine !== '' && { engine: command.engine }),
    ...(command.sent !== undefined && { sent_at: command.sent }),
    ...(command.ended !== undefined && { ended_at: command.ended }),
    attempts,
    ...(command.result !== undefined && { result: command.result }),
    ...(command.error !== undefined && { error: command.error }),
  };
}
