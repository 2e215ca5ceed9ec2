/* Agents as exactly-once sees them: their streams' highest numbers, and which
 * connection is the newest. The writer's alone. */
#pragma once

#include <stdint.h>

#include <fenwatch/buf.h>

#include "map.h"
#include "store.h"

/* A machine set back to a snapshot may return to a stream of before; more than
 * so many of one agent are not remembered. */
#define AGENT_STREAMS 8

struct stream {
	struct stream *next; /* used last comes first */
	uint64_t id;
	uint64_t serial; /* never given twice: names it without pointing to it */
	uint64_t acked[STORE_LANES];
	uint32_t crc[STORE_LANES]; /* of the payload with that number, 0: none */
};

struct agent {
	struct link link;
	uint8_t uuid[16];
	uint64_t session;
	struct stream *streams;
};

struct agents {
	struct map map;
	uint64_t next_serial;
};

void agents_done(struct agents *agents);
struct agent *agents_find(const struct agents *agents, const uint8_t uuid[16]); /* or NULL */
struct agent *agents_get(struct agents *agents, const uint8_t uuid[16]);
struct stream *agent_find_stream(const struct agent *agent, uint64_t id); /* or NULL */
struct stream *agent_get_stream(struct agents *agents, struct agent *agent, uint64_t id);
/* After a loss: no delta may count against what this stream sent before. */
void stream_break(struct agents *agents, struct stream *stream);

/* The numbers as the log keeps them, 48 bytes a stream. */
#define STREAM_ENTRY_BYTES 48
void stream_put(struct fw_buf *out, const struct agent *agent, const struct stream *stream);
void agents_take_entries(struct agents *agents, const uint8_t *data, size_t length);
