/* Which groups and rules a request asks for, by Prometheus' parameters. */
#pragma once

#include "filter.h"
#include "request.h"
#include "schedule.h"

struct wanted {
	const char **names, **groups, **files;
	size_t n_names, n_groups, n_files;
	struct filter *filters; /* of labels as rules have them: any of these */
	size_t n_filters;
	bool recording, alerting, without_alerts;
	uint64_t limit;    /* of groups; 0: none */
	const char *first; /* the token of the group to begin with, or NULL */
};

#define WANTED_TOKEN 41
/* What stands for a group between one page of them and the next. */
void wanted_token(const struct schedule_group *group, char out[WANTED_TOKEN]);

/* -EINVAL, worded as Prometheus does. Is given back in either case. */
int wanted_read(struct request *r, struct wanted *out, struct fw_err *err);
bool wanted_group(const struct wanted *w, const struct schedule_group *group);
bool wanted_rule(const struct wanted *w, const struct schedule_rule *rule);
void wanted_done(struct wanted *w);
