/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const report_jobs[REPORT_KINDS] = {"capture", "capture-peers", "capture-hosts"};

#define MOST_COLUMNS 3072
#define PREFIX "fenwatch_capture_"

struct labels {
	const struct fw_label *list;
	uint16_t count;
};

static void add(struct report *r, const char *name, uint8_t type, int8_t scale,
	struct labels labels, int64_t value)
{
	if (r->schema.n_columns == MOST_COLUMNS) {
		r->untold++;
		return;
	}
	r->columns[r->schema.n_columns] = (struct fw_column){
		.name = name,
		.labels = labels.list,
		.n_labels = labels.count,
		.scale = scale,
		.type = type,
		.factor = 1,
	};
	r->cells[r->schema.n_columns++] = value;
}

static void add_count(struct report *r, const char *name, struct labels labels, uint64_t value)
{
	add(r, name, FW_COUNTER, 0, labels, (int64_t)value);
}

static void add_time(
	struct report *r, const char *name, uint8_t type, struct labels labels, int64_t us)
{
	add(r, name, type, 6, labels, us);
}

static struct labels one_label(struct report *r, const char *name, const char *value)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, sizeof *list);
	*list = (struct fw_label){name, value};
	return (struct labels){list, 1};
}

static const char *address_text(struct report *r, const struct packet_address *address)
{
	char text[46];
	return fw_arena_strdup(&r->arena, packet_address_text(address, text, sizeof text));
}

/* ---- the wire ---- */

static void report_dhcp(struct report *r, const struct watch_counts *n)
{
	static const char *const types[WATCH_DHCP_TYPES] = {
		NULL, "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"};
	for (size_t i = 1; i < WATCH_DHCP_TYPES; i++)
		add_count(r, PREFIX "dhcp_messages_total", one_label(r, "type", types[i]),
			n->dhcp[i]);
	add_count(r, PREFIX "dhcp_unanswered_total", (struct labels){0}, n->dhcp_unanswered);
}

static void report_tables(struct report *r, const struct watch *w)
{
	const struct {
		const char *name;
		const struct slots *slots;
	} tables[] = {
		{"addresses", &w->addresses},
		{"flows", &w->flows},
		{"hosts", &w->hosts},
		{"leases", &w->leases},
		{"lookups", &w->lookups},
		{"peers", &w->peers},
		{"services", &w->services},
	};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		add_count(r, PREFIX "table_dropped_total", one_label(r, "table", tables[i].name),
			tables[i].slots->dropped);
}

static void report_wire(struct report *r, const struct watch *w, const struct report_facts *f)
{
	const struct watch_counts *n = &w->counts;
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{PREFIX "packets_total", n->packets},
		{PREFIX "bytes_total", n->bytes},
		{PREFIX "sampled_out_packets_total", n->sampled_out},
		{PREFIX "truncated_packets_total", n->cut},
		{PREFIX "unknown_packets_total", n->unknown},
		{PREFIX "broadcast_packets_total", n->broadcasts},
		{PREFIX "multicast_packets_total", n->multicasts},
		{PREFIX "fragments_total", n->fragments},
		{PREFIX "arp_requests_total", n->arp_requests},
		{PREFIX "arp_replies_total", n->arp_replies},
		{PREFIX "arp_storm_seconds_total", n->arp_storm_seconds},
		{PREFIX "duplicate_addresses_total", n->duplicate_addresses},
		{PREFIX "kernel_received_packets_total", f->received},
		{PREFIX "kernel_dropped_packets_total", f->dropped},
		{PREFIX "interface_dropped_packets_total", f->interface_dropped},
	};
	const struct labels none = {0};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		add_count(r, counts[i].name, none, counts[i].value);
	add(r, PREFIX "broadcast_peak_packets", FW_GAUGE, 0, none, (int64_t)n->broadcast_peak);
	add_time(r, PREFIX "cpu_seconds_total", FW_COUNTER, none, f->cpu_us);
	add(r, PREFIX "names_allowed", FW_GAUGE, 0, none, f->names);
	add(r, PREFIX "sampled_ratio", FW_GAUGE, 6, none, 1000000 >> w->shift);
	report_dhcp(r, n);
	report_tables(r, w);
}

