/* SPDX-License-Identifier: Apache-2.0 */
#include "outcome.h"

#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "probe.h"

struct subject {
	struct probe_host *host;
	enum check_state told; /* with the last event; at first all is thought to be well */
};

struct outcome {
	struct probe *probe;
	const struct check_spec *specs;
	struct subject *subjects; /* one a spec */
	size_t n_subjects;
};

static void on_agent(const char *instance, void *arg)
{
	(void)arg;
	fw_log(FW_INFO, "the agent of %s takes what is found", instance);
}

static void on_agent_lost(const char *why, void *arg)
{
	(void)arg;
	fw_log(FW_WARNING, "the agent does not take what is found, which waits: %s", why);
}

static struct probe_host *host_of(struct probe *probe, const struct check_spec *spec)
{
	const struct fw_label labels[] = {
		{"check", spec->name}, {"instance", spec->target}, {"job", "blackbox"}};
	return probe_host(probe, labels, sizeof labels / sizeof *labels);
}

int outcome_open(struct outcome **out, uv_loop_t *loop, const char *socket,
	const struct check_spec *specs, size_t n_specs, struct fw_err *err)
{
	const struct probe_config config = {
		.socket = socket,
		.program = "fenwatch-check " FW_VERSION,
		.on_ready = on_agent,
		.on_lost = on_agent_lost,
	};
	struct outcome *r = fw_alloc(sizeof *r);
	int rc = probe_open(&r->probe, loop, &config, err);
	if (rc < 0) {
		fw_free(r);
		return rc;
	}
	outcome_replace(r, specs, n_specs);
	*out = r;
	return 0;
}

/* What was told last of a check that stays; its host is the same as before. */
static enum check_state told_of(const struct outcome *r, const struct probe_host *host)
{
	for (size_t i = 0; i < r->n_subjects; i++)
		if (r->subjects[i].host == host)
			return r->subjects[i].told;
	return CHECK_OK;
}

void outcome_replace(struct outcome *r, const struct check_spec *specs, size_t n_specs)
{
	struct subject *subjects = fw_alloc_array(n_specs + 1, sizeof *subjects);
	for (size_t i = 0; i < n_specs; i++) {
		subjects[i].host = host_of(r->probe, &specs[i]);
		subjects[i].told = told_of(r, subjects[i].host);
	}
	fw_free(r->subjects);
	r->subjects = subjects;
	r->n_subjects = n_specs;
	r->specs = specs;
}

/* What finds no room is told with the next reading. */
static void tell_change(
	struct outcome *r, struct subject *subject, const struct check_reading *reading)
{
	const struct fw_label fields[] = {
		{"check", reading->spec->name},
		{"state", check_state_names[reading->state]},
		{"text", reading->text},
		{"was", check_state_names[subject->told]},
	};
	size_t n = sizeof fields / sizeof *fields;
	if (probe_event(r->probe, subject->host, "check", fields, n, sweep_at_ms(reading->sweep)))
		subject->told = reading->state;
}

void outcome_take(const struct check_reading *reading, void *arg)
{
	struct outcome *r = arg;
	struct subject *subject = &r->subjects[reading->spec - r->specs];
	const struct sweep *sweep = reading->sweep;
	probe_sweep(r->probe, subject->host, sweep_schema(sweep), sweep_cells(sweep),
		sweep_at_ms(sweep), (uint32_t)reading->spec->every_ms);
	if (reading->state != subject->told)
		tell_change(r, subject, reading);
}

void outcome_close(struct outcome *r)
{
	if (!r)
		return;
	probe_close(r->probe);
	fw_free(r->subjects);
	fw_free(r);
}
