import { type LoadedConfig, type LoadOptions, parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problems.js';

/** A folder with a file that can stand for any entry script. */
export const HERE: LoadOptions = { cwd: import.meta.dirname, env: {} };
/** Lines of a server with everything it needs. */
export const ENTRY = 'entry: support.ts';

/** The configuration of `text`, which must be free of problems. */
export function load(text: string, options: LoadOptions = HERE): LoadedConfig {
  return parseConfig(text, 'test.yaml', options);
}

/** The problems of `text` as `line:column path: message`, in order; empty when it loads. */
export function problemsOf(text: string, options: LoadOptions = HERE): string[] {
  try {
    load(text, options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  }
}
