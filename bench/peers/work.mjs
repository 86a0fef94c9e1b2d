// Requests and answers: all servers of a work are driven in turn, who goes first changes each round.
import { Crowd } from '../echo/clients.mjs';
import { median } from '../support/statistics.mjs';
import { MOONWIRE, startAll, stopAll } from './contestants.mjs';
import { checkAnswers, EXCHANGES } from './exchanges.mjs';

/** Rows of a work: a server each, the engine first. */
export async function workRows(work, { scale, names, note }) {
  const exchanges = EXCHANGES[work];
  const servers = await startAll(work, names);
  const protocol = {
    greet() {},
    request: (_, number) => exchanges[number % exchanges.length][0],
    replyBytes: (_, number) => exchanges[number % exchanges.length][1].length,
  };
  const crowds = new Map();
  try {
    for (const [name, { port }] of servers) {
      await checkAnswers(work, name, port);
      crowds.set(name, new Crowd(port, protocol));
      await crowds.get(name).grow(scale.connections);
    }
    note(`${work}: all answer right; measuring`);
    const { messages } = scale;
    const round = (name) => measured(servers.get(name), messages, () => crowds.get(name).drive(0, messages));
    return rowsOf(await rounds([...servers.keys()], scale, round));
  } finally {
    await Promise.all([...crowds.values()].map((crowd) => crowd.close()));
    await stopAll(servers);
  }
}

/** Works through the names in turn; who goes first changes each round. Results of each round, by name. */
export async function rounds(names, { rounds, warmUp }, work) {
  const results = [];
  for (let round = 0; round < warmUp + rounds; round++) {
    // In the order of the names, whoever goes first.
    const result = new Map(names.map((name) => [name]));
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length];
      result.set(name, await work(name));
    }
    if (round >= warmUp) results.push(result);
  }
  return results;
}

/** What `count` messages take that `drive` makes a server handle; it resolves to the milliseconds each waited. */
export async function measured(server, count, drive) {
  const [cpu, began] = [server.cpuMs(), performance.now()];
  const waits = await drive();
  return {
    micros: ((server.cpuMs() - cpu) * 1000) / count,
    rate: count / ((performance.now() - began) / 1000),
    waits: waits.sort(),
  };
}

export const WORK_COLUMNS = [
  'server',
  'CPU a message',
  'Moonwire against it',
  'rounds',
  'messages/s',
  'p50 / p99',
];

/** Rows for the table of what {@link rounds} returned. */
export function rowsOf(results) {
  return [...results[0].keys()].map((name) => {
    const of = (read) => median(results.map((result) => read(result.get(name))));
    const ratios = results.map((result) => result.get(MOONWIRE).micros / result.get(name).micros);
    const quantile = (share) => of(({ waits }) => waits[Math.floor(waits.length * share)]).toFixed(1);
    return [
      name,
      `${of(({ micros }) => micros).toFixed(1)} µs`,
      name === MOONWIRE ? '' : `${median(ratios).toFixed(2)}×`,
      name === MOONWIRE ? '' : `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
      of(({ rate }) => rate).toFixed(0),
      `${quantile(0.5)} / ${quantile(0.99)} ms`,
    ];
  });
}
