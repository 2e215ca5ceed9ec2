/* SPDX-License-Identifier: Apache-2.0 */
/* What the uplink asks of the agent's other parts, and tells them. */
#include "uplink.h"

#include <errno.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/wire.h>

#include "documents.h"
#include "handover.h"
#include "ledger.h"
#include "packer.h"
#include "plan.h"
#include "running.h"

#define PROVING_SWEEPS 2

static SSL_CTX *op_tls(void *arg)
{
	struct agent *a = arg;
	return a->identity.tls;
}

static bool op_must_renew(void *arg)
{
	struct agent *a = arg;
	return identity_is_expired(&a->identity, fw_wall_ms());
}

struct known {
	ProtobufCBinaryData hashes[64];
	size_t n;
};

static void note_hash(uint32_t id, const uint8_t hash[FW_SCHEMA_HASH], void *arg)
{
	struct known *known = arg;
	(void)id;
	if (known->n == sizeof known->hashes / sizeof *known->hashes)
		return;
	known->hashes[known->n].data = (uint8_t *)hash;
	known->hashes[known->n++].len = FW_SCHEMA_HASH;
}

static void op_hello(struct fw_buf *out, void *arg)
{
	struct agent *a = arg;
	const char *const texts[][2] = {
		{"class", config_classes[a->config->class]},
		{"instance", a->config->name},
		{"job", "node"},
	};
	enum { LABELS = sizeof texts / sizeof *texts };
	Fenwatch__Wire__Label labels[LABELS], *list[LABELS];
	for (int i = 0; i < LABELS; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)texts[i][0];
		labels[i].value = (char *)texts[i][1];
		list[i] = &labels[i];
	}
	struct known known = {.n = 0};
	spool_schemas(a->spool, note_hash, &known);
	const Fenwatch__Wire__Settings *settings = settings_now(a->settings);
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	hello.proto = 1;
	hello.stream = spool_stream(a->spool);
	hello.next_live = spool_oldest(a->spool, LANE_LIVE);
	hello.next_backlog = spool_oldest(a->spool, LANE_BACKLOG);
	hello.machine.data = a->machine_id.machine;
	hello.machine.len = sizeof a->machine_id.machine;
	hello.boot.data = a->machine_id.boot;
	hello.boot.len = sizeof a->machine_id.boot;
	hello.version = (char *)FW_VERSION;
	hello.n_labels = LABELS;
	hello.labels = list;
	hello.n_known_schema = known.n;
	hello.known_schema = known.hashes;
	hello.settings_version = settings ? settings->version : 0;
	fw_wire_put(out, FW_FRAME_HELLO, &hello.base);
}

static void apply_settings(struct agent *a)
{
	int64_t interval_ms = plan_interval_ms(a->config, a->settings);
	plan_sources(a->config, a->settings, a->plans);
	sampler_set_plan(a->sampler, a->plans);
	sampler_set_interval(a->sampler, interval_ms);
	packer_set_interval(a->packer, (uint32_t)interval_ms);
	spool_set_max(a->spool, plan_spool_bytes(a->config, a->settings));
	a->sweeps = 0;
}

static int begin_stream(struct agent *a)
{
	struct fw_err err;
	fw_log(FW_WARNING,
		"the collector has numbers that this spool did not make: this machine "
		"or its data was set back; a new stream begins");
	if (spool_renew(a->spool, LOSS_STREAM, fw_wall_ms(), &err) < 0)
		fw_log(FW_ERROR, "a new stream: %s", err.text);
	packer_need_key(a->packer, fw_wall_ms());
	handover_begin_stream(a->handover);
	agent_want_all_documents(a);
	return -ESTALE;
}

