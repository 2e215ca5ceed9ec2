/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every source, driven from the table: off is off, and from a person's own
 * machine no name of a person leaves.
 *
 * openat() and fork() are this test's, so that what a source opens and starts is seen
 * however it does so.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include <fenwatch/buf.h>
#include <fenwatch/conf.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "config.h"
#include "plan.h"
#include "print.h"
#include "sampler.h"

#define FILES_LIMIT 4096

static const char *machines; /* the folder of recorded trees */

/* ---- what is opened and started ---- */

static struct {
	char *paths[FILES_LIMIT];
	size_t n;
	unsigned forks;
	bool on;
} seen;

static bool is_seen(const char *path)
{
	for (size_t i = 0; i < seen.n; i++)
		if (strcmp(seen.paths[i], path) == 0)
			return true;
	return false;
}

static void note_file(int fd)
{
	char link[64], path[1024];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length <= 0)
		return;
	path[length] = '\0';
	if (!is_seen(path) && seen.n < FILES_LIMIT)
		seen.paths[seen.n++] = fw_strdup(path);
}

int openat(int folder, const char *path, int flags, ...)
{
	static int (*real)(int, const char *, int, ...);
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "openat64");
	int fd = real(folder, path, flags, mode);
	if (fd >= 0 && seen.on)
		note_file(fd);
	return fd;
}

/* No child is made: that it was tried is all that is asked. */
pid_t fork(void)
{
	seen.forks++;
	errno = EAGAIN;
	return -1;
}

static void forget_seen(void)
{
	while (seen.n > 0)
		fw_free(seen.paths[--seen.n]);
	seen.forks = 0;
}

/* ---- the recorded laptop ---- */

static struct config config;
static struct machine machine;
static struct fw_buf inventory;

static void open_tree(const char *tree, const char *class)
{
	struct fw_err err;
	char *text =
		fw_format("name: n\nroot: %s/%s\nclass: %s\nnetwork: {council: [10.0.0.0/8]}\n",
			machines, tree, class);
	if (config_parse(&config, "test", text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	if (machine_open(&machine, config.root, &err) < 0)
		fail_msg("%s", err.text);
	machine.choices = &config.choices;
	fw_free(text);
}

static void close_tree(void)
{
	machine_close(&machine);
	config_done(&config);
	fw_buf_done(&inventory);
	forget_seen();
}

static size_t count_sources(void)
{
	size_t n = 0;
	while (sources[n])
		n++;
	return n;
}

static struct sweep *read_with(const struct source_plan *plans)
{
	forget_seen();
	fw_buf_reset(&inventory);
	seen.on = true;
	struct sweep *sweep = sampler_once(&machine, plans, false, &inventory);
	seen.on = false;
	return sweep;
}

/* ---- off ---- */

/* The bits say which sources open the file when they are the only one that is on. */
struct opened {
	char *path;
	uint64_t readers[2];
};

static size_t note_readers(struct opened *files, size_t n, size_t source)
{
	for (size_t i = 0; i < seen.n; i++) {
		size_t at = 0;
		while (at < n && strcmp(files[at].path, seen.paths[i]) != 0)
			at++;
		if (at == n)
			files[n++] = (struct opened){.path = fw_strdup(seen.paths[i])};
		files[at].readers[source / 64] |= UINT64_C(1) << source % 64;
	}
	return n;
}

static bool has_other_reader(const struct opened *files, size_t n, const char *path, size_t source)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t readers[2] = {files[i].readers[0], files[i].readers[1]};
		readers[source / 64] &= ~(UINT64_C(1) << source % 64);
		if (strcmp(files[i].path, path) == 0)
			return readers[0] || readers[1];
	}
	return false;
}

static bool gives(const struct source *source, const struct sweep *sweep)
{
	for (uint32_t i = 0; i < sweep_schema(sweep)->n_columns; i++) {
		const struct metric *metric = sweep_metric(sweep, i);
		if (metric >= source->metrics && metric < source->metrics + source->n_metrics)
			return true;
	}
	return false;
}