static struct labels service_labels(
	struct report *r, const struct service_key *key, const struct packet_address *client)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, 4 * sizeof *list);
	uint16_t n = 0;
	const char *protocol = key->protocol == PROTOCOL_TCP ? "tcp"
		: key->protocol == PROTOCOL_UDP              ? "udp"
							     : "other";
	if (client)
		list[n++] = (struct fw_label){"client", address_text(r, client)};
	list[n++] = (struct fw_label){"port", fw_arena_format(&r->arena, "%u", key->port)};
	list[n++] = (struct fw_label){"protocol", protocol};
	list[n++] = (struct fw_label){"server", address_text(r, &key->server)};
	return (struct labels){list, n};
}

static void report_tcp(struct report *r, const struct service *s, struct labels labels)
{
	add_count(r, PREFIX "tcp_handshakes_total", labels, s->handshakes);
	add_time(r, PREFIX "tcp_handshake_seconds_total", FW_COUNTER, labels,
		(int64_t)s->handshake_us);
	add_count(r, PREFIX "tcp_refused_total", labels, s->refused);
	add_count(r, PREFIX "tcp_unanswered_total", labels, s->unanswered);
	add_count(r, PREFIX "tcp_retransmissions_total", labels, s->retransmissions);
	add_count(r, PREFIX "tcp_out_of_order_total", labels, s->out_of_order);
	add_count(r, PREFIX "tcp_resets_total", labels, s->resets);
	add_count(r, PREFIX "tcp_zero_windows_total", labels, s->zero_windows);
}

static void report_dns(struct report *r, const struct service *s, struct labels labels)
{
	add_count(r, PREFIX "dns_queries_total", labels, s->queries);
	add_count(r, PREFIX "dns_answers_total", labels, s->answers);
	add_time(r, PREFIX "dns_answer_seconds_total", FW_COUNTER, labels, (int64_t)s->answer_us);
	add_count(r, PREFIX "dns_failures_total", labels, s->failures);
	add_count(r, PREFIX "dns_no_such_name_total", labels, s->no_names);
	add_count(r, PREFIX "dns_unanswered_total", labels, s->no_answers);
}

static void report_name(struct report *r, const struct service *s, struct labels labels)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, 4 * sizeof *list);
	list[0] = (struct fw_label){"name", fw_arena_strdup(&r->arena, s->name)};
	memcpy(list + 1, labels.list, labels.count * sizeof *list);
	add(r, PREFIX "service_name_info", FW_GAUGE, 0,
		(struct labels){list, (uint16_t)(labels.count + 1)}, 1);
}

static void report_service(struct report *r, const struct service *s)
{
	struct labels labels = service_labels(r, &s->key, NULL);
	add_count(r, PREFIX "service_packets_total", labels, s->packets);
	add_count(r, PREFIX "service_bytes_total", labels, s->bytes);
	if (s->key.protocol == PROTOCOL_TCP)
		report_tcp(r, s, labels);
	if (s->key.port == 53)
		report_dns(r, s, labels);
	if (s->name[0] != '\0')
		report_name(r, s, labels);
}

/* ---- which of a table are told: those with most, in the order of their places ---- */

struct choice {
	uint64_t weight;
	const void *entry;
	size_t place;
};

static int by_weight(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static int by_place(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* The places keep their order, so that a sweep looks like the one before it. */
static struct choice *choose(struct report *r, const struct slots *s, size_t most,
	uint64_t (*weight)(const void *entry), size_t *n)
{
	struct choice *all = fw_arena_alloc(&r->arena, s->count * sizeof *all);
	const void *entry;
	*n = 0;
	for (size_t i = 0; (entry = slots_next(s, &i)) != NULL; ++*n)
		all[*n] = (struct choice){weight(entry), entry, i};
	qsort(all, *n, sizeof *all, by_weight);
	if (*n > most) {
		r->untold += *n - most;
		*n = most;
	}
	qsort(all, *n, sizeof *all, by_place);
	return all;
}

static uint64_t packets_of(const void *entry)
{
	const struct service *s = entry;
	return s->packets;
}

static uint64_t last_seen(const void *entry)
{
	const struct slot *slot = entry;
	return (uint64_t)slot->last_us;
}

/* ---- who uses them ---- */

static struct labels with_label(
	struct report *r, struct labels labels, size_t at, const char *name, const char *value)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, (labels.count + 1u) * sizeof *list);
	memcpy(list, labels.list, at * sizeof *list);
	list[at] = (struct fw_label){name, value};
	memcpy(list + at + 1, labels.list + at, (labels.count - at) * sizeof *list);
	return (struct labels){list, (uint16_t)(labels.count + 1)};
}

