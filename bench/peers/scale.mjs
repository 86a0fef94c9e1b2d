// How much work is done.

/** For figures. */
export const FULL = {
  rounds: 7,
  warmUp: 2,
  /** Requests and answers: clients, and messages of all of them a round. */
  connections: 50,
  messages: 50_000,
  /** Publish: clients that all subscribe, and messages a round. */
  subscribers: 1000,
  publishes: 50,
  starts: 5,
  idleClients: 10_000,
  /** Memory is read at the end of so many quiet milliseconds: garbage is collected some time after work has ended. */
  quietMs: 12_000,
};

/** To see that everything works: the figures mean nothing. */
export const TINY = {
  rounds: 1,
  warmUp: 0,
  connections: 4,
  messages: 200,
  subscribers: 5,
  publishes: 3,
  starts: 1,
  idleClients: 20,
  quietMs: 0,
};