/* Each source alone: what it opens, and whether it gives anything on this machine. */
static size_t read_each_alone(struct source_plan *plans, struct opened *files, unsigned *n_giving)
{
	size_t n = 0;
	for (size_t i = 0; sources[i]; i++) {
		plans[i].on = true;
		struct sweep *sweep = read_with(plans);
		*n_giving += gives(sources[i], sweep);
		n = note_readers(files, n, i);
		sweep_free(sweep);
		plans[i].on = false;
	}
	return n;
}

/* All but one: it gives nothing, and no file is opened that only it opens. */
static void check_off(struct source_plan *plans, size_t off, const struct opened *files, size_t n)
{
	for (size_t i = 0; sources[i]; i++)
		plans[i].on = i != off;
	struct sweep *sweep = read_with(plans);
	if (gives(sources[off], sweep))
		fail_msg("%s is off and gives series", sources[off]->name);
	for (size_t i = 0; i < seen.n; i++)
		if (!has_other_reader(files, n, seen.paths[i], off))
			fail_msg("%s is off, yet %s is opened", sources[off]->name, seen.paths[i]);
	sweep_free(sweep);
}

static void test_off_is_off(void **state)
{
	(void)state;
	open_tree("laptop-2019", "laptop");
	assert_in_range(count_sources(), 1, 128);
	struct source_plan *plans = plan_new();
	struct opened *files = fw_alloc_array(FILES_LIMIT, sizeof *files);
	unsigned n_giving = 0;
	size_t n = read_each_alone(plans, files, &n_giving);
	/* The control: there was something to see. */
	assert_true(n > 100 && n_giving > 25);
	for (size_t i = 0; sources[i]; i++)
		check_off(plans, i, files, n);
	while (n > 0)
		fw_free(files[--n].path);
	fw_free(files);
	fw_free(plans);
	close_tree();
}

static void test_all_off_opens_nothing(void **state)
{
	(void)state;
	open_tree("laptop-2019", "laptop");
	struct source_plan *plans = plan_new();
	struct sweep *sweep = read_with(plans);
	assert_int_equal(seen.n, 0);
	assert_int_equal(sweep_schema(sweep)->n_columns, 0);
	assert_int_equal(inventory.length, 0);
	sweep_free(sweep);
	fw_free(plans);
	close_tree();
}

static void ignore_sweeping(struct sweep *sweep, void *arg)
{
	(void)sweep;
	(void)arg;
}

static void ignore_swept(const struct sweep *sweep, void *arg)
{
	(void)sweep;
	(void)arg;
}

/* How many children the sampler would make at its start. */
static unsigned count_children(const struct source_plan *plans)
{
	uv_loop_t loop;
	struct sampler *sampler;
	struct fw_err err;
	struct sampler_config sampling = {.machine = &machine,
		.interval_ms = 3600000,
		.on_sweeping = ignore_sweeping,
		.on_swept = ignore_swept};
	uv_loop_init(&loop);
	forget_seen();
	if (sampler_open(&sampler, &loop, &sampling, plans, &err) < 0)
		fail_msg("%s", err.text);
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
	unsigned forks = seen.forks;
	sampler_close(sampler);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return forks;
}

static void test_off_makes_no_child(void **state)
{
	(void)state;
	open_tree("laptop-2019", "server");
	struct source_plan *plans = plan_new();
	plan_sources(&config, NULL, plans);
	for (size_t i = 0; sources[i]; i++)
		plans[i].on = true;
	unsigned all = count_children(plans);
	if (all <= 5)
		fail_msg("%u children of all slow sources", all);
	for (size_t i = 0; sources[i]; i++) {
		plans[i].on = false;
		unsigned without = count_children(plans);
		plans[i].on = true;
		for (size_t k = 0; sources[k]; k++)
			plans[k].on = k == i;
		unsigned alone = count_children(plans);
		for (size_t k = 0; sources[k]; k++)
			plans[k].on = true;
		if ((alone > 0 && !sources[i]->slow) || without != all - alone)
			fail_msg("%s: %u children, %u without it, %u alone", sources[i]->name, all,
				without, alone);
	}
	fw_free(plans);
	close_tree();
}

