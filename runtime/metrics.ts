/**
 * Metrics in the Prometheus format: a registry for each process, handed to whoever counts.
 *
 * There is no global registry, because many simulated processes live in one real one. Nothing
 * here has timers either, but for what `watchProcess` starts, which simulations do not call.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { assert } from "./errors.ts";

export type Labels<L extends string> = Readonly<Record<L, string>>;

export interface MetricCounter<L extends string> {
  add(labels: Labels<L>, by?: number): void;
}

export interface MetricGauge<L extends string> {
  set(labels: Labels<L>, value: number): void;
  /** For something that is gone and must not be shown any more. */
  remove(labels: Labels<L>): void;
}

export interface MetricHistogram<L extends string> {
  /** Durations are in seconds, as everywhere in Prometheus. */
  observe(labels: Labels<L>, value: number): void;
}

/** Asked twice for one name, each gives the same metric. */
export interface Metrics {
  counter<L extends string = never>(spec: MetricSpec<L>): MetricCounter<L>;
  gauge<L extends string = never>(spec: MetricSpec<L>): MetricGauge<L>;
  histogram<L extends string = never>(
    spec: MetricSpec<L> & { buckets?: readonly number[] },
  ): MetricHistogram<L>;
  /** Runs before each rendering, to set what is only known by looking. */
  onRender(collect: () => void): void;
  /** Adds CPU, memory, event-loop delay and garbage collection of the real process. */
  watchProcess(): void;
  readonly contentType: string;
  render(): Promise<string>;
}

export interface MetricSpec<L extends string> {
  /** `wherry_<room>_<what>_<unit>`, counters with `_total`. */
  name: string;
  help: string;
  labels?: readonly L[];
}

/** From half a millisecond, what a request costs at best, to ten seconds. */
const defaultBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const collectors: (() => void)[] = [];
  const registers = [registry];

  /** The metric of that name, which must be of that kind and carry those labels. */
  function known<T>(
    spec: MetricSpec<string>,
    kind: abstract new (...given: never[]) => T,
    create: () => T,
  ): T {
    const metric: unknown = registry.getSingleMetric(spec.name);
    if (metric === undefined) return create();
    assert(metric instanceof kind, `Metric ${spec.name} is of another kind`);
    return metric;
  }

  return {
    counter(spec) {
      const labelNames = [...(spec.labels ?? [])];
      const counter = known(spec, Counter, () => new Counter({ ...spec, labelNames, registers }));
      return { add: (labels, by = 1) => counter.inc(labels, by) };
    },
    gauge(spec) {
      const labelNames = [...(spec.labels ?? [])];
      const gauge = known(spec, Gauge, () => new Gauge({ ...spec, labelNames, registers }));
      return {
        set: (labels, value) => gauge.set(labels, value),
        remove: (labels) => gauge.remove(labels),
      };
    },
    histogram(spec) {
      const labelNames = [...(spec.labels ?? [])];
      const buckets = [...(spec.buckets ?? defaultBuckets)];
      const histogram = known(
        spec,
        Histogram,
        () => new Histogram({ ...spec, labelNames, buckets, registers }),
      );
      return { observe: (labels, value) => histogram.observe(labels, value) };
    },
    onRender: (collect) => void collectors.push(collect),
    watchProcess: () => collectDefaultMetrics({ register: registry }),
    contentType: registry.contentType,
    async render() {
      for (const collect of collectors) collect();
      return await registry.metrics();
    },
  };
}
