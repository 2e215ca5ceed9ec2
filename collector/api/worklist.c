/* SPDX-License-Identifier: Apache-2.0 */
/* What was so when its host first reported: for somebody to plan, not for the desk. */
#include <string.h>

#include "alert.h"
#include "feed.h"
#include "parts.h"

static void write_item(struct json *j, const struct alert_view *alert)
{
	static const char *const said[] = {"summary", "description", "site", "owner", "supplier"};
	json_open(j, '{');
	json_put_text(j, "key", alert->key);
	json_put_text(j, "rule", alert->rule);
	json_put_text(j, "host", alert->instance);
	json_put_text(j, "severity", alert->severity);
	json_put_time(j, "since", alert->since_ms);
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		json_put_text(j, said[i],
			notice_value(alert->annotations, alert->n_annotations, said[i]));
	json_close(j, '}');
}

void worklist_list(struct request *r)
{
	admin_prepare_alerts(r);
	if (r->status)
		return;
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		if (r->alerts[i].held && strcmp(r->alerts[i].held, ALERT_WORK_LIST) == 0)
			write_item(j, &r->alerts[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}

void worklist_hand(struct request *r)
{
	struct fw_err err;
	int rc = alert_hand(api_config(r->api)->alerts, r->path_value, r->who, &err);
	admin_tell(r, rc, &err, "handed");
}
