/* What one program beside the agent says on its connection, read with distrust.
 *
 * The agent greets with a Hello (its own labels and version). The program answers with
 * one (its name as the version), announces schemas and hosts under numbers of its own,
 * and hands over Batch messages, which are keys of one or a few sweeps, Event messages,
 * and whole Document messages, numbered upwards. They are the wire's own frames and messages. All are
 * decoded to the last cell here, so that nothing a program says can make the collector
 * refuse the agent. The first thing that is wrong ends the conversation with a sentence.
 *
 * No libuv, no clock, no spool: what is taken and whether there is room is asked and
 * told through callbacks. A host gets a number drawn from its labels, which is the same
 * whoever watches it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <fenwatch/batch.h>
#include <fenwatch/err.h>
#include <fenwatch/frame.h>
#include <fenwatch/schema.h>

#include "fenwatch.pb-c.h"

#define INTAKE_HOSTS 4096
#define INTAKE_SCHEMAS 4096
#define INTAKE_SCHEMA_BYTES (16u << 20) /* of all schemas of one program, as they are kept */
#define INTAKE_HOST_LABELS 16
#define INTAKE_HOST_BYTES 4096
#define INTAKE_CELLS 65536
#define INTAKE_EVENT_BYTES (64u << 10)
#define INTAKE_EVENT_FIELDS 256

struct handed_host {
	uint32_t id; /* 0: the agent's own machine, without a message */
	const uint8_t *message;
	size_t length;
};

/* One thing that was handed over; valid during the call. */
struct handed {
	enum fw_frame_type type; /* BATCH, EVENT or DOCUMENT */
	struct handed_host host;
	/* BATCH */
	uint32_t schema; /* as `borrow` gave it */
	uint32_t interval_ms;
	struct fw_sweeps sweeps; /* their host is set */
	/* EVENT */
	Fenwatch__Wire__Event *event;
	/* DOCUMENT */
	Fenwatch__Wire__Document *document;
};

struct intake_ops {
	/* The agent's number of a schema, good until it is given back, and what it takes in memory. */
	uint32_t (*borrow)(const struct fw_schema *schema, size_t *bytes, void *arg);
	void (*give_back)(uint32_t id, void *arg);
	/* False: not now. The frame stays where it is. */
	bool (*has_room)(enum fw_frame_type type, void *arg);
	void (*take)(const struct handed *handed, void *arg);
};

struct intake;

struct intake *intake_new(const struct intake_ops *ops, void *arg);
void intake_free(struct intake *in); /* gives its schemas back */
/* Takes whole frames off the front; the bytes used, or negative with the reason. */
ssize_t intake_take(struct intake *in, const uint8_t *data, size_t length, struct fw_err *err);
/* It ended at a frame that there is no room for. */
bool intake_is_waiting(const struct intake *in);
/* The number of what was taken last; 0: nothing yet. */
uint64_t intake_taken(const struct intake *in);
/* What the program calls itself; "" before its Hello. */
const char *intake_name(const struct intake *in);
