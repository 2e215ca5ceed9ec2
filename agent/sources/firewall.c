/* SPDX-License-Identifier: Apache-2.0 */
/* Whether anything refuses what comes in: the kernel's rules, asked through the helper,
 * and what ufw and firewalld are set to, which everybody may read.
 *
 * A profile is there when its program is. nftables' answer is what counts: ufw and
 * firewalld put their rules there, and so does iptables where it is of the newer kind.
 */
#include "parse.h"

#include <errno.h>
#include <string.h>

#include "../facts/facts.h"

enum { ENABLED };

static const struct metric metrics[] = {
	[ENABLED] = {"fenwatch_firewall_enabled", FW_GAUGE, "",
		"Whether a firewall refuses some of what comes in, by who says so.", 0, 1},
};

static void add(struct sweep *out, const char *profile, bool enabled)
{
	sweep_add(out, &metrics[ENABLED], enabled, SWEEP_LABELS("profile", profile));
}

/* ---- nftables ---- */

static bool add_nftables(struct machine *m, struct sweep *out)
{
	const struct facts_request request = {.code = FACTS_RULESET};
	struct facts_ruleset ruleset;
	struct fw_buf body = {0};
	int rc = facts_ask(m, &request, &body, NULL);
	if (rc == 0)
		rc = facts_get_ruleset(&body, &ruleset);
	fw_buf_done(&body);
	if (rc == 0)
		add(out, "nftables", ruleset.input_policies > 0 || ruleset.refusals > 0);
	return rc == 0;
}

/* ---- ufw ---- */

/* "ENABLED=yes"; what is not said is no. */
static bool add_ufw(struct machine *m, struct sweep *out)
{
	struct fw_cursor c, line;
	bool enabled = false;
	if (machine_read(m, "etc/ufw/ufw.conf", &c) < 0)
		return false;
	while (fw_cut_line(&c, &line))
		if (fw_cut_literal(&line, "ENABLED="))
			enabled = line.end - line.at >= 3 && memcmp(line.at, "yes", 3) == 0;
	add(out, "ufw", enabled);
	return true;
}

/* ---- firewalld ---- */

/* It has rules while it runs; its zone "trusted" as the default lets all in. */
static bool is_trusting(struct machine *m)
{
	struct fw_cursor c, line;
	bool trusting = false;
	if (machine_read(m, "etc/firewalld/firewalld.conf", &c) < 0)
		return false;
	while (fw_cut_line(&c, &line))
		if (fw_cut_literal(&line, "DefaultZone="))
			trusting = line.end - line.at == 7 && memcmp(line.at, "trusted", 7) == 0;
	return trusting;
}

/* Its unit has a control group while it runs; older ones leave a file with its number. */
static bool runs(struct machine *m)
{
	static const char *const signs[] = {"sys/fs/cgroup/system.slice/firewalld.service",
		"sys/fs/cgroup/systemd/system.slice/firewalld.service", "run/firewalld.pid",
		"var/run/firewalld.pid"};
	struct machine_file file;
	for (size_t i = 0; i < COUNT(signs); i++)
		if (machine_stat(m, signs[i], &file) == 0)
			return true;
	return false;
}

static bool add_firewalld(struct machine *m, struct sweep *out)
{
	struct machine_file file;
	if (machine_stat(m, "usr/sbin/firewalld", &file) < 0 &&
		machine_stat(m, "etc/firewalld/firewalld.conf", &file) < 0)
		return false;
	add(out, "firewalld", runs(m) && !is_trusting(m));
	return true;
}

static int read_firewall(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	bool any = add_nftables(m, out);
	any |= add_ufw(m, out);
	any |= add_firewalld(m, out);
	return any
		? 0
		: fw_fail(err, -ENODATA, "neither ufw nor firewalld, and no helper fenwatch-facts");
}

const struct source source_firewall = {
	.name = "firewall",
	.help = "Whether a firewall is on: nftables, ufw, firewalld.",
	.purpose = "Every device has its firewall on: Cyber Essentials asks for it.",
	.reads = "nftables' rules in the kernel through the helper fenwatch-facts, /etc/ufw, "
		 "/etc/firewalld and whether firewalld runs",
	.needs = "the helper fenwatch-facts, for nftables",
	.slow = true,
	.every_s = 300,
	.timeout_s = 30,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_firewall,
};
