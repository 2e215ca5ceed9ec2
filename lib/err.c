/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/err.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

int fw_fail(struct fw_err *err, int rc, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
	}
	return rc;
}

int fw_fail_in(struct fw_err *err, int rc, const char *format, ...)
{
	if (err) {
		struct fw_err inner = *err;
		va_list args;
		va_start(args, format);
		int used = vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		if (used >= 0 && (size_t)used < sizeof err->text)
			snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s",
				inner.text);
	}
	return rc;
}

int fw_fail_sys(struct fw_err *err, int rc, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		int used = vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		if (used >= 0 && (size_t)used < sizeof err->text)
			snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s",
				fw_strerror(rc));
	}
	return rc;
}

const char *fw_strerror(int rc)
{
	/* uv_strerror would allocate for a code that libuv does not know. */
	static _Thread_local char text[128];
	return uv_strerror_r(rc, text, sizeof text);
}
