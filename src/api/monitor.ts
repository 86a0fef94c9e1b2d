/** Metrics, health and alerts of one process, put together from what it runs. */

import type { AlertsConfig } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import type { Logger } from '../log.js';
import { type AlertCheck, Alerts } from './alerts.js';
import { deviceSilent, engineLost, queueFull, uplinkFlapping } from './alerts-checks.js';
import { DeviceWatch } from './alerts-devices.js';
import { Webhook } from './alerts-webhook.js';
import { Health, type HealthCheck } from './health.js';
import { centerCheck, engineChecks, lagCheck, storeCheck, uplinkCheck } from './health-checks.js';
import { configCheck } from './health-config.js';
import { outboxCheck } from './health-outbox.js';
import { feedCheck, feedMissingCheck, sinkCheck } from './health-sinks.js';
import type { ConfigHost } from './host.js';
import { memoryCheck, writeMemoryMetrics } from './memory.js';
import { writeBusMetrics } from './metrics-buses.js';
import { writeEngineMetrics } from './metrics-engine.js';
import { writeMqttMetrics } from './metrics-mqtt.js';
import { writeOutboxMetrics } from './metrics-outbox.js';
import {
  serviceCounters,
  writeCenterMetrics,
  writeIntakeMetrics,
  writePartCounters,
  writeScriptMetrics,
  writeStoreMetrics,
  writeUplinkMetrics,
} from './metrics-parts.js';
import { ProcessWatch } from './metrics-process.js';
import { writeFeedMetrics, writeSinkMetrics } from './metrics-sinks.js';
import { MetricsText } from './metrics-text.js';
import type {
  CenterSource,
  FeedSource,
  IntakeSource,
  OutboxSource,
  PartCounters,
  SinkSource,
  StoreSource,
  UplinkSource,
} from './monitor-sources.js';
import type { HealthReport } from './shapes.js';

/** What a process runs; what it has not is left out. */
export interface MonitorOptions {
  readonly role: 'engine' | 'center';
  /** Name of the engine, or `center`. */
  readonly name: string;
  readonly version: string;
  readonly alerts: AlertsConfig;
  readonly log: Logger;
  readonly engine?: Engine;
  readonly uplink?: UplinkSource;
  readonly store?: StoreSource;
  readonly outbox?: OutboxSource | undefined;
  readonly center?: CenterSource;
  readonly intake?: IntakeSource | undefined;
  readonly feed?: FeedSource | undefined;
  /** There should be a feed, and it could not be opened. */
  readonly feedMissing?: boolean;
  readonly sinks?: SinkSource | undefined;
  readonly config?: Pick<ConfigHost, 'source'>;
  /** Counters of parts that have no metrics of their own. */
  readonly counters?: () => PartCounters;
  /** Looks at what is not this process's own. */
  readonly checks?: readonly HealthCheck[];
  /** Milliseconds between two looks for what is wrong. */
  readonly lookMs?: number;
}

