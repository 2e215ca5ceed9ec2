/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/file.h>
#include <fenwatch/items.h>

#include "capture_config.h"
#include "capture_report.h"
#include "recent.h"
#include "sampling.h"
#include "seen.h"
#include "watch.h"

#define SECOND INT64_C(1000000)

struct entry {
	struct slot slot;
	uint64_t key, value;
};

static void test_a_table_keeps_what_was_seen_last(void **state)
{
	(void)state;
	struct slots s;
	bool fresh;
	slots_init(&s, 8, sizeof(struct entry), sizeof(uint64_t), 1);
	for (uint64_t key = 0; key < 8; key++) {
		struct entry *e = slots_take(&s, &key, (int64_t)key + 1, &fresh);
		assert_true(fresh);
		e->value = key * 10;
	}
	uint64_t key = 0;
	slots_take(&s, &key, 100, &fresh);
	assert_false(fresh);
	assert_int_equal(s.dropped, 0);
	key = 8; /* the oldest is now 1 */
	slots_take(&s, &key, 101, &fresh);
	assert_true(fresh);
	assert_int_equal(s.dropped, 1);
	key = 1;
	assert_null(slots_find(&s, &key));
	key = 0;
	assert_non_null(slots_find(&s, &key));
	size_t n = 0;
	for (size_t i = 0; slots_next(&s, &i);)
		n++;
	assert_int_equal(n, 8);
	slots_done(&s);
}

static void test_over_the_budget_it_samples(void **state)
{
	(void)state;
	struct sampling s;
	sampling_init(&s, 100000, 0, 0);
	int64_t cpu = 0, now = 0;
	for (int i = 0; i < 3; i++) /* a fifth of a core, of a tenth that it may */
		assert_int_equal(
			sampling_turn(&s, cpu += SECOND / 5, now += SECOND), (unsigned)i + 1);
	for (int i = 0; i < 20; i++) /* within it, but not by much: it stays */
		assert_int_equal(sampling_turn(&s, cpu += SECOND / 20, now += SECOND), 3);
	for (int i = 0; i < 9; i++)
		assert_int_equal(sampling_turn(&s, cpu, now += SECOND), 3);
	assert_int_equal(sampling_turn(&s, cpu, now += SECOND), 2);
	assert_int_equal(sampling_turn(&s, cpu, now), 2); /* no time has passed */
	for (int i = 0; i < 40; i++)
		sampling_turn(&s, cpu += SECOND, now += SECOND);
	assert_int_equal(s.shift, SAMPLING_MOST);
}

static struct packet segment(
	uint8_t from, uint8_t to, uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct packet p = {
		.length = 60,
		.ip = 4,
		.protocol = PROTOCOL_TCP,
		.from_port = sport,
		.to_port = dport,
		.tcp = {.flags = flags, .window = 1000},
	};
	p.from.bytes[15] = from;
	p.to.bytes[15] = to;
	return p;
}

/* Each conversation is kept whole or not at all, and about the share that is said. */
static void test_samples_are_whole_conversations(void **state)
{
	(void)state;
	static struct watch w;
	watch_init(&w, 7, 0);
	w.shift = 3;
	for (uint16_t port = 10000; port < 14000; port++) {
		struct packet p = segment(1, 2, port, 443, TCP_SYN);
		p.at_us = port;
		p.tcp.seq = 9;
		watch_packet(&w, &p);
		p = segment(2, 1, 443, port, TCP_SYN | TCP_ACK);
		p.at_us = port;
		watch_packet(&w, &p);
		p = segment(1, 2, port, 443, TCP_ACK);
		p.at_us = port;
		p.tcp.ack = 1;
		watch_packet(&w, &p);
	}
	size_t i = 0;
	const struct service *s = slots_next(&w.services, &i);
	assert_non_null(s);
	assert_int_equal(w.counts.packets, 12000);
	assert_int_equal(s->packets, 3 * s->handshakes);
	assert_int_equal(s->packets + w.counts.sampled_out, 12000);
	assert_in_range(s->handshakes, 400, 600); /* of 4,000 an eighth are 500 */
	assert_null(slots_next(&w.services, &i));
	watch_done(&w);
}

