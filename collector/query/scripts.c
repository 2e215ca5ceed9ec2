/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a query script: series, question, answer. Each question is one test.
 *
 *   load 0s 15s                    sweeps from 0s on, one every 15s; below, a series a line:
 *     up{instance="a",job="node"} 1 1 _ 0
 *   write 0s 15s                   the same, each series for itself, as in Prometheus' tests:
 *     up{instance="a"} 1x3 0+10x5 _ stale
 *   at 1m up{job="node"}           an instant query; below, its answer, a series a line:
 *     up{instance="a",job="node"} 0
 *   from 0s to 1m by 30s up        a range query (and for `at 1m up[1m]`):
 *     up{instance="a",job="node"} 1@0 0@60
 *   series up                      series, label names, values of a label; the
 *   labels [SELECTOR]              whole time counts
 *   values LABEL [SELECTOR]
 *
 * Indented lines belong to the command above them. "_" of a `load` is an absent
 * cell: the series has ended there. All series of one `load` and host are one
 * schema. A question that is to be refused has the line "! SENTENCE" as its
 * answer, one that is answered with a warning or an info has it last.
 * Lines that begin with "#" and empty ones are skipped.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

#include "memory.h"
#include "number.h"
#include "query.h"
#include "store.h"

#define MAX_LINES 256
#define MAX_SWEEPS 512

struct script {
	const char *path;
	struct store *store;
	struct fw_arena arena; /* of one command */
	const char *command;
	unsigned line; /* of the command */
	const char *below[MAX_LINES];
	size_t n_below;
	unsigned n_tests, n_failed;
	int64_t end_ms; /* of what was loaded */
};

__attribute__((noreturn)) static void give_up(const struct script *s, const char *why)
{
	printf("Bail out! %s:%u: %s\n", s->path, s->line, why);
	exit(1);
}

