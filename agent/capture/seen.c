/* SPDX-License-Identifier: Apache-2.0 */
#include "seen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/items.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

const char *const seen_kinds[SEEN_KINDS] = {"clients", "wire"};

struct line {
	char key[120];
	const void *entry;
};

/* ---- fields ---- */

/* Seconds since 1970, down to a step: what changes seldom costs little to keep. */
static void put_time(struct fw_item_writer *w, const char *name, int64_t us, int64_t step_s)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, us / 1000000 / step_s * step_s);
	fw_item_field(w, name, text);
}

/* Down to a power of two. */
static void put_size(struct fw_item_writer *w, const char *name, uint64_t bytes)
{
	char text[32];
	uint64_t power = 1;
	if (bytes == 0)
		return;
	while (power <= bytes / 2)
		power *= 2;
	fw_item_field(w, name, fw_format_size(power, text, sizeof text));
}

static void put_address(
	struct fw_item_writer *w, const char *name, const struct packet_address *address)
{
	char text[46];
	if (!packet_address_is_none(address))
		fw_item_field(w, name, packet_address_text(address, text, sizeof text));
}

static void put_speech(struct fw_item_writer *w, uint32_t old)
{
	char text[64] = "";
	size_t n = 0;
	for (unsigned i = 0; i < OLD_KINDS; i++)
		if (old & 1u << i)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "",
				watch_old_names[i]);
	fw_item_field(w, "speaks", text);
}

static void put_client(struct fw_item_writer *w, const struct peer *p)
{
	char text[16];
	put_address(w, "client", &p->key.client);
	put_time(w, "first", p->first_us, 1);
	put_time(w, "last", p->slot.last_us, SEEN_CLIENT_STEP_S);
	snprintf(text, sizeof text, "%u", p->key.service.port);
	fw_item_field(w, "port", text);
	put_address(w, "server", &p->key.service.server);
	put_speech(w, p->old);
	put_size(w, "to_client", p->to_client);
	put_size(w, "to_server", p->to_server);
}

static void put_host(struct fw_item_writer *w, const struct wire_host *h)
{
	char text[16];
	put_address(w, "address", &h->address4);
	put_address(w, "address6", &h->address6);
	put_time(w, "first", h->first_us, 1);
	put_time(w, "last", h->slot.last_us, SEEN_HOST_STEP_S);
	fw_item_field(w, "name", h->name);
	fw_item_field(w, "port", h->port_name);
	put_speech(w, h->old);
	fw_item_field(w, "switch", h->announces ? "yes" : "");
	snprintf(text, sizeof text, "%u", h->vlan);
	fw_item_field(w, "vlan", h->vlan ? text : "");
}

/* ---- lines ---- */

const char *seen_mac_text(const uint8_t mac[6], char text[SEEN_MAC_BYTES])
{
	snprintf(text, SEEN_MAC_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return text;
}

static const char *protocol_of(const struct service_key *key)
{
	return key->protocol == PROTOCOL_TCP ? "tcp" : "udp";
}

static void name_line(struct line *line, enum seen_kind kind)
{
	char server[46], client[46];
	if (kind == SEEN_WIRE) {
		seen_mac_text(((const struct wire_host *)line->entry)->key.mac, line->key);
		return;
	}
	const struct peer *p = line->entry;
	packet_address_text(&p->key.service.server, server, sizeof server);
	bool six = strchr(server, ':') != NULL;
	snprintf(line->key, sizeof line->key, "%s%s%s:%u/%s %s", six ? "[" : "", server,
		six ? "]" : "", p->key.service.port, protocol_of(&p->key.service),
		packet_address_text(&p->key.client, client, sizeof client));
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

static const struct slots *table_of(const struct watch *w, enum seen_kind kind)
{
	return kind == SEEN_CLIENTS ? &w->peers : &w->hosts;
}

void seen_write(struct fw_buf *out, enum seen_kind kind, const struct watch *w)
{
	const struct slots *table = table_of(w, kind);
	struct line *lines = fw_alloc_array(table->count, sizeof *lines);
	struct fw_item_writer writer = {0};
	const void *entry;
	size_t n = 0;
	for (size_t i = 0; (entry = slots_next(table, &i)) != NULL;) {
		lines[n].entry = entry;
		name_line(&lines[n++], kind);
	}
	qsort(lines, n, sizeof *lines, by_key);
	for (size_t i = 0; i < n; i++) {
		fw_item_begin(&writer, '+', lines[i].key);
		if (kind == SEEN_CLIENTS)
			put_client(&writer, lines[i].entry);
		else
			put_host(&writer, lines[i].entry);
		fw_item_end(&writer);
	}
	fw_free(lines);
	*out = writer.text;
}

void seen_forget(struct watch *w, int64_t before_us)
{
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++) {
		const struct slots *table = table_of(w, kind);
		struct slot *slot;
		for (size_t i = 0; (slot = slots_next(table, &i)) != NULL;)
			if (slot->last_us < before_us)
				slot->hash = 0;
	}
}
