/* The gate of telling: whether an alert that fires is told, or held, and why.
 *
 * Every episode, whatever it came from, passes here in the transaction in which
 * it is written down. The reasons to hold one are a table in gate.c, in order:
 * the first that holds it is the one that is shown. Watching goes on meanwhile.
 * What is held is asked again with every gate_look; as soon as no reason holds
 * it, feeds are told. If it ends before, nobody hears of it. Once it was told,
 * nothing holds its close. All of it is the main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "book.h"

#define GATE_WHY 200

struct alert_options;
struct crowd;
struct gate;
struct noise;
struct retired;
struct silences;
struct sites;
struct state;

struct gate_config {
	struct state *state;
	const struct alert_options *options;
	const struct sites *sites;     /* or NULL */
	const struct retired *retired; /* or NULL */
	/* When the host was first heard, 0: long ago. NULL: they all were. */
	int64_t (*first_heard_ms)(const char *instance, void *arg);
	void *arg;
};

/* An episode that is not told. */
struct held {
	struct held *next;
	struct episode episode; /* its texts are its own */
	struct crowd *crowd;    /* in which it is told of, or NULL */
	const char *reason;     /* its name in the table; "" before it was judged */
	char why[GATE_WHY];
};

int gate_open(struct gate **out, const struct gate_config *config, struct fw_err *err);
void gate_close(struct gate *gate); /* NULL, too */
void gate_reload(struct gate *gate, const struct alert_options *options);
struct silences *gate_silences(struct gate *gate);
struct noise *gate_noise(struct gate *gate);

/* Within the caller's transaction, which ends with gate_settle. */
int gate_fired(struct gate *gate, struct episode *episode, struct moment now, struct fw_err *err);
int gate_resolved(struct gate *gate, const struct episode *episode, struct fw_err *err);
void gate_settle(struct gate *gate, bool written);

/* In a transaction of its own: it has another summary, held or told. */
int gate_reworded(
	struct gate *gate, const struct episode *episode, const char *summary, struct fw_err *err);

/* What is held has these annotations from now on; they are copied. */
void gate_annotate(struct gate *gate, const char *key, const struct pairs *annotations);

/* In a transaction of its own. How many were told. */
int gate_look(struct gate *gate, struct moment now, struct fw_err *err);

/* Whether one that was told is told to nobody else for now. */
bool gate_mutes(struct gate *gate, const struct episode *episode, struct moment now);

/* Whether this feed hears of it; of one that tells of many as rollup.h says. */
bool gate_wants(const struct gate *gate, size_t feed, const struct episode *episode);

/* In a transaction of its own: one that tells of this crowd and was told goes to feeds that want
 * it by now, unless it is silenced and the like. To how many. */
int gate_spread(struct gate *gate, struct crowd *crowd, const struct episode *episode,
	struct moment now, struct fw_err *err);

/* Whether a silence is about one that was told before, and which. */
bool gate_silences_told(const struct gate *gate, const struct episode *episode, struct moment now,
	char why[GATE_WHY]);

/* An alert on the work list is told now, whatever else would hold it; by its key, or the
 * beginning of it. -ENOENT: it is not on the list; -EINVAL: several are. */
int gate_hand(struct gate *gate, const char *name, const char *who, struct moment now,
	struct fw_err *err);

/* NULL: it is not held. */
const struct held *gate_find(const struct gate *gate, const char *key);
