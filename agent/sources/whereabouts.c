/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the machine is in the council's network or elsewhere; nothing else of where it
 * is leaves here, neither an address nor a name.
 *
 * It is in the council's network when one of its own addresses lies in one of the
 * networks that the configuration names, and, where it names search domains too, its
 * resolver has been given one of them: a home may well use 10.0.0.0/8.
 */
#include "whereabouts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

static const struct metric metrics[] = {
	{"fenwatch_network_class", FW_GAUGE, "",
		"Which kind of network the machine is in: 1 for 'council' or for 'other', 0 for both "
		"while it has no address.",
		0, 1},
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_address(const char *text, uint8_t out[16], unsigned *most)
{
	memcpy(out, mapped, sizeof mapped);
	*most = strchr(text, ':') ? 128 : 32;
	return inet_pton(*most == 128 ? AF_INET6 : AF_INET, text,
		       *most == 128 ? out : out + sizeof mapped) == 1;
}

bool network_parse(const char *text, struct network *out)
{
	char address[64];
	unsigned most;
	uint64_t bits;
	const char *slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof address)
		return false;
	snprintf(address, sizeof address, "%.*s", (int)(slash - text), text);
	if (!parse_address(address, out->address, &most) || fw_parse_u64(slash + 1, &bits) < 0 ||
		bits > most)
		return false;
	out->bits = (unsigned)bits + 128 - most;
	return true;
}

bool domain_is_valid(const char *text)
{
	size_t length =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
	return length > 0 && text[length] == '\0' && text[0] != '.' && text[length - 1] != '.';
}

static bool contains(const struct network *network, const uint8_t address[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(network->address, address, whole) != 0)
		return false;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));
	return rest == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0;
}

/* ---- what there is ---- */

struct whereabouts {
	const struct fw_text_list *council;
	bool is_told, has_address, in_network, in_domain;
};

static void note_address(struct whereabouts *w, const uint8_t address[16])
{
	struct network network;
	w->has_address = true;
	for (size_t i = 0; i < w->council->count; i++)
		if (network_parse(w->council->items[i], &network) && contains(&network, address))
			w->in_network = true;
}

/* In the routing table an own address is "|-- 10.20.1.7" and behind it "/32 host LOCAL". */
static void read_ipv4(struct machine *m, struct whereabouts *w)
{
	struct fw_cursor c, line;
	uint8_t address[16];
	unsigned most;
	char text[INET_ADDRSTRLEN] = "";
	if (machine_read(m, "proc/net/fib_trie", &c) < 0)
		return;
	w->is_told = true;
	while (fw_cut_line(&c, &line)) {
		fw_skip_blanks(&line);
		if (fw_cut_literal(&line, "|-- ")) {
			if (!cut_name(&line, ' ', text, sizeof text))
				text[0] = '\0';
		} else if (fw_cut_literal(&line, "/32 host LOCAL") &&
			strncmp(text, "127.", 4) != 0 && parse_address(text, address, &most)) {
			note_address(w, address);
		}
	}
}

/* "20010db8000000000000000000000001 02 40 00 80 eth0"; the fourth is the scope, 0 global. */
static void read_ipv6(struct machine *m, struct whereabouts *w)
{
	struct fw_cursor c, line;
	uint8_t address[16];
	uint64_t index, bits, scope;
	char text[33];
	if (machine_read(m, "proc/net/if_inet6", &c) < 0)
		return;
	w->is_told = true;
	while (fw_cut_line(&c, &line))
		if (cut_name(&line, ' ', text, sizeof text) &&
			fw_unhex(text, address, sizeof address) == 0 && cut_hex(&line, &index) &&
			cut_hex(&line, &bits) && cut_hex(&line, &scope) && scope == 0)
			note_address(w, address);
}

static bool is_below(const char *domain, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);
	return length >= n && strncasecmp(domain + length - n, suffix, n) == 0 &&
		(length == n || domain[length - n - 1] == '.');
}

static void note_domain(struct whereabouts *w, const char *domain, size_t length)
{
	for (size_t i = 0; i < w->council->count; i++)
		if (!strchr(w->council->items[i], '/') &&
			is_below(domain, length, w->council->items[i]))
			w->in_domain = true;
}

static void read_domains(struct machine *m, struct whereabouts *w)
{
	struct fw_cursor c, line;
	const char *word;
	size_t length;
	if (machine_read(m, "etc/resolv.conf", &c) < 0)
		return;
	while (fw_cut_line(&c, &line)) {
		if (!fw_cut_literal(&line, "search ") && !fw_cut_literal(&line, "domain "))
			continue;
		while (fw_cut_word(&line, &word, &length))
			note_domain(w, word, length);
	}
}

static bool is_council(const struct whereabouts *w)
{
	size_t networks = 0;
	for (size_t i = 0; i < w->council->count; i++)
		networks += strchr(w->council->items[i], '/') != NULL;
	bool domains = networks < w->council->count;
	return w->has_address && (w->in_network || networks == 0) && (w->in_domain || !domains);
}

static int read_whereabouts(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct whereabouts w = {.council = &m->choices->council};
	if (w.council->count == 0)
		return fw_fail(err, -ENODATA,
			"the configuration does not say what the council's networks are");
	read_ipv4(m, &w);
	read_ipv6(m, &w);
	read_domains(m, &w);
	if (!w.is_told)
		return fw_fail(err, -ENODATA, "this machine does not tell its addresses");
	bool council = is_council(&w);
	sweep_add(out, &metrics[0], council, SWEEP_LABELS("class", "council"));
	sweep_add(out, &metrics[0], w.has_address && !council, SWEEP_LABELS("class", "other"));
	return 0;
}

const struct source source_whereabouts = {
	.name = "whereabouts",
	.help = "Whether the machine is in the council's network or in another one; no address.",
	.purpose = "Whether what a device cannot reach is to be expected where it is.",
	.reads = "/proc/net/fib_trie, /proc/net/if_inet6, /etc/resolv.conf",
	.needs = "network: {council: [...]} in the configuration",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_whereabouts,
};
