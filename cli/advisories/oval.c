/* SPDX-License-Identifier: Apache-2.0 */
/* OVAL definitions, as Debian, Ubuntu, Red Hat and SUSE publish them.
 *
 *   definition -> criterion -> test -> object -> name of a package, or of a variable
 *                                   -> state  -> version that it is "less than"
 *
 * What a definition points to comes later in the file, so all of it is kept, without
 * texts that nobody asks for, and put together at the end. Whether criteria are
 * joined by AND or OR does not matter here: each names a package and a fixed version.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/text.h>

#include "xml.h"

#define KEPT_LIMIT ((size_t)768 << 20) /* bytes of one file */

/* Something with an id, and what it points to. */
struct node {
	const char *id;    /* first, as fw_array_place() wants it */
	const char *a, *b; /* test: object, state; object: name, variable; state: version */
};

struct nodes {
	struct node *items;
	size_t n, capacity;
};

struct definition {
	const char *name, *severity, *release;
	int64_t issued_s;
	double cvss;
	size_t first, n; /* in `criteria` */
};

struct oval {
	struct draft *draft;
	struct fw_arena arena;
	struct nodes tests, objects, states, variables, criteria;
	struct definition *definitions;
	size_t n_definitions, capacity;
	struct definition *now; /* that is open */
	struct node *node;      /* test, object, state or variable that is open */
	bool is_advisory_name;  /* its name is an advisory's, not a CVE's */
	bool less_than;
};

static void *begin(struct draft *d)
{
	struct oval *o = fw_alloc(sizeof *o);
	o->draft = d;
	return o;
}

static void done(void *state)
{
	struct oval *o = state;
	struct nodes *const all[] = {
		&o->tests, &o->objects, &o->states, &o->variables, &o->criteria};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		fw_free(all[i]->items);
	fw_free(o->definitions);
	fw_arena_done(&o->arena);
	fw_free(o);
}

static const char *keep(struct oval *o, const char *text)
{
	return *text ? fw_arena_strdup(&o->arena, text) : "";
}

static struct node *add_node(struct oval *o, struct nodes *nodes, const char *id)
{
	if (nodes->n == nodes->capacity) {
		nodes->capacity = nodes->capacity ? 2 * nodes->capacity : 256;
		nodes->items = fw_realloc(nodes->items, nodes->capacity * sizeof *nodes->items);
	}
	struct node *node = &nodes->items[nodes->n++];
	*node = (struct node){keep(o, id), "", ""};
	return node;
}

static void add_definition(struct oval *o)
{
	if (o->n_definitions == o->capacity) {
		o->capacity = o->capacity ? 2 * o->capacity : 256;
		o->definitions = fw_realloc(o->definitions, o->capacity * sizeof *o->definitions);
	}
	o->now = &o->definitions[o->n_definitions++];
	*o->now = (struct definition){
		.name = "", .severity = "", .release = "", .first = o->criteria.n};
	o->is_advisory_name = false;
}

/* ---- what a definition says ---- */

static void take_reference(struct oval *o, const char *const *attributes)
{
	const char *source = xml_attribute(attributes, "source");
	bool is_cve = strcmp(source, "CVE") == 0 || strstr(source, "Bug");
	if (o->is_advisory_name || (is_cve && *o->now->name))
		return;
	o->now->name = keep(o, xml_attribute(attributes, "ref_id"));
	o->is_advisory_name = !is_cve;
}

/* "7.5/CVSS:3.1/AV:N/..." and "7.5". */
static void take_score(struct oval *o, const char *text)
{
	struct fw_cursor c = {text, text + strlen(text)};
	int64_t tenths;
	if (fw_cut_decimal(&c, 1, &tenths) && tenths <= 100 && (double)tenths / 10 > o->now->cvss)
		o->now->cvss = (double)tenths / 10;
}

/* "Debian GNU/Linux 12", "Ubuntu 22.04 LTS", "SUSE Linux Enterprise Server 15 SP5": the
 * first platform counts. Of others the version's own mark does. */
static void take_platform(struct oval *o, const char *text)
{
	static const struct {
		const char *begins, *id;
	} known[] = {
		{"Debian GNU/Linux ", "debian"},
		{"Ubuntu ", "ubuntu"},
		{"SUSE Linux Enterprise Server ", "sles"},
		{"openSUSE Leap ", "leap"},
	};
	for (size_t i = 0; !*o->now->release && i < sizeof known / sizeof *known; i++) {
		size_t length = strlen(known[i].begins);
		if (strncmp(text, known[i].begins, length) != 0)
			continue;
		const char *version = text + length, *pack = strstr(version, " SP");
		size_t digits = pack ? strspn(pack + 3, "0123456789") : 0;
		o->now->release = fw_arena_format(&o->arena, "%s %.*s%s%.*s", known[i].id,
			(int)strcspn(version, " "), version, digits ? "." : "", (int)digits,
			pack ? pack + 3 : "");
	}
}

static void open_in_definition(struct oval *o, const char *name, const char *const *attributes)
{
	if (strcmp(name, "reference") == 0)
		take_reference(o, attributes);
	else if (strcmp(name, "issued") == 0)
		o->now->issued_s = import_date(xml_attribute(attributes, "date"));
	else if (strcmp(name, "criterion") == 0)
		add_node(o, &o->criteria, xml_attribute(attributes, "test_ref"));
	if (strcmp(name, "cve") != 0)
		return;
	take_score(o, xml_attribute(attributes, "cvss3"));
	take_score(o, xml_attribute(attributes, "cvss_score"));
}

