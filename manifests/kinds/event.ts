/**
 * Event: core/v1 and events.k8s.io/v1 are two views of one stored object, kept as core/v1.
 *
 * Only the names of the fields differ (k8s:pkg/apis/events/v1/conversion.go).
 */
import type { Event, EventsEvent } from "../schema/types.generated.ts";
import { defined } from "./defined.ts";
import type { Conversion, KubeObject } from "./kind.ts";

export const eventsEvent: Conversion = {
  apiVersion: "v1",
  kind: "Event",
  toStored: (object: KubeObject): Event => toCore(object as EventsEvent),
  fromStored: (object: KubeObject): EventsEvent => fromCore(object as Event),
};

function toCore(event: EventsEvent): Event {
  const { regarding, note, deprecatedSource, series, ...rest } = event;
  const { deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedCount, ...same } = rest;
  const { reportingController, ...shared } = same;
  return defined({
    ...shared,
    apiVersion: "v1",
    kind: "Event",
    involvedObject: regarding ?? {},
    message: note,
    source: deprecatedSource,
    firstTimestamp: deprecatedFirstTimestamp,
    lastTimestamp: deprecatedLastTimestamp,
    count: deprecatedCount,
    series,
    reportingComponent: reportingController ?? "",
    reportingInstance: event.reportingInstance ?? "",
  });
}

function fromCore(event: Event): EventsEvent {
  const { involvedObject, message, source, firstTimestamp, lastTimestamp, count, ...same } = event;
  const { reportingComponent, ...shared } = same;
  return defined({
    ...shared,
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    // Old events have no eventTime, and validation of the old form lets them be.
    eventTime: event.eventTime as string,
    series: event.series && {
      count: event.series.count ?? 0,
      lastObservedTime: event.series.lastObservedTime ?? "",
    },
    regarding: involvedObject,
    note: message,
    deprecatedSource: source,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedCount: count,
    reportingController: reportingComponent,
  });
}
