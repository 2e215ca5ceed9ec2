/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the rules of nftables refuse anything that comes in.
 *
 * Asked of the kernel itself (nfnetlink), since iptables and firewalld put their
 * rules there too and neither nft nor they need be installed. Only chains count that
 * hang at the input hook or that these jump to: what containers' rules drop on its
 * way through the machine protects nothing of its own. Verdicts in maps are not seen.
 */
#include "perform.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#define ANSWER_BYTES 32768
#define CHAINS_LIMIT 1024
#define JUMPS_LIMIT 8192
#define NAME_LIMIT 64 /* of what is compared; nftables allows longer ones */
#define TYPE(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

struct chain {
	uint8_t family;
	char table[NAME_LIMIT], name[NAME_LIMIT];
	bool is_input; /* hangs there, or is jumped to */
	uint32_t refusals;
};

struct jump {
	uint16_t from, to;
};

struct ruleset {
	struct chain chain[CHAINS_LIMIT];
	struct jump jump[JUMPS_LIMIT];
	size_t n, n_jumps;
	uint32_t hooks, policies;
};

/* ---- attributes ---- */

struct attributes {
	const uint8_t *at, *end;
};

struct attribute {
	uint16_t type;
	struct attributes value;
};

static bool cut_attribute(struct attributes *a, struct attribute *out)
{
	struct nlattr head;
	size_t left = a->at ? (size_t)(a->end - a->at) : 0;
	if (left < sizeof head)
		return false;
	memcpy(&head, a->at, sizeof head);
	if (head.nla_len < sizeof head || head.nla_len > left)
		return false;
	out->type = head.nla_type & (uint16_t)NLA_TYPE_MASK;
	out->value = (struct attributes){a->at + sizeof head, a->at + head.nla_len};
	size_t step = (head.nla_len + 3u) & ~3u;
	a->at += step < left ? step : left;
	return true;
}

static struct attributes find(struct attributes a, uint16_t type)
{
	struct attribute one;
	while (cut_attribute(&a, &one))
		if (one.type == type)
			return one.value;
	return (struct attributes){NULL, NULL};
}

static uint32_t number_in(struct attributes value, uint32_t fallback)
{
	uint32_t number;
	if (!value.at || value.end - value.at != sizeof number)
		return fallback;
	memcpy(&number, value.at, sizeof number);
	return ntohl(number);
}

static bool is_text(struct attributes value, const char *text)
{
	size_t length = (size_t)(value.end - value.at);
	return value.at && length == strlen(text) + 1 && memcmp(value.at, text, length) == 0;
}

/* ---- what the kernel tells ---- */

static void copy_name(char out[NAME_LIMIT], struct attributes text)
{
	size_t length = text.at ? (size_t)(text.end - text.at) : 0;
	memset(out, 0, NAME_LIMIT);
	if (length > 0)
		memcpy(out, text.at, length < NAME_LIMIT ? length : NAME_LIMIT - 1);
}

/* Its place, made where it is new; CHAINS_LIMIT when there are too many. */
static size_t find_chain(
	struct ruleset *r, uint8_t family, struct attributes table, struct attributes name)
{
	struct chain wanted = {.family = family};
	copy_name(wanted.table, table);
	copy_name(wanted.name, name);
	for (size_t i = 0; i < r->n; i++)
		if (r->chain[i].family == family && strcmp(r->chain[i].table, wanted.table) == 0 &&
			strcmp(r->chain[i].name, wanted.name) == 0)
			return i;
	if (r->n == CHAINS_LIMIT)
		return CHAINS_LIMIT;
	r->chain[r->n] = wanted;
	return r->n++;
}

static bool sees_input(uint8_t family, struct attributes hook)
{
	uint32_t number = number_in(find(hook, NFTA_HOOK_HOOKNUM), UINT32_MAX);
	if (family == NFPROTO_NETDEV)
		return number == NF_NETDEV_INGRESS;
	return number == NF_INET_LOCAL_IN || number == NF_INET_PRE_ROUTING;
}

static void take_chain(struct ruleset *r, uint8_t family, struct attributes a)
{
	struct attributes hook = find(a, NFTA_CHAIN_HOOK);
	size_t i = find_chain(r, family, find(a, NFTA_CHAIN_TABLE), find(a, NFTA_CHAIN_NAME));
	if (i == CHAINS_LIMIT || !hook.at || !sees_input(family, hook))
		return;
	r->chain[i].is_input = true;
	r->hooks++;
	r->policies += number_in(find(a, NFTA_CHAIN_POLICY), NF_ACCEPT) == NF_DROP;
}

static void take_verdict(
	struct ruleset *r, size_t from, struct attributes table, struct attributes verdict)
{
	uint32_t code = number_in(find(verdict, NFTA_VERDICT_CODE), NF_ACCEPT);
	struct attributes name = find(verdict, NFTA_VERDICT_CHAIN);
	r->chain[from].refusals += code == NF_DROP;
	if (!name.at || r->n_jumps == JUMPS_LIMIT)
		return;
	size_t to = find_chain(r, r->chain[from].family, table, name);
	if (to < CHAINS_LIMIT)
		r->jump[r->n_jumps++] = (struct jump){(uint16_t)from, (uint16_t)to};
}