static char *cut_word(char **at)
{
	char *word = *at + strspn(*at, " \t");
	char *end = word + strcspn(word, " \t");
	*at = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static int64_t cut_duration(const struct script *s, char **at)
{
	const char *word = cut_word(at);
	int64_t ms;
	if (promql_duration(word, strlen(word), &ms) < 0)
		give_up(s, "not a duration");
	return ms;
}

/* ---- load ---- */

struct loaded {
	struct fw_label host[2];
	struct fw_column column;
	int64_t cells[MAX_SWEEPS];
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	const struct fw_label *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static void read_labels(struct script *s, const struct node *node, struct loaded *out)
{
	const size_t n = node->selector.n_matchers;
	struct fw_label *labels = fw_arena_alloc(&s->arena, n * sizeof *labels);
	out->host[0].name = "instance";
	out->host[1].name = "job";
	for (size_t i = 0; i < n; i++) {
		const struct matcher *m = &node->selector.matchers[i];
		if (strcmp(m->name, "__name__") == 0)
			out->column.name = m->value;
		else if (strcmp(m->name, "instance") == 0)
			out->host[0].value = m->value;
		else if (strcmp(m->name, "job") == 0)
			out->host[1].value = m->value;
		else
			labels[out->column.n_labels++] = (struct fw_label){m->name, m->value};
	}
	qsort(labels, out->column.n_labels, sizeof *labels, by_name);
	out->column.labels = labels;
	out->column.factor = 1;
	out->column.type = FW_GAUGE | FW_DOUBLE;
	if (!out->column.name || !out->host[0].value || !out->host[1].value)
		give_up(s, "a series needs a name, an instance and a job");
}

static int64_t read_cell(const char *word)
{
	if (strcmp(word, "_") == 0)
		return FW_ABSENT;
	return fw_double_cell(strtod(word, NULL));
}

static void read_series(struct script *s, const char *line, struct loaded *out)
{
	const char *brace = strchr(line, '}');
	if (!brace)
		give_up(s, "a series needs its labels");
	struct node *node;
	struct fw_err err;
	if (promql_parse_selector(fw_arena_strndup(&s->arena, line, (size_t)(brace + 1 - line)),
		    &s->arena, &node, &err) < 0)
		give_up(s, err.text);
	read_labels(s, node, out);
	char *at = fw_arena_strdup(&s->arena, brace + 1);
	for (char *word; *(word = cut_word(&at));) {
		if (out->n == MAX_SWEEPS)
			give_up(s, "too many samples");
		out->cells[out->n++] = read_cell(word);
	}
}

struct waiting {
	struct store_entry entry;
	uv_sem_t done;
};

static void on_done(struct store_entry *entry)
{
	struct waiting *w = (struct waiting *)entry;
	uv_sem_post(&w->done);
}

static void submit(struct script *s, uint32_t host, uint32_t schema, const struct fw_sweeps *sweeps)
{
	struct waiting w = {.entry = {
				    .kind = STORE_CELLS,
				    .host = host,
				    .schema = schema,
				    .received_ms = sweeps->times_ms[sweeps->n_sweeps - 1],
				    .sweeps = *sweeps,
				    .on_done = on_done,
			    }};
	uv_sem_init(&w.done, 0);
	store_submit(s->store, &w.entry);
	uv_sem_wait(&w.done);
	uv_sem_destroy(&w.done);
	if (w.entry.verdict != STORE_DURABLE)
		give_up(s, "the store did not take the sweeps");
}

/* The lines `first` and below that are of its host, as one schema. */
static void load_host(struct script *s, struct loaded *const *rows, size_t n_rows, int64_t start_ms,
	int64_t step_ms)
{
	uint32_t n_sweeps = (uint32_t)rows[0]->n;
	struct fw_column *columns = fw_arena_alloc(&s->arena, n_rows * sizeof *columns);
	int64_t *cells = fw_arena_alloc(&s->arena, n_rows * n_sweeps * sizeof *cells);
	int64_t *times_ms = fw_arena_alloc(&s->arena, n_sweeps * sizeof *times_ms);
	for (size_t c = 0; c < n_rows; c++) {
		columns[c] = rows[c]->column;
		if (rows[c]->n != n_sweeps)
			give_up(s, "series of one host need equally many samples");
		for (size_t i = 0; i < n_sweeps; i++)
			cells[i * n_rows + c] = rows[c]->cells[i];
	}
	for (uint32_t i = 0; i < n_sweeps; i++)
		times_ms[i] = start_ms + step_ms * i;
	struct fw_schema schema = {.n_columns = (uint32_t)n_rows, .columns = columns};
	fw_schema_seal(&schema);
	uint32_t host, id;
	if (store_host_intern(s->store, rows[0]->host, 2, &host, NULL) < 0 ||
		store_schema_intern(s->store, &schema, &id, NULL) < 0)
		give_up(s, "the store refused the series");
	submit(s, host, id, &(struct fw_sweeps){host, n_sweeps, (uint32_t)n_rows, times_ms, cells});
	if (times_ms[n_sweeps - 1] > s->end_ms)
		s->end_ms = times_ms[n_sweeps - 1];
}

static bool same_host(const struct loaded *a, const struct loaded *b)
{
	return strcmp(a->host[0].value, b->host[0].value) == 0 &&
		strcmp(a->host[1].value, b->host[1].value) == 0;
}

static void run_load(struct script *s, char *rest)
{
	int64_t start_ms = cut_duration(s, &rest), step_ms = cut_duration(s, &rest);
	struct loaded *rows[MAX_LINES];
	for (size_t i = 0; i < s->n_below; i++) {
		rows[i] = fw_arena_alloc(&s->arena, sizeof *rows[i]);
		read_series(s, s->below[i], rows[i]);
	}
	for (size_t i = 0; i < s->n_below; i++) {
		struct loaded *of_host[MAX_LINES];
		size_t n = 0;
		bool is_first = true;
		for (size_t k = 0; k < s->n_below; k++) {
			if (!same_host(rows[i], rows[k]))
				continue;
			is_first = is_first && k >= i;
			of_host[n++] = rows[k];
		}
		if (is_first)
			load_host(s, of_host, n, start_ms, step_ms);
	}
}

/* ---- write ---- */

static int write_series(void *arg, const struct promql_samples *samples)
{
	struct script *s = arg;
	struct store_sample *list = fw_arena_alloc(&s->arena, samples->n * sizeof *list);
	struct store_foreign series = {.labels = samples->labels,
		.n_labels = samples->n_labels,
		.samples = list,
		.n_samples = samples->n};
	struct fw_err err;
	for (size_t i = 0; i < samples->n; i++)
		list[i] = (struct store_sample){samples->times_ms[i], samples->cells[i]};
	int64_t last_ms = samples->times_ms[samples->n - 1];
	if (store_foreign_write(s->store, &series, 1, last_ms, &err) < 0)
		give_up(s, err.text);
	if (series.refusal != STORE_TAKEN)
		give_up(s, "the store refused the series");
	if (last_ms > s->end_ms)
		s->end_ms = last_ms;
	return 0;
}

static void run_write(struct script *s, char *rest)
{
	int64_t start_ms = cut_duration(s, &rest), step_ms = cut_duration(s, &rest);
	struct promql_memory memory = {0};
	struct fw_err err;
	for (size_t i = 0; i < s->n_below; i++) {
		char *labels = fw_arena_strdup(&s->arena, s->below[i]), *end = strchr(labels, '}');
		if (!end || !end[1])
			give_up(s, "a series needs its labels and values");
		end[1] = '\0';
		if (promql_memory_load(&memory, labels, end + 2, start_ms, step_ms, &err) < 0)
			give_up(s, err.text);
	}
	const struct promql_data data = promql_memory_data(&memory);
	const struct promql_selection everything = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	const struct promql_select_to to = {
		.on_series = write_series, .arg = s, .arena = &s->arena};
	data.select(&data, &everything, &to, &err);
	promql_memory_done(&memory);
}

/* ---- questions ---- */

static void print_labels(const struct fw_label *labels, size_t n, struct fw_buf *out)
{
	const char *comma = "";
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, "__name__") == 0)
			fw_buf_puts(out, labels[i].value);
	fw_buf_putc(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (strcmp(labels[i].name, "__name__") == 0)
			continue;
		fw_buf_printf(out, "%s%s=\"%s\"", comma, labels[i].name, labels[i].value);
		comma = ",";
	}
	fw_buf_putc(out, '}');
}

