/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of events: numbered from 1 within an epoch that changes whenever the
 * broker starts. The newest are kept, up to a number and a size; a subscriber holds
 * the number of the last event it has seen and takes the ones after it when it has
 * room, so that a slow one costs nothing and learns how many it has missed.
 *
 * Thread: the broker's loop.
 */
#include "vmd/broker_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct broker_events {
	char epoch[17];
	uint64_t last;  /* the newest one's number */
	uint64_t first; /* the oldest one kept; last + 1: none */
	size_t bytes;
	struct broker_event ring[BROKER_EVENTS_MAX]; /* at seq % MAX */
	void (*fn)(void *opaque);
	void *opaque;
};

struct broker_events *broker_events_new(void (*fn)(void *opaque), void *opaque)
{
	struct broker_events *events = calloc(1, sizeof(*events));
	uint64_t epoch;
	if (!events)
		return NULL;
	if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch))
		epoch = uv_hrtime();
	snprintf(events->epoch, sizeof(events->epoch), "%016llx", (unsigned long long)epoch);
	events->first = 1;
	events->fn = fn;
	events->opaque = opaque;
	return events;
}

static void drop_oldest(struct broker_events *events)
{
	struct broker_event *e = &events->ring[events->first++ % BROKER_EVENTS_MAX];
	events->bytes -= e->bytes;
	json_decref(e->params);
	*e = (struct broker_event){ 0 };
}

void broker_events_free(struct broker_events *events)
{
	if (!events)
		return;
	while (events->first <= events->last)
		drop_oldest(events);
	free(events);
}

static json_t *event_params(const struct broker_events *events, uint64_t seq, const char *name, const char *machine,
			    json_t *data)
{
	json_t *params = json_pack("{s:s, s:I, s:f, s:s}", "epoch", events->epoch, "seq", (json_int_t)seq, "time",
				   broker_now(), "event", name);
	if (machine)
		json_object_set_new(params, "machine", json_string(machine));
	if (data)
		json_object_set_new(params, "data", data);
	return params;
}

void broker_events_add(struct broker_events *events, const char *name, const char *machine, json_t *data)
{
	json_t *params = event_params(events, events->last + 1, name, machine, data);
	size_t bytes = json_dumpb(params, NULL, 0, JSON_COMPACT);
	if (!bytes) {
		/* No memory: the number is used up all the same, so that it shows as a gap. */
		json_decref(params);
		params = NULL;
	}
	if (events->last - events->first + 1 == BROKER_EVENTS_MAX)
		drop_oldest(events);
	struct broker_event *e = &events->ring[++events->last % BROKER_EVENTS_MAX];
	*e = (struct broker_event){ .seq = events->last, .bytes = bytes, .params = params };
	if (machine)
		snprintf(e->machine, sizeof(e->machine), "%s", machine);
	events->bytes += bytes;
	while (events->first <= events->last && (events->bytes > BROKER_EVENTS_BYTES || !events->ring[events->first % BROKER_EVENTS_MAX].params))
		drop_oldest(events);
	if (events->fn)
		events->fn(events->opaque);
}

const char *broker_events_epoch(const struct broker_events *events)
{
	return events->epoch;
}

uint64_t broker_events_last(const struct broker_events *events)
{
	return events->last;
}

const struct broker_event *broker_events_after(const struct broker_events *events, uint64_t seq)
{
	uint64_t next = seq + 1 < events->first ? events->first : seq + 1;
	while (next <= events->last && !events->ring[next % BROKER_EVENTS_MAX].params)
		next++;
	return next <= events->last ? &events->ring[next % BROKER_EVENTS_MAX] : NULL;
}

json_t *broker_events_gap(const struct broker_events *events, uint64_t from, uint64_t to)
{
	return event_params(events, to, "gap", NULL, json_pack("{s:I}", "lost", (json_int_t)(to - from + 1)));
}
