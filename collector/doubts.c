/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration may say, and hardly means. */
#include "config.h"

#include <fenwatch/clock.h>

#include "register.h"

static void add(struct fw_text_list *list, const char *text)
{
	list->items = fw_realloc(list->items, (list->count + 1) * sizeof *list->items);
	list->items[list->count++] = text;
}

static void add_words(struct alert_given *given, const struct rule_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		add(&given->words, texts->items[i].name);
}

static void add_group(struct alert_given *given, const struct file_group *group)
{
	for (size_t i = 0; i < group->n_rules; i++) {
		if (group->rules[i].is_alert)
			add(&given->alerts, group->rules[i].name);
		add_words(given, &group->rules[i].labels);
		add_words(given, &group->rules[i].annotations);
	}
}

void config_doubts(
	const struct config *config, void (*on_doubt)(const char *sentence, void *arg), void *arg)
{
	struct alert_given given = {0};
	for (size_t i = 0; i < config->rules->n_files; i++)
		for (size_t k = 0; k < config->rules->files[i].n_groups; k++)
			add_group(&given, &config->rules->files[i].groups[k]);
	for (size_t i = 0; i < config->event_rules.n; i++)
		add(&given.alerts, events_rule_name(&config->event_rules, i));
	alert_doubt_feeds(&config->alerts, &given, on_doubt, arg);
	if (config->registry)
		register_doubts(config->registry, fw_wall_ms(), on_doubt, arg);
	fw_free(given.alerts.items);
	fw_free(given.words.items);
}
