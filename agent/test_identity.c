/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>
#include <fenwatch/wire.h>

#include "identity.h"
#include "settings.h"
#include "test_pki.h"

static char dir[64];
static struct pki pki;
static const struct machine_id machine;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/fenwatch-identity-XXXXXX");
	assert_non_null(mkdtemp(dir));
	pki_init(&pki);
	fw_fault_clear();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fw_fault_clear();
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[400];
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
	pki_done(&pki);
	return 0;
}

/* What the collector answers to a request. */
static void answer(const struct fw_buf *request, struct fw_buf *reply)
{
	struct fw_frame frame;
	struct fw_arena arena = {0};
	struct fw_buf cert = {0};
	void *message;
	char uuid[FW_UUID_TEXT];
	fw_uuid_new(uuid);
	assert_true(fw_frame_cut(request->data, request->length, &frame, NULL) > 0);
	assert_int_equal(frame.type, FW_FRAME_ENROL_REQUEST);
	assert_int_equal(fw_wire_unpack(&fenwatch__wire__enrol_request__descriptor, frame.payload,
				 frame.length, &arena, &message, NULL),
		0);
	const Fenwatch__Wire__EnrolRequest *asked = message;
	int64_t now_ms = fw_wall_ms();
	assert_int_equal(fw_ca_sign(pki.ca, asked->csr, FW_CERT_AGENT, uuid, now_ms,
				 now_ms + INT64_C(7) * 86400000, &cert, NULL),
		0);
	Fenwatch__Wire__EnrolReply message_out = FENWATCH__WIRE__ENROL_REPLY__INIT;
	message_out.certificate = (char *)cert.data;
	message_out.ca = pki.ca_pem;
	message_out.uuid = uuid;
	fw_buf_reserve(reply, 16384);
	reply->length = fenwatch__wire__enrol_reply__pack(&message_out, reply->data);
	fw_buf_done(&cert);
	fw_arena_done(&arena);
}

static int converse(struct identity *id, const char *token, struct fw_err *err)
{
	struct fw_buf request = {0}, reply = {0};
	assert_int_equal(identity_request(id, "web01", token, &machine, &request, err), 0);
	answer(&request, &reply);
	int rc = identity_accept(id, reply.data, reply.length, err);
	fw_buf_done(&request);
	fw_buf_done(&reply);
	return rc;
}

static void test_a_token_names_its_collector(void **state)
{
	(void)state;
	char token[200], hex[65];
	uint8_t pin[FW_FINGERPRINT];
	struct fw_err err;
	fw_hex(pki.fingerprint, FW_FINGERPRINT, hex);
	snprintf(token, sizeof token, "fwj1-%s-c2VjcmV0", hex);
	assert_int_equal(identity_token_pin(token, pin, &err), 0);
	assert_memory_equal(pin, pki.fingerprint, FW_FINGERPRINT);
	static const char *const wrong[] = {"", "fwt1-abc", "fwj1-", "fwj1-zz-x"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(identity_token_pin(wrong[i], pin, &err), -EINVAL);
		assert_non_null(strstr(err.text, "fenwatch token new"));
	}
	token[69] = 0; /* a fingerprint and no secret */
	assert_int_equal(identity_token_pin(token, pin, &err), -EINVAL);
}

static void test_enrolled_renewed_and_loaded(void **state)
{
	(void)state;
	struct identity id, again;
	struct fw_err err;
	assert_int_equal(identity_load(&id, dir, &err), -ENOENT);
	assert_non_null(strstr(err.text, "fenwatch-agent enrol"));
	identity_init(&id, dir);
	assert_int_equal(converse(&id, "token", &err), 0);
	char serial[64], path[128];
	snprintf(serial, sizeof serial, "%s", id.facts.serial);
	struct stat st;
	snprintf(path, sizeof path, "%s/agent.key", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	int64_t half_ms = (id.facts.from_ms + id.facts.until_ms) / 2;
	assert_in_range(id.renew_at_ms, half_ms - INT64_C(61200000), half_ms + INT64_C(61200000));

	assert_int_equal(converse(&id, NULL, &err), 0);
	assert_string_not_equal(id.facts.serial, serial);
	assert_int_equal(identity_load(&again, dir, &err), 0);
	assert_string_equal(again.facts.serial, id.facts.serial);
	assert_false(identity_is_expired(&again, fw_wall_ms()));
	assert_true(identity_is_expired(&again, again.facts.until_ms));
	identity_done(&again);
	identity_done(&id);
}

static void test_a_certificate_for_another_key_is_refused(void **state)
{
	(void)state;
	struct identity id;
	struct fw_err err;
	struct fw_buf request = {0}, reply = {0}, other = {0};
	identity_init(&id, dir);
	assert_int_equal(identity_request(&id, "a", "t", &machine, &request, &err), 0);
	answer(&request, &reply);
	assert_int_equal(identity_request(&id, "a", "t", &machine, &other, &err), 0);
	assert_int_equal(identity_accept(&id, reply.data, reply.length, &err), -EBADMSG);
	/* And one that nobody asked for. */
	assert_int_equal(identity_accept(&id, reply.data, reply.length, &err), -EPROTO);
	fw_buf_done(&request);
	fw_buf_done(&reply);
	fw_buf_done(&other);
	identity_done(&id);
}

/* Every write, sync and rename of a renewal fails once: afterwards either the old
 * or the new certificate is there, with its key. */
static void test_a_renewal_cut_anywhere_leaves_an_identity(void **state)
{
	(void)state;
	static const enum fw_op ops[] = {
		FW_OP_OPEN,
		FW_OP_WRITE,
		FW_OP_FSYNC,
		FW_OP_RENAME,
	};
	struct identity id;
	struct fw_err err;
	identity_init(&id, dir);
	assert_int_equal(converse(&id, "token", &err), 0);
	identity_done(&id);
	unsigned failures = 0;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		for (uint64_t nth = 1; nth <= 8; nth++) {
			struct fw_buf request = {0}, reply = {0};
			assert_int_equal(identity_load(&id, dir, &err), 0);
			fw_fault_arm(ops[i], nth, -EIO, true);
			int rc = identity_request(&id, "web01", NULL, &machine, &request, &err);
			if (rc >= 0) {
				answer(&request, &reply);
				rc = identity_accept(&id, reply.data, reply.length, &err);
			}
			failures += rc < 0;
			fw_fault_clear();
			identity_done(&id);
			fw_buf_done(&request);
			fw_buf_done(&reply);
			if (identity_load(&id, dir, &err) < 0)
				fail_msg("operation %zu, call %u: %s", i, (unsigned)nth, err.text);
			identity_done(&id);
		}
	}
	assert_true(failures > 8);
}

