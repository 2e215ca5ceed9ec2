/* SPDX-License-Identifier: Apache-2.0 */
#include "testkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/conf.h>
#include <fenwatch/file.h>
#include <fenwatch/loop.h>

#include "test_tree.h"

static const struct notice_pair labels[] = {
	{"alertname", "FilesystemAlmostFull"},
	{"instance", "web01"},
	{"mountpoint", "/srv/\"quoted\"\n"},
	{"severity", "critical"},
};
static const struct notice_pair annotations[] = {
	{"description", "Little is left for ordinary users."},
	{"summary", "web01: /srv has 4.0 % left"},
};

static const struct notice_pair judged[] = {
	{"contract", "no. 4711"},
	{"contract_ends", "2027-03-31"},
	{"description", "Little is left for ordinary users."},
	{"priority", "P2"},
	{"purpose", "forms, payments"},
	{"serial", "CZ3\"7"},
	{"site", "Boston Fire"},
	{"site_address", "Robin Hood's Walk"},
	{"summary", "web01: /srv has 4.0 % left"},
	{"telephone", "01522 580397"},
	{"tier", "blue-light"},
};

static const struct notice firing = {
	.key = "fw1-0123456789abcdef0123456789abcdef",
	.status = "firing",
	.idempotency = "fw1-0123456789abcdef0123456789abcdef/2026-11-22T10:00:00.000Z/firing",
	.receiver = "desk",
	.starts_ms = INT64_C(1795341600000),
	.labels = labels,
	.n_labels = 4,
	.annotations = annotations,
	.n_annotations = 2,
	.generator_url = "http://collector/alerts",
	.external_url = "http://collector",
	.receipt = "",
};

static void on_finished(struct delivery *delivery, enum verdict verdict, const char *why)
{
	struct kit *kit = FW_CONTAINER(delivery, struct kit, delivery);
	kit->finished++;
	kit->verdict = verdict;
	snprintf(kit->why, sizeof kit->why, "%s", why);
	if (kit->waits)
		uv_stop(&kit->loop);
}

int kit_set_up(void **arg)
{
	struct kit *kit = fw_alloc(sizeof *kit);
	snprintf(kit->dir, sizeof kit->dir, "/tmp/fenwatch-feed-XXXXXX");
	assert_non_null(mkdtemp(kit->dir));
	uv_loop_init(&kit->loop);
	receiver_open(&kit->receiver, &kit->loop);
	assert_int_equal(feed_curl_open(&kit->loop, NULL), 0);
	kit->notice = firing;
	*arg = kit;
	return 0;
}

int kit_tear_down(void **arg)
{
	struct kit *kit = *arg;
	feed_curl_close();
	receiver_close(&kit->receiver);
	uv_run(&kit->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&kit->loop), 0);
	receiver_forget(&kit->receiver);
	test_remove_tree(kit->dir);
	fw_arena_done(&kit->arena);
	fw_free(kit);
	return 0;
}

static const struct feed *find(const char *type)
{
	for (const struct feed *const *feed = feeds; *feed; feed++)
		if (strcmp((*feed)->name, type) == 0)
			return *feed;
	fail_msg("no feed is called '%s'", type);
	return NULL;
}

static const char *replace_all(
	struct kit *kit, const char *text, const char *word, const char *with)
{
	for (const char *at; (at = strstr(text, word));)
		text = fw_arena_format(
			&kit->arena, "%.*s%s%s", (int)(at - text), text, with, at + strlen(word));
	return text;
}

static int configure(struct kit *kit, const char *type, const char *yaml, struct fw_err *err)
{
	const struct fw_yaml *root;
	const char *port = fw_arena_format(&kit->arena, "%u", kit->receiver.port);
	const char *text = replace_all(kit, yaml, "PORT", port);
	text = replace_all(kit, text, "DIR", kit->dir);
	kit->feed = find(type);
	void *config = fw_arena_alloc(&kit->arena, kit->feed->config_size);
	kit->delivery.config = config;
	int rc = fw_yaml_parse(text, strlen(text), &kit->arena, &root, err);
	if (rc == 0)
		rc = fw_conf_bind(root, kit->feed->options, config, &kit->arena, err);
	if (rc == 0 && kit->feed->check)
		rc = kit->feed->check(config, err);
	return rc;
}

void kit_configure(struct kit *kit, const char *type, const char *yaml)
{
	struct fw_err err;
	if (configure(kit, type, yaml, &err) < 0)
		fail_msg("%s", err.text);
}

const char *kit_refusal(struct kit *kit, const char *type, const char *yaml)
{
	struct fw_err err;
	if (configure(kit, type, yaml, &err) == 0)
		fail_msg("taken: %s", yaml);
	return fw_arena_strdup(&kit->arena, err.text);
}

const char *kit_file(struct kit *kit, const char *name, const char *text)
{
	const char *path = fw_arena_format(&kit->arena, "%s/%s", kit->dir, name);
	assert_int_equal(fw_file_replace(path, text, strlen(text), 0600, NULL), 0);
	return path;
}

void kit_start(struct kit *kit)
{
	kit->finished = 0;
	kit->delivery = (struct delivery){
		.notice = &kit->notice,
		.config = kit->delivery.config,
		.loop = &kit->loop,
		.now_ms = KIT_NOW_MS,
		.on_finished = on_finished,
	};
	kit->feed->deliver(&kit->delivery);
}

void kit_wait(struct kit *kit)
{
	kit->waits = true;
	if (kit->finished == 0)
		uv_run(&kit->loop, UV_RUN_DEFAULT);
	kit->waits = false;
	assert_int_equal(kit->finished, 1);
}

enum verdict kit_deliver(struct kit *kit)
{
	kit_start(kit);
	kit_wait(kit);
	return kit->verdict;
}

void kit_resolve(struct kit *kit, const char *receipt)
{
	kit->notice.status = "resolved";
	kit->notice.idempotency =
		"fw1-0123456789abcdef0123456789abcdef/2026-11-22T10:00:00.000Z/resolved";
	kit->notice.ends_ms = KIT_NOW_MS - 1000;
	kit->notice.receipt = fw_arena_strdup(&kit->arena, receipt);
}

void kit_set_labels(struct kit *kit, const struct notice_pair *items, size_t n)
{
	kit->notice.labels = items;
	kit->notice.n_labels = n;
}

const struct received *kit_got(const struct kit *kit, size_t i)
{
	assert_true(i < kit->receiver.n_got);
	return &kit->receiver.got[i];
}

void kit_judge(struct kit *kit)
{
	kit->notice.priority = "P2";
	kit->notice.annotations = judged;
	kit->notice.n_annotations = sizeof judged / sizeof *judged;
}

void kit_take_up(struct kit *kit, const char *receipt)
{
	static const struct notice_pair said[] = {{"acknowledged_by", "Ann"},
		{"acknowledgement", "on my way {code}"}, {"summary", "web01: /srv has 4.0 % left"}};
	kit->notice.is_update = true;
	kit->notice.priority = "P2";
	kit->notice.receipt = receipt;
	kit->notice.annotations = said;
	kit->notice.n_annotations = 3;
}
