/** `moonwire check`: everything that can be known to be wrong before anything runs, all of it at once. */

import { boardNames } from '../boards/catalogue.js';
import { defaultCodecs } from '../codecs/registry.js';
import { loadConfig } from '../config/load.js';
import { ConfigError, describeProblems } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { installOfflineMix } from '../engine/mix/index.js';
import { silentLogger } from '../log.js';
import { checkEngine, type Findings } from '../main.js';
import { Vm } from '../script/vm.js';
import { checkDevices } from './dev-devices.js';
import { EXIT } from './exit.js';
import { scriptRoots } from './roots.js';

/** Checks a file and prints what it finds; returns the exit code. */
export async function check(file: string): Promise<number> {
  const problems = file.endsWith('.lua') ? checkScript(file) : checkConfig(file);
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.stdout.write(problems.length === 0 ? `${file}: ok\n` : `${file}: ${problems.length} problems\n`);
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

function checkConfig(file: string): string[] {
  try {
    const { config, notices } = loadConfig(file, { boards: boardNames() });
    for (const notice of describeProblems(notices, file)) process.stdout.write(`notice: ${notice}\n`);
    const found = checkScripts(config);
    for (const notice of found.notices) process.stdout.write(`notice: ${notice}\n`);
    return found.problems;
  } catch (error) {
    if (error instanceof ConfigError) return describeProblems(error.problems, error.file);
    throw error;
  }
}

/** What is found of all scripts of a configuration, and of its simulated devices. */
export function checkScripts(config: Config): Findings {
  const { problems, notices } = checkEngine(config, silentLogger);
  return { problems: [...problems, ...checkDevices(config)], notices };
}

/** A script alone is compiled; its main chunk runs only as part of a configuration, where its server is known. */
function checkScript(file: string): string[] {
  const vm = new Vm({ roots: scriptRoots(file), log: silentLogger });
  installOfflineMix(vm, { codecs: defaultCodecs(), frameBytes: 65_536 });
  const problem = vm.syntaxProblem(file);
  return problem === undefined ? [] : [problem];
}