/* A reply that could be kept in part leaves the new certificate's key in agent.key.next:
 * the next request must not write over it, as the power may go before its answer. */
static void test_the_next_request_keeps_what_is_there(void **state)
{
	(void)state;
	static const enum fw_op ops[] = {FW_OP_OPEN, FW_OP_WRITE, FW_OP_FSYNC, FW_OP_RENAME};
	struct identity id;
	struct fw_err err;
	identity_init(&id, dir);
	assert_int_equal(converse(&id, "token", &err), 0);
	identity_done(&id);
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		for (uint64_t nth = 1; nth <= 8; nth++) {
			struct fw_buf request = {0}, reply = {0}, again = {0};
			assert_int_equal(identity_load(&id, dir, &err), 0);
			assert_int_equal(
				identity_request(&id, "a", NULL, &machine, &request, &err), 0);
			answer(&request, &reply);
			fw_fault_arm(ops[i], nth, -EIO, true);
			identity_accept(&id, reply.data, reply.length, &err);
			fw_fault_clear();
			assert_int_equal(
				identity_request(&id, "a", NULL, &machine, &again, &err), 0);
			identity_done(&id);
			fw_buf_done(&request);
			fw_buf_done(&reply);
			fw_buf_done(&again);
			if (identity_load(&id, dir, &err) < 0)
				fail_msg("operation %zu, call %u: %s", i, (unsigned)nth, err.text);
			identity_done(&id);
		}
	}
}

/* ---- settings ---- */

static Fenwatch__Wire__Settings settings_of(uint64_t version, uint32_t interval_ms)
{
	Fenwatch__Wire__Settings settings = FENWATCH__WIRE__SETTINGS__INIT;
	settings.version = version;
	settings.interval_ms = interval_ms;
	return settings;
}

static void test_settings_that_fail_twice_are_taken_back(void **state)
{
	(void)state;
	Fenwatch__Wire__Settings good = settings_of(1, 30000), bad = settings_of(2, 5000);
	struct settings *s = settings_open(dir);
	assert_null(settings_now(s));
	assert_true(settings_offer(s, &good));
	assert_false(settings_offer(s, &good));
	settings_prove(s);
	assert_true(settings_offer(s, &bad));
	assert_true(settings_on_trial(s));
	for (int start = 0; start < 2; start++) {
		settings_close(s);
		s = settings_open(dir);
		assert_int_equal(settings_now(s)->version, 2);
	}
	settings_close(s);
	s = settings_open(dir);
	assert_int_equal(settings_now(s)->version, 1);
	assert_int_equal(settings_now(s)->interval_ms, 30000);
	assert_false(settings_offer(s, &bad)); /* not a second time */
	Fenwatch__Wire__Settings better = settings_of(3, 20000);
	assert_true(settings_offer(s, &better));
	settings_prove(s);
	for (int start = 0; start < 4; start++) {
		settings_close(s);
		s = settings_open(dir);
		assert_int_equal(settings_now(s)->version, 3);
	}
	settings_close(s);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_token_names_its_collector),
		CASE(test_enrolled_renewed_and_loaded),
		CASE(test_a_certificate_for_another_key_is_refused),
		CASE(test_a_renewal_cut_anywhere_leaves_an_identity),
		CASE(test_the_next_request_keeps_what_is_there),
		CASE(test_settings_that_fail_twice_are_taken_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
