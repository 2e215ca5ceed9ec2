/* SPDX-License-Identifier: Apache-2.0 */
#include "agents.h"

#include <string.h>

#include <fenwatch/mem.h>

#include "bytes.h"

void agents_done(struct agents *agents)
{
	for (size_t i = 0; i < agents->map.n_buckets; i++) {
		for (struct link *link = agents->map.buckets[i], *next; link; link = next) {
			struct agent *agent = (struct agent *)(void *)link;
			next = link->next;
			while (agent->streams) {
				struct stream *stream = agent->streams;
				agent->streams = stream->next;
				fw_free(stream);
			}
			fw_free(agent);
		}
	}
	map_done(&agents->map);
}

struct agent *agents_find(const struct agents *agents, const uint8_t uuid[16])
{
	struct link *at = map_find(&agents->map, map_hash(uuid, 16, 0));
	for (; at; at = map_again(at)) {
		struct agent *agent = (struct agent *)(void *)at;
		if (memcmp(agent->uuid, uuid, 16) == 0)
			return agent;
	}
	return NULL;
}

struct agent *agents_get(struct agents *agents, const uint8_t uuid[16])
{
	struct agent *agent = agents_find(agents, uuid);
	if (agent)
		return agent;
	agent = fw_alloc(sizeof *agent);
	memcpy(agent->uuid, uuid, 16);
	map_add(&agents->map, &agent->link, map_hash(uuid, 16, 0));
	return agent;
}

struct stream *agent_find_stream(const struct agent *agent, uint64_t id)
{
	struct stream *stream = agent->streams;
	while (stream && stream->id != id)
		stream = stream->next;
	return stream;
}

static void forget_oldest(struct agent *agent)
{
	unsigned n = 0;
	struct stream **at = &agent->streams;
	while (*at && ++n < AGENT_STREAMS)
		at = &(*at)->next;
	if (*at) {
		fw_free(*at);
		*at = NULL;
	}
}

static void unlink_stream(struct agent *agent, struct stream *stream)
{
	struct stream **at = &agent->streams;
	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
}

struct stream *agent_get_stream(struct agents *agents, struct agent *agent, uint64_t id)
{
	struct stream *stream = agent_find_stream(agent, id);
	if (stream) {
		unlink_stream(agent, stream);
	} else {
		forget_oldest(agent);
		stream = fw_alloc(sizeof *stream);
		stream->id = id;
		stream_break(agents, stream);
	}
	stream->next = agent->streams;
	agent->streams = stream;
	return stream;
}

void stream_break(struct agents *agents, struct stream *stream)
{
	stream->serial = ++agents->next_serial;
}

void stream_put(struct fw_buf *out, const struct agent *agent, const struct stream *stream)
{
	uint8_t entry[STREAM_ENTRY_BYTES];
	memcpy(entry, agent->uuid, 16);
	put_u64(entry + 16, stream->id);
	put_u64(entry + 24, stream->acked[STORE_LIVE]);
	put_u64(entry + 32, stream->acked[STORE_BACKLOG]);
	put_u32(entry + 40, stream->crc[STORE_LIVE]);
	put_u32(entry + 44, stream->crc[STORE_BACKLOG]);
	fw_buf_append(out, entry, sizeof entry);
}

void agents_take_entries(struct agents *agents, const uint8_t *data, size_t length)
{
	for (; length >= STREAM_ENTRY_BYTES;
		data += STREAM_ENTRY_BYTES, length -= STREAM_ENTRY_BYTES) {
		struct agent *agent = agents_get(agents, data);
		struct stream *stream = agent_get_stream(agents, agent, get_u64(data + 16));
		for (int lane = 0; lane < STORE_LANES; lane++) {
			uint64_t acked = get_u64(data + 24 + 8 * lane);
			if (acked <= stream->acked[lane])
				continue;
			stream->acked[lane] = acked;
			stream->crc[lane] = get_u32(data + 40 + 4 * lane);
		}
	}
}
