/**
 * Which string keys a table has, in the order of their insertion, and at which of its slots each stands. Tables that got
 * the same keys in the same order share one shape, so that code which met a shape before finds a field without looking.
 */

/** Most keys of a shape; a table with more keeps them for itself. */
const MAX_KEYS = 64;
/** Most shapes of one executor: a script that makes up keys must not fill the memory with them. */
const MAX_SHAPES = 4096;
/** Up to so many keys are compared one by one, which is faster than a Map. */
const FEW = 8;

export class Shape {
  private readonly following = new Map<string, Shape>();
  private places: Map<string, number> | undefined = undefined;

  private constructor(
    readonly keys: readonly string[],
    private readonly family: { count: number },
    /** Whether one of the keys is `__index`, whether one is `__newindex`: what most metatables are asked for. */
    readonly indexes: boolean,
    readonly newIndexes: boolean,
  ) {}

  /** The shape without keys that all others of an executor come from. */
  static root(): Shape {
    return new Shape([], { count: 0 }, false, false);
  }

  /** The shape of all tables that keep their keys in a dictionary: it says nothing of them. */
  static dictionary(): Shape {
    return new Shape([], { count: MAX_SHAPES }, true, true);
  }

  /** The slot of a key, from 1; 0 when it has none. */
  slot(key: string): number {
    const { keys } = this;
    if (keys.length > FEW) return this.found().get(key) ?? 0;
    for (let i = 0; i < keys.length; i++) if (keys[i] === key) return i + 1;
    return 0;
  }

  private found(): Map<string, number> {
    this.places ??= new Map(this.keys.map((key, i) => [key, i + 1]));
    return this.places;
  }

  /** The shape with one key more, which it does not have yet; undefined when that would be too many. */
  with(key: string): Shape | undefined {
    const known = this.following.get(key);
    if (known !== undefined) return known;
    if (this.keys.length >= MAX_KEYS || this.family.count >= MAX_SHAPES) return undefined;
    return this.add(key);
  }

  /** The shape with these keys, distinct and none of them known yet; their number is limited by who asks. */
  withAll(keys: readonly string[]): Shape {
    return keys.reduce<Shape>((shape, key) => shape.following.get(key) ?? shape.add(key), this);
  }

  private add(key: string): Shape {
    this.family.count++;
    const next = new Shape(
      [...this.keys, key],
      this.family,
      this.indexes || key === '__index',
      this.newIndexes || key === '__newindex',
    );
    this.following.set(key, next);
    return next;
  }
}
