/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>

#define DAY_MS INT64_C(86400000)

struct place {
	char dir[64];
	struct state *state;
	struct enrol *enrol;
	struct fw_arena arena;
	struct fw_buf key, csr;
	int64_t now_ms;
	uint8_t revoked[16]; /* the last one that was told of */
	int n_revoked, n_authorities;
};

static void on_revoked(const uint8_t agent[16], void *arg)
{
	struct place *place = arg;
	memcpy(place->revoked, agent, 16);
	place->n_revoked++;
}

static void on_authority(void *arg)
{
	((struct place *)arg)->n_authorities++;
}

static int try_open(struct place *place, struct fw_err *err)
{
	struct enrol_config config = {
		.dir = place->dir,
		.state = place->state,
		.cert_ms = 7 * DAY_MS,
		.renew_grace_ms = 90 * DAY_MS,
		.on_revoked = on_revoked,
		.on_authority = on_authority,
		.arg = place,
	};
	return enrol_open(&place->enrol, &config, err);
}

static void start(struct place *place)
{
	struct fw_err err;
	if (state_open(&place->state, place->dir, &err) < 0 || try_open(place, &err) < 0)
		fail_msg("%s", err.text);
}

static void stop(struct place *place)
{
	enrol_close(place->enrol);
	state_close(place->state);
	place->enrol = NULL;
	place->state = NULL;
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-enrol-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	place->now_ms = fw_wall_ms();
	start(place);
	assert_int_equal(fw_key_new(&place->key, NULL), 0);
	assert_int_equal(fw_csr_new((char *)place->key.data, "web01", &place->csr, NULL), 0);
	*arg = place;
	return 0;
}

static const char *path_in(const struct place *place, const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", place->dir, name);
	return path;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm",
		"state.reserve", "ca.pem", "ca.key", "ca-next.pem", "ca-next.key", "admin.token"};
	fw_fault_clear();
	stop(place);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_in(place, names[i]));
	assert_int_equal(rmdir(place->dir), 0);
	fw_arena_done(&place->arena);
	fw_buf_done(&place->key);
	fw_buf_done(&place->csr);
	fw_free(place);
	return 0;
}

/* ---- what the tests do over and over ---- */

