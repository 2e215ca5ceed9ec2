/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <string.h>

#include <fenwatch/mem.h>

static const struct metric metrics[] = {
	{"node_arp_entries", FW_GAUGE, "", "ARP entries by device.", 0, 1},
};

#define DEVICES_LIMIT 64

struct tally {
	char device[NAME_BYTES];
	int64_t entries;
};

struct arp {
	struct tally tallies[DEVICES_LIMIT];
	size_t n;
};

static void count(struct arp *arp, const char *device)
{
	size_t i = 0;
	while (i < arp->n && strcmp(arp->tallies[i].device, device) != 0)
		i++;
	if (i == DEVICES_LIMIT)
		return;
	if (i == arp->n)
		memcpy(arp->tallies[arp->n++].device, device, strlen(device) + 1);
	arp->tallies[i].entries++;
}

/* The device is the sixth word of a line, under a header. */
static void count_line(struct arp *arp, struct fw_cursor *line)
{
	const char *word;
	size_t length;
	for (size_t i = 0; i < 5; i++)
		if (!fw_cut_word(line, &word, &length))
			return;
	char device[NAME_BYTES];
	if (cut_name(line, ' ', device, sizeof device))
		count(arp, device);
}

static int read_arp(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct arp *arp = state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/net/arp", &c, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < arp->n; i++)
		arp->tallies[i].entries = 0;
	fw_cut_line(&c, &line);
	while (fw_cut_line(&c, &line))
		count_line(arp, &line);
	for (size_t i = 0; i < arp->n; i++)
		sweep_add(out, &metrics[0], arp->tallies[i].entries,
			SWEEP_LABELS("device", arp->tallies[i].device));
	return 0;
}

const struct source source_arp = {
	.name = "arp",
	.help = "Neighbours known on each network.",
	.purpose = "A network whose neighbours vanish or overflow is cut off.",
	.reads = "/proc/net/arp",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct arp),
	.read = read_arp,
};
