/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and alerts in Prometheus' form. */
#include "alert.h"
#include "number.h"
#include "parts.h"

static void write_alert(struct json *j, const struct alert_view *alert)
{
	char value[PROMQL_NUMBER_SIZE];
	json_open(j, '{');
	admin_write_pairs(j, "labels", alert->labels, alert->n_labels);
	admin_write_pairs(j, "annotations", alert->annotations, alert->n_annotations);
	json_put_text(j, "state", alert->state == ALERT_PENDING ? "pending" : "firing");
	json_put_time(j, "activeAt", alert->since_ms);
	json_put_text(j, "value", promql_exponent(alert->value, value, sizeof value));
	json_close(j, '}');
}

void ruling_alerts(struct request *r)
{
	admin_prepare_alerts(r);
	if (r->status)
		return;
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "alerts");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		write_alert(j, &r->alerts[i]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* There are no rule groups yet: what is built in is in the alerts. */
void ruling_rules(struct request *r)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "groups");
	json_open(j, '[');
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}