static int op_on_welcome(const Fenwatch__Wire__Welcome *welcome, void *arg)
{
	struct agent *a = arg;
	const uint64_t acked[LANES] = {welcome->acked_live, welcome->acked_backlog};
	const uint32_t crc[LANES] = {welcome->live_crc, welcome->backlog_crc};
	if (spool_welcome(a->spool, acked, crc) < 0)
		return begin_stream(a);
	ledger_note(a->spool, acked);
	packer_acked(a->packer, acked[LANE_LIVE]);
	for (int lane = 0; lane < LANES; lane++)
		spool_ack(a->spool, (enum lane)lane, acked[lane]);
	packer_set_max_sweeps(a->packer, welcome->max_sweeps);
	if (welcome->settings && settings_offer(a->settings, welcome->settings)) {
		fw_log(FW_NOTICE, "settings %llu of the collector are in force",
			(unsigned long long)welcome->settings->version);
		apply_settings(a);
	}
	packer_connected(a->packer);
	spool_gather_end(a->spool);
	spool_tell_gap(a->spool, fw_wall_ms());
	agent_write_out(a);
	uv_timer_stop(&a->flush); /* it may be set for as long as one may wait offline */
	return 0;
}

static uint64_t op_oldest(enum lane lane, void *arg)
{
	struct agent *a = arg;
	return spool_oldest(a->spool, lane);
}

static int op_frame(enum lane lane, uint64_t seq, struct frame *out, void *arg)
{
	struct agent *a = arg;
	struct fw_err err;
	int rc = spool_read(a->spool, lane, seq, out, &err);
	if (rc < 0 && rc != -ENOENT)
		fw_log(FW_ERROR, "%s", err.text);
	return rc;
}

static const uint8_t *op_schema_hash(uint32_t id, void *arg)
{
	struct agent *a = arg;
	return spool_schema_hash(a->spool, id);
}

static int op_schema(uint32_t id, const uint8_t **message, size_t *length, void *arg)
{
	struct agent *a = arg;
	return spool_schema(a->spool, id, message, length);
}

static int op_schema_difference(
	uint32_t id, uint32_t *base, const uint8_t **message, size_t *length, void *arg)
{
	struct agent *a = arg;
	return spool_schema_difference(a->spool, id, base, message, length);
}

static void op_on_acked(const uint64_t to[LANES], void *arg)
{
	struct agent *a = arg;
	ledger_note(a->spool, to);
	packer_acked(a->packer, to[LANE_LIVE]);
	for (int lane = 0; lane < LANES; lane++)
		spool_ack(a->spool, (enum lane)lane, to[lane]);
	if (agent_all_is_written(a))
		uv_timer_stop(&a->flush);
	if (spool_is_flushed(a->spool))
		handover_durable(a->handover);
	handover_go_on(a->handover);
	if (settings_on_trial(a->settings) && a->sweeps >= PROVING_SWEEPS)
		settings_prove(a->settings);
}

static void op_on_need_key(void *arg)
{
	struct agent *a = arg;
	packer_need_key(a->packer, fw_wall_ms());
}

static void op_on_need_document(const char *kind, void *arg)
{
	struct agent *a = arg;
	struct fw_err err;
	int rc = documents_want_whole(a->config->data, kind, &err);
	if (rc < 0 && rc != -ENOENT)
		fw_log(FW_ERROR, "inventory: %s", err.text);
}

static int op_renewal(struct fw_buf *out, struct fw_err *err, void *arg)
{
	struct agent *a = arg;
	return identity_request(&a->identity, a->config->name, NULL, &a->machine_id, out, err);
}

static int op_on_renewed(const uint8_t *reply, size_t length, struct fw_err *err, void *arg)
{
	struct agent *a = arg;
	return identity_accept(&a->identity, reply, length, err);
}

static void op_on_lost(void *arg)
{
	struct agent *a = arg;
	packer_disconnected(a->packer);
	handover_go_on(a->handover);
	agent_flush_later(a);
}

const struct uplink_ops agent_uplink_ops = {
	.tls = op_tls,
	.must_renew = op_must_renew,
	.hello = op_hello,
	.on_welcome = op_on_welcome,
	.oldest = op_oldest,
	.frame = op_frame,
	.schema_hash = op_schema_hash,
	.schema = op_schema,
	.schema_difference = op_schema_difference,
	.on_acked = op_on_acked,
	.on_need_key = op_on_need_key,
	.on_need_document = op_on_need_document,
	.renewal = op_renewal,
	.on_renewed = op_on_renewed,
	.on_lost = op_on_lost,
};