static void take_expression(
	struct ruleset *r, size_t chain, struct attributes table, struct attributes expression)
{
	struct attributes name = find(expression, NFTA_EXPR_NAME);
	struct attributes data = find(expression, NFTA_EXPR_DATA);
	bool iptables = is_text(name, "target") && is_text(find(data, NFTA_TARGET_NAME), "REJECT");
	if (iptables || is_text(name, "reject"))
		r->chain[chain].refusals++;
	if (is_text(name, "immediate"))
		take_verdict(
			r, chain, table, find(find(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT));
}

static void take_rule(struct ruleset *r, uint8_t family, struct attributes a)
{
	struct attributes table = find(a, NFTA_RULE_TABLE);
	struct attributes expressions = find(a, NFTA_RULE_EXPRESSIONS);
	struct attribute one;
	size_t i = find_chain(r, family, table, find(a, NFTA_RULE_CHAIN));
	while (i < CHAINS_LIMIT && cut_attribute(&expressions, &one))
		take_expression(r, i, table, one.value);
}

static void take_message(struct ruleset *r, const struct nlmsghdr *head)
{
	const uint8_t *body = NLMSG_DATA(head);
	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
		return;
	const struct nfgenmsg *message = NLMSG_DATA(head);
	struct attributes a = {
		body + NLMSG_ALIGN(sizeof *message), (const uint8_t *)head + head->nlmsg_len};
	if (head->nlmsg_type == TYPE(NFT_MSG_NEWCHAIN))
		take_chain(r, message->nfgen_family, a);
	if (head->nlmsg_type == TYPE(NFT_MSG_NEWRULE))
		take_rule(r, message->nfgen_family, a);
}

/* 1 when there is more to come. */
static int take_messages(struct ruleset *r, const struct nlmsghdr *head, size_t length)
{
	for (; NLMSG_OK(head, length); head = NLMSG_NEXT(head, length)) {
		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(head);
			bool whole = head->nlmsg_len >= NLMSG_LENGTH(sizeof *error);
			return whole && error->error < 0 ? error->error : -EBADMSG;
		}
		take_message(r, head);
	}
	return 1;
}

static int dump(int fd, struct ruleset *r, uint16_t what)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			.nlmsg_type = TYPE(what),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0},
	};
	if (send(fd, &request, sizeof request, 0) < 0)
		return -errno;
	struct nlmsghdr *answer = fw_alloc(ANSWER_BYTES);
	int rc = 1;
	while (rc == 1) {
		ssize_t got = recv(fd, answer, ANSWER_BYTES, 0);
		rc = got < 0 ? -errno : got == 0 ? -EBADMSG : take_messages(r, answer, (size_t)got);
	}
	fw_free(answer);
	return rc;
}

/* To ask a kernel without nf_tables would make it load the module. */
static bool is_loaded(struct machine *m)
{
	struct machine_file file;
	return machine_stat(m, "sys/module/nf_tables", &file) == 0 ||
		machine_stat(m, "proc/modules", &file) == -ENOENT;
}

static int ask_kernel(struct ruleset *r)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return errno == EPROTONOSUPPORT ? 0 : -errno;
	int rc = connect(fd, (struct sockaddr *)&kernel, sizeof kernel) < 0 ? -errno : 0;
	if (rc == 0)
		rc = dump(fd, r, NFT_MSG_GETCHAIN);
	if (rc == 0)
		rc = dump(fd, r, NFT_MSG_GETRULE);
	fw_close(fd);
	return rc;
}

/* Follows jumps until no further chain is reached. */
static void reach(struct ruleset *r)
{
	bool more = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < r->n_jumps; i++) {
			struct chain *to = &r->chain[r->jump[i].to];
			if (!r->chain[r->jump[i].from].is_input || to->is_input)
				continue;
			to->is_input = more = true;
		}
	}
}

static int read_recorded(struct machine *m, struct facts_ruleset *out)
{
	struct fw_cursor c;
	uint64_t n[3];
	int rc = machine_read(m, "recorded/nftables", &c);
	for (int i = 0; rc == 0 && i < 3; i++)
		if (!fw_cut_u64(&c, &n[i]) || n[i] > UINT32_MAX)
			rc = -EBADMSG;
	if (rc == 0)
		*out = (struct facts_ruleset){(uint32_t)n[0], (uint32_t)n[1], (uint32_t)n[2]};
	return rc;
}

int ruleset_count(struct machine *m, struct facts_ruleset *out)
{
	if (m->recorded)
		return read_recorded(m, out);
	*out = (struct facts_ruleset){0};
	if (!is_loaded(m))
		return 0;
	struct ruleset *r = fw_alloc(sizeof *r);
	int rc = ask_kernel(r);
	reach(r);
	out->input_chains = r->hooks;
	out->input_policies = r->policies;
	for (size_t i = 0; i < r->n; i++)
		out->refusals += r->chain[i].is_input ? r->chain[i].refusals : 0;
	fw_free(r);
	return rc;
}
