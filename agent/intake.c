/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/items.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>
#include <fenwatch/wire.h>

#define SCRATCH_BYTES (16u << 20)
#define NAME_LIMIT 64
#define TIME_LIMIT_MS (INT64_C(1) << 47)

struct taken_schema {
	uint32_t wire, id, n_columns;
	size_t bytes;
};

struct taken_host {
	uint32_t wire, id;
	struct fw_buf message;
};

struct intake {
	const struct intake_ops *ops;
	void *arg;
	char name[NAME_LIMIT + 1];
	uint64_t taken;
	bool waits;
	struct taken_schema *schemas;
	size_t n_schemas, schema_bytes;
	struct taken_host *hosts;
	size_t n_hosts;
	struct fw_arena scratch; /* of one frame */
};

static int unpack(struct intake *in, const ProtobufCMessageDescriptor *type,
	const struct fw_frame *frame, void *out, struct fw_err *err)
{
	return fw_wire_unpack(type, frame->payload, frame->length, &in->scratch, out, err);
}

static int take_hello(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	Fenwatch__Wire__Hello *hello;
	int rc = unpack(in, &fenwatch__wire__hello__descriptor, frame, &hello, err);
	if (rc < 0)
		return rc;
	if (in->name[0] || hello->proto != 1)
		return fw_fail(err, -EPROTO, "a second hello, or of another protocol");
	size_t length = strlen(hello->version);
	if (length == 0 || length > NAME_LIMIT)
		return fw_fail(err, -EPROTO, "a hello without a name, or with a long one");
	memcpy(in->name, hello->version, length + 1);
	return 0;
}

/* ---- schemas ---- */

/* `wire` and `id` come first in both. */
static void *find_wire(void *list, size_t n, size_t size, uint32_t wire)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t *entry = (uint32_t *)(void *)((char *)list + i * size);
		if (*entry == wire)
			return entry;
	}
	return NULL;
}

/* A list that grows by doubling has room where `n` is no power of two. */
static void *grow(void *list, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? fw_realloc(list, (n ? 2 * n : 1) * size) : list;
}

static int check_columns(const struct fw_schema *schema, struct fw_err *err)
{
	for (uint32_t i = 0; i < schema->n_columns; i++)
		if (schema->columns[i].type & ~(FW_TYPE_MASK | FW_DOUBLE))
			return fw_fail(err, -EPROTO, "schema: a type that programs do not have");
	return schema->n_columns ? 0 : fw_fail(err, -EPROTO, "schema: no columns");
}

/* Many devices have one schema, which is kept once. */
static bool is_held(const struct intake *in, const struct taken_schema *but, uint32_t id)
{
	for (size_t i = 0; i < in->n_schemas; i++)
		if (&in->schemas[i] != but && in->schemas[i].id == id)
			return true;
	return false;
}

static void give_schema_back(struct intake *in, const struct taken_schema *is)
{
	if (!is_held(in, is, is->id))
		in->schema_bytes -= is->bytes;
	in->ops->give_back(is->id, in->arg);
}

static int keep_schema(
	struct intake *in, uint32_t wire, const struct fw_schema *schema, struct fw_err *err)
{
	struct taken_schema *is = find_wire(in->schemas, in->n_schemas, sizeof *is, wire);
	size_t bytes;
	if (in->schema_bytes > INTAKE_SCHEMA_BYTES || (!is && in->n_schemas == INTAKE_SCHEMAS))
		return fw_fail(err, -EMSGSIZE, "more than %u schemas, or %u MiB of them",
			INTAKE_SCHEMAS, INTAKE_SCHEMA_BYTES >> 20);
	uint32_t id = in->ops->borrow(schema, &bytes, in->arg);
	if (is) {
		give_schema_back(in, is);
	} else {
		in->schemas = grow(in->schemas, in->n_schemas, sizeof *is);
		is = &in->schemas[in->n_schemas++];
	}
	*is = (struct taken_schema){wire, id, schema->n_columns, bytes};
	if (!is_held(in, is, id))
		in->schema_bytes += bytes;
	return 0;
}

