/** Names of the handles that workers hand over, on their way through both primaries. */

/** The name of a handle of the worker at this place, from 0 on. */
export function addressedTo(worker: number, name: string): string {
  return `${worker} ${name}`;
}

/** For whom such a handle is; undefined for one of the primary's own. */
export function addressed(text: string): { readonly worker: number; readonly name: string } | undefined {
  const [, worker, name] = /^(\d+) (.*)$/s.exec(text) ?? [];
  return name === undefined ? undefined : { worker: Number(worker), name };
}
