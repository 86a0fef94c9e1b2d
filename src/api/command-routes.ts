/** Routes by which devices are commanded: at the centre, which keeps commands. */

import * as v from 'valibot';
import { COMMAND_STATES } from '../center/command.js';
import type { CommandFilter } from '../center/command-book.js';
import { MAX_TTL } from '../center/command-request.js';
import type { CommandDetail } from '../center/commands.js';
import { Failure } from '../errors.js';
import { fields, text } from './check.js';
import { commandInfo, describeCommand } from './command-shapes.js';
import { EVENTS, type Watch } from './event-stream.js';
import type { ApiHost, CommandHost, PageRequest } from './host.js';
import { pageAnswer, pageLimit, pageSchema } from './paging.js';
import { type Answer, type Route, route } from './route.js';

const NO_CENTER = new Failure('not_found: commands are kept by the centre; ask its API');
const id = text(1, 64);
const device = text(1, 256);
const paged = { limit: pageLimit, after: v.optional(id) };
const state = v.optional(v.picklist(COMMAND_STATES, `must be one of ${COMMAND_STATES.join(', ')}`));
const byId = fields({ id });
const TTL = `must be a number of seconds from 1 to ${MAX_TTL}`;

/** Answers with what the centre's commands give; an engine has none. */
async function ask(
  { commands }: ApiHost,
  answer: (commands: CommandHost) => Answer | Promise<Answer>,
): Promise<Answer> {
  return commands ? answer(commands) : NO_CENTER;
}

function json(command: CommandDetail): Answer {
  return { json: describeCommand(command) };
}

function list(host: ApiHost, filter: CommandFilter, { limit, after }: PageRequest<string>): Promise<Answer> {
  return ask(host, (commands) => {
    const { items, more } = commands.list(filter, limit, after);
    const last = items.at(-1);
    return pageAnswer('commands', {
      items: items.map(describeCommand),
      ...(more && last && { next: last.id }),
    });
  });
}

export const COMMAND_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/devices/{id}/commands',
    needs: 'write',
    summary:
      'Commands a device, wherever it is attached, now or once it is: kept on disk before it is accepted, sent in ' +
      'order and one at a time. The same idempotencyKey gives the first command again; with another command it is a ' +
      'conflict.',
    params: fields({ id: device }),
    body: fields({
      name: text(1, 64),
      params: v.optional(v.unknown()),
      ttl: v.optional(v.pipe(v.number(TTL), v.minValue(1, TTL), v.maxValue(MAX_TTL, TTL))),
      idempotencyKey: v.optional(text(1, 256)),
      idempotent: v.optional(v.boolean('must be true or false')),
    }),
    answer: commandInfo,
    status: 202,
    audit: { action: 'command', target: ({ params, body }) => `device ${params.id}: ${body.name}` },
    run: ({ host }, { params, body }) =>
      ask(host, async (commands) => {
        const command = await commands.submit(params.id, body);
        return { json: describeCommand(command), location: `/v1/commands/${command.id}` };
      }),
  }),
  route({
    method: 'GET',
    path: '/v1/devices/{id}/commands',
    needs: 'read',
    summary: 'Commands of one device that are kept, the oldest first.',
    params: fields({ id: device }),
    query: fields({ ...paged, state }),
    answer: pageSchema('commands', commandInfo),
    run: ({ host }, { params, query: { state, ...page } }) => list(host, { device: params.id, state }, page),
  }),
  route({
    method: 'GET',
    path: '/v1/commands',
    needs: 'read',
    summary: 'Commands that are kept, the oldest first; those that fit all filters.',
    query: fields({ ...paged, device: v.optional(device), state }),
    answer: pageSchema('commands', commandInfo),
    run: ({ host }, { query: { limit, after, ...filter } }) => list(host, filter, { limit, after }),
  }),
  route({
    method: 'GET',
    path: '/v1/commands/events',
    needs: 'read',
    summary:
      'New commands and changes of state as they happen: a command as JSON in each `data`; `event: lost` tells how ' +
      'many the reader was too slow for.',
    query: fields({ device: v.optional(device) }),
    answer: EVENTS,
    run: ({ host, streams }, request) =>
      ask(host, (commands) => {
        const wanted = request.query.device;
        const watch: Watch = async (listener) =>
          commands.watch((view) => {
            if (wanted !== undefined && wanted !== view.device) return;
            const command = commands.detailOf(view);
            if (command) listener(describeCommand(command));
          });
        return streams.answer(watch, request);
      }),
  }),
  route({
    method: 'GET',
    path: '/v1/commands/{id}',
    needs: 'read',
    summary: 'One command, as it stands.',
    params: byId,
    answer: commandInfo,
    run: ({ host }, { params }) => ask(host, (commands) => json(commands.get(params.id))),
  }),
  route({
    method: 'POST',
    path: '/v1/commands/{id}/cancel',
    needs: 'write',
    summary: 'Takes a command back that was not sent yet; it stays listed as cancelled.',
    params: byId,
    answer: commandInfo,
    audit: { action: 'cancel', target: ({ params }) => `command ${params.id}` },
    run: ({ host }, { params }) => ask(host, async (commands) => json(await commands.cancel(params.id))),
  }),
];
