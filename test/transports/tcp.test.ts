import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import { connectTcp, listenTcp } from '../../src/transports/tcp.js';
import { contract, type MakePair } from './contract.js';

const makePair: MakePair = async () => {
  let accept!: (connection: Connection) => void;
  const accepted = new Promise<Connection>((resolve) => {
    accept = resolve;
  });
  const listener = await listenTcp({ host: '127.0.0.1', port: 0 }, accept, silentLogger);
  const client = await connectTcp({ host: '127.0.0.1', port: listener.port });
  const server = await accepted;
  await listener.close();
  return [client, server];
};

contract(t, 'tcp', makePair, { peerSeesEnd: true, lossless: true });
