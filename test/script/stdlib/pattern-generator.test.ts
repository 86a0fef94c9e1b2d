import t from 'tap';
import { Matcher } from '../../../src/script/stdlib/pattern.js';
import { compilePattern } from '../../../src/script/stdlib/pattern-compiler.js';
import { generateSearch } from '../../../src/script/stdlib/pattern-generator.js';
import { FakeExecutor } from '../../support/executor.js';
import { pattern, SUBJECT, word } from '../../support/patterns.js';
import { random } from '../../support/random.js';

/** All matches, one after the other, or the error. */
function matches(
  source: string,
  subject: string,
  generated: boolean,
  ex = new FakeExecutor(100_000),
): unknown {
  const compiled = compilePattern(source, true);
  if (generated) compiled.search = generateSearch(compiled);
  const found: unknown[] = [];
  try {
    const matcher = new Matcher(ex, compiled, subject);
    for (let from = 0; matcher.find(from); from = Math.max(matcher.end, matcher.start + 1)) {
      found.push([matcher.start, matcher.end, ...matcher.append([])]);
      if (compiled.anchored) break;
    }
  } catch (error) {
    found.push((error as Error).message);
  }
  return found;
}

t.test('a pattern as a function finds what the matcher finds', async (t) => {
  const r = random(t);
  let generated = 0;
  for (let i = 0; i < 2000; i++) {
    const source = pattern(r);
    if (generateSearch(compilePattern(source, true)) !== undefined) generated++;
    for (let k = 0; k < 3; k++) {
      const subject = word(r, SUBJECT, 20);
      const [found, wanted] = [matches(source, subject, true), matches(source, subject, false)];
      if (JSON.stringify(found) !== JSON.stringify(wanted)) {
        t.strictSame(found, wanted, JSON.stringify([source, subject]));
      }
    }
  }
  t.ok(generated > 1600, `${generated} of 2000 patterns`);
});

t.test('its steps are counted', async (t) => {
  for (const source of [
    `${'a-'.repeat(20)}b`,
    `${'a*'.repeat(20)}b`,
    `${'.?'.repeat(18)}b$`,
    '(a*)%1b',
    '%b()b',
  ]) {
    const subject = source.startsWith('%b') ? '('.repeat(10_000) : 'a'.repeat(10_000);
    t.strictSame(matches(source, subject, true), ['budget exceeded'], source);
  }
  const [plain, made] = [new FakeExecutor(), new FakeExecutor()];
  matches('(%d+),(%d+)', '12,345 x 6,7 '.repeat(50), false, plain);
  matches('(%d+),(%d+)', '12,345 x 6,7 '.repeat(50), true, made);
  t.ok(
    made.steps > plain.steps / 8 && made.steps < plain.steps * 2,
    `${made.steps} and ${plain.steps} steps`,
  );
});

t.test('large patterns are left to the matcher', async (t) => {
  t.equal(generateSearch(compilePattern('a*'.repeat(50), true)), undefined);
  t.equal(generateSearch(compilePattern('a'.repeat(100), true)), undefined);
});