/** Watches a process until it is stopped. */
export class Monitor {
  private readonly process = new ProcessWatch();
  private readonly devices: DeviceWatch | undefined;
  private readonly checker: Health;
  private readonly alerts: Alerts;
  private readonly webhook: Webhook | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: MonitorOptions) {
    const { engine, alerts, version, name, log, lookMs = 5000 } = options;
    this.devices = engine && new DeviceWatch(engine);
    this.checker = new Health(this.healthChecks(), version);
    const { webhook: url, headers } = alerts;
    this.webhook = url === undefined ? undefined : new Webhook({ url, headers, source: name }, log);
    this.alerts = new Alerts(this.alertChecks(), alerts.minSeconds, (notification) => {
      const { state, text, ...fields } = notification;
      log[state === 'firing' ? 'warn' : 'info'](`alert ${state}: ${text}`, fields);
      this.webhook?.notify(notification);
    });
    this.timer = setInterval(() => this.look(), lookMs).unref();
  }

  /** What is wrong, and since when. */
  readonly health = (): HealthReport => this.checker.report();

  /** The answer to a scrape, of type `METRICS_CONTENT_TYPE`. */
  readonly metrics = (): string => {
    const { role, name, version, engine, uplink, store, outbox, center, intake } = this.options;
    const { feed, sinks, counters } = this.options;
    const text = new MetricsText();
    text.gauge('moonwire_info', 'What runs here.', [[{ role, name, version }, 1]]);
    if (engine) {
      writeEngineMetrics(text, engine);
      writeBusMetrics(text, engine);
      writeMqttMetrics(text, engine);
      writeMemoryMetrics(text, engine);
      writeScriptMetrics(text, engine.services.metrics);
    }
    if (center) writeCenterMetrics(text, center);
    if (intake) writeIntakeMetrics(text, intake);
    if (feed) writeFeedMetrics(text, feed());
    if (sinks) writeSinkMetrics(text, sinks());
    if (uplink) writeUplinkMetrics(text, uplink());
    if (store) writeStoreMetrics(text, store());
    if (outbox) writeOutboxMetrics(text, outbox());
    writePartCounters(text, { ...(engine && serviceCounters(engine)), ...counters?.() });
    this.writeOwn(text);
    this.process.write(text);
    return text.toString();
  };

  /** A script reported for a device. */
  reported(deviceId: string): void {
    this.devices?.reported(deviceId);
  }

  /** Stops watching; alerts that wait are given up. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.process.stop();
    this.devices?.stop();
    await this.webhook?.stop();
  }

  /** Looks so often that what passes between two requests is seen. */
  private look(): void {
    this.checker.report();
    this.alerts.look();
  }

  private healthChecks(): HealthCheck[] {
    const { engine, uplink, store, outbox, center, feed, feedMissing, sinks, config } = this.options;
    return [
      ...(engine ? [...engineChecks(engine), memoryCheck(engine)] : []),
      ...(center ? [centerCheck(center)] : []),
      ...(uplink ? [uplinkCheck(uplink)] : []),
      ...(store ? [storeCheck(store)] : []),
      ...(outbox ? [outboxCheck(outbox)] : []),
      ...(feed ? [feedCheck(feed)] : []),
      ...(feedMissing ? [feedMissingCheck] : []),
      ...(sinks ? [sinkCheck(sinks)] : []),
      ...(config ? [configCheck(config)] : []),
      ...(this.options.checks ?? []),
      lagCheck(this.process),
    ];
  }

  private alertChecks(): AlertCheck[] {
    const { engine, uplink, center, alerts } = this.options;
    return [
      ...(engine ? [queueFull(engine)] : []),
      ...(this.devices ? [deviceSilent(this.devices, alerts.deviceSilent)] : []),
      ...(uplink ? [uplinkFlapping(uplink, alerts.uplinkFlapping)] : []),
      ...(center ? [engineLost(center, alerts.engineLost)] : []),
    ];
  }

  /** What monitoring itself counts. */
  private writeOwn(text: MetricsText): void {
    const { devices, webhook } = this;
    const { reasons, ready } = this.health();
    text.gauge('moonwire_ready', 'Whether it can serve.', ready ? 1 : 0);
    text.gauge('moonwire_health_reasons', 'Reasons why not all is well.', reasons.length);
    if (devices) {
      const after = this.options.alerts.deviceSilent;
      const silent = after === 0 ? 0 : [...devices.silent(after)].length;
      text.gauge('moonwire_devices_watched', 'Devices whose silence would be noticed.', devices.size);
      text.gauge('moonwire_devices_silent', 'Devices silent for longer than alerts.deviceSilent.', silent);
      text.counter(
        'moonwire_devices_unwatched_total',
        'Devices beyond the most that are watched.',
        devices.unwatched,
      );
    }
    text.gauge(
      'moonwire_alerts_firing',
      'Conditions of the built-in alerts.',
      [...this.alerts.firing()].map(([alert, count]) => [{ alert }, count] as const),
    );
    text.counter('moonwire_alerts_overlooked_total', 'Conditions beyond the most.', this.alerts.overlooked);
    if (!webhook) return;
    text.counter(
      'moonwire_alert_posts_total',
      'Alerts posted to the webhook, by outcome.',
      Object.entries(webhook.counters).map(([outcome, count]) => [{ outcome }, count]),
    );
  }
}
