/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture_metrics.h"

#define MOST_COLUMNS 2048

struct labels {
	const struct fw_label *list;
	uint16_t count;
};

static void add(struct report *r, enum capture_metric which, struct labels labels, int64_t value)
{
	const struct metric *metric = &capture_metrics[which];
	if (r->schema.n_columns == MOST_COLUMNS) {
		r->untold++;
		return;
	}
	r->columns[r->schema.n_columns] = (struct fw_column){
		.name = metric->name,
		.labels = labels.list,
		.n_labels = labels.count,
		.scale = metric->scale,
		.type = (uint8_t)metric->type,
		.factor = metric->factor,
	};
	r->cells[r->schema.n_columns++] = value;
}

static void add_count(
	struct report *r, enum capture_metric which, struct labels labels, uint64_t value)
{
	add(r, which, labels, (int64_t)value);
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
		enum capture_metric which;
		double share;
	} shares[] = {
		{CAPTURE_RECENT_DHCP_UNANSWERED_RATIO, recent->dhcp_unanswered},
		{CAPTURE_RECENT_DNS_FAILED_RATIO, recent->dns_failing},
		{CAPTURE_RECENT_KERNEL_DROPPED_RATIO, recent->dropped},
		{CAPTURE_RECENT_TCP_RETRANSMITTED_RATIO, recent->retransmitted},
	};
	const struct labels none = {0};
	add(r, CAPTURE_RECENT_ADDRESS_CONFLICTS, none, (int64_t)recent->address_conflicts);
	add(r, CAPTURE_RECENT_ARP_STORM_SECONDS, none, (int64_t)recent->arp_storm_seconds);
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
		add(r, shares[i].which, none, (int64_t)(shares[i].share * 10000 + 0.5));
}

static void report_dhcp(struct report *r, const struct watch_counts *n)
{
	static const char *const types[WATCH_DHCP_TYPES] = {
		NULL, "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"};
	for (size_t i = 1; i < WATCH_DHCP_TYPES; i++)
		add_count(r, CAPTURE_DHCP_MESSAGES, one_label(r, "type", types[i]), n->dhcp[i]);
	add_count(r, CAPTURE_DHCP_UNANSWERED, (struct labels){0}, n->dhcp_unanswered);
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
		add_count(r, CAPTURE_TABLE_DROPPED, one_label(r, "table", tables[i].name),
			tables[i].slots->dropped);
}

static void report_wire(struct report *r, const struct watch *w, const struct report_facts *f)
{
	const struct watch_counts *n = &w->counts;
	const struct {
		enum capture_metric which;
		uint64_t value;
	} counts[] = {
		{CAPTURE_PACKETS, n->packets},
		{CAPTURE_BYTES, n->bytes},
		{CAPTURE_SAMPLED_OUT_PACKETS, n->sampled_out},
		{CAPTURE_TRUNCATED_PACKETS, n->cut},
		{CAPTURE_UNKNOWN_PACKETS, n->unknown},
		{CAPTURE_BROADCAST_PACKETS, n->broadcasts},
		{CAPTURE_MULTICAST_PACKETS, n->multicasts},
		{CAPTURE_FRAGMENTS, n->fragments},
		{CAPTURE_ARP_REQUESTS, n->arp_requests},
		{CAPTURE_ARP_REPLIES, n->arp_replies},
		{CAPTURE_ARP_STORM_SECONDS, n->arp_storm_seconds},
		{CAPTURE_DUPLICATE_ADDRESSES, n->duplicate_addresses},
		{CAPTURE_ADDRESS_CONFLICTS, n->address_conflicts},
		{CAPTURE_KERNEL_RECEIVED_PACKETS, f->received},
		{CAPTURE_KERNEL_DROPPED_PACKETS, f->dropped},
		{CAPTURE_INTERFACE_DROPPED_PACKETS, f->interface_dropped},
	};
	const struct labels none = {0};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		add_count(r, counts[i].which, none, counts[i].value);
	add(r, CAPTURE_BROADCAST_PEAK_PACKETS, none, (int64_t)n->broadcast_peak);
	add(r, CAPTURE_CPU_SECONDS, none, f->cpu_us);
	add(r, CAPTURE_NAMES_ALLOWED, none, f->names);
	add(r, CAPTURE_SAMPLED_RATIO, none, 1000000 >> w->shift);
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
	add_count(r, CAPTURE_TCP_HANDSHAKES, labels, s->handshakes);
	add(r, CAPTURE_TCP_HANDSHAKE_SECONDS, labels, (int64_t)s->handshake_us);
	add_count(r, CAPTURE_TCP_REFUSED, labels, s->refused);
	add_count(r, CAPTURE_TCP_UNANSWERED, labels, s->unanswered);
	add_count(r, CAPTURE_TCP_RETRANSMISSIONS, labels, s->retransmissions);
	add_count(r, CAPTURE_TCP_OUT_OF_ORDER, labels, s->out_of_order);
	add_count(r, CAPTURE_TCP_RESETS, labels, s->resets);
	add_count(r, CAPTURE_TCP_ZERO_WINDOWS, labels, s->zero_windows);
}

static void report_dns(struct report *r, const struct service *s, struct labels labels)
{
	add_count(r, CAPTURE_DNS_QUERIES, labels, s->queries);
	add_count(r, CAPTURE_DNS_ANSWERS, labels, s->answers);
	add(r, CAPTURE_DNS_ANSWER_SECONDS, labels, (int64_t)s->answer_us);
	add_count(r, CAPTURE_DNS_FAILURES, labels, s->failures);
	add_count(r, CAPTURE_DNS_NO_SUCH_NAME, labels, s->no_names);
	add_count(r, CAPTURE_DNS_UNANSWERED, labels, s->no_answers);
}

static void report_name(struct report *r, const struct service *s, struct labels labels)
{
	struct fw_label *list = fw_arena_alloc(&r->arena, 4 * sizeof *list);
	list[0] = (struct fw_label){"name", fw_arena_strdup(&r->arena, s->name)};
	memcpy(list + 1, labels.list, labels.count * sizeof *list);
	add(r, CAPTURE_SERVICE_NAME, (struct labels){list, (uint16_t)(labels.count + 1)}, 1);
}

static void report_service(struct report *r, const struct service *s)
{
	struct labels labels = service_labels(r, &s->key);
	add_count(r, CAPTURE_SERVICE_PACKETS, labels, s->packets);
	add_count(r, CAPTURE_SERVICE_BYTES, labels, s->bytes);
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
		add(r, CAPTURE_OLD_PROTOCOL_CLIENTS, one_label(r, "old", watch_old_names[old]),
			(int64_t)clients[old]);
	add(r, CAPTURE_CLIENTS, (struct labels){0}, (int64_t)all);
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
	add(r, CAPTURE_UNTOLD_SERVICES, (struct labels){0}, (int64_t)r->untold);
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
