/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

const char *const check_state_names[] = {"ok", "warning", "critical", "unknown", NULL};

const struct check_kind *const check_kinds[] = {
	&check_icmp, &check_tcp, &check_tls, &check_http, &check_dns, &check_plugin, NULL};

void check_finish(struct check_run *run, enum check_state result, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(run->text, sizeof run->text, format, arguments);
	va_end(arguments);
	run->result = result;
	run->state = NULL;
	run->on_finished(run);
}

int64_t check_us(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (int64_t)((to_ns - from_ns) / 1000) : 0;
}