static void test_a_storm_of_questions(void **state)
{
	(void)state;
	static struct watch w;
	watch_init(&w, 7, 0);
	struct packet p = {.app = PACKET_APP_ARP, .arp.operation = 1, .broadcast = true};
	for (int n = 0; n < WATCH_STORM; n++)
		watch_packet(&w, &p);
	watch_turn(&w, SECOND);
	assert_int_equal(w.counts.arp_storm_seconds, 0); /* as many as may be */
	p.at_us = SECOND;
	for (int n = 0; n <= WATCH_STORM; n++)
		watch_packet(&w, &p);
	watch_turn(&w, 2 * SECOND);
	assert_int_equal(w.counts.arp_storm_seconds, 1);
	assert_int_equal(w.counts.broadcast_peak, WATCH_STORM + 1);
	watch_done(&w);
}

static void test_an_address_of_two(void **state)
{
	(void)state;
	static struct watch w;
	watch_init(&w, 7, 0);
	struct packet p = {.app = PACKET_APP_ARP, .arp.operation = 2};
	p.arp.sender.bytes[15] = 9;
	p.arp.sender_mac[5] = 1;
	watch_packet(&w, &p);
	p.arp.sender_mac[5] = 2;
	p.at_us = WATCH_CONFLICT_US - 1;
	watch_packet(&w, &p);
	assert_int_equal(w.counts.duplicate_addresses, 1);
	assert_int_equal(w.n_conflicts, 1);
	assert_int_equal(w.conflicts[0].holder[5], 1);
	assert_int_equal(w.conflicts[0].claimant[5], 2);
	watch_packet(&w, &p); /* counted again, and told of once */
	assert_int_equal(w.counts.duplicate_addresses, 2);
	assert_int_equal(w.n_conflicts, 1);
	p.at_us = WATCH_CONFLICT_US; /* the first is long silent: it has moved */
	watch_packet(&w, &p);
	assert_int_equal(w.counts.duplicate_addresses, 2);
	watch_done(&w);
}

/* Who takes an address over says so again and again; two that have it both do. */
static void test_an_address_that_moves_is_no_conflict(void **state)
{
	(void)state;
	static struct watch w;
	watch_init(&w, 7, 0);
	struct packet p = {.app = PACKET_APP_ARP, .arp.operation = 2};
	p.arp.sender.bytes[15] = 9;
	for (int n = 0; n < 8; n++) {
		p.at_us = n * SECOND;
		p.arp.sender_mac[5] = n == 0 ? 1 : 2;
		watch_packet(&w, &p);
	}
	assert_int_equal(w.counts.duplicate_addresses, 7);
	assert_int_equal(w.counts.address_conflicts, 0);
	p.arp.sender_mac[5] = 1; /* the first one is there still */
	watch_packet(&w, &p);
	assert_int_equal(w.counts.address_conflicts, 1);
	watch_packet(&w, &p);
	assert_int_equal(w.counts.address_conflicts, 1);
	watch_done(&w);
}

static struct recent_values at_minute(struct recent *r, struct recent_totals *t, int64_t minute)
{
	t->at_ms = minute * 60000;
	return recent_take(r, t);
}

static void test_what_is_long_over_is_not_recent(void **state)
{
	(void)state;
	struct recent r = {0};
	struct recent_totals t = {0};
	struct watch_counts *n = &t.counts;
	at_minute(&r, &t, 0);
	n->arp_storm_seconds = 40;
	n->tcp_segments = 2000;
	n->retransmissions = 100;
	struct recent_values v = at_minute(&r, &t, 1);
	assert_int_equal(v.arp_storm_seconds, 40);
	assert_true(v.retransmitted > 0.049 && v.retransmitted < 0.051);
	for (int64_t minute = 2; minute <= 10; minute++)
		v = at_minute(&r, &t, minute);
	assert_int_equal(v.arp_storm_seconds, 40);
	v = at_minute(&r, &t, 12);
	assert_int_equal(v.arp_storm_seconds, 0);
	assert_true(v.retransmitted == 0);
	n->tcp_segments += 999; /* too few to say */
	n->retransmissions += 999;
	assert_true(at_minute(&r, &t, 13).retransmitted == 0);
	for (int64_t ms = 0; ms < 600000; ms += 1000) { /* however often it is asked */
		t.at_ms = 13 * 60000 + ms;
		recent_take(&r, &t);
	}
	assert_true(r.n_steps <= RECENT_STEPS);
}

