/* What a group of a rule file found at one evaluation. */
#pragma once

#include "alert.h"
#include "identity.h"
#include "pairs.h"

struct finding {
	char key[IDENTITY_KEY];
	const char *rule;
	struct pairs labels, annotations; /* in the report's memory */
	bool is_firing;
	double value;
	int64_t active_ms, fired_ms;
};

struct report_rule {
	const char *name, *trouble;
};

struct alert_report {
	struct fw_arena arena;
	const char *file, *group;
	bool settled, is_kept;
	int64_t begun_ms; /* monotonic: its evaluation sees what was stored by then */
	struct report_rule *rules;
	size_t n_rules;
	struct finding **findings; /* in no order */
	size_t n;
};

/* The rule of that name which says least: one that failed, if any. NULL: it has none. */
const struct report_rule *report_rule_of(const struct alert_report *report, const char *name);
