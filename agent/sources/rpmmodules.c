/* SPDX-License-Identifier: Apache-2.0 */
#include "rpmmodules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include <fenwatch/mem.h>

#include "ini.h"
#include "parse.h"
#include "rpmrepos.h"

#define DEPTH_LIMIT 24
#define ARTIFACTS_LIMIT 65536
#define STREAMS_LIMIT 4096
#define NAME_BYTES_LIMIT 256
#define SCALAR_LIMIT ((size_t)1 << 20) /* bytes that libyaml may take in for one event */

/* "nodejs-1:18.20.4-1.module+el9.4.0+22195+c221878e.x86_64" of a stream. */
struct artifact {
	const char *nevra;
	uint32_t name_length;
	uint32_t stream; /* index */
	bool active;
};

struct stream {
	const char *module, *stream;
	bool active;
};

/* What is said of a module: here, or as a default. */
struct choice {
	const char *module, *stream; /* stream NULL: disabled */
};

struct rpm_modules {
	struct fw_arena text;
	struct artifact *artifacts; /* by nevra, once settled */
	size_t n_artifacts, artifacts_capacity;
	struct stream streams[STREAMS_LIMIT];
	struct choice here[STREAMS_LIMIT], defaults[STREAMS_LIMIT];
	uint32_t n_streams, n_here, n_defaults;
};

/* ---- what is chosen here ---- */

struct module_file {
	char module[NAME_BYTES_LIMIT], stream[NAME_BYTES_LIMIT], state[32];
};

static void on_state(const char *section, const char *name, const char *value, void *arg)
{
	struct module_file *file = arg;
	snprintf(file->module, sizeof file->module, "%s", section);
	if (strcmp(name, "stream") == 0)
		snprintf(file->stream, sizeof file->stream, "%s", value);
	else if (strcmp(name, "state") == 0)
		snprintf(file->state, sizeof file->state, "%s", value);
}

struct choosing {
	struct rpm_modules *mods;
	uint64_t *fingerprint;
};

static int on_module_file(struct machine *m, const char *name, void *arg)
{
	const struct choosing *choosing = arg;
	struct rpm_modules *mods = choosing->mods;
	struct module_file file = {.module = ""};
	struct fw_cursor c;
	char path[512];
	snprintf(path, sizeof path, "etc/dnf/modules.d/%s", name);
	if (rpmrepos_mix_file(choosing->fingerprint, m, path) < 0 ||
		machine_read(m, path, &c) < 0 || mods->n_here == STREAMS_LIMIT)
		return 0;
	ini_read(c, on_state, &file);
	bool enabled = strcmp(file.state, "enabled") == 0 || strcmp(file.state, "installed") == 0;
	if (!enabled && strcmp(file.state, "disabled") != 0)
		return 0;
	mods->here[mods->n_here++] = (struct choice){fw_arena_strdup(&mods->text, file.module),
		enabled ? fw_arena_strdup(&mods->text, file.stream) : NULL};
	return 0;
}

struct rpm_modules *rpmmodules_read(struct machine *m, uint64_t *fingerprint)
{
	struct rpm_modules *mods = fw_alloc(sizeof *mods);
	machine_list(m, "etc/dnf/modules.d", on_module_file, &(struct choosing){mods, fingerprint});
	return mods;
}

void rpmmodules_free(struct rpm_modules *mods)
{
	if (!mods)
		return;
	fw_arena_done(&mods->text);
	fw_free(mods->artifacts);
	fw_free(mods);
}

/* ---- modules.yaml ---- */

/* A document: what its keys, by their depth, have led to. */
struct parsing {
	struct rpm_modules *mods;
	struct fw_unpack *from;
	bool (*wants)(const char *name, const void *arg);
	const void *arg;
	size_t unheard;
	int rc;
	unsigned depth;
	bool in_list[DEPTH_LIMIT], is_value[DEPTH_LIMIT];
	char keys[DEPTH_LIMIT][32];
	char kind[32], name[NAME_BYTES_LIMIT], stream[NAME_BYTES_LIMIT];
	size_t first_artifact;
};