/* At a place where no answer ever passes it is not news that none is heard. */
static void test_what_never_went_well_is_no_failure(void **state)
{
	(void)state;
	for (int heard = 0; heard < 2; heard++) {
		struct recent r = {0};
		struct recent_totals t = {0};
		struct watch_counts *n = &t.counts;
		for (int64_t minute = 0; minute <= 20; minute++) {
			n->dns_queries += 100;
			n->dns_failed += heard ? 1 : 100;
			n->dhcp[1] += 2;
			n->dhcp_unanswered += heard ? 0 : 2;
			struct recent_values v = at_minute(&r, &t, minute);
			assert_true(v.dns_failing < 0.02 && v.dhcp_unanswered == 0);
		}
		n->dns_queries += 1000;
		n->dns_failed += 1000;
		n->dhcp[1] += 60;
		n->dhcp_unanswered += 60;
		struct recent_values v = at_minute(&r, &t, 21);
		assert_true(heard ? v.dns_failing > 0.5 : v.dns_failing == 0);
		assert_true(heard ? v.dhcp_unanswered > 0.7 : v.dhcp_unanswered == 0);
	}
}

static uint64_t column(const struct report *r, const char *name)
{
	for (uint32_t i = 0; i < r->schema.n_columns; i++)
		if (strcmp(r->columns[i].name, name) == 0)
			return (uint64_t)r->cells[i];
	fail_msg("no column %s", name);
	return 0;
}

static void test_full_tables_make_reports_that_travel(void **state)
{
	(void)state;
	static struct watch w;
	watch_init(&w, 7, 0);
	for (unsigned n = 0; n < 60000; n++) {
		struct packet p = segment(1, 2, 40000, (uint16_t)(n % 3000 + 1), TCP_SYN);
		p.from.bytes[13] = (uint8_t)(n >> 16);
		p.from.bytes[14] = (uint8_t)(n >> 8);
		p.from.bytes[15] = (uint8_t)n;
		p.has_macs = true;
		memcpy(p.from_mac, p.from.bytes + 10, 6);
		p.at_us = n;
		watch_packet(&w, &p);
	}
	const struct report_facts facts = {.dropped = 4};
	struct report r;
	struct fw_buf message = {0}, packed = {0}, table;
	struct fw_err err;
	report_make(&r, &w, &facts);
	assert_true(column(&r, "fenwatch_capture_untold_services") > 0);
	assert_int_equal(column(&r, "fenwatch_capture_kernel_dropped_packets_total"), 4);
	fw_schema_encode(&r.schema, 1, NULL, &message);
	assert_in_range(message.length, 1000, 200000); /* of 256 KiB that the agent takes */
	report_done(&r);
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++) {
		seen_write(&table, kind, &w);
		assert_in_range(table.length, 100000, FW_ITEMS_RAW_LIMIT);
		assert_int_equal(fw_items_pack(&packed, table.data, table.length, &err), 0);
		assert_in_range(packed.length, 1, FW_ITEMS_PACKED_LIMIT);
		fw_buf_done(&packed);
		fw_buf_done(&table);
	}
	fw_buf_done(&message);
	watch_done(&w);
}

static void fill(struct watch *w, uint64_t seed, int n)
{
	watch_init(w, seed, 0);
	for (int i = 0; i < n; i++) {
		struct packet p = segment(1, 2, 40000, (uint16_t)(i + 1), TCP_SYN);
		p.has_macs = true;
		p.from_mac[5] = (uint8_t)i;
		p.at_us = i + 1;
		watch_packet(w, &p);
	}
}

static void check_same(const struct watch *a, const struct watch *b)
{
	for (enum seen_kind kind = 0; kind < SEEN_KINDS; kind++) {
		struct fw_buf first, second;
		seen_write(&first, kind, a);
		seen_write(&second, kind, b);
		assert_int_equal(first.length, second.length);
		assert_true(first.length > 0);
		assert_memory_equal(first.data, second.data, first.length);
		fw_buf_done(&first);
		fw_buf_done(&second);
	}
}

/* Also by a program whose tables have other places; and a file cut or changed anywhere is
 * refused, and nothing taken of it. */