static void close_in_definition(struct oval *o, const char *name, const char *text)
{
	if (strcmp(name, "severity") == 0 && strcmp(text, "None") != 0)
		o->now->severity = keep(o, text);
	else if (strcmp(name, "platform") == 0)
		take_platform(o, text);
	else if (strcmp(name, "date") == 0 && o->now->issued_s == 0)
		o->now->issued_s = import_date(text);
	else if (strcmp(name, "definition") == 0) {
		o->now->n = o->criteria.n - o->now->first;
		o->now = NULL;
	}
}

/* ---- tests, objects, states, variables ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), n = strlen(end);
	return length >= n && strcmp(text + length - n, end) == 0;
}

static void open_outside(struct oval *o, const char *name, const char *const *attributes)
{
	const char *id = xml_attribute(attributes, "id");
	if (ends_with(name, "info_test"))
		o->node = add_node(o, &o->tests, id);
	else if (ends_with(name, "info_object"))
		o->node = add_node(o, &o->objects, id);
	else if (ends_with(name, "info_state"))
		o->node = add_node(o, &o->states, id);
	else if (strcmp(name, "constant_variable") == 0)
		o->node = add_node(o, &o->variables, id);
	else if (o->node && strcmp(name, "object") == 0)
		o->node->a = keep(o, xml_attribute(attributes, "object_ref"));
	else if (o->node && strcmp(name, "state") == 0)
		o->node->b = keep(o, xml_attribute(attributes, "state_ref"));
	else if (o->node && strcmp(name, "name") == 0)
		o->node->b = keep(o, xml_attribute(attributes, "var_ref"));
	o->less_than = strcmp(xml_attribute(attributes, "operation"), "less than") == 0;
}

static bool is_open(const struct oval *o, const struct nodes *nodes)
{
	return o->node && nodes->n > 0 && o->node == &nodes->items[nodes->n - 1];
}

static void close_outside(struct oval *o, const char *name, const char *text)
{
	bool is_name = is_open(o, &o->objects) && strcmp(name, "name") == 0;
	bool is_version = is_open(o, &o->states) && strcmp(name, "evr") == 0 && o->less_than;
	if (is_name || is_version)
		o->node->a = keep(o, text);
	else if (is_open(o, &o->variables) && strcmp(name, "value") == 0) {
		const char *id = o->node->id;
		o->node->a = keep(o, text);
		o->node = add_node(o, &o->variables, id); /* for the next value */
	} else if (ends_with(name, "info_test") || ends_with(name, "info_object") ||
		ends_with(name, "info_state") || strcmp(name, "constant_variable") == 0) {
		o->node = NULL;
	}
}

static int on_open(void *state, const char *name, const char *const *attributes, struct fw_err *err)
{
	struct oval *o = state;
	if (o->arena.used > KEPT_LIMIT)
		return fw_fail(err, -EFBIG, "it has more definitions than fit into memory");
	if (o->now)
		open_in_definition(o, name, attributes);
	else if (strcmp(name, "definition") == 0)
		add_definition(o);
	else
		open_outside(o, name, attributes);
	return 0;
}

static int on_close(void *state, const char *name, const char *text, struct fw_err *err)
{
	struct oval *o = state;
	(void)err;
	if (o->now)
		close_in_definition(o, name, text);
	else
		close_outside(o, name, text);
	return 0;
}

/* ---- putting together ---- */

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->id, ((const struct node *)b)->id);
}

static void sort(struct nodes *nodes)
{
	if (nodes->n)
		qsort(nodes->items, nodes->n, sizeof *nodes->items, by_id);
}

/* The first of those with this id. */
static const struct node *find(const struct nodes *nodes, const char *id)
{
	size_t at = fw_array_place(nodes->items, nodes->n, sizeof *nodes->items, id);
	return at < nodes->n && strcmp(nodes->items[at].id, id) == 0 ? &nodes->items[at] : NULL;
}

static int give_fix(struct oval *o, const struct definition *d, const char *package,
	const char *version, struct fw_err *err)
{
	char dist[16];
	const char *release = *d->release ? d->release : import_dist(version, dist);
	return draft_fix(o->draft, package, release, version, err);
}

static int give_criterion(
	struct oval *o, const struct definition *d, const char *ref, struct fw_err *err)
{
	const struct node *test = find(&o->tests, ref);
	const struct node *object = test ? find(&o->objects, test->a) : NULL;
	const struct node *state = test ? find(&o->states, test->b) : NULL;
	int rc = 0;
	if (!object || !state || !*state->a)
		return 0;
	if (*object->a)
		return give_fix(o, d, object->a, state->a, err);
	const struct node *value = find(&o->variables, object->b);
	const struct node *end = o->variables.items + o->variables.n;
	for (; rc == 0 && value && value < end && strcmp(value->id, object->b) == 0; value++)
		rc = give_fix(o, d, value->a, state->a, err);
	return rc;
}

static int give_definition(struct oval *o, const struct definition *d, struct fw_err *err)
{
	int rc = 0;
	draft_begin(o->draft, d->name, strlen(d->name));
	o->draft->issued_s = d->issued_s;
	o->draft->severity = strlen(d->severity) <= IMPORT_TEXT ? d->severity : "";
	o->draft->cvss = d->cvss;
	for (size_t i = 0; rc == 0 && i < d->n; i++)
		rc = give_criterion(o, d, o->criteria.items[d->first + i].id, err);
	return rc < 0 ? rc : draft_end(o->draft, err);
}

static int on_end(void *state, struct fw_err *err)
{
	struct oval *o = state;
	int rc = 0;
	sort(&o->tests);
	sort(&o->objects);
	sort(&o->states);
	sort(&o->variables);
	for (size_t i = 0; rc == 0 && i < o->n_definitions; i++)
		rc = give_definition(o, &o->definitions[i], err);
	return rc;
}

const struct xml_form oval_form = {"oval_definitions", begin, on_open, on_close, on_end, done};