/* The switch in agent.yml, for every source by its name. */
static void test_every_source_has_a_switch(void **state)
{
	(void)state;
	for (size_t i = 0; sources[i]; i++) {
		struct fw_err err;
		char *text = fw_format("sources: {%s: off}\n", sources[i]->name);
		assert_int_equal(config_parse(&config, "test", text, strlen(text), &err), 0);
		struct source_plan *plans = plan_new();
		plan_sources(&config, NULL, plans);
		assert_false(plans[i].on);
		fw_free(plans);
		config_done(&config);
		fw_free(text);
	}
}

/* ---- names of people ---- */

/* They stand in the recorded laptop: who is logged in, what he does, his wireless network,
 * its access point, his files, the address that he came from. */
static const char *const canaries[] = {"alicesmith", "Alice", "TurnipNest", "02:c0:ff:ee",
	"02:C0:FF:EE", "Plum-Jam", "Recipe", "198.51.100.77", "10.20.31.7", "gnome-shell",
	"Web Content", "gdm", "ALICESMITH", "nas.example", "bastion.example"};

static bool has_bytes(const struct fw_buf *text, const char *word)
{
	return text->length > 0 && memmem(text->data, text->length, word, strlen(word)) != NULL;
}

/* Everything that --print shows and all that a frame can hold of names: its schema and the
 * tables of its documents. */
static void read_everything(struct fw_buf *out)
{
	struct source_plan *plans = plan_new();
	plan_sources(&config, NULL, plans);
	struct sweep *sweep = read_with(plans);
	print_sweep(sweep, out);
	fw_schema_encode(sweep_schema(sweep), 1, NULL, out);
	fw_buf_append(out, inventory.data, inventory.length);
	assert_true(inventory.length > 0);
	sweep_free(sweep);
	fw_free(plans);
}

static void test_no_name_leaves_a_device(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	open_tree("laptop-2019", "laptop");
	read_everything(&text);
	for (size_t i = 0; i < sizeof canaries / sizeof *canaries; i++)
		if (has_bytes(&text, canaries[i]))
			fail_msg("'%s' would be sent", canaries[i]);
	assert_true(has_bytes(&text, "fenwatch_disk_encrypted"));
	fw_buf_done(&text);
	close_tree();
}

/* The control: they are there to be found, and a server tells a mount by its name. */
static void test_the_names_are_there(void **state)
{
	(void)state;
	struct fw_buf text = {0}, tree = {0};
	open_tree("laptop-2019", "server");
	read_everything(&text);
	assert_true(has_bytes(&text, "alicesmith"));
	static const char *const files[] = {"etc/passwd", "run/systemd/sessions/7",
		"etc/NetworkManager/system-connections/home.nmconnection", "proc/net/arp",
		"proc/1200/cmdline", "proc/1200/stat", "proc/1301/stat", "proc/net/fib_trie",
		"run/systemd/sessions/c1", "proc/self/mountinfo"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct fw_cursor c;
		assert_int_equal(machine_read(&machine, files[i], &c), 0);
		fw_buf_append(&tree, c.at, (size_t)(c.end - c.at));
	}
	for (size_t i = 0; i < sizeof canaries / sizeof *canaries; i++)
		if (!has_bytes(&tree, canaries[i]))
			fail_msg("'%s' is not in the tree", canaries[i]);
	fw_buf_done(&text);
	fw_buf_done(&tree);
	close_tree();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	machines = argv[1];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_is_off),
		cmocka_unit_test(test_all_off_opens_nothing),
		cmocka_unit_test(test_off_makes_no_child),
		cmocka_unit_test(test_every_source_has_a_switch),
		cmocka_unit_test(test_no_name_leaves_a_device),
		cmocka_unit_test(test_the_names_are_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
