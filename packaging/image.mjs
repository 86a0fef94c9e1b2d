// `node packaging/image.mjs FOLDER`: the program without Node, for this processor, as the container image takes it.
import { layOutProgram } from './tree.mjs';

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64', arm: 'armhf' };
layOutProgram(process.argv[2], ARCHITECTURES[process.arch]);