static void test_what_was_seen_outlives_a_restart(void **state)
{
	(void)state;
	static struct watch before, after, none;
	struct fw_buf file = {0};
	struct fw_err err;
	char path[] = "/tmp/fenwatch-seen-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	fill(&before, 7, 40);
	assert_int_equal(seen_save(&before, path, &err), 0);
	watch_init(&after, 8, 0);
	assert_int_equal(seen_load(&after, path, &err), 0);
	check_same(&before, &after);
	assert_true(fw_file_read(path, 1 << 20, &file, &err) >= 0);
	watch_init(&none, 9, 0);
	for (size_t cut = 0; cut < file.length; cut += 97) {
		assert_int_equal(fw_file_replace(path, file.data, cut, 0600, &err), 0);
		assert_int_equal(seen_load(&none, path, &err), -EBADMSG);
		file.data[cut] ^= 1;
		assert_int_equal(fw_file_replace(path, file.data, file.length, 0600, &err), 0);
		assert_int_equal(seen_load(&none, path, &err), -EBADMSG);
		file.data[cut] ^= 1;
	}
	size_t i = 0;
	assert_null(slots_next(&none.peers, &i));
	unlink(path);
	assert_int_equal(seen_load(&none, path, &err), 0);
	fw_buf_done(&file);
	watch_done(&before);
	watch_done(&after);
	watch_done(&none);
}

static void test_what_is_silent_for_long_goes(void **state)
{
	(void)state;
	static struct watch w;
	size_t n = 0;
	fill(&w, 7, 40);
	seen_forget(&w, 31);
	for (size_t i = 0; slots_next(&w.peers, &i);)
		n++;
	assert_int_equal(n, 10);
	watch_done(&w);
}

static void test_names_are_forgotten_with_their_permission(void **state)
{
	(void)state;
	static struct watch w;
	const struct report_facts facts = {0};
	watch_init(&w, 7, 0);
	struct packet p = segment(1, 2, 40000, 443, TCP_ACK);
	p.app = PACKET_APP_TLS;
	memcpy(p.name, "a.council", sizeof "a.council");
	watch_packet(&w, &p);
	for (int permitted = 1; permitted >= 0; permitted--) {
		struct report r;
		bool told = false;
		if (!permitted)
			watch_forget_names(&w);
		report_make(&r, &w, &facts);
		for (uint32_t i = 0; i < r.schema.n_columns; i++)
			told |= strcmp(r.columns[i].name, "fenwatch_capture_service_name_info") ==
				0;
		assert_int_equal(told, permitted);
		report_done(&r);
	}
	size_t i = 0;
	assert_non_null(slots_next(&w.services, &i)); /* the service itself stays */
	watch_done(&w);
}

static void test_an_authority_has_an_end(void **state)
{
	(void)state;
	static const char good[] = "authority: Head of ICT\nuntil: 2024-02-29\n";
	struct capture_authority a;
	struct fw_err err;
	assert_int_equal(capture_authority_parse(&a, good, sizeof good - 1, &err), 0);
	assert_int_equal(a.until_ms, INT64_C(1709251200000)); /* the first of March */
	assert_true(capture_authority_holds(&a, a.until_ms - 1));
	assert_false(capture_authority_holds(&a, a.until_ms));
	static const char *const bad[] = {"", "authority: x\n", "until: 2024-01-01\n",
		"authority: x\nuntil: 2024-1-1\n", "authority: ''\nuntil: 2024-01-01\n",
		"[1, 2]\n"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(
			capture_authority_parse(&a, bad[i], strlen(bad[i]), &err), -EINVAL);
		assert_false(capture_authority_holds(&a, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_table_keeps_what_was_seen_last),
		cmocka_unit_test(test_over_the_budget_it_samples),
		cmocka_unit_test(test_samples_are_whole_conversations),
		cmocka_unit_test(test_a_storm_of_questions),
		cmocka_unit_test(test_an_address_of_two),
		cmocka_unit_test(test_an_address_that_moves_is_no_conflict),
		cmocka_unit_test(test_what_is_long_over_is_not_recent),
		cmocka_unit_test(test_what_never_went_well_is_no_failure),
		cmocka_unit_test(test_full_tables_make_reports_that_travel),
		cmocka_unit_test(test_what_was_seen_outlives_a_restart),
		cmocka_unit_test(test_what_is_silent_for_long_goes),
		cmocka_unit_test(test_names_are_forgotten_with_their_permission),
		cmocka_unit_test(test_an_authority_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
