/** What a module makes once, before it runs: the memory of its places that name a field, and the shapes of records. */

import { stringLiteral } from './literals.js';

export class Constants {
  private readonly declared: string[] = [];
  private readonly globals = new Map<string, string>();

  /** A place that reads a field. */
  reading(key: string): string {
    return this.declare('r', `new $Reading(${stringLiteral(key)})`);
  }

  /** A place that writes one. */
  writing(key: string): string {
    return this.declare('w', `new $Writing(${stringLiteral(key)})`);
  }

  /** All places that read a global. */
  global(name: string): string {
    let place = this.globals.get(name);
    if (place === undefined) {
      place = this.reading(name);
      this.globals.set(name, place);
    }
    return place;
  }

  /** The shape of a record with these keys. */
  shape(keys: readonly string[]): string {
    return this.declare('k', `$shape([${keys.map(stringLiteral)}])`);
  }

  private declare(letter: string, value: string): string {
    const name = `${letter}${this.declared.length + 1}`;
    this.declared.push(`${name}=${value}`);
    return name;
  }

  /** Their declaration. */
  get text(): string {
    return this.declared.length === 0 ? '' : `const ${this.declared.join(',')};`;
  }
}