static void print_point(double value, int64_t at_ms, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE], seconds[PROMQL_NUMBER_SIZE];
	fw_buf_printf(out, " %s@%s", promql_number(value, number, sizeof number),
		promql_number((double)at_ms / 1000, seconds, sizeof seconds));
}

static void print_series(
	const struct series *series, const struct promql_result *result, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE];
	print_labels(series->labels, series->n_labels, out);
	for (size_t i = 0; i < result->axis.n; i++) {
		if (result->type == PROMQL_VECTOR)
			fw_buf_printf(out, " %s",
				promql_number(series->values[i], number, sizeof number));
		else if (!promql_is_absent(series->values[i]))
			print_point(series->values[i], axis_at(&result->axis, i), out);
	}
	fw_buf_putc(out, '\n');
}

static void print_row(const struct promql_row *row, struct fw_buf *out)
{
	print_labels(row->labels, row->n_labels, out);
	for (size_t i = 0; i < row->n_points; i++)
		print_point(row->points[i].value, row->points[i].at_ms, out);
	fw_buf_putc(out, '\n');
}

static void print_result(const struct promql_result *result, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE];
	const struct value *value = &result->value;
	if (result->type == PROMQL_SCALAR)
		fw_buf_printf(out, "%s\n", promql_plain(*value->scalar, number, sizeof number));
	else if (result->type == PROMQL_STRING)
		fw_buf_printf(out, "%s\n", value->string);
	for (size_t i = 0; i < value->n_series; i++)
		print_series(&value->series[i], result, out);
	for (size_t i = 0; i < result->n_rows && value->n_series == 0; i++)
		print_row(&result->rows[i], out);
}

static void print_notes(const struct promql_notes *notes, struct fw_buf *out)
{
	static const char *const words[NOTE_KINDS] = {
		[NOTE_WARNING] = "warning", [NOTE_INFO] = "info"};
	for (int kind = 0; kind < NOTE_KINDS; kind++)
		for (size_t i = 0; i < notes->n[kind]; i++)
			fw_buf_printf(out, "%s: %s\n", words[kind], notes->texts[kind][i]);
}

static void print_found(const struct query_found *found, struct fw_buf *out)
{
	for (size_t i = 0; i < found->n_series; i++) {
		print_labels(found->series[i].labels, found->series[i].n_labels, out);
		fw_buf_putc(out, '\n');
	}
}

static void print_names(const struct query_names *names, struct fw_buf *out)
{
	for (size_t i = 0; i < names->count; i++)
		fw_buf_printf(out, "%s\n", names->items[i]);
}

static const struct promql_limits limits = {
	.max_samples = 1000000, .max_bytes = 64u << 20, .timeout_ms = 60000};

static int ask_range(struct script *s, char *rest, struct promql_result *result, struct fw_err *err)
{
	int64_t start_ms = cut_duration(s, &rest);
	bool is_whole = strcmp(cut_word(&rest), "to") == 0;
	int64_t end_ms = cut_duration(s, &rest);
	is_whole = is_whole && strcmp(cut_word(&rest), "by") == 0;
	int64_t step_ms = cut_duration(s, &rest);
	if (!is_whole)
		give_up(s, "it is: from START to END by STEP QUESTION");
	return query_range(
		s->store, NULL, rest, start_ms, end_ms, step_ms, &limits, &s->arena, result, err);
}

static int ask_names(
	struct script *s, bool of_label, char *rest, struct query_names *names, struct fw_err *err)
{
	const char *label = of_label ? cut_word(&rest) : NULL;
	const char *selectors[] = {rest};
	size_t n = *rest ? 1 : 0;
	return of_label ? query_label_values(s->store, NULL, label, selectors, n, 0, s->end_ms,
				  &s->arena, names, err)
			: query_label_names(s->store, NULL, selectors, n, 0, s->end_ms, &s->arena,
				  names, err);
}

