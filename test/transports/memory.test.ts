import t from 'tap';
import { memoryPair } from '../../src/transports/memory.js';
import { contract } from './contract.js';

contract(t, 'memory', async () => memoryPair(), { peerSeesEnd: true, lossless: true });
