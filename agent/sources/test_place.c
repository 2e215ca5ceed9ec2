/* SPDX-License-Identifier: Apache-2.0 */
#include "test_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "../documents.h"
#include "../print.h"
#include "../sweep.h"
#include "test_tree.h"

void place_put(struct place *place, const char *path, const char *text)
{
	assert_int_equal(test_put(place->root, path, text, strlen(text)), 0);
}

void place_take_away(struct place *place, const char *path)
{
	assert_int_equal(unlinkat(place->m.root, path, 0), 0);
}

void place_init(struct place *place)
{
	*place = (struct place){.root = "/tmp/fenwatch-place-XXXXXX"};
	assert_non_null(mkdtemp(place->root));
	snprintf(place->var, sizeof place->var, "%s/data", place->root);
	place_put(place, "data/agent", "");
	assert_int_equal(machine_open(&place->m, place->root, NULL), 0);
	place->m.var = place->var;
	place->sweep = sweep_new();
	place->now_ms = fw_wall_ms();
}

static void drop_texts(struct place *place)
{
	fw_free(place->series);
	fw_free(place->table);
	fw_free(place->proof);
	place->series = place->table = place->proof = NULL;
}

void place_done(struct place *place)
{
	machine_close(&place->m);
	sweep_free(place->sweep);
	assert_int_equal(test_remove_tree(place->root), 0);
	drop_texts(place);
}

char *place_load(const struct place *place, const char *kind)
{
	struct fw_buf file = {0};
	char *path = fw_format("%s/documents/%s", place->var, kind);
	assert_true(fw_file_read(path, 1 << 20, &file, NULL) >= 0);
	char *text = fw_strdup((char *)file.data);
	fw_free(path);
	fw_buf_done(&file);
	return text;
}

/* Its first line is the document's own. */
static void load_table(struct place *place)
{
	struct fw_buf table = {0}, proof = {0};
	char *text = place_load(place, "patches"), *line = strchr(text, '\n') + 1;
	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		bool proves = strncmp(line, "+source/", 8) == 0 || strncmp(line, "+os\t", 4) == 0;
		fw_buf_append(proves ? &proof : &table, line, (size_t)(end + 1 - line));
	}
	place->table = fw_strndup(table.data ? (char *)table.data : "", table.length);
	place->proof = fw_strndup(proof.data ? (char *)proof.data : "", proof.length);
	fw_buf_done(&table);
	fw_buf_done(&proof);
	fw_free(text);
}

static void on_document(const struct document_news *news, void *arg)
{
	const struct place *place = arg;
	assert_int_equal(documents_keep(place->var, news, NULL), 0);
}

void place_read(struct place *place, const struct source *source)
{
	struct fw_buf answer = {0}, series = {0};
	struct fw_err err;
	place->m.now_ms = place->now_ms;
	place->m.documents = documents_new(place->var, source);
	sweep_begin(place->sweep, place->now_ms);
	if (source->read(NULL, &place->m, place->sweep, &err) < 0)
		fail_msg("%s", err.text);
	sweep_end(place->sweep);
	documents_finish(place->m.documents, place->now_ms, &answer);
	assert_int_equal(documents_check(source, answer.data, answer.length, &err), 0);
	documents_each(source, answer.data, answer.length, on_document, place);
	documents_free(place->m.documents);
	place->m.documents = NULL;
	print_sweep(place->sweep, &series);
	drop_texts(place);
	place->series = fw_strdup((char *)series.data);
	load_table(place);
	fw_buf_done(&answer);
	fw_buf_done(&series);
}