static int on_bytes(void *arg, unsigned char *data, size_t size, size_t *got)
{
	struct parsing *p = arg;
	ssize_t n = fw_unpack_read(p->from, data, size);
	*got = n > 0 ? (size_t)n : 0;
	p->unheard += *got;
	if (n < 0)
		p->rc = (int)n;
	else if (p->unheard > SCALAR_LIMIT)
		p->rc = -EFBIG;
	return p->rc == 0;
}

static bool is_at(const struct parsing *p, const char *const *path, unsigned length)
{
	if (p->depth != length)
		return false;
	for (unsigned i = 0; i < length; i++)
		if (strcmp(p->keys[i + 1], path[i]) != 0)
			return false;
	return true;
}

static void copy(char *out, size_t size, const char *value)
{
	snprintf(out, size, "%s", value);
}

/* The name's length in NAME-EPOCH:VERSION-RELEASE.ARCH; 0: it is none. */
static uint32_t length_of_name(const char *nevra)
{
	const char *at = strrchr(nevra, '-');
	while (at && at > nevra && at[-1] != '-')
		at--;
	return at && at > nevra ? (uint32_t)(at - 1 - nevra) : 0;
}

static void take_artifact(struct parsing *p, const char *nevra)
{
	struct rpm_modules *mods = p->mods;
	char name[NAME_BYTES_LIMIT];
	uint32_t length = length_of_name(nevra);
	if (length == 0 || length >= sizeof name)
		return;
	memcpy(name, nevra, length);
	name[length] = '\0';
	const char *dot = strrchr(nevra, '.');
	if (!p->wants(name, p->arg) || (dot && strcmp(dot, ".src") == 0))
		return;
	if (mods->n_artifacts == ARTIFACTS_LIMIT) {
		p->rc = -EFBIG;
		return;
	}
	if (mods->n_artifacts == mods->artifacts_capacity) {
		mods->artifacts_capacity =
			mods->artifacts_capacity ? 2 * mods->artifacts_capacity : 256;
		mods->artifacts = fw_realloc(
			mods->artifacts, mods->artifacts_capacity * sizeof *mods->artifacts);
	}
	mods->artifacts[mods->n_artifacts++] =
		(struct artifact){fw_arena_strdup(&mods->text, nevra), length, 0, false};
}

static void take_scalar(struct parsing *p, const char *value)
{
	static const char *const kind[] = {"document"}, *const name[] = {"data", "name"},
				 *const module[] = {"data", "module"},
				 *const stream[] = {"data", "stream"},
				 *const rpms[] = {"data", "artifacts", "rpms", ""};
	if (is_at(p, kind, 1))
		copy(p->kind, sizeof p->kind, value);
	else if (is_at(p, name, 2) || is_at(p, module, 2))
		copy(p->name, sizeof p->name, value);
	else if (is_at(p, stream, 2))
		copy(p->stream, sizeof p->stream, value);
	else if (is_at(p, rpms, 4))
		take_artifact(p, value);
}

static void on_scalar(struct parsing *p, const char *value)
{
	if (p->depth == 0)
		return;
	if (p->in_list[p->depth]) {
		take_scalar(p, value);
	} else if (!p->is_value[p->depth]) {
		copy(p->keys[p->depth], sizeof p->keys[p->depth], value);
		p->is_value[p->depth] = true;
	} else {
		take_scalar(p, value);
		p->is_value[p->depth] = false;
	}
}

static void go_in(struct parsing *p, bool list)
{
	if (p->depth + 1 == DEPTH_LIMIT) {
		p->rc = -EBADMSG;
		return;
	}
	p->depth++;
	p->in_list[p->depth] = list;
	p->is_value[p->depth] = false;
	p->keys[p->depth][0] = '\0';
}

static void go_out(struct parsing *p)
{
	p->depth -= p->depth > 0;
	p->is_value[p->depth] = false;
}

static void begin_document(struct parsing *p)
{
	p->depth = 0;
	p->kind[0] = p->name[0] = p->stream[0] = '\0';
	p->first_artifact = p->mods->n_artifacts;
}

