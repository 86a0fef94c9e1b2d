/**
 * Variables in values: `${NAME}` is the variable's text, `${NAME:-text}` has a default for one that is unset or
 * empty, `$${` is a plain `${`. What is put in is not expanded again.
 */

const VARIABLE = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g;

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `text` with its variables put in; `report` is told of each one that is unset or not well formed. */
export function expand(text: string, env: Environment, report: (message: string) => void): string {
  if (!text.includes('${')) return text;
  return text.replace(VARIABLE, (written: string, name?: string, fallback?: string) => {
    if (written === '$${') return '${';
    if (name === undefined) {
      report('has a variable that is not well formed: a name in braces is needed after the dollar sign');
      return written;
    }
    const value = env[name];
    if (fallback !== undefined) return value || fallback;
    if (value === undefined) report(`needs the environment variable ${name}, which is not set`);
    return value ?? '';
  });
}
