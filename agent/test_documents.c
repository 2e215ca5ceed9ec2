/* SPDX-License-Identifier: Apache-2.0 */
/* A child's side of inventory, read by read, and the agent's, which keeps a table
 * once it is spooled. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "documents.h"
#include "test_tree.h"

#define NOW_MS 1795390000000

static const char *const kinds[] = {"packages", "peers", NULL};
static const struct source source = {.name = "test", .slow = true, .documents = kinds};
static char folder[] = "/tmp/fenwatch-documents-XXXXXX";

/* What one read has handed on of a kind. */
struct got {
	const char *kind;
	unsigned documents;
	uint64_t revision;
	bool whole;
	char *text;
	size_t packed;
	bool keep;
};

static void on_document(const struct document_news *news, void *arg)
{
	struct got *got = arg;
	struct fw_buf raw = {0};
	struct fw_err err;
	if (strcmp(news->kind, got->kind) != 0)
		return;
	assert_int_equal(
		fw_items_unpack(&raw, news->body, news->length, news->raw_length, &err), 0);
	got->documents++;
	got->revision = news->revision;
	got->whole = news->whole;
	got->packed = news->length;
	got->text = fw_strndup(raw.data ? (char *)raw.data : "", raw.length);
	fw_buf_done(&raw);
	if (got->keep)
		assert_int_equal(documents_keep(folder, news, &err), 0);
}

static void got_done(struct got *got)
{
	fw_free(got->text);
	got->text = NULL;
}

/* One read of a table whose items are "key version" pairs. */
static struct got read_table(const char *const *items, bool keep)
{
	struct machine m = {.documents = documents_new(folder, &source)};
	struct fw_buf answer = {0};
	struct fw_err err;
	struct got got = {.kind = "packages", .keep = keep};
	struct document *d = document_begin(&m, "packages");
	for (; items[0]; items += 2) {
		document_item(d, items[0]);
		document_field(d, "version", items[1]);
	}
	documents_finish(m.documents, NOW_MS, &answer);
	assert_int_equal(documents_check(&source, answer.data, answer.length, &err), 0);
	documents_each(&source, answer.data, answer.length, on_document, &got);
	fw_buf_done(&answer);
	documents_free(m.documents);
	return got;
}

static void expect(struct got got, uint64_t revision, bool whole, const char *text)
{
	assert_int_equal(got.documents, 1);
	assert_int_equal(got.revision, revision);
	assert_int_equal(got.whole, whole);
	assert_string_equal(got.text, text);
	got_done(&got);
}

#define ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int forget(void **unused)
{
	(void)unused;
	char *path = fw_format("%s/documents", folder);
	int rc = access(path, F_OK) == 0 ? test_remove_tree(path) : 0;
	fw_free(path);
	return rc;
}

static void test_whole_then_differences(void **unused)
{
	(void)unused;
	uint64_t first = NOW_MS / 1000;
	expect(read_table(ITEMS("b", "1", "a", "1", "c", "1", "d", "1", "e", "1"), true), first,
		true,
		"+a\tversion=1\n+b\tversion=1\n+c\tversion=1\n+d\tversion=1\n+e\tversion=1\n");
	struct got same = read_table(ITEMS("a", "1", "b", "1", "c", "1", "d", "1", "e", "1"), true);
	assert_int_equal(same.documents, 0);
	expect(read_table(ITEMS("a", "1", "c", "2", "d", "1", "e", "1"), true), first + 1, false,
		"-b\n+c\tversion=2\n");
	expect(read_table(ITEMS("a", "1", "aa", "1", "c", "2", "d", "1"), true), first + 2, false,
		"+aa\tversion=1\n-e\n");
}

/* A difference that says most of the table anew is the table. */
static void test_large_difference_is_whole(void **unused)
{
	(void)unused;
	struct got got = read_table(ITEMS("a", "1", "b", "1"), true);
	got_done(&got);
	expect(read_table(ITEMS("a", "2", "b", "2"), true), NOW_MS / 1000 + 1, true,
		"+a\tversion=2\n+b\tversion=2\n");
	expect(read_table(ITEMS(NULL), true), NOW_MS / 1000 + 2, true, "");
	struct got none = read_table(ITEMS(NULL), true);
	assert_int_equal(none.documents, 0);
}

