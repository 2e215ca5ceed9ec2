/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

enum status cli_fail(enum status status, const char *format, ...)
{
	va_list args;
	fputs("fenwatch: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

static int on_json(const char *data, size_t length, void *arg)
{
	fw_buf_append(arg, data, length);
	return 0;
}

enum status cli_show(struct cli *cli, json_t *data,
	enum status (*render)(struct screen *screen, const json_t *data))
{
	enum status status = render(&cli->screen, data);
	if (cli->settings.json) {
		fw_buf_reset(&cli->screen.out);
		/* Only ASCII: nothing in it can harm a terminal. */
		json_dump_callback(data, on_json, &cli->screen.out,
			JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		fw_buf_putc(&cli->screen.out, '\n');
	}
	json_decref(data);
	return status;
}

enum status cli_get(struct cli *cli, const char *path, const struct parameter *parameters,
	enum status (*render)(struct screen *screen, const json_t *data))
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "GET", path, parameters, &status);
	return data ? cli_show(cli, data, render) : status;
}