static int take_schema(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	struct fw_schema schema;
	uint32_t wire;
	int rc = fw_schema_decode(
		frame->payload, frame->length, &in->scratch, NULL, NULL, &wire, &schema, err);
	if (rc >= 0)
		rc = check_columns(&schema, err);
	return rc < 0 ? rc : keep_schema(in, wire, &schema, err);
}

/* ---- hosts ---- */

static int by_name(const void *a, const void *b)
{
	const Fenwatch__Wire__Label *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static bool is_label_name(const char *name)
{
	static const char allowed[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	return name[0] != '\0' && !strchr("0123456789", name[0]) &&
		name[strspn(name, allowed)] == '\0';
}

static const char *label_of(const Fenwatch__Wire__Host *host, const char *name)
{
	for (size_t i = 0; i < host->n_labels; i++)
		if (strcmp(host->labels[i]->name, name) == 0)
			return host->labels[i]->value;
	return "";
}

/* What the collector asks of a host, and that it is not one that has an agent. */
static int check_host(const Fenwatch__Wire__Host *host, struct fw_err *err)
{
	if (host->id == 0 || host->n_labels == 0 || host->n_labels > INTAKE_HOST_LABELS)
		return fw_fail(err, -EPROTO, "host: it needs a number, and 1 to %d labels",
			INTAKE_HOST_LABELS);
	for (size_t i = 0; i < host->n_labels; i++) {
		const Fenwatch__Wire__Label *label = host->labels[i];
		if (!is_label_name(label->name) || label->value[0] == '\0')
			return fw_fail(err, -EPROTO, "host: a label without a name or a value");
		if (strlen(label->value) > FW_SYMBOL_LIMIT)
			return fw_fail(err, -EPROTO, "host: a value that is too long");
		if (i > 0 && strcmp(host->labels[i - 1]->name, label->name) == 0)
			return fw_fail(err, -EPROTO, "host: '%s' twice", label->name);
	}
	if (label_of(host, "instance")[0] == '\0' || label_of(host, "job")[0] == '\0')
		return fw_fail(err, -EPROTO, "host: without instance or job");
	if (strcmp(label_of(host, "job"), "node") == 0)
		return fw_fail(err, -EPROTO, "host: its own agent speaks for one of job node");
	return 0;
}

static void pack_host(const Fenwatch__Wire__Host *host, struct fw_buf *out)
{
	fw_buf_reset(out);
	size_t length = fenwatch__wire__host__get_packed_size(host);
	out->length = fenwatch__wire__host__pack(host, fw_buf_reserve(out, length + 1));
}

/* Packed twice: the number is drawn from the message without one. */
static void name_host(Fenwatch__Wire__Host *host, struct taken_host *is)
{
	uint8_t digest[32];
	host->id = 0;
	pack_host(host, &is->message);
	fw_sha256(is->message.data, is->message.length, digest);
	memcpy(&is->id, digest, sizeof is->id);
	is->id = is->id ? is->id : 1;
	host->id = is->id;
	pack_host(host, &is->message);
}

static int take_host(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	Fenwatch__Wire__Host *host;
	if (frame->length > INTAKE_HOST_BYTES)
		return fw_fail(err, -EMSGSIZE, "host: more than %d bytes", INTAKE_HOST_BYTES);
	int rc = unpack(in, &fenwatch__wire__host__descriptor, frame, &host, err);
	if (rc < 0)
		return rc;
	if (host->n_labels > 1)
		qsort(host->labels, host->n_labels, sizeof(void *), by_name);
	rc = check_host(host, err);
	if (rc < 0)
		return rc;
	uint32_t wire = host->id;
	struct taken_host *is = find_wire(in->hosts, in->n_hosts, sizeof *is, wire);
	if (!is && in->n_hosts == INTAKE_HOSTS)
		return fw_fail(err, -EMSGSIZE, "more than %d hosts", INTAKE_HOSTS);
	if (!is) {
		in->hosts = grow(in->hosts, in->n_hosts, sizeof *is);
		is = &in->hosts[in->n_hosts++];
		*is = (struct taken_host){.wire = wire};
	}
	name_host(host, is);
	return 0;
}

static int find_host(struct intake *in, uint32_t wire, struct handed_host *out, struct fw_err *err)
{
	const struct taken_host *is = find_wire(in->hosts, in->n_hosts, sizeof *is, wire);
	*out = (struct handed_host){0};
	if (wire == 0)
		return 0;
	if (!is)
		return fw_fail(err, -EPROTO, "host %u was not announced", wire);
	*out = (struct handed_host){is->id, is->message.data, is->message.length};
	return 0;
}

/* ---- what is numbered ---- */

static int check_number(const struct intake *in, uint64_t number, struct fw_err *err)
{
	return number > in->taken
		? 0
		: fw_fail(err, -EPROTO, "number %llu comes after %llu", (unsigned long long)number,
			  (unsigned long long)in->taken);
}

static int check_batch(const struct intake *in, const struct fw_batch *batch,
	const struct taken_schema *schema, struct fw_err *err)
{
	if (!batch->key || batch->backlog)
		return fw_fail(err, -EPROTO, "a batch that is no key");
	if (batch->host == 0)
		return fw_fail(err, -EPROTO, "a batch of the agent's own machine");
	if (!schema)
		return fw_fail(err, -EPROTO, "schema %u was not announced", batch->schema);
	if (batch->n_sweeps == 0 || schema->n_columns > INTAKE_CELLS / batch->n_sweeps)
		return fw_fail(err, -EMSGSIZE, "a batch of more than %d cells", INTAKE_CELLS);
	return check_number(in, batch->seq, err);
}

static int take_batch(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	struct fw_batch batch;
	struct handed handed = {.type = FW_FRAME_BATCH};
	int rc = fw_batch_open(frame->payload, frame->length, &in->scratch, &batch, err);
	if (rc < 0)
		return rc;
	const struct taken_schema *schema =
		find_wire(in->schemas, in->n_schemas, sizeof *schema, batch.schema);
	rc = check_batch(in, &batch, schema, err);
	if (rc >= 0)
		rc = find_host(in, batch.host, &handed.host, err);
	if (rc < 0)
		return rc;
	size_t n = (size_t)batch.n_sweeps * schema->n_columns;
	int64_t *cells = fw_arena_alloc(&in->scratch, n * sizeof *cells);
	rc = fw_batch_decode(&batch, schema->n_columns, NULL, cells, err);
	if (rc < 0)
		return rc;
	handed.schema = schema->id;
	handed.interval_ms = batch.interval_ms;
	handed.sweeps = (struct fw_sweeps){
		handed.host.id, batch.n_sweeps, schema->n_columns, batch.times_ms, cells};
	in->taken = batch.seq;
	in->ops->take(&handed, in->arg);
	return 0;
}

static int check_event(
	const struct intake *in, const Fenwatch__Wire__Event *event, struct fw_err *err)
{
	if (!fw_document_kind_valid(event->kind))
		return fw_fail(err, -EPROTO, "event: of a kind that is no name");
	if (event->at_ms < 0 || event->at_ms > TIME_LIMIT_MS)
		return fw_fail(err, -EPROTO, "event: a time that cannot be");
	if (event->n_fields > INTAKE_EVENT_FIELDS)
		return fw_fail(err, -EMSGSIZE, "event: more than %d fields", INTAKE_EVENT_FIELDS);
	return check_number(in, event->seq, err);
}

static int take_event(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	struct handed handed = {.type = FW_FRAME_EVENT};
	if (frame->length > INTAKE_EVENT_BYTES)
		return fw_fail(err, -EMSGSIZE, "event: more than %u KiB", INTAKE_EVENT_BYTES >> 10);
	int rc = unpack(in, &fenwatch__wire__event__descriptor, frame, &handed.event, err);
	if (rc >= 0)
		rc = check_event(in, handed.event, err);
	if (rc >= 0)
		rc = find_host(in, handed.event->host, &handed.host, err);
	if (rc < 0)
		return rc;
	in->taken = handed.event->seq;
	in->ops->take(&handed, in->arg);
	return 0;
}

/* Every line of it, as whoever reads it at the collector does. */
static int check_table(const Fenwatch__Wire__Document *document, struct fw_err *err)
{
	struct fw_buf text = {0};
	struct fw_items items;
	struct fw_item item;
	int rc = fw_items_unpack(
		&text, document->body.data, document->body.len, document->raw_length, err);
	if (rc >= 0) {
		fw_items_open(&items, text.data, text.length, true);
		while ((rc = fw_items_next(&items, &item, err)) > 0)
			;
	}
	fw_buf_done(&text);
	return rc;
}

static int check_document(
	const struct intake *in, const Fenwatch__Wire__Document *document, struct fw_err *err)
{
	if (!fw_document_kind_valid(document->kind))
		return fw_fail(err, -EPROTO, "document: of a kind that is no name");
	if (!document->whole || document->at_ms <= 0 || document->at_ms > TIME_LIMIT_MS ||
		document->revision != (uint64_t)document->at_ms)
		return fw_fail(
			err, -EPROTO, "document: it is not whole, or of a time that cannot be");
	int rc = check_number(in, document->seq, err);
	return rc < 0 ? rc : check_table(document, err);
}

static int take_document(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	struct handed handed = {.type = FW_FRAME_DOCUMENT};
	int rc = unpack(in, &fenwatch__wire__document__descriptor, frame, &handed.document, err);
	if (rc >= 0)
		rc = check_document(in, handed.document, err);
	if (rc >= 0)
		rc = find_host(in, handed.document->host, &handed.host, err);
	if (rc < 0)
		return rc;
	in->taken = handed.document->seq;
	in->ops->take(&handed, in->arg);
	return 0;
}

/* ---- the conversation ---- */

static int take_frame(struct intake *in, const struct fw_frame *frame, struct fw_err *err)
{
	static int (*const takes[FW_FRAME_TYPES])(
		struct intake *, const struct fw_frame *, struct fw_err *) = {
		[FW_FRAME_HELLO] = take_hello,
		[FW_FRAME_SCHEMA] = take_schema,
		[FW_FRAME_HOST] = take_host,
		[FW_FRAME_BATCH] = take_batch,
		[FW_FRAME_EVENT] = take_event,
		[FW_FRAME_DOCUMENT] = take_document,
	};
	if (!takes[frame->type] || (!in->name[0] && frame->type != FW_FRAME_HELLO))
		return fw_fail(err, -EPROTO, "a %s out of place", fw_frame_name(frame->type));
	int rc = takes[frame->type](in, frame, err);
	fw_arena_reset(&in->scratch);
	return rc;
}

static bool is_numbered(enum fw_frame_type type)
{
	return type == FW_FRAME_BATCH || type == FW_FRAME_EVENT || type == FW_FRAME_DOCUMENT;
}

ssize_t intake_take(struct intake *in, const uint8_t *data, size_t length, struct fw_err *err)
{
	size_t used = 0;
	in->waits = false;
	while (used < length) {
		struct fw_frame frame;
		int cut = fw_frame_cut(data + used, length - used, &frame, err);
		if (cut < 0)
			return cut;
		in->waits = cut > 0 && is_numbered(frame.type) &&
			!in->ops->has_room(frame.type, in->arg);
		if (cut == 0 || in->waits)
			break;
		int rc = take_frame(in, &frame, err);
		if (rc < 0)
			return rc;
		used += (size_t)cut;
	}
	fw_arena_done(&in->scratch); /* who is idle holds none */
	return (ssize_t)used;
}

bool intake_is_waiting(const struct intake *in)
{
	return in->waits;
}

uint64_t intake_taken(const struct intake *in)
{
	return in->taken;
}

const char *intake_name(const struct intake *in)
{
	return in->name;
}

struct intake *intake_new(const struct intake_ops *ops, void *arg)
{
	struct intake *in = fw_alloc(sizeof *in);
	in->ops = ops;
	in->arg = arg;
	in->scratch.limit = SCRATCH_BYTES;
	return in;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->n_schemas; i++)
		in->ops->give_back(in->schemas[i].id, in->arg);
	for (size_t i = 0; i < in->n_hosts; i++)
		fw_buf_done(&in->hosts[i].message);
	fw_free(in->schemas);
	fw_free(in->hosts);
	fw_arena_done(&in->scratch);
	fw_free(in);
}
