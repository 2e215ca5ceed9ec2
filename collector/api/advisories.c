/* SPDX-License-Identifier: Apache-2.0 */
/* Advisories come in and are listed: asked on the main thread, as SQLite holds them. */
#include "advisories.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "parts.h"

#define LIST_LIMIT 1000
#define LIST_USUAL 50
#define YEAR_3000_S INT64_C(32503680000)

/* ---- what a request brings ---- */

struct taking {
	struct fw_arena *arena;
	struct fw_err *err;
};

static int take_text(const struct taking *t, const json_t *value, const char *what,
	bool may_be_empty, const char **out)
{
	const char *text = json_string_value(value);
	size_t length = json_string_length(value);
	if (!text || length > PATCH_ADVISORY_TEXT || (length == 0 && !may_be_empty))
		return fw_fail(t->err, -EINVAL, "an advisory's %s is a text of up to %d bytes",
			what, PATCH_ADVISORY_TEXT);
	*out = fw_arena_strdup(t->arena, text);
	return 0;
}

static int take_fix(const struct taking *t, const json_t *value, struct patch_advisory_fix *out)
{
	if (json_array_size(value) != 3)
		return fw_fail(t->err, -EINVAL, "a fix is [PACKAGE, RELEASE, VERSION]");
	int rc = take_text(t, json_array_get(value, 0), "package", false, &out->package);
	if (rc == 0)
		rc = take_text(t, json_array_get(value, 1), "release", true, &out->release);
	return rc < 0 ? rc
		      : take_text(t, json_array_get(value, 2), "version", false, &out->version);
}

static int take_fixes(const struct taking *t, const json_t *value, struct patch_advisory *out)
{
	size_t n = json_array_size(value);
	if (n > PATCH_ADVISORY_FIXES)
		return fw_fail(t->err, -EINVAL, "%.60s has more than %d fixes", out->name,
			PATCH_ADVISORY_FIXES);
	struct patch_advisory_fix *fixes = fw_arena_alloc(t->arena, (n + 1) * sizeof *fixes);
	out->fixes = fixes;
	out->n_fixes = n;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take_fix(t, json_array_get(value, i), &fixes[i]);
	return rc;
}

static int take_numbers(const struct taking *t, const json_t *value, struct patch_advisory *out)
{
	json_int_t issued_s = json_integer_value(json_object_get(value, "issued"));
	double cvss = json_number_value(json_object_get(value, "cvss"));
	if (issued_s <= 0 || issued_s > YEAR_3000_S)
		return fw_fail(t->err, -EINVAL, "%.60s: 'issued' is a time in seconds since 1970",
			out->name);
	if (!(cvss >= 0 && cvss <= 10))
		return fw_fail(
			t->err, -EINVAL, "%.60s: 'cvss' is a number from 0 to 10", out->name);
	out->issued_s = issued_s;
	out->cvss = cvss;
	return 0;
}

static int take_advisory(const struct taking *t, const json_t *value, struct patch_advisory *out)
{
	const json_t *severity = json_object_get(value, "severity");
	out->severity = "";
	int rc = take_text(t, json_object_get(value, "name"), "name", false, &out->name);
	if (rc == 0 && severity)
		rc = take_text(t, severity, "severity", true, &out->severity);
	if (rc == 0)
		rc = take_numbers(t, value, out);
	return rc < 0 ? rc : take_fixes(t, json_object_get(value, "fixes"), out);
}

static int take_list(
	const struct taking *t, const json_t *list, struct patch_advisory **out, size_t *n_out)
{
	size_t n = json_array_size(list);
	if (!json_is_array(list) || n > ADVISORIES_AT_ONCE)
		return fw_fail(t->err, -EINVAL, "it is a list of at most %d advisories",
			ADVISORIES_AT_ONCE);
	struct patch_advisory *taken = fw_arena_alloc(t->arena, (n + 1) * sizeof *taken);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take_advisory(t, json_array_get(list, i), &taken[i]);
	if (rc == 0) {
		*out = taken;
		*n_out = n;
	}
	return rc;
}

int advisories_read(const char *text, struct fw_arena *arena, struct patch_advisory **out,
	size_t *n, struct fw_err *err)
{
	const struct taking taking = {arena, err};
	json_error_t why;
	if (strlen(text) > ADVISORIES_TEXT_LIMIT)
		return fw_fail(
			err, -EINVAL, "more than %u MiB at once", ADVISORIES_TEXT_LIMIT >> 20);
	json_t *list = json_loads(text, 0, &why);
	if (!list)
		return fw_fail(err, -EINVAL, "line %d: %s", why.line, why.text);
	int rc = take_list(&taking, list, out, n);
	json_decref(list);
	return rc;
}

void advisories_import(struct request *r)
{
	const char *text = params_get(&r->params, "advisories");
	struct patch_advisory *advisories;
	struct fw_err err = {.text = ""};
	size_t n;
	if (!text || advisories_read(text, &r->arena, &advisories, &n, &err) < 0) {
		request_fail(r, 400, "bad_data", "invalid parameter \"advisories\": %s",
			text ? err.text : "it is missing");
		return;
	}
	if (patch_import(api_config(r->api)->patch, advisories, n, r->now_ms, &err) < 0) {
		request_fail(r, 500, "internal", "%s", err.text);
		return;
	}
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_int(j, "imported", (int64_t)n);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- the list ---- */

static void write_advisory(struct json *j, const struct patch_advisory *a)
{
	json_open(j, '{');
	json_put_text(j, "name", a->name);
	json_put_time(j, "issued", a->issued_s * 1000);
	json_put_text(j, "severity", a->severity);
	json_put_number(j, "cvss", a->cvss > 0 ? a->cvss : (double)NAN);
	json_put_int(j, "fixes", (int64_t)a->n_fixes);
	json_close(j, '}');
}

static void write_list(struct request *r, const struct patch_advisory *list, size_t n)
{
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		write_advisory(j, &list[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

void advisories_list(struct request *r)
{
	const char *package = params_get(&r->params, "package");
	struct patch_advisory *list;
	struct fw_err err;
	uint64_t limit = LIST_USUAL;
	size_t n;
	if (params_count(&r->params, "limit", &limit, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = patch_advisories(api_config(r->api)->patch, package && *package ? package : NULL,
		limit > 0 && limit < LIST_LIMIT ? limit : LIST_LIMIT, &r->arena, &list, &n, &err);
	if (rc < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	else
		write_list(r, list, n);
}
