/* collector.yml and the register that it names, read and checked.
 *
 * Everything lies in the config's own arenas and lives until config_done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "api.h"
#include "events.h"
#include "ingest.h"
#include "label_set.h"
#include "patch.h"
#include "register.h"
#include "rulefile.h"
#include "send.h"
#include "store.h"

#define CONFIG_PATH "/etc/fenwatch/collector.yml"

struct config_address {
	const char *text;
	unsigned line; /* where it stands in the file */
};

struct config_settings {
	struct ingest_settings *items;
	size_t count;
};

struct config {
	struct fw_arena arena;
	const char *data;
	struct {
		struct config_address listen;
		int64_t workers;
	} agents;
	struct {
		struct config_address listen;
		int auth; /* 0: none, 1: tokens */
		const char *external_url, *cors;
		struct {
			const char *cert, *key;
		} tls;
	} api;
	struct {
		uint64_t tier_bytes[STORE_TIERS]; /* 0: by the budget of the raw tier */
		int64_t late_ms, columns_per_host, foreign_series, foreign_series_per_host;
		bool any_age;
	} store;
	struct api_query query;
	struct alert_options alerts; /* feeds, builtin_rules and absence */
	struct event_rules event_rules;
	struct patch_options patches;
	struct config_settings settings;
	const char *register_folder; /* or NULL */
	struct registry *registry;
	struct fw_text_list rule_files; /* patterns */
	struct rule_set *rules;         /* what they name; until config_take_rules */
	int64_t evaluation_ms;
	struct label_set external_labels;
	struct send_options remote_write;
};

extern const struct fw_option config_table[];

int config_load(struct config *config, const char *path, struct fw_err *err);
/* What can be kept to, and was hardly meant so: a sentence each. Before config_take_rules. */
void config_doubts(
	const struct config *config, void (*on_doubt)(const char *sentence, void *arg), void *arg);
/* The rules are the caller's from now on. */
struct rule_set *config_take_rules(struct config *config);
void config_done(struct config *config);