static void report_peer(struct report *r, const struct peer *p)
{
	struct labels labels = service_labels(r, &p->key.service, &p->key.client);
	add_time(r, PREFIX "peer_first_seen_timestamp_seconds", FW_GAUGE, labels, p->first_us);
	add_time(r, PREFIX "peer_last_seen_timestamp_seconds", FW_GAUGE, labels, p->slot.last_us);
	add_count(r, PREFIX "peer_bytes_total", with_label(r, labels, 1, "direction", "to_client"),
		p->to_client);
	add_count(r, PREFIX "peer_bytes_total", with_label(r, labels, 1, "direction", "to_server"),
		p->to_server);
	add_count(r, PREFIX "peer_connections_total", labels, p->connections);
	for (unsigned i = 0; i < OLD_KINDS; i++)
		if (p->old & 1u << i)
			add(r, PREFIX "old_protocol_info", FW_GAUGE, 0,
				with_label(r, labels, 1, "old", watch_old_names[i]), 1);
}

/* ---- hosts ---- */

static void report_host(struct report *r, const struct wire_host *h)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, 6 * sizeof *list);
	const uint8_t *m = h->key.mac;
	uint16_t n = 0;
	if (!packet_address_is_none(&h->address4))
		list[n++] = (struct fw_label){"address", address_text(r, &h->address4)};
	if (!packet_address_is_none(&h->address6))
		list[n++] = (struct fw_label){"address6", address_text(r, &h->address6)};
	list[n++] = (struct fw_label){"mac",
		fw_arena_format(&r->arena, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
			m[4], m[5])};
	if (h->name[0] != '\0')
		list[n++] = (struct fw_label){"name", fw_arena_strdup(&r->arena, h->name)};
	if (h->port_name[0] != '\0')
		list[n++] = (struct fw_label){"port", fw_arena_strdup(&r->arena, h->port_name)};
	if (h->vlan != 0)
		list[n++] = (struct fw_label){"vlan", fw_arena_format(&r->arena, "%u", h->vlan)};
	struct labels labels = {list, n};
	add_time(r, PREFIX "host_first_seen_timestamp_seconds", FW_GAUGE, labels, h->first_us);
	add_time(r, PREFIX "host_last_seen_timestamp_seconds", FW_GAUGE, labels, h->slot.last_us);
	add_count(r, PREFIX "host_bytes_total", labels, h->bytes);
}

/* ---- all ---- */

static void report_chosen(struct report *r, enum report_kind kind, const struct watch *w)
{
	size_t n;
	struct choice *chosen;
	if (kind == REPORT_OF_WIRE) {
		chosen = choose(r, &w->services, REPORT_SERVICES, packets_of, &n);
		for (size_t i = 0; i < n; i++)
			report_service(r, chosen[i].entry);
	} else if (kind == REPORT_OF_PEERS) {
		chosen = choose(r, &w->peers, REPORT_PEERS, last_seen, &n);
		for (size_t i = 0; i < n; i++)
			report_peer(r, chosen[i].entry);
	} else {
		chosen = choose(r, &w->hosts, REPORT_HOSTS, last_seen, &n);
		for (size_t i = 0; i < n; i++)
			report_host(r, chosen[i].entry);
	}
}

void report_make(struct report *r, enum report_kind kind, const struct watch *w,
	const struct report_facts *facts)
{
	*r = (struct report){0};
	r->columns = fw_arena_alloc(&r->arena, MOST_COLUMNS * sizeof *r->columns);
	r->cells = fw_arena_alloc(&r->arena, MOST_COLUMNS * sizeof *r->cells);
	r->schema.columns = r->columns;
	if (kind == REPORT_OF_WIRE)
		report_wire(r, w, facts);
	report_chosen(r, kind, w);
	add(r, PREFIX "untold", FW_GAUGE, 0, (struct labels){0}, (int64_t)r->untold);
	fw_schema_seal(&r->schema);
}

void report_done(struct report *r)
{
	fw_arena_done(&r->arena);
	*r = (struct report){0};
}

void report_print(const struct report *r, FILE *out)
{
	for (uint32_t i = 0; i < r->schema.n_columns; i++) {
		const struct fw_column *c = &r->columns[i];
		fprintf(out, "%s", c->name);
		for (uint16_t n = 0; n < c->n_labels; n++)
			fprintf(out, "%s%s=\"%s\"", n ? "," : "{", c->labels[n].name,
				c->labels[n].value);
		fprintf(out, "%s %.*f\n", c->n_labels ? "}" : "", c->scale,
			fw_column_value(c, r->cells[i]));
	}
}
