/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <stdio.h>
#include <string.h>

#include "inventory.h"
#include "patch.h"

/* ---- inventory ---- */

int inventory_list(struct inventory *inventory, uint32_t host, const char *kind, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	(void)inventory;
	(void)err;
	const struct inventory_item seen = {.host = host,
		.kind = kind,
		.key = "02:00:00:00:00:07",
		.fields =
			"{\"address\":\"10.0.0.7\",\"speaks\":\"telnet\",\"last\":\"1700000000\"}",
		.from_ms = 1700000000000};
	if (kind && strcmp(kind, "wire") == 0) {
		each(&seen, arg);
		return 0;
	}
	const struct inventory_item item = {.host = host,
		.kind = kind ? kind : "packages",
		.key = "bash:amd64",
		.fields = at_ms ? "{\"version\":\"5.1\"}" : "{\"version\":\"5.2\"}",
		.from_ms = 1700000000000};
	each(&item, arg);
	return 0;
}

int inventory_find(struct inventory *inventory, const char *kind, const char *name, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	if (strcmp(name, "lib*") == 0)
		return fw_fail(err, -E2BIG, "more than 200000 items are called 'lib*'");
	for (int i = 0; i < INVENTORY_FOUND_LIMIT && strcmp(name, "many*") == 0; i++)
		inventory_list(inventory, 1, kind, at_ms, each, arg, err);
	if (strcmp(name, "ba*") == 0)
		inventory_list(inventory, 1, kind, at_ms, each, arg, err);
	if (strcmp(name, "bash") == 0 || strcmp(name, "ba*") == 0)
		inventory_list(inventory, 2, kind, at_ms, each, arg, err);
	return 0;
}

void inventory_open_reader(struct inventory **out, struct state *reader)
{
	*out = (struct inventory *)(void *)reader;
}

void inventory_close(struct inventory *inventory)
{
	(void)inventory;
}

int inventory_known(struct inventory *inventory, const char *kind, int64_t at_ms,
	void (*each)(uint32_t host, void *arg), void *arg, struct fw_err *err)
{
	(void)inventory;
	(void)kind;
	(void)err;
	each(1, arg);
	if (!at_ms)
		each(2, arg);
	return 0;
}

int inventory_all(struct inventory *inventory, const char *kind, inventory_each each, void *arg,
	struct fw_err *err)
{
	int rc = inventory_list(inventory, 1, kind, 0, each, arg, err);
	return rc == 0 ? inventory_list(inventory, 2, kind, 0, each, arg, err) : rc;
}

int inventory_documents(struct inventory *inventory, uint32_t host,
	void (*each)(const struct inventory_document *document, void *arg), void *arg,
	struct fw_err *err)
{
	(void)inventory;
	(void)err;
	const struct inventory_document document = {
		.kind = "packages", .items = 912, .first_ms = 1700000000000, .changed_ms = 1};
	if (host == 1)
		each(&document, arg);
	return 0;
}

/* ---- patches ---- */

/* web01 has one fix, overdue since yesterday; of db01 nothing is proven. */
static const struct patch_fix openssl = {
	.key = "openssl:amd64",
	.installed = "3.0.11-1",
	.candidate = "3.0.15-1",
	.source = "openssl",
	.origin = "Debian",
	.severity = "high",
	.advisory = "DSA-1-1",
	.state = "pending",
	.needs = "",
	.class = PATCH_SECURITY,
	.cvss = 7.5,
	.seen_s = 1700000100,
	.start_s = 1700000000,
	.basis = PATCH_BY_ADVISORY,
	.due_s = {[PATCH_CE14] = 1701209600, [PATCH_NCSC5] = 1700432000},
};

static struct patch_host patches_of(struct fw_arena *arena, const char *name)
{
	if (strcmp(name, "web01") != 0)
		return (struct patch_host){.name = name,
			.os = "",
			.why = "it has sent no list of fixes",
			.os_listed = false};
	struct patch_fix *fix = fw_arena_alloc(arena, sizeof *fix);
	*fix = openssl;
	return (struct patch_host){.name = name,
		.os = "Debian 12",
		.os_listed = true,
		.support_end_s = {[PATCH_MAINSTREAM] = 1781136000},
		.heard_s = 1700000200,
		.pending = 1,
		.security = 1,
		.overdue = {1, 1, 0},
		.oldest_s = {[PATCH_SECURITY] = 1700000000},
		.n_fixes = 1,
		.fixes = fix};
}

size_t patch_hosts(const struct patch *patch, const char *name, struct fw_arena *arena,
	struct patch_asked **out)
{
	static const char *const names[] = {"db01", "web01"};
	size_t n = 0;
	(void)patch;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	for (size_t i = 0; i < 2; i++)
		if (!name || strcmp(name, names[i]) == 0)
			(*out)[n++] = (struct patch_asked){.name = names[i]};
	return n;
}

int patch_judge(const struct patch *patch, const struct patch_question *question,
	struct fw_arena *arena, struct patch_host **out, size_t *n, struct fw_err *err)
{
	(void)patch;
	(void)err;
	*n = question->n;
	*out = fw_arena_alloc(arena, (*n + 1) * sizeof **out);
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = patches_of(arena, question->asked[i].name);
	return 0;
}

void patch_list(struct patch *patch, struct fw_arena *arena, struct patch_host **out, size_t *n)
{
	(void)patch;
	*n = 2;
	*out = fw_arena_alloc(arena, 2 * sizeof **out);
	(*out)[0] = patches_of(arena, "db01");
	(*out)[1] = patches_of(arena, "web01");
}

int patch_import(struct patch *patch, const struct patch_advisory *advisories, size_t n,
	int64_t now_ms, struct fw_err *err)
{
	(void)patch;
	(void)now_ms;
	(void)err;
	snprintf(fakes_asked, sizeof fakes_asked, "import %zu %s %.1f %s", n,
		n ? advisories[0].name : "", n ? advisories[0].cvss : 0,
		n && advisories[0].n_fixes ? advisories[0].fixes[0].version : "");
	return 0;
}

int patch_advisories(const struct patch *patch, const char *package, size_t limit,
	struct fw_arena *arena, struct patch_advisory **out, size_t *n, struct fw_err *err)
{
	(void)patch;
	(void)err;
	*n = !package || strcmp(package, "openssl") == 0;
	*out = fw_arena_alloc(arena, limit * sizeof **out);
	(*out)[0] = (struct patch_advisory){
		.name = "DSA-1-1", .issued_s = 1700000000, .severity = "", .n_fixes = 3};
	return 0;
}

int patch_evidence_stat(
	const struct patch *patch, struct patch_evidence_stat *out, struct fw_err *err)
{
	(void)patch;
	(void)err;
	*out = (struct patch_evidence_stat){7, 1700000000};
	return 0;
}
