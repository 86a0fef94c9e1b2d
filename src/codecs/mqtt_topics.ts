/**
 * Topic names and topic filters of MQTT (3.1.1 and 5.0, section 4.7). Channels have the same wildcards: `+` stands
 * for one level, `#` as the last level for all that follow and for the level above it.
 */

/** Longest name or filter in bytes of UTF-8 (1.5.4 allows no more). */
export const MAX_TOPIC_BYTES = 65_535;
/** Most levels of a filter with wildcards; a tree of them is as deep. */
export const MAX_FILTER_LEVELS = 128;

/** Whether some level of a name is a wildcard, so that it stands for many names. */
export function hasWildcard(name: string): boolean {
  if (!name.includes('+') && !name.includes('#')) return false;
  return name.split('/').some((level) => level === '+' || level === '#');
}

/** Why no message can be published under a topic name (4.7.1, 4.7.3); undefined when one can. */
export function topicProblem(name: string): string | undefined {
  if (name === '') return 'a topic has at least one character';
  if (name.includes('\0')) return 'a topic holds no U+0000';
  if (name.includes('+') || name.includes('#')) return 'a topic that is published to has no wildcards';
  return undefined;
}

/** Why nothing can be subscribed to by a topic filter (4.7.1, 4.7.3); undefined when it can. */
export function filterProblem(filter: string): string | undefined {
  if (filter === '') return 'a topic filter has at least one character';
  if (filter.includes('\0')) return 'a topic filter holds no U+0000';
  const levels = filter.split('/');
  if (levels.length > MAX_FILTER_LEVELS) return `a topic filter has at most ${MAX_FILTER_LEVELS} levels`;
  for (const [i, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || i < levels.length - 1))
      return '# stands alone in the last level of a topic filter';
    if (level.includes('+') && level !== '+') return '+ stands alone in its level of a topic filter';
  }
  return undefined;
}

/** Whether a topic name is meant by a topic filter. */
export function matches(filter: string, name: string): boolean {
  if (filter === name) return true;
  const wanted = filter.split('/');
  const levels = name.split('/');
  if (isHidden(wanted[0]!, name)) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return i === wanted.length - 1;
    if (i >= levels.length || (level !== '+' && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** Names that begin with `$` are the server's own: a wildcard in the first level does not mean them (4.7.2). */
function isHidden(firstLevel: string, name: string): boolean {
  return name.startsWith('$') && (firstLevel === '+' || firstLevel === '#');
}

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  readonly values: Set<T>;
}

/** Values under topic filters, found by the names that the filters mean. */
export class FilterTree<T> {
  private root: Node<T> = newNode();
  private count = 0;

  /** Pairs of a filter and a value. */
  get size(): number {
    return this.count;
  }

  /** Adds a value under a filter, once. */
  add(filter: string, value: T): void {
    let node = this.root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (!child) {
        child = newNode();
        node.children.set(level, child);
      }
      node = child;
    }
    if (node.values.has(value)) return;
    node.values.add(value);
    this.count++;
  }

  /** Takes it back. */
  delete(filter: string, value: T): void {
    const levels = filter.split('/');
    const path: Node<T>[] = [this.root];
    for (const level of levels) {
      const child = path.at(-1)!.children.get(level);
      if (!child) return;
      path.push(child);
    }
    if (!path.at(-1)!.values.delete(value)) return;
    this.count--;
    for (let i = levels.length; i > 0; i--) {
      const { children, values } = path[i]!;
      if (children.size > 0 || values.size > 0) break;
      path[i - 1]!.children.delete(levels[i - 1]!);
    }
  }

  clear(): void {
    this.root = newNode();
    this.count = 0;
  }

  /** Whether any filter means `name`. */
  has(name: string): boolean {
    return this.count > 0 && this.match(name).size > 0;
  }

  /** The values under all filters that mean `name`, each once. */
  match(name: string): Set<T> {
    const found = new Set<T>();
    if (this.count > 0) collect(this.root, name.split('/'), 0, name.startsWith('$'), found);
    return found;
  }
}

function newNode<T>(): Node<T> {
  return { children: new Map(), values: new Set() };
}

function collect<T>(
  node: Node<T>,
  levels: readonly string[],
  at: number,
  hidden: boolean,
  found: Set<T>,
): void {
  const wild = at > 0 || !hidden;
  // "a/#" means "a" too.
  if (wild) for (const value of node.children.get('#')?.values ?? []) found.add(value);
  if (at === levels.length) {
    for (const value of node.values) found.add(value);
    return;
  }
  for (const level of wild ? ['+', levels[at]!] : [levels[at]!]) {
    const child = node.children.get(level);
    if (child && level !== '#') collect(child, levels, at + 1, hidden, found);
  }
}
