/** `moonwire worker`: a process of `engine.workers`, which its primary starts. */

export { startWorker as worker } from '../main.js';