static void end_document(struct parsing *p)
{
	struct rpm_modules *mods = p->mods;
	const char *name = fw_arena_strdup(&mods->text, p->name);
	const char *stream = fw_arena_strdup(&mods->text, p->stream);
	if (mods->n_streams == STREAMS_LIMIT || mods->n_defaults == STREAMS_LIMIT) {
		p->rc = -EFBIG;
	} else if (strcmp(p->kind, "modulemd-defaults") == 0) {
		if (stream[0])
			mods->defaults[mods->n_defaults++] = (struct choice){name, stream};
	} else if (strcmp(p->kind, "modulemd") == 0) {
		for (size_t i = p->first_artifact; i < mods->n_artifacts; i++)
			mods->artifacts[i].stream = mods->n_streams;
		mods->streams[mods->n_streams++] = (struct stream){name, stream, false};
	}
}

static void on_event(struct parsing *p, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		begin_document(p);
		break;
	case YAML_DOCUMENT_END_EVENT:
		end_document(p);
		break;
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		go_in(p, event->type == YAML_SEQUENCE_START_EVENT);
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		go_out(p);
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(p, (const char *)event->data.scalar.value);
		break;
	case YAML_ALIAS_EVENT:
		on_scalar(p, "");
		break;
	default:
		break;
	}
}

int rpmmodules_add(struct rpm_modules *mods, struct fw_unpack *u,
	bool (*wants)(const char *name, const void *arg), const void *arg)
{
	struct parsing *p = fw_alloc(sizeof *p);
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser)) {
		fw_free(p);
		return -ENOMEM;
	}
	*p = (struct parsing){.mods = mods, .from = u, .wants = wants, .arg = arg};
	yaml_parser_set_input(&parser, on_bytes, p);
	for (bool ended = false; p->rc == 0 && !ended;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			p->rc = p->rc < 0 ? p->rc : -EBADMSG;
			break;
		}
		p->unheard = 0;
		on_event(p, &event);
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	int rc = p->rc;
	fw_free(p);
	return rc;
}

/* ---- what is active ---- */

static const struct choice *find_choice(
	const struct choice *choices, uint32_t n, const char *module)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(choices[i].module, module) == 0)
			return &choices[i];
	return NULL;
}

bool rpmmodules_is_active(const struct rpm_modules *mods, const char *module, const char *stream)
{
	const struct choice *choice = find_choice(mods->here, mods->n_here, module);
	if (!choice)
		choice = find_choice(mods->defaults, mods->n_defaults, module);
	return choice && choice->stream && strcmp(choice->stream, stream) == 0;
}

static int by_nevra(const void *a, const void *b)
{
	return strcmp(((const struct artifact *)a)->nevra, ((const struct artifact *)b)->nevra);
}

void rpmmodules_settle(struct rpm_modules *mods)
{
	for (uint32_t i = 0; i < mods->n_streams; i++)
		mods->streams[i].active = rpmmodules_is_active(
			mods, mods->streams[i].module, mods->streams[i].stream);
	for (size_t i = 0; i < mods->n_artifacts; i++)
		mods->artifacts[i].active = mods->streams[mods->artifacts[i].stream].active;
	if (mods->n_artifacts)
		qsort(mods->artifacts, mods->n_artifacts, sizeof *mods->artifacts, by_nevra);
}

/* Artifacts of one name stand behind one another, as far as the dash: the first of them. */
static size_t find_name(const struct rpm_modules *mods, const char *name)
{
	size_t low = 0, high = mods->n_artifacts, length = strlen(name);
	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *nevra = mods->artifacts[middle].nevra;
		int order = strncmp(nevra, name, length);
		if (order < 0 || (order == 0 && nevra[length] < '-'))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool rpmmodules_hides(
	const struct rpm_modules *mods, const char *name, const char *arch, const char *evr)
{
	char nevra[1024];
	size_t length = strlen(name);
	bool listed = false, active = false, shadowed = false;
	snprintf(nevra, sizeof nevra, "%s-%s%s.%s", name, strchr(evr, ':') ? "" : "0:", evr, arch);
	for (size_t i = find_name(mods, name); i < mods->n_artifacts; i++) {
		const struct artifact *a = &mods->artifacts[i];
		if (strncmp(a->nevra, name, length) != 0 || a->nevra[length] != '-')
			break;
		bool same = strcmp(a->nevra, nevra) == 0;
		listed = listed || same;
		active = active || (same && a->active);
		shadowed = shadowed || (a->name_length == length && a->active);
	}
	return listed ? !active : shadowed;
}
