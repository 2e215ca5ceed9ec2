/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/interrupts: a header that names the CPUs, then a line for each interrupt:
 * its number or name, a count for each CPU, and words about it. A number has its
 * chip and kind first and then the drivers that wait for it. */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct metric metrics[] = {
	{"node_interrupts_total", FW_COUNTER, "", "Interrupt details.", 0, 1},
};

#define CPUS_LIMIT 1024
#define WORDS_BYTES 256

struct interrupts {
	uint16_t cpus[CPUS_LIMIT];
	size_t n;
};

static void read_header(struct interrupts *s, struct fw_cursor *line)
{
	uint64_t cpu;
	s->n = 0;
	fw_skip_blanks(line);
	while (s->n < CPUS_LIMIT && fw_cut_literal(line, "CPU") && fw_cut_u64(line, &cpu) &&
		cpu <= UINT16_MAX) {
		s->cpus[s->n++] = (uint16_t)cpu;
		fw_skip_blanks(line);
	}
}

/* The rest of a line with single blanks. */
static void join_words(struct fw_cursor *line, char *out, size_t size)
{
	const char *word;
	size_t length, n = 0;
	out[0] = '\0';
	while (fw_cut_word(line, &word, &length) && n + length + 2 <= size) {
		if (n > 0)
			out[n++] = ' ';
		memcpy(out + n, word, length);
		n += length;
		out[n] = '\0';
	}
}

static void add_line(const struct interrupts *s, struct sweep *out, struct fw_cursor *line)
{
	char type[NAME_BYTES], info[WORDS_BYTES], devices[WORDS_BYTES] = "", cpu[8];
	int64_t count;
	if (!cut_name(line, ':', type, sizeof type))
		return;
	struct fw_cursor counts = *line;
	for (size_t i = 0; i < s->n; i++)
		if (!fw_cut_i64(line, &count))
			return; /* ERR and MIS count for all CPUs together */
	bool numbered = is_number(type) && cut_name(line, ' ', info, sizeof info);
	join_words(line, numbered ? devices : info, WORDS_BYTES);
	for (size_t i = 0; i < s->n && fw_cut_i64(&counts, &count); i++) {
		snprintf(cpu, sizeof cpu, "%u", s->cpus[i]);
		sweep_add(out, &metrics[0], count,
			SWEEP_LABELS("cpu", cpu, "devices", devices, "info", info, "type", type));
	}
}

static int read_interrupts(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct interrupts *s = state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/interrupts", &c, err);
	if (rc < 0)
		return rc;
	if (fw_cut_line(&c, &line))
		read_header(s, &line);
	while (s->n > 0 && fw_cut_line(&c, &line))
		add_line(s, out, &line);
	return s->n > 0 ? 0 : fw_fail(err, -EBADMSG, "/proc/interrupts: it names no CPU");
}

const struct source source_interrupts = {
	.name = "interrupts",
	.help = "Each interrupt, counted on each CPU: thousands of series on a large machine.",
	.purpose = "Which device keeps a processor busy.",
	.reads = "/proc/interrupts",
	.on_request = true,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct interrupts),
	.read = read_interrupts,
};
