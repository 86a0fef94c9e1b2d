import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { startWithScript } from '../support/engine.js';
import { readExposition } from '../support/exposition.js';
import { startFullMonitor } from '../support/monitor.js';
import { missing } from '../support/need.js';

const RULES = 'configs/alerts.yml';
const CASES = 'test/api/alerts-rules.yml';

interface Rule {
  alert: string;
  expr: string;
}

const rules: Rule[] = parse(readFileSync(RULES, 'utf8')).groups[0].rules;

/** Prometheus makes it itself, one for each target. */
const MADE_BY_PROMETHEUS = ['up'];

t.test('the rules do what they are for', { skip: missing('promtool', 'prometheus') }, async (t) => {
  for (const args of [
    ['check', 'rules', RULES],
    ['test', 'rules', CASES],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  }
});

t.test('every rule is tried both ways', async (t) => {
  const [well, ...cases] = parse(readFileSync(CASES, 'utf8')).tests;
  const names = (test: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }) =>
    test.alert_rule_test.filter(({ exp_alerts }) => test === well || exp_alerts).map((row) => row.alertname);
  const all = rules.map(({ alert }) => alert).sort();
  t.ok(all.length > 10);
  t.strictSame(names(well).sort(), all);
  t.strictSame([...new Set(cases.flatMap(names))].sort(), all);
});

t.test('every metric of a rule is in a scrape', async (t) => {
  const gateway = await startWithScript(`protocol = { frame = mix.frame.fixed{ size = 1 },
    decode = function(f) return f end }`);
  t.teardown(() => gateway.stop());
  // A family without a sample yet is one that a rule may name.
  gateway.engine.servers[0]!.station.counters.discard('noise', 1);
  const monitor = await startFullMonitor(t, { engine: gateway.engine });
  const samples = readExposition(monitor.metrics());
  for (const { alert, expr } of rules) {
    const selectors = [...expr.matchAll(/\b((?:moonwire_|up\b)[a-z_]*)(?:\{([^}]*)\})?/g)];
    t.ok(selectors.length > 0, alert);
    for (const [, name, matchers = ''] of selectors) {
      if (MADE_BY_PROMETHEUS.includes(name!)) continue;
      const wanted = [...matchers.matchAll(/(\w+)="([^"]*)"/g)];
      const found = samples.some(
        (sample) => sample.name === name && wanted.every(([, key, value]) => sample.labels[key!] === value),
      );
      t.ok(found, `${alert}: ${name}{${matchers}}`);
    }
  }
});
