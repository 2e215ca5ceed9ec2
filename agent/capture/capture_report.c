/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST_COLUMNS 2048
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

/* ---- the wire ---- */

static void report_recent(struct report *r, const struct recent_values *recent)
{
	const struct {
		const char *name;
		double share;
	} shares[] = {
		{PREFIX "recent_dhcp_unanswered_ratio", recent->dhcp_unanswered},
		{PREFIX "recent_dns_failed_ratio", recent->dns_failing},
		{PREFIX "recent_kernel_dropped_ratio", recent->dropped},
		{PREFIX "recent_tcp_retransmitted_ratio", recent->retransmitted},
	};
	const struct labels none = {0};
	add(r, PREFIX "recent_address_conflicts", FW_GAUGE, 0, none,
		(int64_t)recent->address_conflicts);
	add(r, PREFIX "recent_arp_storm_seconds", FW_GAUGE, 0, none,
		(int64_t)recent->arp_storm_seconds);
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
		add(r, shares[i].name, FW_GAUGE, 4, none, (int64_t)(shares[i].share * 10000 + 0.5));
}

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
		{PREFIX "address_conflicts_total", n->address_conflicts},
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
	report_recent(r, &f->recent);
	report_dhcp(r, n);
	report_tables(r, w);
}

static struct labels service_labels(struct report *r, const struct service_key *key)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, 3 * sizeof *list);
	char text[46];
	list[0] = (struct fw_label){"port", fw_arena_format(&r->arena, "%u", key->port)};
	list[1] = (struct fw_label){"protocol", key->protocol == PROTOCOL_TCP ? "tcp" : "udp"};
	list[2] = (struct fw_label){"server",
		fw_arena_strdup(&r->arena, packet_address_text(&key->server, text, sizeof text))};
	return (struct labels){list, 3};
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
	struct labels labels = service_labels(r, &s->key);
	add_count(r, PREFIX "service_packets_total", labels, s->packets);
	add_count(r, PREFIX "service_bytes_total", labels, s->bytes);
	if (s->key.protocol == PROTOCOL_TCP)
		report_tcp(r, s, labels);
	if (s->key.port == 53)
		report_dns(r, s, labels);
	if (s->name[0] != '\0')
		report_name(r, s, labels);
}

/* ---- which services are told: those with most packets ---- */

static int by_packets(const void *a, const void *b)
{
	const struct service *const *x = a, *const *y = b;
	if ((*x)->packets != (*y)->packets)
		return (*x)->packets < (*y)->packets ? 1 : -1;
	return memcmp(&(*x)->key, &(*y)->key, sizeof(*x)->key);
}

static int by_service(const void *a, const void *b)
{
	const struct service *const *x = a, *const *y = b;
	return memcmp(&(*x)->key, &(*y)->key, sizeof(*x)->key);
}

/* In the order of their keys, so that a sweep looks like the one before it. */
static void report_services(struct report *r, const struct slots *services)
{
	const struct service **all =
		fw_arena_alloc(&r->arena, services->count * sizeof(struct service *));
	const struct service *s;
	size_t n = 0;
	for (size_t i = 0; (s = slots_next(services, &i)) != NULL;)
		all[n++] = s;
	qsort(all, n, sizeof *all, by_packets);
	if (n > REPORT_SERVICES) {
		r->untold = n - REPORT_SERVICES;
		n = REPORT_SERVICES;
	}
	qsort(all, n, sizeof *all, by_service);
	for (size_t i = 0; i < n; i++)
		report_service(r, all[i]);
}

/* How many still speak what should be gone: who they are stands in the table of clients. */
static void report_old(struct report *r, const struct slots *peers)
{
	uint64_t clients[OLD_KINDS] = {0}, all = 0;
	const struct peer *p;
	for (size_t i = 0; (p = slots_next(peers, &i)) != NULL; all++)
		for (unsigned old = 0; old < OLD_KINDS; old++)
			clients[old] += p->old >> old & 1;
	for (unsigned old = 0; old < OLD_KINDS; old++)
		add(r, PREFIX "old_protocol_clients", FW_GAUGE, 0,
			one_label(r, "old", watch_old_names[old]), (int64_t)clients[old]);
	add(r, PREFIX "clients", FW_GAUGE, 0, (struct labels){0}, (int64_t)all);
}

void report_make(struct report *r, const struct watch *w, const struct report_facts *facts)
{
	*r = (struct report){0};
	r->columns = fw_arena_alloc(&r->arena, MOST_COLUMNS * sizeof *r->columns);
	r->cells = fw_arena_alloc(&r->arena, MOST_COLUMNS * sizeof *r->cells);
	r->schema.columns = r->columns;
	report_wire(r, w, facts);
	report_old(r, &w->peers);
	report_services(r, &w->services);
	add(r, PREFIX "untold_services", FW_GAUGE, 0, (struct labels){0}, (int64_t)r->untold);
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