/* Killed before the table took its place: the same number again, for the same change or more. */
static void test_not_kept(void **unused)
{
	(void)unused;
	struct got got = read_table(ITEMS("a", "1", "b", "1", "c", "1"), true);
	got_done(&got);
	expect(read_table(ITEMS("a", "1", "b", "1"), false), NOW_MS / 1000 + 1, false, "-c\n");
	expect(read_table(ITEMS("b", "1"), false), NOW_MS / 1000 + 1, false, "-a\n-c\n");
}

static void test_whole_wanted(void **unused)
{
	(void)unused;
	struct fw_err err;
	assert_int_equal(documents_want_whole(folder, NULL, &err), 0);
	struct got got = read_table(ITEMS("a", "1", "b", "1"), true);
	got_done(&got);
	char *mark = fw_format("%s/documents/packages.whole", folder);
	assert_int_equal(fw_close(fw_open(mark, O_CREAT | O_WRONLY, 0600)), 0);
	fw_free(mark);
	struct machine m = {.documents = documents_new(folder, &source)};
	assert_false(document_is_kept(&m, "packages", 0));
	expect(read_table(ITEMS("a", "1", "b", "1"), true), NOW_MS / 1000 + 1, true,
		"+a\tversion=1\n+b\tversion=1\n");
	assert_true(document_is_kept(&m, "packages", 0));
	documents_free(m.documents);
	struct got none = read_table(ITEMS("a", "1", "b", "1"), true);
	assert_int_equal(none.documents, 0);
	assert_int_equal(documents_want_whole(folder, "no such kind", &err), -ENOENT);
}

/* A source may rely on what it remembers only when its table is kept as well. */
static void test_made_from(void **unused)
{
	(void)unused;
	for (uint64_t made_from = 5; made_from < 8; made_from++) {
		struct machine m = {.documents = documents_new(folder, &source)};
		struct got got = {.kind = "packages", .keep = made_from == 6};
		struct fw_buf answer = {0};
		assert_false(document_is_kept(&m, "packages", made_from));
		struct document *d = document_begin(&m, "packages");
		document_made_from(d, made_from);
		document_item(d, "a");
		documents_finish(m.documents, NOW_MS, &answer);
		documents_each(&source, answer.data, answer.length, on_document, &got);
		assert_int_equal(got.documents, made_from < 7);
		assert_int_equal(document_is_kept(&m, "packages", made_from), made_from > 5);
		got_done(&got);
		fw_buf_done(&answer);
		documents_free(m.documents);
	}
}

/* A file that was harmed counts as none. */
static void test_harmed_file(void **unused)
{
	(void)unused;
	static const char *const harmed[] = {"", "fenwatch-items 2 7 0\n+a\tversion=1\n",
		"fenwatch-items 1 7 0\n+a\tversion=1", "fenwatch-items 1 7\n",
		"fenwatch-items 1 x 0\n"};
	char *path = fw_format("%s/documents/packages", folder);
	for (size_t i = 0; i < sizeof harmed / sizeof *harmed; i++) {
		struct fw_err err;
		struct got got = read_table(ITEMS("a", "1"), true);
		got_done(&got);
		assert_int_equal(
			fw_file_replace(path, harmed[i], strlen(harmed[i]), 0600, &err), 0);
		expect(read_table(ITEMS("a", "1"), true), NOW_MS / 1000, true, "+a\tversion=1\n");
	}
	fw_free(path);
}

static int count(const struct fw_item *item, void *arg)
{
	assert_string_equal(fw_item_value(item, "version"), "1");
	++*(int *)arg;
	return 0;
}