static void run_question(struct script *s, const char *verb, char *rest, struct fw_buf *got)
{
	struct promql_result result = {0};
	struct query_found found = {0};
	struct query_names names = {0};
	struct fw_err err;
	int rc;
	if (strcmp(verb, "at") == 0) {
		int64_t at_ms = cut_duration(s, &rest);
		rc = query_instant(s->store, NULL, rest, at_ms, &limits, &s->arena, &result, &err);
	} else if (strcmp(verb, "from") == 0) {
		rc = ask_range(s, rest, &result, &err);
	} else if (strcmp(verb, "series") == 0) {
		const char *selectors[] = {rest};
		rc = query_find_series(
			s->store, NULL, selectors, 1, 0, s->end_ms, &s->arena, &found, &err);
	} else if (strcmp(verb, "labels") == 0 || strcmp(verb, "values") == 0) {
		rc = ask_names(s, *verb == 'v', rest, &names, &err);
	} else {
		give_up(s, "no such command");
	}
	if (rc < 0) {
		fw_buf_printf(got, "! %s\n", err.text);
		return;
	}
	print_result(&result, got);
	print_notes(&result.notes, got);
	print_found(&found, got);
	print_names(&names, got);
}

static void run_command(struct script *s)
{
	char *rest = fw_arena_strdup(&s->arena, s->command);
	const char *verb = cut_word(&rest);
	if (strcmp(verb, "load") == 0) {
		run_load(s, rest);
		return;
	}
	if (strcmp(verb, "write") == 0) {
		run_write(s, rest);
		return;
	}
	struct fw_buf got = {0}, wanted = {0};
	fw_buf_puts(&got, "");
	for (size_t i = 0; i < s->n_below; i++)
		fw_buf_printf(&wanted, "%s\n", s->below[i]);
	run_question(s, verb, rest, &got);
	bool same = got.length == wanted.length &&
		(got.length == 0 || memcmp(got.data, wanted.data, got.length) == 0);
	printf("%s %u - line %u: %s\n", same ? "ok" : "not ok", ++s->n_tests, s->line, s->command);
	if (!same) {
		s->n_failed++;
		fprintf(stderr, "%s:%u: %s\nwanted:\n%.*sgot:\n%.*s", s->path, s->line, s->command,
			(int)wanted.length, wanted.data ? (const char *)wanted.data : "",
			(int)got.length, got.data ? (const char *)got.data : "");
	}
	fw_buf_done(&got);
	fw_buf_done(&wanted);
}

static void end_command(struct script *s)
{
	if (s->command)
		run_command(s);
	s->command = NULL;
	s->n_below = 0;
	fw_arena_reset(&s->arena);
}

static void run_lines(struct script *s, char *text)
{
	unsigned line = 0;
	for (char *next, *at = text; at && *at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		line++;
		char *start = at + strspn(at, " \t");
		if (!*start || *at == '#')
			continue;
		if (start > at) {
			if (s->n_below == MAX_LINES)
				give_up(s, "too many lines below a command");
			s->below[s->n_below++] = start;
		} else {
			end_command(s);
			s->command = at;
			s->line = line;
		}
	}
	end_command(s);
}

static struct store *open_store(const char *dir)
{
	struct store_config config = {.dir = dir,
		.tier_bytes = {16u << 20, 8u << 20, 8u << 20},
		.any_age = true,
		.columns_per_host = 5000,
		.commit_ms = 1};
	struct store *store;
	struct fw_err err;
	if (store_open(&store, &config, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return store;
}

static void remove_dir(const char *dir)
{
	uv_fs_t list, op;
	uv_dirent_t entry;
	if (uv_fs_scandir(NULL, &list, dir, 0, NULL) >= 0)
		while (uv_fs_scandir_next(&list, &entry) == 0) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", dir, entry.name);
			if (entry.type == UV_DIRENT_DIR)
				remove_dir(path);
			else
				fw_unlink(path);
		}
	uv_fs_req_cleanup(&list);
	uv_fs_rmdir(NULL, &op, dir, NULL);
	uv_fs_req_cleanup(&op);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/fenwatch-query-XXXXXX";
	struct fw_buf text = {0};
	struct fw_err err;
	if (argc != 2 || fw_file_read(argv[1], 1u << 20, &text, &err) < 0 || !mkdtemp(dir)) {
		printf("Bail out! %s\n", argc == 2 ? err.text : "usage: query_scripts FILE");
		return 1;
	}
	struct script script = {.path = argv[1], .store = open_store(dir)};
	run_lines(&script, (char *)text.data);
	printf("1..%u\n", script.n_tests);
	store_close(script.store);
	fw_arena_done(&script.arena);
	fw_buf_done(&text);
	remove_dir(dir);
	return script.n_failed > 0 || script.n_tests == 0;
}