static const char *new_token(struct place *place, struct enrol_token wanted)
{
	static char text[160];
	struct fw_err err;
	int64_t id;
	if (enrol_token_new(place->enrol, &wanted, place->now_ms, text, sizeof text, &id, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static const char *new_join(struct place *place, int64_t uses)
{
	return new_token(place, (struct enrol_token){.role = ROLE_JOIN, .uses_left = uses});
}

static struct enrol_request request_for(struct place *place, const char *name, uint8_t machine)
{
	struct enrol_request request = {
		.csr_pem = (char *)place->csr.data,
		.name = name,
		.from = "192.0.2.1:4711",
	};
	memset(request.machine, machine, sizeof request.machine);
	return request;
}

static int join(struct place *place, const char *name, uint8_t machine, const char *token,
	struct enrol_grant *grant, struct fw_err *err)
{
	struct enrol_request request = request_for(place, name, machine);
	request.token = token;
	return enrol_grant(place->enrol, &request, place->now_ms, &place->arena, grant, err);
}

static struct fw_cert_facts joined(struct place *place, const char *name, uint8_t machine)
{
	struct enrol_grant grant;
	struct fw_cert_facts facts;
	struct fw_err err;
	if (join(place, name, machine, new_join(place, 1), &grant, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fw_cert_facts_pem(grant.cert_pem, &facts, NULL), 0);
	return facts;
}

static int renew(struct place *place, const struct fw_cert_facts *peer, uint8_t machine,
	struct enrol_grant *grant, struct fw_err *err)
{
	struct enrol_request request = request_for(place, "web01", machine);
	request.peer = peer;
	return enrol_grant(place->enrol, &request, place->now_ms, &place->arena, grant, err);
}

static enum enrol_standing check(struct place *place, const struct fw_cert_facts *facts)
{
	struct enrol_agent agent;
	return enrol_check(place->enrol, facts, place->now_ms, &agent);
}

static void expect(int rc, int expected, const struct fw_err *err, const char *words)
{
	assert_int_equal(rc, expected);
	if (!strstr(err->text, words))
		fail_msg("'%s' lacks '%s'", err->text, words);
}

/* ---- first start ---- */

static void test_first_start_makes_what_is_needed_once(void **arg)
{
	struct place *place = *arg;
	struct stat st;
	assert_int_equal(stat(path_in(place, "ca.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_in(place, "admin.token"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	char *estate = fw_strdup(enrol_estate(place->enrol));
	uint8_t before[FW_FINGERPRINT], after[FW_FINGERPRINT];
	enrol_ca_fingerprint(place->enrol, before);
	stop(place);
	start(place);
	enrol_ca_fingerprint(place->enrol, after);
	assert_string_equal(enrol_estate(place->enrol), estate);
	assert_memory_equal(before, after, sizeof before);
	struct enrol_token *tokens;
	size_t n;
	enrol_tokens(place->enrol, &place->arena, &tokens, &n, NULL);
	assert_int_equal(n, 1);
	fw_free(estate);
}

/* The role that a token opens the API with, or a negative errno. */
static int role_of(struct place *place, const char *text, int64_t now_ms)
{
	struct enrol_caller caller;
	int rc = enrol_token_caller(place->enrol, text, now_ms, &place->arena, &caller);
	return rc < 0 ? rc : (int)caller.role;
}

static void test_the_admin_token_opens_the_api(void **arg)
{
	struct place *place = *arg;
	struct fw_buf text = {0};
	assert_int_equal(fw_file_read(path_in(place, "admin.token"), 256, &text, NULL), 0);
	text.data[text.length - 1] = '\0';
	assert_int_equal(role_of(place, (char *)text.data, place->now_ms), ROLE_ADMIN);
	text.data[10] ^= 1;
	assert_int_equal(role_of(place, (char *)text.data, place->now_ms), -EACCES);
	fw_buf_done(&text);
}

static void test_a_lost_ca_is_never_replaced_under_agents(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	joined(place, "web01", 1);
	enrol_close(place->enrol);
	place->enrol = NULL;
	unlink(path_in(place, "ca.pem"));
	expect(try_open(place, &err), -ENOENT, &err, "restore it from the backup");
}

static void test_a_first_start_cut_short_is_made_good(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	enrol_close(place->enrol);
	place->enrol = NULL;
	unlink(path_in(place, "ca.pem")); /* as if the key had just been written */
	assert_int_equal(try_open(place, &err), 0);
}

static void test_every_fault_of_a_first_start(void **arg)
{
	struct place *place = *arg;
	static const enum fw_op ops[] = {FW_OP_OPEN, FW_OP_WRITE, FW_OP_FSYNC, FW_OP_RENAME};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		for (uint64_t nth = 1; nth <= 12; nth++) {
			enrol_close(place->enrol);
			place->enrol = NULL;
			state_run(place->state, NULL, "DELETE FROM token", "");
			state_run(place->state, NULL, "DELETE FROM value", "");
			unlink(path_in(place, "ca.pem"));
			fw_fault_arm(ops[i], nth, -EIO, false);
			int rc = try_open(place, NULL);
			fw_fault_clear();
			if (rc < 0)
				assert_int_equal(try_open(place, NULL), 0);
			joined(place, "web01", 1);
			state_run(place->state, NULL, "DELETE FROM agent", "");
		}
	}
}

static void test_the_server_certificate_names_the_collector(void **arg)
{
	struct place *place = *arg;
	const char *cert, *key;
	struct fw_cert_facts facts;
	assert_int_equal(enrol_server_cert(place->enrol, &place->arena, &cert, &key, NULL), 0);
	assert_int_equal(fw_cert_facts_pem(cert, &facts, NULL), 0);
	assert_int_equal(facts.use, FW_CERT_COLLECTOR);
	assert_true(facts.until_ms > place->now_ms + 365 * DAY_MS);
	assert_int_equal(check(place, &facts), ENROL_WRONG_USE);
}

/* ---- a new CA in place of the old one ---- */

static struct enrol_authorities authorities(struct place *place)
{
	struct enrol_authorities all;
	enrol_authorities(place->enrol, place->now_ms, &place->arena, &all);
	return all;
}

static int count_certificates(const char *pem)
{
	int n = 0;
	for (const char *at = pem; (at = strstr(at, "BEGIN CERTIFICATE")); at++)
		n++;
	return n;
}

static void rollover(struct place *place)
{
	struct fw_err err;
	if (enrol_rollover(place->enrol, place->now_ms, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_agents_move_to_a_new_ca_as_they_renew(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	struct fw_cert_facts web = joined(place, "web01", 1);
	joined(place, "db01", 2);
	assert_int_equal(authorities(place).n_left, 0);
	rollover(place);
	assert_int_equal(authorities(place).n_left, 2);
	assert_int_equal(renew(place, &web, 1, &grant, &err), 0);
	assert_int_equal(count_certificates(grant.ca_pem), 2);
	joined(place, "new01", 3);
	stop(place);
	start(place);
	struct enrol_authorities all = authorities(place);
	assert_int_equal(all.n_agents, 3);
	assert_int_equal(all.n_left, 1);
	assert_string_equal(all.left[0], "db01");
	expect(enrol_rollover(place->enrol, place->now_ms, &err), -EALREADY, &err, "already");
}

static void test_the_old_ca_is_retired_when_all_have_moved(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	struct fw_cert_facts web = joined(place, "web01", 1);
	expect(enrol_retire(place->enrol, true, place->now_ms, &err), -ENOENT, &err, "rollover");
	rollover(place);
	struct enrol_authority next = authorities(place).next;
	expect(enrol_retire(place->enrol, false, place->now_ms, &err), -EBUSY, &err, "web01");
	assert_int_equal(renew(place, &web, 1, &grant, &err), 0);
	assert_int_equal(enrol_retire(place->enrol, false, place->now_ms, &err), 0);
	assert_int_equal(place->n_authorities, 2);
	assert_int_equal(count_certificates(enrol_ca_pem(place->enrol)), 1);
	stop(place);
	start(place);
	uint8_t now[FW_FINGERPRINT];
	enrol_ca_fingerprint(place->enrol, now);
	assert_memory_equal(now, next.fingerprint, sizeof now);
	assert_false(authorities(place).has_next);
}

static void test_who_will_not_come_back_is_not_waited_for(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	joined(place, "revoked", 1);
	joined(place, "away", 2);
	assert_int_equal(enrol_revoke(place->enrol, "revoked", place->now_ms, &err), 0);
	rollover(place);
	assert_int_equal(authorities(place).n_left, 1);
	assert_int_equal(enrol_retire(place->enrol, true, place->now_ms, &err), 0);
	rollover(place);
	place->now_ms += (7 + 91) * DAY_MS; /* nobody may renew any more */
	assert_int_equal(authorities(place).n_left, 0);
}

static void test_many_who_have_not_moved_are_not_all_named(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	char name[16];
	for (uint8_t i = 1; i <= 8; i++) {
		snprintf(name, sizeof name, "web%02d", i);
		joined(place, name, i);
	}
	rollover(place);
	expect(enrol_retire(place->enrol, false, place->now_ms, &err), -EBUSY, &err,
		"8 of 8 agents have not moved");
	assert_non_null(strstr(err.text, "and 3 more"));
}

/* Whatever it was cut in, the next start has one authority or the other, whole. */
static void test_every_fault_of_a_new_ca(void **arg)
{
	struct place *place = *arg;
	static const enum fw_op ops[] = {FW_OP_OPEN, FW_OP_WRITE, FW_OP_FSYNC, FW_OP_RENAME};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		for (uint64_t nth = 1; nth <= 6; nth++) {
			fw_fault_arm(ops[i], nth, -EIO, false);
			int rc = enrol_rollover(place->enrol, place->now_ms, NULL);
			if (rc == 0)
				rc = enrol_retire(place->enrol, true, place->now_ms, NULL);
			fw_fault_clear();
			struct enrol_authorities before = authorities(place);
			stop(place);
			start(place);
			struct enrol_authorities after = authorities(place);
			const struct enrol_authority *may_be[] = {&before.now, &before.next};
			assert_memory_equal(after.now.fingerprint,
				may_be[rc < 0 && before.has_next && !after.has_next]->fingerprint,
				FW_FINGERPRINT);
			if (after.has_next)
				assert_int_equal(
					enrol_retire(place->enrol, true, place->now_ms, NULL), 0);
			joined(place, "web01", 1);
		}
	}
}

/* ---- tokens ---- */

static void test_a_join_token_carries_the_ca(void **arg)
{
	struct place *place = *arg;
	const char *text = new_join(place, 1);
	uint8_t in_token[FW_FINGERPRINT], real[FW_FINGERPRINT];
	char hex[2 * FW_FINGERPRINT + 1] = "";
	assert_memory_equal(text, "fwj1-", 5);
	memcpy(hex, text + 5, 2 * FW_FINGERPRINT);
	assert_int_equal(fw_unhex(hex, in_token, sizeof in_token), 0);
	enrol_ca_fingerprint(place->enrol, real);
	assert_memory_equal(in_token, real, sizeof real);
	assert_int_equal(strlen(text), 5 + 64 + 1 + 64);
}

static void test_only_the_hash_is_kept(void **arg)
{
	struct place *place = *arg;
	const char *text = new_token(place, (struct enrol_token){.role = ROLE_VIEWER});
	sqlite3_stmt *row;
	state_query(place->state, &row, NULL,
		"SELECT count(*) FROM token WHERE hash = ? OR note LIKE '%' || ? || '%'", "tt",
		text, text + 5);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	assert_int_equal(sqlite3_column_int(row, 0), 0);
	state_done(row);
}

static void test_uses_are_counted_over_a_restart(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	const char *text = new_join(place, 2);
	assert_int_equal(join(place, "web01", 1, text, &grant, &err), 0);
	stop(place);
	start(place);
	assert_int_equal(join(place, "web02", 2, text, &grant, &err), 0);
	expect(join(place, "web03", 3, text, &grant, &err), -EACCES, &err, "used up");
}

static void test_a_refused_enrolment_uses_nothing(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	const char *text = new_join(place, 1);
	expect(join(place, "", 1, text, &grant, &err), -EINVAL, &err, "agent.yml");
	expect(join(place, "a\nb", 1, text, &grant, &err), -EINVAL, &err, "control");
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	assert_int_equal(join(place, "web01", 1, text, &grant, &err), -EIO);
	fw_fault_clear();
	assert_int_equal(join(place, "web01", 1, text, &grant, &err), 0);
}

static void test_join_tokens_end(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	const char *text = new_join(place, 1);
	place->now_ms += 15 * 60 * 1000 - 1;
	place->now_ms++;
	expect(join(place, "web01", 1, text, &grant, &err), -EACCES, &err, "expired");
	place->now_ms--;
	assert_int_equal(join(place, "web01", 1, text, &grant, &err), 0);
}

static void test_how_long_tokens_may_live(void **arg)
{
	struct place *place = *arg;
	char text[160];
	int64_t id;
	static const struct {
		int64_t uses, days;
		const char *networks, *serials;
		int rc;
	} cases[] = {
		{-1, 1, "", "", 0},
		{-1, 2, "", "", -EINVAL},
		{500, 30, "", "", 0},
		{500, 31, "", "", -EINVAL},
		{-1, 30, "10.1.0.0/16,2001:db8::/32", "", 0},
		{-1, 30, "", "ABC123", 0},
		{1, 1, "10.1.0.0/33", "", -EINVAL},
		{1, 1, "office", "", -EINVAL},
		{-1, 30, "0.0.0.0/0", "", -EINVAL},
		{-1, 30, "10.1.0.0/16,::/0", "", -EINVAL},
		{1, -1, "", "", -EINVAL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct enrol_token wanted = {
			.role = ROLE_JOIN,
			.uses_left = cases[i].uses,
			.expires_ms = place->now_ms + cases[i].days * DAY_MS,
			.networks = cases[i].networks,
			.serials = cases[i].serials,
		};
		assert_int_equal(enrol_token_new(place->enrol, &wanted, place->now_ms, text,
					 sizeof text, &id, NULL),
			cases[i].rc);
	}
}

static void test_networks_and_serials_bind(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	struct enrol_request request = request_for(place, "web01", 1);
	request.token = new_token(place,
		(struct enrol_token){.role = ROLE_JOIN,
			.uses_left = -1,
			.networks = "198.51.100.0/24,192.0.2.0/31"});
	request.from = "192.0.2.2:1000";
	expect(enrol_grant(place->enrol, &request, place->now_ms, &place->arena, &grant, &err),
		-EACCES, &err, "networks");
	request.from = "[::ffff:192.0.2.1]:1000";
	assert_int_equal(
		enrol_grant(place->enrol, &request, place->now_ms, &place->arena, &grant, &err), 0);

	request = request_for(place, "web02", 2);
	request.token = new_token(place,
		(struct enrol_token){.role = ROLE_JOIN, .uses_left = -1, .serials = "A1,B2"});
	expect(enrol_grant(place->enrol, &request, place->now_ms, &place->arena, &grant, &err),
		-EACCES, &err, "serial");
	request.serial = "b2";
	assert_int_equal(
		enrol_grant(place->enrol, &request, place->now_ms, &place->arena, &grant, &err), 0);
}

static void test_tokens_open_only_what_they_are_for(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	const char *join_text = new_join(place, 1);
	assert_int_equal(role_of(place, join_text, place->now_ms), -EACCES);
	const char *api = new_token(place,
		(struct enrol_token){.role = ROLE_ENGINEER, .expires_ms = place->now_ms + 1000});
	expect(join(place, "web01", 1, api, &grant, &err), -EACCES, &err, "for the API");
	assert_int_equal(role_of(place, api, place->now_ms), ROLE_ENGINEER);
	assert_int_equal(role_of(place, api, place->now_ms + 1000), -EACCES);
	assert_int_equal(role_of(place, "", place->now_ms), -EACCES);
}

static void test_a_revoked_token_is_gone(void **arg)
{
	struct place *place = *arg;
	char text[160];
	int64_t id;
	struct fw_err err;
	struct enrol_token wanted = {.role = ROLE_VIEWER, .note = "wall screen"};
	enrol_token_new(place->enrol, &wanted, place->now_ms, text, sizeof text, &id, NULL);
	assert_int_equal(enrol_token_revoke(place->enrol, id, place->now_ms, NULL), 0);
	assert_int_equal(role_of(place, text, place->now_ms), -EACCES);
	expect(enrol_token_revoke(place->enrol, id, place->now_ms, &err), -ENOENT, &err, "list");
	stop(place);
	start(place);
	assert_int_equal(role_of(place, text, place->now_ms), -EACCES);
}

static void test_a_suppliers_token_says_whose_it_is(void **arg)
{
	struct place *place = *arg;
	char text[160];
	int64_t id;
	struct fw_err err;
	struct enrol_caller caller;
	struct enrol_token wanted = {.role = ROLE_SUPPLIER};
	expect(enrol_token_new(place->enrol, &wanted, place->now_ms, text, sizeof text, &id, &err),
		-EINVAL, &err, "needs the supplier's name");
	wanted = (struct enrol_token){.role = ROLE_VIEWER, .supplier = "Contoso"};
	expect(enrol_token_new(place->enrol, &wanted, place->now_ms, text, sizeof text, &id, &err),
		-EINVAL, &err, "only a token of role supplier");
	wanted.role = ROLE_SUPPLIER;
	assert_int_equal(
		enrol_token_new(place->enrol, &wanted, place->now_ms, text, sizeof text, &id, NULL),
		0);
	stop(place);
	start(place);
	assert_int_equal(
		enrol_token_caller(place->enrol, text, place->now_ms, &place->arena, &caller), 0);
	assert_int_equal(caller.role, ROLE_SUPPLIER);
	assert_string_equal(caller.supplier, "Contoso");
	assert_string_equal(caller.who, "token 2");
}

/* ---- agents ---- */

static void test_who_is_enrolled_may_send(void **arg)
{
	struct place *place = *arg;
	struct fw_cert_facts facts = joined(place, "web01", 1);
	struct enrol_agent agent;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			enrol_check(place->enrol, &facts, place->now_ms, &agent), ENROL_GOOD);
		assert_string_equal(agent.name, "web01");
		stop(place);
		start(place);
	}
	struct fw_cert_facts stranger = facts;
	fw_uuid_new(stranger.uuid);
	assert_int_equal(check(place, &stranger), ENROL_UNKNOWN);
	place->now_ms += 7 * DAY_MS;
	assert_int_equal(check(place, &facts), ENROL_EXPIRED);
}

static void test_the_same_machine_replaces_itself(void **arg)
{
	struct place *place = *arg;
	struct fw_cert_facts old = joined(place, "web01", 1);
	struct fw_cert_facts new = joined(place, "web01", 1);
	uint8_t id[16];
	fw_uuid_bytes(old.uuid, id);
	assert_int_equal(place->n_revoked, 1);
	assert_memory_equal(place->revoked, id, sizeof id);
	assert_int_equal(check(place, &old), ENROL_REVOKED);
	assert_int_equal(check(place, &new), ENROL_GOOD);
}

static void test_another_machine_cannot_take_a_name(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct fw_err err;
	struct fw_cert_facts first = joined(place, "web01", 1);
	expect(join(place, "web01", 2, new_join(place, 1), &grant, &err), -EEXIST, &err,
		"fenwatch agent revoke");
	assert_int_equal(check(place, &first), ENROL_GOOD);
	assert_int_equal(enrol_revoke(place->enrol, "web01", place->now_ms, NULL), 0);
	joined(place, "web01", 2);
}

static void test_revocation_stays(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	struct enrol_grant grant;
	struct fw_cert_facts facts = joined(place, "web01", 1);
	assert_int_equal(enrol_revoke(place->enrol, facts.uuid, place->now_ms, NULL), 0);
	assert_int_equal(enrol_revoke(place->enrol, facts.uuid, place->now_ms, NULL), 0);
	assert_int_equal(place->n_revoked, 1);
	stop(place);
	start(place);
	assert_int_equal(check(place, &facts), ENROL_REVOKED);
	expect(renew(place, &facts, 1, &grant, &err), -EACCES, &err, "revoked");
	expect(enrol_revoke(place->enrol, "nobody", place->now_ms, &err), -ENOENT, &err, "nobody");
}

/* Nothing is known of it any more, and its name is free. */
static void test_forgotten(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	struct enrol_grant grant;
	struct fw_cert_facts old = joined(place, "web01", 1), facts = joined(place, "web01", 1);
	struct fw_cert_facts other = joined(place, "web02", 2);
	assert_int_equal(enrol_forget(place->enrol, "web01", &err), 2);
	assert_int_equal(enrol_forget(place->enrol, "web01", &err), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(check(place, &old), ENROL_UNKNOWN);
		assert_int_equal(check(place, &facts), ENROL_UNKNOWN);
		assert_int_equal(check(place, &other), ENROL_GOOD);
		expect(renew(place, &facts, 1, &grant, &err), -EACCES, &err, "not known");
		stop(place);
		start(place);
	}
	joined(place, "web01", 3);
}

static void test_renewal(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	struct enrol_grant grant;
	struct fw_cert_facts facts = joined(place, "web01", 1), renewed;
	place->now_ms += 4 * DAY_MS;
	assert_int_equal(renew(place, &facts, 1, &grant, &err), 0);
	assert_string_equal(grant.uuid, facts.uuid);
	assert_int_equal(fw_cert_facts_pem(grant.cert_pem, &renewed, NULL), 0);
	assert_true(renewed.until_ms > facts.until_ms + 3 * DAY_MS);
	expect(renew(place, &facts, 2, &grant, &err), -EACCES, &err, "another machine");

	place->now_ms = facts.until_ms + 90 * DAY_MS;
	assert_int_equal(renew(place, &facts, 1, &grant, &err), 0);
	place->now_ms++;
	expect(renew(place, &facts, 1, &grant, &err), -EACCES, &err, "too long ago");
	struct fw_cert_facts stranger = facts;
	fw_uuid_new(stranger.uuid);
	expect(renew(place, &stranger, 1, &grant, &err), -EACCES, &err, "not known");
	expect(renew(place, NULL, 1, &grant, &err), -EACCES, &err, "join token");
}

static void test_a_request_that_is_none(void **arg)
{
	struct place *place = *arg;
	struct enrol_grant grant;
	struct enrol_request request = request_for(place, "web01", 1);
	const char *text = new_join(place, 1);
	request.token = text;
	request.csr_pem = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n";
	assert_true(enrol_grant(place->enrol, &request, place->now_ms, &place->arena, &grant,
			    NULL) < 0);
	assert_int_equal(join(place, "web01", 1, text, &grant, NULL), 0);
}

static void test_the_list_of_agents(void **arg)
{
	struct place *place = *arg;
	joined(place, "web02", 2);
	joined(place, "db01", 3);
	joined(place, "web01", 1);
	struct enrol_agent *agents;
	size_t n;
	assert_int_equal(enrol_agents(place->enrol, &place->arena, &agents, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(agents[0].name, "db01");
	assert_string_equal(agents[2].name, "web02");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_first_start_makes_what_is_needed_once),
		CASE(test_the_admin_token_opens_the_api),
		CASE(test_a_lost_ca_is_never_replaced_under_agents),
		CASE(test_a_first_start_cut_short_is_made_good),
		CASE(test_every_fault_of_a_first_start),
		CASE(test_the_server_certificate_names_the_collector),
		CASE(test_agents_move_to_a_new_ca_as_they_renew),
		CASE(test_the_old_ca_is_retired_when_all_have_moved),
		CASE(test_who_will_not_come_back_is_not_waited_for),
		CASE(test_many_who_have_not_moved_are_not_all_named),
		CASE(test_every_fault_of_a_new_ca),
		CASE(test_a_join_token_carries_the_ca),
		CASE(test_only_the_hash_is_kept),
		CASE(test_uses_are_counted_over_a_restart),
		CASE(test_a_refused_enrolment_uses_nothing),
		CASE(test_join_tokens_end),
		CASE(test_how_long_tokens_may_live),
		CASE(test_networks_and_serials_bind),
		CASE(test_tokens_open_only_what_they_are_for),
		CASE(test_a_revoked_token_is_gone),
		CASE(test_a_suppliers_token_says_whose_it_is),
		CASE(test_who_is_enrolled_may_send),
		CASE(test_the_same_machine_replaces_itself),
		CASE(test_another_machine_cannot_take_a_name),
		CASE(test_revocation_stays),
		CASE(test_forgotten),
		CASE(test_renewal),
		CASE(test_a_request_that_is_none),
		CASE(test_the_list_of_agents),
	};
	fw_log_init("test_enrol", FW_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