static void test_before(void **unused)
{
	(void)unused;
	int n = 0;
	struct machine m = {.documents = documents_new(folder, &source)};
	assert_int_equal(document_before(&m, "packages", count, &n), -ENOENT);
	struct got got = read_table(ITEMS("a", "1", "b", "1"), true);
	got_done(&got);
	assert_int_equal(document_before(&m, "packages", count, &n), 0);
	assert_int_equal(n, 2);
	documents_free(m.documents);
}

/* Of two with one key the first stays; without a reader nothing happens. */
static void test_twice_and_nobody(void **unused)
{
	(void)unused;
	expect(read_table(ITEMS("b", "1", "a", "1", "b", "2"), true), NOW_MS / 1000, true,
		"+a\tversion=1\n+b\tversion=1\n");
	struct machine m = {.documents = NULL};
	assert_null(document_begin(&m, "packages"));
	document_item(NULL, "a");
	document_field(NULL, "version", "1");
}

/* 5,000 packages and a change of ten. */
static void test_many(void **unused)
{
	(void)unused;
	const char **items = fw_alloc_array(10001, sizeof *items);
	for (size_t i = 0; i < 5000; i++) {
		items[2 * i] = fw_format("lib%zu-dev:amd64", (i * 7919) % 5000);
		items[2 * i + 1] = "1.0-1";
	}
	struct got got = read_table(items, true);
	assert_true(got.whole);
	assert_true(got.packed < 64 << 10);
	got_done(&got);
	for (size_t i = 0; i < 10; i++)
		items[2 * i + 1] = "1.0-2";
	got = read_table(items, true);
	assert_false(got.whole);
	assert_true(got.packed < 300);
	got_done(&got);
	for (size_t i = 0; i < 5000; i++)
		fw_free((char *)(uintptr_t)items[2 * i]);
	fw_free(items);
}

static void test_table_too_large(void **unused)
{
	(void)unused;
	struct machine m = {.documents = documents_new(folder, &source)};
	struct fw_buf answer = {0};
	struct fw_err err;
	char *value = fw_alloc(1001);
	memset(value, 'x', 1000);
	struct document *d = document_begin(&m, "packages");
	for (int i = 0; i < 5000; i++) {
		char *key = fw_format("%d", i);
		document_item(d, key);
		document_field(d, "version", value);
		fw_free(key);
	}
	documents_finish(m.documents, NOW_MS, &answer);
	assert_int_equal(documents_check(&source, answer.data, answer.length, &err), -EFBIG);
	assert_string_equal(err.text, "inventory: packages: the table is larger than 4 MiB");
	fw_buf_done(&answer);
	fw_free(value);
	documents_free(m.documents);
}

/* Cut anywhere, what a child hands back is refused. */
static void test_cut_answers(void **unused)
{
	(void)unused;
	struct machine m = {.documents = documents_new(NULL, &source)};
	struct fw_buf answer = {0};
	struct fw_err err;
	document_item(document_begin(&m, "packages"), "a");
	document_item(document_begin(&m, "peers"), "b");
	documents_finish(m.documents, NOW_MS, &answer);
	assert_int_equal(documents_check(&source, answer.data, answer.length, &err), 0);
	for (size_t length = 0; length < answer.length; length++)
		assert_int_equal(documents_check(&source, answer.data, length, &err), -EBADMSG);
	static const struct source other = {.name = "other"};
	assert_int_equal(documents_check(&other, answer.data, answer.length, &err), -EBADMSG);
	fw_buf_done(&answer);
	documents_free(m.documents);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 2;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_whole_then_differences, forget),
		cmocka_unit_test_teardown(test_large_difference_is_whole, forget),
		cmocka_unit_test_teardown(test_not_kept, forget),
		cmocka_unit_test_teardown(test_whole_wanted, forget),
		cmocka_unit_test_teardown(test_made_from, forget),
		cmocka_unit_test_teardown(test_harmed_file, forget),
		cmocka_unit_test_teardown(test_before, forget),
		cmocka_unit_test_teardown(test_twice_and_nobody, forget),
		cmocka_unit_test_teardown(test_many, forget),
		cmocka_unit_test_teardown(test_table_too_large, forget),
		cmocka_unit_test_teardown(test_cut_answers, forget),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
